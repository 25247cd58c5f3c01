#!/usr/bin/env bats
# strangers.bats -- who dials a relay and should not, members who lie, crowds: refused in time, and those who are linked
# do not notice.
load helper
load hosts

# stage -- alpha and beta are linked, and talk all the time until final(); gamma is a member who is never there, so that
# others can play him: his state is at $gamma.
stage() {
    hosts gamma alpha beta
    link alpha gamma
    on gamma relay stop
    gamma=$dir/gamma.played
    cp -a "$dir/state/gamma" "$gamma"
    mkdir "$dir/stranger"
    link alpha beta
    at=$(cat "$dir/run/alpha/address")
    on beta chat tail -f -n 0 lobby >"$dir/heard" &
    until_true 5 on beta chat who lobby
    touch "$dir/talk"
    talk &
    talking=$!
    until_true 5 has "line 1" "$dir/heard"
    met=$(links_made)
    link=$(process_of alpha link)
}

# talk -- a line, and the next when it is on the other host.
talk() {
    local i
    for ((i = 1; ; i++)); do
        on alpha chat send lobby "line $i" || return
        until_true 5 heard $i || return
        [ -e "$dir/talk" ] || break
    done
    echo $i >"$dir/said"
}
heard() { grep -q "line $1\$" "$dir/heard"; }
links_made() { grep -c 'linked with beta' "$dir/state/alpha/relay.log"; }

# final -- every line came, each once, over the link that was there before.
final() {
    rm "$dir/talk"
    wait $talking
    converge lobby "$(cat "$dir/said")" alpha beta
    [ "$(links_made)" -eq "$met" ]
    [ "$(process_of alpha link)" = "$link" ]
}

impostor() { timeout 60 "$tools/impostor" "$at" "$@"; }
of_process() { sed -n "s/^$2:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$1/status"; }
of_link() { of_process "$link" "$1"; }

@test "no TLS, TLS 1.2, no certificate, another key, expired, forged: refused in time with the right alert" {
    stage
    for case in garbage giant silent one-byte-a-second tls12 no-certificate wrong-key long-chain; do
        echo "$case"
        impostor "$dir/stranger" "$case"
    done
    impostor "$dir/stranger" swapped "$gamma"
    impostor "$gamma" expired
    final
}

@test "a member stays when he keeps the rules, and is thrown out when he is mute, slow, gigantic or wants other keys" {
    stage
    for case in by-the-rules mute slow-greeting giant-frame giant-segment renegotiation key-updates; do
        echo "$case"
        impostor "$gamma" "$case"
    done
    final
}

@test "a member who floods with streams that nobody knows: memory is given back, and the link process needs none" {
    stage
    keeper=$(process_of alpha keeper)
    before=$(of_process "$keeper" VmRSS)
    link_before=$(of_link VmHWM)
    impostor "$gamma" vectors
    forgot() { [ "$(of_process "$keeper" VmRSS)" -lt $((before + 8192)) ]; }
    sanitized || until_true 5 forgot
    [ "$(of_link VmHWM)" -lt $((link_before + 8192)) ] || sanitized
    final
}

@test "a key that was good until it was revoked is refused from then on" {
    stage
    impostor "$gamma" by-the-rules
    on alpha relay revoke gamma
    until_true 5 impostor "$gamma" wrong-key
    final
}

@test "a member cannot speak for another host, for its users or for the relay itself" {
    stage
    run timeout 200 "$tools/liar" "$at" "$gamma" "$(on beta relay id | cut -d' ' -f3)"
    echo "$output"
    [ "$status" -eq 0 ]
    final
    run on alpha chat log --json truth
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *'"user":"mallory"'*'"host":"gamma"'* ]]
    # a minute, for he is gone
    until_true 75 logged alpha "gamma passed on an answer of gamma to beta, and nobody brings what it answers"
    run on alpha relay doctor
    [[ $output == *"gamma passed on answers without what they answer (1 times)"* ]]
    run on alpha chat rooms
    [[ $output != *lies* && $output == *lobby* ]]
    run on alpha chat log --json lobby
    [[ $output != *'"lie'* && $output != *mallory* ]]
    for host in alpha beta; do
        run on $host chat who lobby
        [[ $output != *lie* ]]
    done
    has "link with gamma ended: A peer said of the people of a host what that host did not sign." "$dir/state/alpha/relay.log"
    run on beta chat rooms
    [[ $output != *lies* ]]
}

