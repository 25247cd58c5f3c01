#!/usr/bin/env bats
# private.bats -- private rooms: who is invited gets all of it, and nobody else anything.
load helper
load hosts

me=$(getent passwd "$(id -u)" | cut -d: -f1)
me=${me:-uid$(id -u)} # as the relay calls who has no account
room=$me@alpha/plans

# nothing HOST TEXT -- in none of its files.
nothing() { ! grep -rqF -- "$2" "$dir/state/$1"; }

# member HOST OTHER -- does HOST know that OTHER has a member in the room?
member() { on "$1" chat room show "$room" 2>/dev/null | grep -qx "member    $me@$2"; }

# plans HOST... -- made on alpha, and somebody of each of these invited.
plans() {
    local h
    [ "$(on alpha chat room create --private plans)" = "$room" ]
    for h; do
        on alpha chat room invite "$room" "$me@$h"
        until_true 10 member "$h" "$h"
    done
}

# no_quarrel HOST... -- none ever ended a link because of what came over it.
no_quarrel() {
    local h
    for h; do ! logged "$h" "[Ss]egment" || return; done
}

@test "what its owner says in the short name goes to nobody" {
    hosts alpha
    plans
    run on alpha chat send plans "for a few"
    [ "$status" -eq 1 ]
    [[ $output == *"your private one"* ]]
    run on alpha chat rooms
    [[ $output == *"$room"* && $output != *"plans  "*"1 message"* ]]
    not on alpha chat grep few
}

@test "made, invited, told in one line, joined; both talk and have the same" {
    hosts alpha beta
    link alpha beta
    terminal_on beta one
    until_true 10 shows one '#lobby>'
    run on alpha chat room create --private plans
    [ "$status" -eq 0 ]
    [ "$output" = "$room" ]
    on alpha chat send "$room" "before bob"
    run on beta chat log "$room"
    [ "$status" -eq 1 ]
    [ "$output" = "" ]
    on alpha chat room invite "$room" "$me@beta"
    until_true 10 shows one "-- $me@alpha invited you to $room; /join it"
    keys one "/join $room" Enter
    until_true 10 shows one "$room>"
    until_true 10 shows one "before bob"
    on alpha chat send "$room" "hello bob"
    until_true 10 shows one "$me@alpha: hello bob"
    keys one "hello alice" Enter
    converge "$room" 5 alpha beta # with the two acts
    run on beta chat rooms
    [[ $output == *"$room  1 here, 3 messages"* ]]
    run on alpha chat rooms
    [[ $output == *"$room  0 here, 3 messages"* ]]
    for h in alpha beta; do
        run on $h chat room show --why "$room"
        [[ ${lines[0]} == "owner     $me@alpha  ($me@alpha, "* ]]
        [[ ${lines[1]} == "member    $me@beta  ($me@alpha, "* ]]
        [ "${#lines[@]}" -eq 2 ]
    done
}

@test "a terminal that comes later: told of the room, which Tab completes" {
    hosts alpha beta
    link alpha beta
    plans beta
    on alpha chat room topic "$room" "of us two"
    topic() { on beta chat room show "$room" | grep -q "of us two"; }
    until_true 10 topic
    terminal_on beta one
    until_true 10 shows one "-- $room, in which you are, was last heard of at"
    keys one "/join ${me:0:3}" Tab Enter
    until_true 10 shows one "-- topic     of us two"
    shows one "$room>"
}

