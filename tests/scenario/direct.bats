#!/usr/bin/env bats
# direct.bats -- conversations of two: they arrive, and they arrive nowhere else.
load helper
load hosts

me=$(getent passwd "$(id -u)" | cut -d: -f1)
me=${me:-uid$(id -u)} # as the relay calls who has no account

# talk HOST OTHER -- what is in that conversation, from there.
talk() { on "$1" chat log --json --since -1h "@$me@$2" | sed 's/,"cursor":[0-9]*}$/}/; s/"room":"[^"]*",//'; }
both_have() { # LINES
    talk alpha beta >"$dir/one"
    talk beta alpha >"$dir/other"
    [ "$(wc -l <"$dir/one")" -eq "$1" ] && cmp "$dir/one" "$dir/other"
}

# nothing HOST TEXT -- in none of its files.
nothing() { ! grep -rqF -- "$2" "$dir/state/$1"; }

@test "two hosts: there and back, the same on both, in the list under the other's name" {
    hosts alpha beta
    link alpha beta
    on alpha chat send "@$me@beta" "hello there"
    until_true 10 both_have 1
    on beta chat send "@$me@alpha" "hello back"
    until_true 10 both_have 2
    run on alpha chat rooms
    [ "$output" = "@$me@beta  2 messages" ]
    run on beta chat log --json "@$me@alpha"
    [[ $output == *"\"room\":\"@$me@alpha\""*"hello there"*"hello back"* ]]
}

@test "live: chat tail -f @user, and a terminal that never joined" {
    hosts alpha beta
    link alpha beta
    terminal_on beta one
    until_true 10 shows one '#lobby>'
    on beta chat tail -f -n 0 "@$me@alpha" >"$dir/out" &
    until_true 10 on alpha chat who "@$me@beta"
    on alpha chat send "@$me@beta" "are you there?"
    until_true 10 shows one "@$me@alpha $me@alpha: are you there?"
    until_true 10 has "are you there?" "$dir/out"
    keys one "/msg $me@alpha yes" Enter
    until_true 10 shows one "@$me@alpha $me@beta: yes"
    keys one "/query $me@alpha" Enter
    until_true 10 shows one "@$me@alpha>"
    keys one "here I am" Enter
    until_true 10 both_have 3
    keys one "/leave" Enter
    until_true 10 shows one "#lobby>"
    [ "$(grep -c 'are you there' "$dir/out")" -eq 1 ]
    run on alpha chat log lobby
    [ "$status" -eq 1 ]
}

@test "a terminal through everything: relay killed, host off and on, nothing missed, nothing twice" {
    hosts alpha beta
    link alpha beta
    terminal_on beta one
    until_true 10 shows one '#lobby>'
    on beta relay stop
    on alpha chat send "@$me@beta" "line 1" # a conversation that nobody at beta has heard of
    up beta
    join alpha beta
    until_true 20 shows one "@$me@alpha $me@alpha: line 1"
    kill_all beta # chat starts it again
    on alpha chat send "@$me@beta" "line 2"
    join alpha beta
    until_true 20 shows one ": line 2"
    on beta chat send "@$me" "a note to myself"
    until_true 10 shows one "@$me@beta $me@beta: a note to myself"
    on beta relay stop
    on alpha chat send "@$me@beta" "line 3"
    up beta
    join alpha beta
    until_true 20 shows one ": line 3"
    for line in 1 2 3; do [ "$(screen one | grep -c ": line $line")" -eq 1 ]; done
    until_true 10 both_have 3
}

@test "off overnight on either side: all of it in the morning, in the same order" {
    hosts alpha beta
    link alpha beta
    on beta relay stop
    seq 1 300 | on alpha chat send --lines "@$me@beta"
    up beta
    join alpha beta
    until_true 20 both_have 300
    on alpha relay stop
    seq 301 400 | on beta chat send --lines "@$me@alpha"
    up alpha
    on alpha chat send "@$me@beta" "and I"
    join beta alpha
    until_true 20 both_have 401
}

@test "three hosts: the third has nothing of it, not even that it is" {
    hosts alpha beta gamma
    link alpha beta
    link beta gamma
    link alpha gamma
    on gamma chat tail -f -n 0 lobby >"$dir/out" &
    terminal_on gamma one
    until_true 10 shows one '#lobby>'
    on alpha chat send lobby "for everybody"
    on alpha chat send "@$me@beta" "xyzzy between two"
    on beta chat send "@$me@alpha" "xyzzy and back"
    on alpha chat send lobby "for everybody again"
    until_true 10 both_have 2
    converge lobby 2 alpha beta gamma
    for h in alpha beta gamma; do on $h relay stop; done
    not nothing alpha xyzzy
    not nothing beta xyzzy
    nothing gamma xyzzy
    [ "$(streams_of beta "@$me@alpha,$me@beta")" -eq 2 ]
    [ "$(streams_of gamma "@$me@alpha,$me@beta")" -eq 0 ]
    for h in alpha beta gamma; do up $h; done # and over links that are made anew
    join alpha beta
    join beta gamma
    join alpha gamma
    on alpha chat send lobby "once more"
    converge lobby 3 alpha beta gamma
    nothing gamma xyzzy
    [ "$(streams_of gamma "@$me@alpha,$me@beta")" -eq 0 ]
    run on gamma chat log "@$me@alpha"
    [ "$status" -eq 1 ]
    run on gamma chat rooms
    [[ $output != *@* ]]
    not has xyzzy "$dir/out"
    not shows one xyzzy
}

