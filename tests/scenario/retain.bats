#!/usr/bin/env bats
# retain.bats -- old messages are deleted, and nobody wonders where they are: not on the host that kept them, and not on one that was
# away meanwhile.
load helper
load hosts

DAY=86400

# keep HOST SETTING... -- into its relay.conf, in the place of those before.
keep() {
    local conf=$dir/$1/.config/relay/relay.conf
    sed -i '/^keep_/d' "$conf"
    printf '%s\n' "${@:2}" >>"$conf"
}

# settled HOST... -- hosts that listen where they did before when they start again: else a new address is told, with a stamp.
settled() {
    local h
    hosts "$@"
    for h; do sed -i "s/^listen.*/listen = $(cat "$dir/run/$h/address")/" "$dir/$h/.config/relay/relay.conf"; done
}

# years_later HOST COMMAND... -- its relay runs with a clock that is far ahead, alone, until COMMAND is true; then it stops.
years_later() {
    local h=$1
    [ -e "$dir/ahead.so" ] || cc -shared -fPIC -o "$dir/ahead.so" "$BATS_TEST_DIRNAME/ahead.c" -ldl || skip "no compiler"
    ! on "$h" relay status >/dev/null 2>&1 || on "$h" relay stop
    LD_PRELOAD=$dir/ahead.so CLOCK_AHEAD=$((400 * DAY)) ASAN_OPTIONS=verify_asan_link_order=0 on "$h" relay start
    remember "$h"
    until_true 20 "${@:2}"
    on "$h" relay stop
}

# kept HOST WHAT -- as the line of relay status says.
kept() { on "$1" relay status | grep -q "^kept *$2"; }

@test "what is older than relay.conf says is deleted, and log, tail and status say so" {
    settled alpha
    say alpha lobby 1 30
    cursor=$(on alpha chat log --json -n 25 lobby | sed -n '1s/.*"cursor":\([0-9]*\).*/\1/p')
    kept alpha "messages since 20.*for ever"
    years_later alpha kept alpha "messages since" # no limit: nothing goes
    keep alpha "keep_days = 30"
    years_later alpha kept alpha "no messages.*for 30 days"
    up alpha
    say alpha lobby 31 33
    run on alpha chat log lobby
    [[ $output == *"-- 30 messages between "*" are no longer kept."*"31 from alpha"*"33 from alpha"* ]]
    [ "$(grep -c "no longer kept" <<<"$output")" -eq 1 ]
    [[ $output != *" 30 from alpha"* ]]
    run on alpha chat log --json lobby
    [[ ${lines[0]} == '{"v":1,"type":"gone","room":"lobby","messages":30,"why":"old","from":"20'*'Z","time":"20'*'Z"}' ]]
    run on alpha chat log -n 2 lobby # does not come to the beginning
    [[ $output != *"no longer kept"* ]]
    run on alpha chat tail --after-cursor "$cursor" lobby
    [[ $output == *"no longer kept."*"31 from alpha"* ]]
    kept alpha "messages since .*for 30 days"
}

@test "a host that comes back is told what it cannot get any more, and goes on" {
    settled alpha beta
    link alpha beta
    say alpha lobby 1 10
    on alpha chat room topic lobby "kept for ever"
    until_true 10 at_least beta lobby 11
    on beta relay stop
    say alpha lobby 11 50
    id=$(on alpha chat log --ids lobby | awk '/ 20 from alpha/ {print $1}')
    [[ $(on alpha chat trace "$id") == "alpha "*"on disk (this host)"* ]]
    keep alpha "keep_days = 30"
    years_later alpha kept alpha "no messages"
    up alpha
    say alpha lobby 51 55
    up beta
    on beta chat tail -f -n 0 lobby >"$dir/out" 2>&1 &
    until_true 10 on beta chat who lobby
    until_true 30 at_least beta lobby 17
    run on beta chat log lobby
    [[ $output == *" 10 from alpha"*"-- 40 messages of alpha between "*"no longer kept: they were said while this host was away."*"51 from alpha"*"55 from alpha"* ]]
    [ "$(grep -c "no longer kept" <<<"$output")" -eq 1 ]
    until_true 10 has "40 messages of alpha between" "$dir/out"
    for h in alpha beta; do # a gap is not the message, though the stream is as long as before
        run on $h chat trace "$id"
        [ "$status" -eq 1 ]
        [[ $output == *"$h "*"no longer kept (this host)"*"on disk, or gone there, too"* ]]
    done
    run on alpha chat log lobby
    [[ $output == *"kept for ever"* && $output == *"-- 50 messages between"* ]]
    say beta lobby 1 1
    up_for alpha beta 1
    on beta relay stop # and once more: the same link-up, no gap left to tell
    up beta
    until_true 10 linked beta alpha
    say alpha lobby 56 56
    until_true 10 sh -c "[ \$(HOME=$dir/beta chat -i beta log lobby | grep -c '56 from alpha') -eq 1 ]"
    ! grep -E "(gap|segment) came" "$dir/state/beta/relay.log"
}