@test "what is refused, and how it is said" {
    hosts alpha beta
    link alpha beta
    plans beta
    says() { # CODE SENTENCE COMMAND...
        run "${@:3}"
        [ "$status" -eq "$1" ] && [ "$output" = "chat: $2" ]
    }
    says 4 "Only the owner of the room may do that." on beta chat room invite "$room" "$me@beta"
    says 4 "The room had an owner already." on alpha chat room create --private plans
    says 1 "That user is invited already: see chat room show." on alpha chat room invite "$room" "$me@beta"
    says 1 "There is nothing to take back: see chat room show." on alpha chat room uninvite "$room" nobody-at-all@beta
    says 1 "no host of that name is known here; relay status lists them" on alpha chat room invite "$room" bob@delta
    says 1 "no user called nobody-at-all on this host; of another host one is @nobody-at-all@host" \
        on alpha chat room invite "$room" nobody-at-all
    says 4 "Nobody may do that to the owner of the room." on alpha chat room invite "$room" "$me@alpha"
    says 1 "There is no such room." on beta chat room create "$me@alpha/other"
    says 1 "There is no such room." on beta chat send "$me@alpha/other" "is there one?"
    says 1 "There is no such room." on alpha chat send "$me@alpha/other" "is there one?"
    on alpha chat send lobby "a room for all"
    says 4 "Everybody may come into this room; only into a private one somebody is invited." on alpha chat room invite lobby "$me@beta"
    for name in "$me@/plans" "@alpha/plans" "$me@alpha/" "$me@alpha/Plans" "$me@alpha"; do
        run on alpha chat send "$name" "what is that?"
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
    done
}

@test "three hosts: the third has nothing of it, not even that it is; also over links made anew" {
    hosts alpha beta gamma
    link alpha beta
    link beta gamma
    link alpha gamma
    on gamma chat tail -f -n 0 lobby >"$dir/out" &
    terminal_on gamma one
    until_true 10 shows one '#lobby>'
    plans beta
    on alpha chat send "$room" "xyzzy of alpha"
    on beta chat send "$room" "xyzzy of beta"
    converge "$room" 4 alpha beta
    on alpha chat send lobby "for everybody"
    converge lobby 1 alpha beta gamma
    on beta chat tail -f -n 0 "$room" >/dev/null & # nor who listens
    until_true 10 on beta chat who "$room"
    for h in alpha beta gamma; do on $h relay stop; done
    not nothing alpha xyzzy
    not nothing beta xyzzy
    nothing gamma xyzzy
    nothing gamma plans
    [ "$(streams_of beta "$room")" -eq 2 ]
    [ "$(streams_of gamma "$room")" -eq 0 ]
    for h in alpha beta gamma; do up $h; done
    join alpha beta
    join beta gamma
    join alpha gamma
    on beta chat send "$room" "xyzzy once more"
    on alpha chat send lobby "once more"
    converge lobby 2 alpha beta gamma
    converge "$room" 5 alpha beta
    nothing gamma xyzzy
    nothing gamma plans
    [ "$(streams_of gamma "$room")" -eq 0 ]
    run on gamma chat log "$room"
    [ "$status" -eq 1 ]
    run on gamma chat rooms
    [[ $output != *@* ]]
    run on gamma chat room show "$room"
    [ "$output" = "chat: There is no such room." ]
    not has xyzzy "$dir/out"
    not shows one xyzzy
    no_quarrel alpha beta gamma
}

@test "invited later: all that was said, by everybody; and nobody's link ends for it" {
    hosts alpha beta gamma
    link alpha beta
    link beta gamma
    link alpha gamma
    plans beta
    seq 1 50 | on alpha chat send --lines "$room"
    seq 51 100 | on beta chat send --lines "$room"
    converge "$room" 102 alpha beta
    on alpha chat room invite "$room" "$me@gamma"
    converge "$room" 103 alpha beta gamma
    on gamma chat send "$room" "and I"
    converge "$room" 104 alpha beta gamma
    on gamma relay stop
    on beta chat send "$room" "while gamma is off"
    up gamma
    converge "$room" 105 alpha beta gamma
    no_quarrel alpha beta gamma
}

