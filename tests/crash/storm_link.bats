#!/usr/bin/env bats
# storm_link.bats -- kill -9 on either side of a link under load: what was acknowledged at one host comes to the other, once
# and in order.
#
# KILLS=20 by default, as every kill costs a new link.
load ../scenario/helper
load ../scenario/hosts

storm() { # TARGET VICTIM
    workers=2
    hosts alpha beta
    link alpha beta
    HOME=$dir/$2 run timeout 500 "$tools/storm" alpha "$1" "${KILLS:-20}" beta "$2"
    sed 's/^/# /' <<<"$output" >&3
    [ "$status" -eq 0 ] || { relay -i beta status; tail -n 20 "$dir/state/beta/relay.log"; ls -la "$dir/state/beta"; false; }
}

@test "storm: worker where it is sent" { storm worker alpha; }
@test "storm: keeper where it is sent" { storm keeper alpha; }
@test "storm: link where it is sent" { storm link alpha; }
@test "storm: supervisor where it is sent" { storm supervisor alpha; }
@test "storm: all processes where it is sent" { storm all alpha; }
@test "storm: worker where it is read" { storm worker beta; }
@test "storm: keeper where it is read" { storm keeper beta; }
@test "storm: link where it is read" { storm link beta; }
@test "storm: supervisor where it is read" { storm supervisor beta; }
@test "storm: all processes where it is read" { storm all beta; }
