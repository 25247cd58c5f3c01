#!/usr/bin/env bats
# cuts.bats -- the cable between two relays fails in every way: all arrives once it is whole again, in one order.
load helper
load hosts

# broken_by HOW -- in the middle of a burst from both sides; healed when both know, and go on.
broken_by() {
    laid alpha beta
    burst alpha lobby 30 &
    local one=$!
    burst beta lobby 30 &
    local other=$!
    until_true 10 at_least beta lobby 300
    cable "$1"
    until_true 10 apart alpha beta
    [ "$1" = half ] || until_true 10 apart beta alpha
    wait $one $other
    say alpha lobby 3001 3100
    say beta lobby 3001 3100
    cable heal
    converge lobby 6200 alpha beta
}

@test "cut in mid-burst: both sides see it at once" { broken_by cut; }
@test "a hole in mid-burst: nobody is told, silence tells both" { broken_by hole; }

@test "half cut in mid-burst: one side still believes in the old link" {
    laid alpha beta
    burst alpha lobby 30 &
    sending=$!
    for n in 300 900 1500; do
        until_true 10 at_least beta lobby $n
        cable half
    done
    wait $sending
    converge lobby 3000 alpha beta
}

@test "people are told once when a link is lost and once when it is back, and nothing of short flaps" {
    laid beta alpha
    on alpha chat tail -f -n 0 lobby >"$dir/at.alpha" &
    on beta chat tail -f -n 0 lobby >"$dir/at.beta" &
    until_true 5 on alpha chat who lobby
    until_true 5 on beta chat who lobby
    cable cut
    until_true 5 has "-- The link to beta is lost" "$dir/at.alpha"
    until_true 5 has "-- The link to alpha is lost" "$dir/at.beta"
    cable heal
    until_true 5 has "-- beta is back." "$dir/at.alpha"
    until_true 5 has "-- alpha is back." "$dir/at.beta"
    for i in 1 2 3 4 5; do
        cable cut
        until_true 2 apart alpha beta
        cable heal
        until_true 2 linked alpha beta
    done
    on alpha chat send lobby "after all"
    until_true 5 has "after all" "$dir/at.alpha"
    until_true 5 has "after all" "$dir/at.beta"
    [ "$(grep -c '^-- .*\(lost\|back\)' "$dir/at.alpha")" -eq 2 ]
    [ "$(grep -c '^-- .*\(lost\|back\)' "$dir/at.beta")" -eq 2 ]
}

@test "a link process that dies while a peer is lost, or with the link, leaves the news to the next one" {
    laid beta alpha
    on alpha chat tail -f -n 0 lobby >"$dir/at.alpha" &
    until_true 5 on alpha chat who lobby
    other() { local p; p=$(process_of alpha link) && [ "$p" != "$before" ]; }
    next() { before=$(process_of alpha link); kill -9 "$before"; until_true 5 other; }
    cable cut
    until_true 5 has "-- The link to beta is lost" "$dir/at.alpha"
    next
    cable heal
    until_true 5 has "-- beta is back." "$dir/at.alpha"
    cable cut
    next
    told() { [ "$(grep -c "^-- $1" "$dir/at.alpha")" -eq "$2" ]; }
    until_true 8 told "The link to beta is lost" 2
    cable heal
    until_true 5 told "beta is back" 2
    told "The link to beta is lost" 2
}

@test "who never let us in was never lost" {
    hosts alpha beta gamma
    link alpha beta
    join alpha gamma
    on alpha chat tail -f -n 0 lobby >"$dir/out" &
    until_true 5 on alpha chat who lobby
    until_true 5 logged alpha 'none that it knows'
    on beta relay stop # later than the first refusal, and told as late
    until_true 5 has "-- The link to beta is lost" "$dir/out"
    not has gamma "$dir/out"
}

@test "a segment that takes longer than the patience of a link still arrives" {
    laid alpha beta
    links_made() { grep -c 'linked with' "$dir/state/beta/relay.log"; }
    before=$(links_made)
    cable slow 30000
    seq 1 35000 | on alpha chat send build
    converge build 4 alpha beta
    [ "$(links_made)" -eq "$before" ]
}

@test "a full disk pauses the link, and does not end it" {
    [ "$(id -u)" -eq 0 ] || skip "needs root for a small file system"
    hosts alpha
    mkdir -p "$dir/state/beta"
    mount -t tmpfs -o size=64m,mode=700 none "$dir/state/beta"
    settings="journal = 1M" hosts beta
    join alpha beta
    join beta alpha - # who cannot dial makes no second connection that may take the place of the first
    until_true 10 linked alpha beta
    until_true 10 linked beta alpha
    head -c 65m /dev/zero >"$dir/state/beta/fill" 2>/dev/null || true
    seq -f "%.0f from alpha, $(printf '%0900d' 0)" 1 20000 | on alpha chat send --lines lobby # more than sockets hold
    until_true 20 up_for alpha beta 8
    rm "$dir/state/beta/fill"
    converge lobby 20000 alpha beta
    [ "$(grep -c 'linked with' "$dir/state/alpha/relay.log")" -eq 1 ]
    on beta relay stop
    umount "$dir/state/beta"
}

@test "slow and silent strangers are dropped in time, and disturb nobody" {
    laid alpha beta
    port=$(sed 's/.*://' "$dir/run/beta/address")
    exec {slow}<>"/dev/tcp/127.0.0.1/$port"
    strangers=
    for ((i = 0; i < 200; i++)); do
        exec {fd}<>"/dev/tcp/127.0.0.1/$port"
        strangers="$strangers $fd"
    done
    say alpha lobby 1 500
    converge lobby 500 alpha beta
    exec {fd}<>"/dev/tcp/127.0.0.1/$port" # the youngest: nobody pushes it out
    for ((i = 0; i < 8; i++)); do
        printf '\x16' >&$fd || break
        run read -rt 1 -N 1 -u $fd
        [ "$status" -gt 128 ] || break # no timeout: the end
    done 2>/dev/null
    [ "$i" -ge 4 ]
    [ "$i" -le 6 ]
    for fd in $slow $strangers; do
        run read -rt 1 -N 1 -u "$fd"
        [ "$status" -eq 1 ]
    done
    on beta chat send lobby "and on"
    converge lobby 501 alpha beta
    [ "$(grep -c 'linked with' "$dir/state/beta/relay.log")" -eq 1 ]
}
