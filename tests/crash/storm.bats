#!/usr/bin/env bats
# storm.bats -- kill -9 under load: nothing acknowledged lost, nothing shown twice, back within a second.
#
# KILLS=200 by default; `build/release/tools/storm INSTANCE TARGET KILLS` goes on for as long as one likes.
load ../scenario/helper

storm() {
    run timeout 500 "$tools/storm" default "$1" "${KILLS:-200}"
    sed 's/^/# /' <<<"$output" >&3
    [ "$status" -eq 0 ]
    remember
}

@test "storm: worker" { storm worker; }
@test "storm: keeper" { storm keeper; }
@test "storm: supervisor" { storm supervisor; }
@test "storm: all processes" { storm all; }
@test "storm: client" { storm client; }
@test "storm: a worker is stopped" { storm stop-worker; }

@test "storm: a worker is killed while hundreds say hello" {
    in_memory
    start
    mkfifo "$dir/orders"
    exec 9<>"$dir/orders"
    timeout 300 "$tools/many" default 3000 3 <"$dir/orders" >"$dir/crowd" 9>&- &
    for i in {1..20}; do
        pid=$(pid_of worker/0) && kill -9 "$pid" && until_true 10 other "$pid"
    done
    remember
    until_true 60 has "in 3000 " "$dir/crowd"
    echo "back" >&9
    until_true 60 has done "$dir/crowd"
    echo "hear still here" >&9
    until_true 10 has listening "$dir/crowd"
    for i in 0 1 2; do chat send "many-$i" "still here"; done
    until_true 60 has "heard 3000, twice 0" "$dir/crowd"
}
other() { local now; now=$(pid_of worker/0) && [ -n "$now" ] && [ "$now" != "$1" ]; }