@test "who cannot be reached is said at once" {
    hosts alpha beta
    link alpha beta
    run on alpha chat send "@$me@delta" "nobody there"
    [ "$status" -eq 1 ]
    [ "$output" = "chat: no host called delta here; see: relay status" ]
    run on alpha chat send @nobody-at-all "not here"
    [ "$status" -eq 1 ]
    [ "$output" = "chat: no user called nobody-at-all on this host; of another host one is @nobody-at-all@host" ]
    for name in @ @x@ @x@Y "@x y" @x@y@z @-x "@a@alpha,b@beta"; do
        run on alpha chat send "$name" "what is that?"
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
    run on alpha chat rooms
    [ "$status" -eq 1 ]
}

@test "/ignore: not shown, still kept; and shown again" {
    hosts alpha beta
    link alpha beta
    terminal_on beta one
    until_true 10 shows one '#lobby>'
    keys one "/ignore $me@alpha" Enter
    until_true 5 shows one "@$me@alpha is not heard any more"
    on alpha chat send "@$me@beta" "buy now"
    until_true 10 both_have 1
    on beta chat send lobby "a line behind it"
    until_true 10 shows one "a line behind it"
    not shows one "buy now"
    keys one "/ignore $me@alpha" Enter
    until_true 5 shows one "@$me@alpha is heard again"
    on alpha chat send "@$me@beta" "still there?"
    until_true 10 shows one "still there?"
    keys one "/query $me@alpha" Enter
    until_true 5 shows one "buy now"
}

@test "a host that is given another name says so, and is reached by that one from then on" {
    hosts alpha beta
    link alpha beta
    on alpha chat send "@$me@beta" "beta, still"
    until_true 10 both_have 1
    on beta relay stop
    sed -i 's/^name = .*/name = bravo/' "$dir/beta/.config/relay/relay.conf"
    up beta
    renamed() { on alpha relay hosts | grep -q '^bravo *linked'; }
    until_true 10 renamed
    run on alpha chat send "@$me@beta" "who are you?"
    [ "$status" -eq 1 ]
    on alpha chat send "@$me@bravo" "bravo, then"
    heard() { on beta chat log "@$me@alpha" | grep -q "bravo, then"; }
    until_true 10 heard
    nothing beta "who are you"
}

as() { setpriv --reuid "$1" --regid "$(id -g "$1")" --clear-groups env HOME=/nonexistent "${@:2}"; }

@test "users of one host: each sees his own conversations, and nobody those of others" {
    [ "$(id -u)" -eq 0 ] || skip "needs root to be three users"
    mkdir -p -m 755 "$dir/run" "$dir/state"
    chmod 755 "$dir"
    cp "$bin/chat" "$dir/chat"
    printf 'user = daemon\nname = alpha\n' >"$dir/relay.conf"
    relay --system -c "$dir/relay.conf" start
    remember
    as games "$dir/chat" send lobby "for all"
    as games "$dir/chat" send @man "for man"
    as man "$dir/chat" send @games@alpha "for games"
    as games "$dir/chat" send @games "a note"
    run as man "$dir/chat" log @games
    [[ $output == *"games@alpha: for man"*"man@alpha: for games"* && $output != *note* ]]
    as man "$dir/chat" rooms | sort >"$dir/rooms"
    [ "$(cat "$dir/rooms")" = $'@games@alpha  2 messages\nlobby  0 here, 1 message' ]
    as games "$dir/chat" rooms | sort >"$dir/rooms"
    [ "$(cat "$dir/rooms")" = $'@games@alpha  1 message\n@man@alpha  2 messages\nlobby  0 here, 1 message' ]
    for user in root sys; do
        run as "$user" "$dir/chat" rooms
        [ "$output" = "lobby  0 here, 1 message" ]
        run as "$user" "$dir/chat" log @games
        [ "$status" -eq 1 ]
        [ "$output" = "" ]
    done
    terminal one 100 30 "setpriv --reuid man --regid man --clear-groups env HOME=/nonexistent $dir/chat"
    until_true 10 shows one '#lobby>'
    shows one "@games@alpha and you talked, last at"
    as games "$dir/chat" who @man
    as games "$dir/chat" send @man "live"
    as games "$dir/chat" send @sys "not for man"
    until_true 10 shows one "@games@alpha games@alpha: live"
    as games "$dir/chat" send lobby "the end"
    until_true 10 shows one ": the end"
    not shows one "not for man"
    relay --system stop
}
