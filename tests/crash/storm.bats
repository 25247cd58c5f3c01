#!/usr/bin/env bats
# storm.bats -- kill -9 under load: nothing acknowledged lost, nothing shown twice, back within a second.
#
# KILLS=200 by default; `build/release/tools/storm INSTANCE TARGET KILLS` goes on for as long as one likes.
load ../scenario/helper

storm() {
    run timeout 500 "$tools/storm" default "$1" "${KILLS:-200}"
    echo "$output" >&3
    [ "$status" -eq 0 ]
    remember
}

@test "storm: worker" { storm worker; }
@test "storm: keeper" { storm keeper; }
@test "storm: supervisor" { storm supervisor; }
@test "storm: all processes" { storm all; }
@test "storm: client" { storm client; }
@test "storm: a worker is stopped" { storm stop-worker; }