@test "uninvited: out with one line, nothing new comes, and coming back brings the rest" {
    hosts alpha beta gamma
    link alpha beta
    link beta gamma
    link alpha gamma
    plans beta gamma
    on alpha chat send "$room" "for three"
    converge "$room" 4 alpha beta gamma
    terminal_on gamma one
    until_true 10 shows one '#lobby>'
    keys one "/join $room" Enter
    until_true 10 shows one "for three"
    on gamma chat tail -f -n 0 "$room" >"$dir/out" 2>"$dir/err" &
    tail=$!
    until_true 10 on gamma chat who "$room"
    on alpha chat room uninvite "$room" "$me@gamma"
    until_true 10 shows one "-- you are out of $room"
    wait $tail || code=$?
    [ "$code" -eq 4 ]
    [ "$(cat "$dir/err")" = "chat: you are out of $room" ]
    on alpha chat send "$room" "xyzzy of alpha"
    on beta chat send "$room" "xyzzy of beta"
    converge "$room" 7 alpha beta
    on alpha chat send lobby "for everybody"
    converge lobby 1 alpha beta gamma
    nothing gamma xyzzy
    run on gamma chat send "$room" "may I?"
    [ "$status" -eq 1 ]
    run on gamma chat log "$room"
    [ "$status" -eq 1 ]
    on gamma relay stop
    up gamma
    on alpha chat send lobby "once more"
    converge lobby 2 alpha beta gamma
    nothing gamma xyzzy
    on alpha chat room invite "$room" "$me@gamma"
    converge "$room" 8 alpha beta gamma
    not nothing gamma xyzzy
    no_quarrel alpha beta gamma
}

@test "invited while two are apart: the third brings them together, and no link is dropped for it" {
    hosts gamma
    laid alpha beta
    link alpha gamma
    link beta gamma
    plans beta
    on beta chat send "$room" "of beta"
    converge "$room" 3 alpha beta
    cable cut
    until_true 20 apart alpha beta
    on alpha chat room invite "$room" "$me@gamma"
    until_true 10 member gamma gamma
    on gamma chat send "$room" "of gamma"
    on alpha chat send "$room" "of alpha"
    on beta chat send "$room" "of beta, too"
    converge "$room" 7 alpha beta gamma
    no_quarrel alpha beta gamma
    cable heal
    until_true 20 linked alpha beta
    converge "$room" 7 alpha beta gamma
    cable cut
    until_true 20 apart alpha beta
    on alpha chat room uninvite "$room" "$me@gamma"
    on beta chat send "$room" "not yet heard"
    gone_from() { not member "$1" gamma; }
    until_true 10 gone_from gamma
    cable heal
    until_true 20 gone_from beta
    converge "$room" 9 alpha beta
    on alpha chat send "$room" "the end"
    converge "$room" 10 alpha beta
    nothing gamma "the end"
    no_quarrel alpha beta gamma
}

@test "a host that was off and has no link with the owner's hears first who was invited, then what they said" {
    hosts gamma
    laid beta alpha
    link alpha gamma
    link beta gamma
    plans beta
    seq 1 20 | on beta chat send --lines "$room"
    converge "$room" 22 alpha beta
    cable cut
    on beta relay stop
    on alpha chat room invite "$room" "$me@gamma"
    converge "$room" 23 alpha gamma
    seq 21 40 | on gamma chat send --lines "$room"
    converge "$room" 43 alpha gamma
    up beta
    converge "$room" 43 alpha beta gamma
    on beta chat send "$room" "all of it"
    converge "$room" 44 beta gamma alpha
    no_quarrel alpha beta gamma
}

@test "a member's host killed at every moment: what it has in the end is all, once" {
    hosts alpha beta
    link alpha beta
    plans beta
    for i in 1 2 3; do
        on alpha chat send "$room" "a$i"
        on beta chat send "$room" "b$i"
        kill_all beta
        up beta
    done
    join alpha beta
    converge "$room" 8 alpha beta
    member beta beta
}

@test "what is said in it is found by who is in it, and by nobody else" {
    hosts alpha beta gamma
    link alpha beta
    link beta gamma
    link alpha gamma
    plans beta
    on alpha chat send "$room" "the needle of alice"
    converge "$room" 3 alpha beta
    for h in alpha beta; do
        finds() { on $h chat grep needle | grep -q "the needle of alice"; }
        until_true 10 finds
    done
    run on gamma chat grep needle
    [ "$status" -eq 1 ]
    on alpha chat room uninvite "$room" "$me@beta"
    gone_from() { not member "$1" beta; }
    until_true 10 gone_from beta
    run on beta chat grep needle
    [ "$status" -eq 1 ]
    [[ $output != *alice* ]]
}
