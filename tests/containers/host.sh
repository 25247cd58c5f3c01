#!/bin/sh
# host.sh -- the first process of a host: lets it join the others, and becomes its relay.
#
# Hosts that are set up together share a directory ($ENROL), where each leaves an invitation; $JOINS is whose this one takes.
# One is enough: whoever is a member of the network is known to all of it.
set -eu
ENROL=${ENROL:-/enrol}

is_peer() { relay --system status | grep -q "^$1 "; }

# enrol PEER -- as soon as it has left an invitation; again while it cannot be reached, and never twice.
enrol() {
    until is_peer "$1"; do
        if [ -s "$ENROL/$1" ] && relay --system join "$(cat "$ENROL/$1")"; then return; fi
        sleep 0.5
    done
}

{
    until relay --system status >/dev/null 2>&1; do sleep 0.1; done
    for peer in ${JOINS:-}; do enrol "$peer"; done # and then it invites others: into that network, not into one of its own
    relay --system invite --uses 100 --expires 7d >"$ENROL/.$(hostname)" 2>/dev/null
    mv "$ENROL/.$(hostname)" "$ENROL/$(hostname)"
} &
exec relay --system run
