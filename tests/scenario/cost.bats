#!/usr/bin/env bats
# cost.bats -- what a message and an idle relay cost, counted: system calls, takes of the lock, calls for memory, syncs, wake-ups.
load helper

@test "a message to a hundred readers, and ten seconds of nothing, stay within their bounds" {
    [ "$(id -u)" -eq 0 ] || skip "only root may trace a relay's processes"
    [[ $bin != *asan* ]] || skip "a sanitizer calls for memory of its own"
    "$bin/../bench/bench_smoke"
}

policy_of() { cut -d' ' -f41 "/proc/$1/stat"; }
# one_is_batch PID... -- one of these stepped back.
one_is_batch() {
    local pid
    for pid; do [ "$(policy_of "$pid")" != 3 ] || return 0; done
    return 1
}
sessions() { relay status | awk -v n="$1" '$1 == "sessions" && $2 == n {found = 1} END {exit !found}'; }

@test "who fills the queue does not take the core from who empties it" {
    start
    chat tail -f lobby >"$dir/out" &
    tail=$!
    senders=
    for _ in {1..4}; do # together they may say more at once than the queues of two workers hold
        { echo here; until_true 20 [ -e "$dir/stopped" ]; seq 20000; until_true 20 [ -e "$dir/seen" ]; } | chat send --lines lobby &
        senders="$senders $!"
    done
    until_true 10 sessions 5
    workers=$(relay status | awk '$1 ~ /^worker/ {print $2}')
    frozen="$workers $(relay_pid)" # nobody empties them, nor makes new workers
    kill -STOP "$(relay_pid)"
    kill -STOP $workers
    touch "$dir/stopped"
    until_true 10 one_is_batch $senders
    [ "$(policy_of "$tail")" -eq 0 ]
    kill -CONT $frozen
    frozen=
    touch "$dir/seen"
    wait $senders
    kill "$tail"
}