@test "10,000 strangers at the door: a few are let in to show who they are, memory and descriptors stay as they were" {
    stage
    rss=$(of_link VmRSS)
    for how in open hello open; do
        run timeout 100 "$tools/crowd" "$at" $how "$dir/stranger" 10000 4
        echo "$output"
        [ "$status" -eq 0 ]
        [[ $output == "10000 made, "*" 0 stayed" ]]
    done
    # at most 32 half-open ones at a time, with what OpenSSL needs of each, some 4 MiB; what 30,000 left behind would be more than that
    [ "$(of_link VmHWM)" -le $((rss + 8192)) ] || sanitized
    [ "$(of_link FDSize)" -le 256 ]
    final
}

@test "a flood of handshakes: some 50 a second are served, and told why they are refused" {
    stage
    run timeout 60 "$tools/crowd" "$at" shake "$dir/stranger" 5s 8
    echo "$output"
    [ "$status" -eq 0 ]
    told=$(sed 's/.* made, \([0-9]*\) told.*/\1/' <<<"$output")
    [ "$told" -ge 50 ]
    [ "$told" -le 400 ] # 48 a second, and the time until the last have their answer
    final
}

@test "a flood from one address keeps nobody else out" {
    stage
    timeout 60 "$tools/crowd" "$at" same "$dir/stranger" 30s 2 >"$dir/flood" &
    flood=$!
    for ((i = 0; i < 15; i++)); do
        on beta relay stop
        until_true 10 apart alpha beta
        up beta
        until_true 10 linked alpha beta
    done
    kill -0 $flood
    kill $flood
    late=$(grep -c 'cannot link with alpha .*: no answer' "$dir/state/beta/relay.log") || true
    echo "late: $late"
    [ "$late" -le "${PATIENCE:-1}" ] || sanitized
    rm "$dir/talk"
    wait $talking || true # the one he talked to was away now and then
    converge lobby "$(history alpha lobby | wc -l)" alpha beta
}

@test "two connections with one member: both keep the one that the smaller dialled, or the one that is not silent" {
    hosts alpha
    at=$(cat "$dir/run/alpha/address")
    for which in smaller larger; do
        key=$("$tools/twin" make $which "$dir/$which" "$(on alpha relay id | cut -d' ' -f3)")
        timeout 100 "$tools/twin" play "$dir/$which" "$dir/port.$which" "$at" >"$dir/out.$which" 2>&1 &
        playing=$!
        until_true 5 test -s "$dir/port.$which"
        on alpha relay join "$which 127.0.0.1:$(cat "$dir/port.$which") $key" 2>/dev/null
        wait $playing || { cat "$dir/out.$which" "$dir/state/alpha/relay.log"; false; }
        [ "$(grep -c ': ok$' "$dir/out.$which")" -eq 9 ]
    done
}

@test "who refuses every link, or says what every link is refused for, is dialled more and more rarely" {
    hosts alpha
    for who in refuses refused; do
        key=$("$tools/twin" make larger "$dir/$who" "$(on alpha relay id | cut -d' ' -f3)")
        timeout 60 "$tools/refusal" $who "$dir/$who" "$dir/port.$who" 5 >"$dir/out.$who" 2>&1 &
        until_true 5 test -s "$dir/port.$who"
        on alpha relay join "$who 127.0.0.1:$(cat "$dir/port.$who") $key" 2>/dev/null
    done
    for who in refuses refused; do
        until_true 30 has " links in 5 s" "$dir/out.$who" || { cat "$dir/out.$who" "$dir/state/alpha/relay.log"; false; }
        links=$(cut -d' ' -f1 "$dir/out.$who")
        echo "$who: $links"
        [ "$links" -ge 2 ]
        [ "$links" -le 12 ] # six or so; without pauses that double it is 20 and more
    done
}
