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
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(pids)" = "$before" ]
}

@test "readers who do not read while several rings pass: the others get all at once, they get all later" {
    readers 5000 lapped
}

@test "readers whose FIFO is full, but whom the ring did not overtake, go on where they were" {
    readers 400 kept
}
