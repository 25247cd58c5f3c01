#!/bin/sh
# host.sh -- the first process of a host: lets it find its peers, and becomes its relay.
#
# Hosts that are set up together share a directory ($ENROL), where each leaves two lines: NAME.invite for those who can dial
# it, NAME.id for those who cannot.
#   $DIALS   the hosts whose invitation this one takes
#   $KNOWS   the hosts that it hears of only through others
set -eu
ENROL=${ENROL:-/enrol}

is_peer() { relay --system status | grep -q "^$1 "; }
leave() { cat >"$ENROL/.$1" && mv "$ENROL/.$1" "$ENROL/$1"; }

# enrol PEER KIND -- as soon as it has left its line, and until it is a peer.
enrol() {
    until is_peer "$1"; do
        if [ ! -s "$ENROL/$1.$2" ]; then
            sleep 0.2
        elif [ "$2" = invite ]; then
            relay --system join "$(cat "$ENROL/$1.invite")" && return || sleep 1 # it may start again just now
        else
            relay --system join "$(sed 's/^\([^ ]*\) [^ ]*/\1 -/' "$ENROL/$1.id")" && return || sleep 1
        fi
    done
}

{
    until relay --system status >/dev/null 2>&1; do sleep 0.1; done
    me=$(relay --system id)
    echo "$me" | leave "${me%% *}.id"
    relay --system invite --uses 100 --expires 7d 2>/dev/null | leave "${me%% *}.invite"
    for peer in ${DIALS:-}; do enrol "$peer" invite; done
    for peer in ${KNOWS:-}; do enrol "$peer" id; done
} &
exec relay --system run
