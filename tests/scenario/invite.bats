#!/usr/bin/env bats
# invite.bats -- a host joins with one line, and what it is told when it cannot.
load helper
load hosts

invite() { on alpha relay "$@" invite 2>/dev/null; }
accept() { run on "$1" relay join "$2"; }
settings_of() { echo "$dir/$1/.config/relay/relay.conf"; }

@test "one line, and a host that can only dial out is linked for good" {
    hosts alpha beta
    sed -i '/^listen/d' "$(settings_of beta)"
    on beta relay stop
    up beta
    accept beta "$(invite)"
    [ "$status" -eq 0 ]
    [[ $output == *"alpha and this host are peers now"* ]]
    on alpha chat send lobby "welcome"
    converge lobby 1 alpha beta
    on beta relay stop
    up beta
    on beta chat send lobby "still here"
    converge lobby 2 alpha beta
}

@test "a host whose relay does not run can join, and links when it starts" {
    hosts alpha beta
    on beta relay stop
    accept beta "$(invite)"
    [ "$status" -eq 0 ]
    up beta
    on alpha chat send lobby "welcome"
    converge lobby 1 alpha beta
}

@test "an invitation is good for as many hosts as it says" {
    hosts alpha beta gamma
    line=$(invite)
    accept beta "$line"
    [ "$status" -eq 0 ]
    accept gamma "$line"
    [ "$status" -ne 0 ]
    [[ $output == *"used up"*"relay invite"* ]]
    line=$(invite --uses 2)
    accept gamma "$line"
    [ "$status" -eq 0 ]
    accept gamma "$line"
    [ "$status" -eq 0 ]
    [[ $output == *"a peer already"* ]]
}

@test "expired, a wrong secret, another key, half a line: one sentence each, and nobody becomes a peer" {
    hosts alpha beta
    line=$(invite --expires 1s)
    gone() { [ "$(date +%s)" -gt "${line##*/}" ]; }
    until_true 5 gone
    accept beta "$line"
    [ "$status" -eq 4 ]
    [[ $output == *"has expired"*"relay invite"* ]]
    line=$(invite)
    IFS=/ read -r where key network secret expires <<<"$line"
    accept beta "$where/$key/$network/${secret//[0-9]/a}/$expires"
    [ "$status" -eq 4 ]
    [[ $output == *"no such invitation"* ]]
    accept beta "$where/$(on beta relay id | cut -d' ' -f3)/$network/$secret/$expires"
    [ "$status" -eq 1 ]
    [[ $output == *"this host itself"* ]]
    accept beta "$where/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/$network/$secret/$expires"
    [ "$status" -eq 1 ]
    [[ $output == *"none that we know"* ]]
    accept beta "$where/$key/$network/$secret"
    [ "$status" -eq 2 ]
    [[ $output == *"whole invitation"* ]]
    [ ! -s "$dir/state/alpha/peers" ]
    [ ! -s "$dir/state/beta/peers" ]
}

@test "two hosts of one name cannot be told apart, so they do not link" {
    hosts alpha beta
    line=$(invite)
    on beta relay stop
    sed -i 's/^name.*/name = alpha/' "$(settings_of beta)"
    accept beta "$line"
    [ "$status" -eq 1 ]
    [[ $output == *"both hosts are called alpha"* ]]
}

@test "whatever settings a relay was started with, it is by its own name that it invites and joins" {
    hosts alpha beta
    for h in alpha beta; do
        on $h relay stop
        sed "s/^name.*/name = $h-else/" "$(settings_of $h)" >"$dir/$h.conf"
        on $h relay -c "$dir/$h.conf" start
        remember $h
    done
    line=$(invite)
    [[ $(on alpha relay id) == "alpha-else "* && $line == alpha-else@* ]]
    accept beta "$line"
    [ "$status" -eq 0 ]
    grep -q "^beta-else " "$dir/state/alpha/peers"
    until_true 10 linked alpha beta-else
}

@test "a host that nobody can dial says so instead of inviting; an unreachable one is named" {
    hosts alpha beta
    line=$(invite)
    on alpha relay stop
    accept beta "$line"
    [ "$status" -eq 1 ]
    [[ $output == *"Connection refused"* || $output == *"cannot be reached"* ]]
    sed -i '/^listen/d' "$(settings_of alpha)"
    run on alpha relay invite
    [ "$status" -eq 1 ]
    [[ $output == *"set \`listen\`"* ]]
}
