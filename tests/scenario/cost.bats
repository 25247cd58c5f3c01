#!/usr/bin/env bats
# cost.bats -- what a message and an idle relay cost, counted: system calls, takes of the lock, calls for memory, syncs, wake-ups.
load helper

@test "a message to a hundred readers, and ten seconds of nothing, stay within their bounds" {
    [ "$(id -u)" -eq 0 ] || skip "only root may trace a relay's processes"
    [[ $bin != *asan* ]] || skip "a sanitizer calls for memory of its own"
    "$bin/../bench/bench_smoke"
}
