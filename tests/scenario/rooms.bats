#!/usr/bin/env bats
# rooms.bats -- topic, owner, operators, kick, ban and mute: on one host, and on hosts that were apart.
load helper
load hosts

me=$(id -un 2>/dev/null) || me=uid$(id -u)

# refused CODE TEXT COMMAND... -- exit code and the one sentence.
refused() {
    local code=$1 text=$2
    shift 2
    run "$@"
    [ "$status" -eq "$code" ] || { echo "exit $status, not $code: $output"; return 1; }
    [[ ${#lines[@]} -eq 1 && $output == *"$text"* ]] || { echo "$output"; return 1; }
}

@test "a room of one's own: created with a topic, shown, in the log, in the list" {
    start
    chat room create build --topic "Ship it"
    run chat room show build
    [[ ${lines[0]} == "owner     $me@"* && ${lines[1]} == "topic     Ship it" && ${#lines[@]} -eq 2 ]]
    run chat room show --why build
    [[ ${lines[1]} =~ ^"topic     Ship it  ($me@"[a-z0-9.-]+", "[0-9-]+" "[0-9:.]+"Z, "[0-9a-f]{16}-[0-9a-f]+-[0-9a-f]{16}-3")"$ ]]
    run chat log build
    [[ $output == *"-- $me@"*"created the room"*"-- $me@"*"set the topic: Ship it"* ]]
    run chat rooms
    [[ $output == *"build  0 here, 0 messages  Ship it"* ]]
    chat rooms --json | grep -q '"room":"build".*"topic":"Ship it"'
    chat log --json build | grep -q '"type":"state".*"act":"topic","topic":"Ship it","cursor":[0-9]*}$'
    chat room show --json build | grep -q '"type":"fact".*"act":"create"}$'
}

@test "each verb, and what it leaves" {
    start
    chat room create build
    for verb in op mute ban kick; do chat room $verb build bob; done
    chat room ban build '*@'"$(hostname)" || chat room ban build "*@$(chat room show --json build | sed -n '1s/.*"host":"\([^"]*\)".*/\1/p')"
    chat room set build topic-by-operators on
    chat room topic build first
    chat room topic build second
    run chat room show build
    [[ $output == *"operator  bob@"*"muted     bob@"*"banned    bob@"*"banned    *@"*"mode      topic-by-operators"*"topic     second"* ]]
    chat send build "the owner speaks in spite of a ban of all of his host"
    for verb in deop unmute unban; do chat room $verb build @bob; done # as he is called elsewhere
    chat room set build topic-by-operators off
    chat room topic build ""
    run chat room show build
    [[ ${#lines[@]} -eq 2 && ${lines[0]} == "owner "* && ${lines[1]} == "banned    *@"* ]]
    run chat log build
    [[ $output == *"bob@"*" was made an operator by $me@"*"bob@"*" was kicked by "*"turned off topic-by-operators"*"took the topic away"* ]]
}

@test "what is refused says who may, or what is missing, and changes nothing" {
    start
    chat send lobby hello
    refused 4 "nobody's; create one with another name" chat room create lobby
    for verb in op kick ban mute; do refused 4 "no owner" chat room $verb lobby bob; done
    chat room topic lobby "everybody may"
    chat room create build
    refused 4 "an owner already" chat room create build
    refused 4 "to the owner of the room" chat room ban build "$me"
    refused 1 "nothing to take back" chat room deop build bob
    refused 1 "no such room" chat room op nowhere bob
    refused 1 "no such room" chat room topic nowhere text
    refused 1 "no such room" chat room show nowhere
    refused 1 "no host of that name" chat room ban build bob@nowhere
    refused 2 "whom?" chat room op build '*'
    refused 2 "whom?" chat room op build $'\e[2J'
    refused 2 "whom" chat room op build
    refused 2 "room what?" chat room adopt build
    refused 2 "topic-by-operators on" chat room set build loud on
    refused 2 "255 bytes" chat room topic build "$(printf 'x%.0s' {1..256})"
    [ "$(chat room show build)" = "owner     $me@$(chat room show --json build | sed 's/.*"host":"\([^"]*\)".*/\1/')" ]
    run chat room show lobby
    [[ $output == "topic     everybody may" ]]
}

@test "a hostile topic does no harm" {
    start
    chat room create build --topic $'x\e]0;owned\a\n-- root@here set the topic: y'
    chat room show build >"$dir/out"
    chat log build >>"$dir/out"
    chat rooms >>"$dir/out"
    not grep -q $'\e\|\a' "$dir/out"
    [ "$(grep -c '<U+001B>' "$dir/out")" -eq 3 ]
    [ "$(grep -c '^-- root' "$dir/out")" -eq 0 ]
}

@test "it all survives a restart, and the death of the keeper" {
    start
    chat room create build --topic kept
    chat room op build bob
    chat room ban build carl
    chat room show --why build >"$dir/before"
    kill -9 "$(pid_of keeper)"
    until_true 5 cmp -s "$dir/before" <(chat room show --why build)
    relay stop
    start
    chat room show --why build >"$dir/after"
    cmp "$dir/before" "$dir/after"
    refused 4 "an owner already" chat room create build
}

# role HOST TEXT -- is it in the state of #build there?
role() { on "$1" chat room show build | grep -qxF -- "$2"; }

@test "two hosts: muted, kicked and banned from afar" {
    hosts alpha beta
    link alpha beta
    on alpha chat room create build
    until_true 10 role beta "owner     $me@alpha"
    refused 4 "Only the owner and the operators" on beta chat room mute build "$me@alpha"
    on beta chat send build "one may speak"
    on alpha chat room mute build "$me@beta"
    until_true 10 role beta "muted     $me@beta"
    refused 4 "You are muted in this room" on beta chat send build "one may not"
    refused 4 "You are muted in this room" on beta chat room topic build "nor this"
    on alpha chat room unmute build "$me@beta"
    until_true 10 on beta chat send build "one may again"

    code() { on beta chat tail -f -n 0 build >"$dir/out" 2>"$dir/err" </dev/null && echo 0 >"$dir/code" || echo $? >"$dir/code"; }
    code &
    until_true 10 on beta chat who build
    on alpha chat room kick build "$me@beta"
    until_true 10 test -s "$dir/code"
    [ "$(cat "$dir/code")" -eq 4 ]
    has "$me@beta was kicked by $me@alpha" "$dir/out"
    has "you are out of #build" "$dir/err"
    rm "$dir/code"
    code & # a kick is not for good
    until_true 10 on beta chat who build
    on alpha chat room ban build "*@beta"
    until_true 10 test -s "$dir/code"
    [ "$(cat "$dir/code")" -eq 4 ]
    refused 4 "You are banned from this room" on beta chat tail -f build
    refused 4 "You are banned from this room" on beta chat send build "no more"
    on alpha chat room unban build "*@beta"
    until_true 10 on beta chat send build "back"
    run on beta chat log build
    [[ $output == *"*@beta was banned by $me@alpha"*"*@beta was unbanned by $me@alpha"*": back"* ]]
}

nobody_in() { ! on alpha chat who "$1" && ! on beta chat who "$1"; }

@test "two hosts: who is kicked in the middle of a conversation" {
    hosts alpha beta
    link alpha beta
    on alpha chat room create build
    until_true 10 role beta "owner     $me@alpha"
    terminal_on beta beta
    until_true 5 shows beta '#lobby>'
    keys beta '/join build' Enter
    until_true 5 shows beta '#build>'
    until_true 10 on alpha chat who build
    on alpha chat room kick build "$me@beta"
    until_true 10 shows beta '-- you are out of #build'
    until_true 10 nobody_in build
    shows beta '#lobby>'
    on alpha chat send build "behind his back"
    on alpha chat send lobby "to his face"
    until_true 10 shows beta 'to his face'
    not shows beta 'behind his back'
    kill -9 $(pids_of beta)
    until_true 10 ready beta
    keys beta 'still here' Enter
    until_true 10 shows beta ': still here'
    nobody_in build # he does not come back by himself
    on alpha chat room ban build "$me@beta"
    until_true 10 bash -c "HOME=$dir/beta chat -i beta room show build | grep -q banned"
    keys beta '/join build' Enter
    until_true 10 shows beta '-- You are banned from this room'
    shows beta '#lobby>'
    on alpha chat room unban build "$me@beta"
    until_true 10 bash -c "! HOME=$dir/beta chat -i beta room show build | grep -q banned"
    keys beta '/join build' Enter
    until_true 10 shows beta ': behind his back'
}

# agree TEXT -- do both hosts show the same, this among it?
agree() {
    for h in alpha beta; do on $h chat room show --why build >"$dir/why.$h"; done
    cmp -s "$dir/why.alpha" "$dir/why.beta" && grep -q -- "$1" "$dir/why.beta"
}

@test "two hosts apart set the same things; together again they agree, byte for byte" {
    laid alpha beta
    on alpha chat room create build --topic "at first"
    on alpha chat room op build "$me@beta"
    until_true 10 role beta "operator  $me@beta"
    cable cut
    until_true 10 apart alpha beta
    on alpha chat room topic build "of alpha"
    on alpha chat room ban build carl@alpha
    on alpha chat room deop build "$me@beta"
    on beta chat room topic build "of beta"
    on beta chat room mute build erna@alpha # he does not know yet that he may not any more
    on beta chat room ban build carl@alpha
    on alpha chat room op build dora@alpha
    role alpha "topic     of alpha"
    role beta "topic     of beta"
    role beta "muted     erna@alpha"
    on alpha chat tail -f -n 0 build >"$dir/out" &
    until_true 10 on alpha chat who build
    cable heal
    until_true 20 agree '^operator  dora@alpha'
    grep -q "^topic     of beta  ($me@beta, " "$dir/why.alpha"
    grep -q "^banned    carl@alpha  ($me@alpha, " "$dir/why.alpha"
    grep -q "^no effect erna@alpha was muted by $me@beta -- Only the owner and the operators of the room may do that.  ($me@beta, " "$dir/why.alpha"
    [ "$(grep -c '^no effect' "$dir/why.alpha")" -eq 2 ]
    until_true 5 has "came late and was put in order" "$dir/out"
    until_true 5 has "#build: what $me did just now has no effect" "$dir/out"
    late=$(grep -c 'came late' "$dir/out")
    on beta chat room topic build "in its turn"
    until_true 10 has "set the topic: in its turn" "$dir/out"
    until_true 10 role alpha "topic     in its turn"
    [ "$(grep -c 'came late' "$dir/out")" -eq "$late" ]
    on alpha relay stop
    up alpha
    on beta chat room topic build "the last word"
    until_true 20 agree '^topic     the last word'
    converge build 12 alpha beta
    on beta relay stop # it will listen elsewhere: the cable ends here
    up beta
    agree '^topic     the last word'
}
