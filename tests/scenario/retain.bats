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
    years_later alpha kept alpha "no messages yet.*for 30 days"
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
    keep alpha "keep_days = 30"
    years_later alpha kept alpha "no messages yet"
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
