#!/usr/bin/env bats
# cost.bats -- what a message and an idle relay cost, counted: system calls, takes of the lock, calls for memory, syncs, wake-ups.
load helper

@test "a message to a hundred readers, and ten seconds of nothing, stay within their bounds" {
    [ "$(id -u)" -eq 0 ] || skip "only root may trace a relay's processes"
    [[ $bin != *asan* ]] || skip "a sanitizer calls for memory of its own"
    "$bin/../bench/bench_smoke"
}

policy_of() { cut -d' ' -f41 "/proc/$1/stat"; }
is_batch() { [ "$(policy_of "$1")" -eq 3 ]; }

@test "who fills the queue does not take the core from who empties it" {
    start
    chat tail -f lobby >"$dir/out" &
    tail=$!
    { seq 300000; until_true 20 [ -e "$dir/seen" ]; } | chat send --lines lobby &
    until_true 10 is_batch $!
    [ "$(policy_of "$tail")" -eq 0 ]
    touch "$dir/seen"
    wait $!
    kill "$tail"
}