@test "whoever still has it brings it: three hosts, of which one keeps less and one was away" {
    settled alpha beta gamma
    link alpha beta
    link alpha gamma
    link beta gamma
    say alpha lobby 1 10
    until_true 10 at_least gamma lobby 10
    on gamma relay stop
    say alpha lobby 11 40
    until_true 10 at_least beta lobby 40
    keep alpha "keep_days = 30"
    years_later alpha kept alpha "no messages"
    up alpha
    until_true 10 linked alpha beta
    up gamma
    until_true 30 at_least gamma lobby 40
    until_true 20 linked gamma alpha
    say alpha lobby 41 41
    until_true 30 at_least gamma lobby 41
    run on gamma chat log lobby
    [[ $output != *"no longer kept"* && $output == *"11 from alpha"*"41 from alpha"* ]]
    until_true 10 at_least beta lobby 41
    run on beta chat log lobby
    [[ $output != *"no longer kept"* ]] # alpha deletes its own copy, nobody else's
}

@test "a new host learns the state of a room whose messages are gone, and how many there were" {
    settled alpha beta
    on alpha chat room create build --topic "Ship it"
    say alpha build 1 20
    keep alpha "keep_days = 30"
    years_later alpha kept alpha "no messages"
    up alpha
    run on alpha chat room show build
    [[ $output == *"topic     Ship it"* ]]
    link alpha beta
    gone() { on beta chat log build | grep -q -- "-- 20 messages of alpha between .* no longer kept"; }
    until_true 20 gone
    run on beta chat room show build
    [[ $output == *"owner"*"topic     Ship it"* ]]
    say alpha build 21 21
    last() { on beta chat log build | tail -n 1 | grep -q "21 from alpha"; }
    until_true 10 last
}

@test "a private room: who is invited when a part of it is gone is told so, and nobody else" {
    local me room
    me=$(getent passwd "$(id -u)" | cut -d: -f1)
    room=${me:-uid$(id -u)}@alpha/plans
    settled alpha beta gamma
    link alpha beta
    link alpha gamma
    on alpha chat room create --private plans
    say alpha "$room" 1 20
    keep alpha "keep_days = 30"
    years_later alpha kept alpha "no messages"
    up alpha
    until_true 20 linked alpha beta
    until_true 20 linked alpha gamma
    on alpha chat room invite "$room" "${room%%@*}@beta"
    gone() { on beta chat log "$room" | grep -q -- "-- 20 messages of alpha between .* no longer kept"; }
    until_true 30 gone
    say alpha "$room" 21 21
    last() { on beta chat log "$room" | tail -n 1 | grep -q "21 from alpha"; }
    until_true 20 last
    [ "$(on beta chat log "$room" | grep -c "no longer kept")" -eq 1 ]
    not on gamma chat log "$room"
}

@test "killed while it deletes, again and again: every message is either there or told to be gone" {
    settled alpha
    for i in {1..400}; do # one by one: many small segments, which go in several pieces
        echo "$i from alpha"
        pause 0.005
    done | on alpha chat -q -r lobby >/dev/null
    say alpha lobby 401 2400
    until_true 10 at_least alpha lobby 2400
    keep alpha "keep_days = 30"
    [ -e "$dir/ahead.so" ] || cc -shared -fPIC -o "$dir/ahead.so" "$BATS_TEST_DIRNAME/ahead.c" -ldl || skip "no compiler"
    on alpha relay stop
    all() { # what is there and what is gone, together
        [ "$(on alpha chat log --json -n 10000 lobby |
            awk -F'"messages":' '/"type":"gone"/ {n += $2 + 0} /"type":"message"/ {n++} END {print n}')" -eq 2400 ]
    }
    later() { LD_PRELOAD=$dir/ahead.so CLOCK_AHEAD=$((400 * DAY)) ASAN_OPTIONS=verify_asan_link_order=0 "$@"; }
    for i in 1 2 3 4 5 6; do
        later on alpha relay start
        remember alpha
        kill_all alpha
        until_true 5 not on alpha relay status # its lock is free
        up alpha # with the right clock: nothing more goes
        all
        on alpha relay stop
    done
    years_later alpha kept alpha "no messages"
    up alpha
    all
    run on alpha chat log lobby
    [[ $output == *"-- 2400 messages between "* ]]
}
