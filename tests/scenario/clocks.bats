#!/usr/bin/env bats
# clocks.bats -- hosts whose clocks disagree by more than two minutes.
load helper
load hosts

# ahead SECONDS COMMAND... -- what it starts has a clock that is so far ahead.
ahead() { LD_PRELOAD=$dir/ahead.so CLOCK_AHEAD=$1 ASAN_OPTIONS=verify_asan_link_order=0 "${@:2}"; }

setup_clocks() {
    cc -shared -fPIC -o "$dir/ahead.so" "$BATS_TEST_DIRNAME/ahead.c" -ldl || skip "no compiler"
    hosts alpha
    mkdir -p "$dir/beta/.config/relay"
    printf 'name = beta\nlisten = 127.0.0.1:0\nworkers = 1\n' >"$dir/beta/.config/relay/relay.conf"
    ahead "$1" up beta
    link alpha beta
}

@test "what is stamped two minutes ahead waits for its time, and is shown live and in the history then" {
    setup_clocks 128
    on alpha chat tail -f -n 0 lobby >"$dir/out" 2>&1 &
    until_true 5 on alpha chat who lobby
    on beta chat send lobby "from the future"
    on alpha chat send lobby "from now"
    until_true 5 has "from now" "$dir/out"
    until_true 5 has "The clock of beta is 2 min ahead" "$dir/out"
    run on alpha chat log lobby
    [[ $output != *"from the future"* ]]
    [ "$(grep -c "from the future" "$dir/out")" -eq 0 ]
    until_true 20 has "from the future" "$dir/out"
    [ "$(grep -c "from the future" "$dir/out")" -eq 1 ]
    converge lobby 2 alpha beta
    run on alpha chat log lobby
    [[ $output == *"from now"*"from the future"* ]]
}

@test "a relay that starts again while something waits" {
    setup_clocks 132
    on alpha chat tail -f -n 0 lobby >"$dir/out" 2>&1 &
    tail=$!
    until_true 5 on alpha chat who lobby
    on beta chat send lobby "from the future"
    until_true 5 has "The clock of beta is 2 min ahead" "$dir/out"
    end $tail
    on alpha chat send lobby "from now"
    on alpha relay stop
    up alpha
    run on alpha chat log lobby
    [[ $output == *"from now"* && $output != *"from the future"* ]]
    on alpha chat tail -f -n 0 lobby >"$dir/out" 2>&1 &
    until_true 30 has "from the future" "$dir/out"
    converge lobby 2 alpha beta
}
