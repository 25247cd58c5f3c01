#!/usr/bin/env bats
# stopped.bats -- who does not read, and who does not let go.
load helper

small() { printf 'journal = 1M\n' >"$dir/relay.conf"; start -c "$dir/relay.conf"; }
pids() { relay status | awk '/^instance/ {print $NF} $1 ~ /^(worker|keeper)/ {print $1, $2}'; }

# readers KIB lapped|kept
readers() {
    small
    before=$(pids)
    run timeout 300 "$tools/stopped" default "$@"
    echo "$output"; tail -n 5 "$dir/state/default/relay.log"
    [ "$status" -eq 0 ]
    [ "$(pids)" = "$before" ]
}

@test "readers who do not read while several rings pass: the others get all at once, they get all later" {
    readers 5000 lapped
}

@test "readers whose FIFO is full, but whom the ring did not overtake, go on where they were" {
    readers 400 kept
}

# hold stop|die -- a process of the relay's user stops or dies within a change.
hold() {
    start
    chat send lobby before
    before=$(pids)
    "$tools/hold" default "$1" &
    holder=$!
    if [ "$1" = stop ]; then
        until_true 10 grep -q '^State:.T' "/proc/$holder/status"
    fi
    chat --timeout 20 send lobby "goes on"
    status=0
    wait "$holder" || status=$?
    [ "$status" -eq 137 ]
    [ "$(pids)" = "$before" ]
    run chat log lobby
    [[ $output == *before*"goes on"* ]]
    run chat rooms
    [[ $output != *half-made* ]]
}

@test "a stopped holder of the lock is killed, and what it had begun is undone" {
    hold stop
    has "process $holder has not moved" "$dir/state/default/relay.log"
}

@test "a holder of the lock who dies leaves nothing half-done" { hold die; }
