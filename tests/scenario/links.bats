#!/usr/bin/env bats
# links.bats -- relays of several hosts: the same rooms, the same history, whatever dies in between.
load helper
load hosts

@test "two hosts: the same rooms, names with their host, live" {
    hosts alpha beta
    link alpha beta
    on beta chat tail -f -n 0 lobby >"$dir/out" &
    until_true 5 on beta chat who lobby
    on alpha chat send lobby "hello beta"
    until_true 5 has "@alpha: hello beta" "$dir/out"
    on beta chat send lobby "hello alpha"
    on alpha chat send build "in another room"
    converge lobby 2 alpha beta
    converge build 1 alpha beta
    run on beta chat log lobby
    [[ $output == *"@alpha: hello beta"*"@beta: hello alpha"* ]]
    run on beta chat rooms
    [[ $output == *"lobby"*"2 messages"*"build"*"1 message"* ]]
}

@test "a host that was off overnight has it all in the morning" {
    hosts alpha beta
    link alpha beta
    on alpha chat send lobby before
    converge lobby 1 alpha beta
    on beta relay stop
    say alpha lobby 1 300
    on alpha chat send night "a new room"
    up beta
    converge lobby 301 alpha beta
    converge night 1 alpha beta
}

@test "long messages of many parts" {
    hosts alpha beta
    link alpha beta
    seq 1 20000 | on alpha chat send build
    on beta chat log --json build >"$dir/none" || true
    seq 20001 40000 | on beta chat send build
    converge build 4 alpha beta
    grep -q '40000' "$dir/history.alpha"
}

@test "20,000 lines on both sides at once: identical, each once" {
    hosts alpha beta
    link alpha beta
    say alpha lobby 1 20000 &
    say beta lobby 1 20000
    wait $!
    converge lobby 40000 alpha beta
}

@test "three hosts in a chain: the ends know each other's keys, the middle carries" {
    hosts alpha beta gamma
    link alpha beta
    link beta gamma
    join alpha gamma -
    join gamma alpha -
    say alpha lobby 1 500 &
    say gamma lobby 1 500
    wait $!
    on beta chat send lobby "from the middle"
    converge lobby 1001 alpha beta gamma
}

@test "three hosts in a ring; one stops, its neighbours go on" {
    hosts alpha beta gamma
    link alpha beta
    link beta gamma
    link gamma alpha
    burst alpha lobby 5 &
    burst gamma lobby 5
    wait $!
    on beta relay stop
    say alpha lobby 501 600
    on gamma chat send lobby "while beta is away"
    up beta
    on beta chat send lobby "beta is back"
    converge lobby 1102 alpha beta gamma
}

@test "all processes of one side killed in mid-burst" {
    hosts alpha beta
    link alpha beta
    burst alpha lobby 40 &
    sending=$!
    until_true 10 at_least beta lobby 200
    kill_all alpha
    kill -0 $sending
    up alpha
    say beta lobby 1 500
    wait $sending
    converge lobby 4500 alpha beta
}

@test "all processes of both sides killed in mid-burst" {
    hosts alpha beta
    link alpha beta
    burst alpha lobby 40 &
    burst beta lobby 40 &
    until_true 10 at_least beta lobby 300
    kill_all alpha
    kill_all beta
    up alpha
    up beta
    join alpha beta # it listens elsewhere now
    wait
    converge lobby 8000 alpha beta
}

@test "keeper and link killed again and again in mid-burst" {
    hosts alpha beta
    link alpha beta
    burst alpha lobby 60 &
    for i in 1 2 3; do
        for h in alpha beta; do
            for p in keeper link; do
                kill -9 "$(process_of $h $p)" 2>/dev/null || true
                until_true 5 linked alpha beta
            done
        done
    done
    say beta lobby 1 100
    wait
    converge lobby 6100 alpha beta
}

@test "a disk restored from an older copy: the peer gives back what was lost" {
    hosts alpha beta
    link alpha beta
    say alpha lobby 1 100
    on beta chat send lobby "before the copy"
    converge lobby 101 alpha beta
    on alpha relay stop
    cp -a "$dir/state/alpha" "$dir/copy"
    up alpha
    until_true 10 linked alpha beta
    say alpha lobby 101 400
    on alpha chat send lost "only here and there"
    on beta chat send lobby "after the copy"
    converge lobby 402 alpha beta
    converge lost 1 alpha beta
    on alpha relay stop
    rm -r "$dir/state/alpha"
    cp -a "$dir/copy" "$dir/state/alpha"
    up alpha
    converge lobby 402 alpha beta
    converge lost 1 alpha beta
    say alpha lobby 401 500
    say beta lobby 1 100
    converge lobby 602 alpha beta
    not logged alpha contradicts
    not logged beta contradicts
}

@test "a revoked peer is a stranger from then on" {
    hosts alpha beta gamma
    link alpha beta
    link alpha gamma
    on alpha chat send lobby "for both"
    converge lobby 1 alpha beta gamma
    on alpha relay revoke beta
    until_true 5 apart beta alpha
    until_true 5 apart beta gamma
    on alpha chat send lobby "not for beta"
    on beta chat send lobby "not for alpha"
    converge lobby 2 alpha gamma
    until_true 5 logged beta 'none that it knows'
    converge lobby 2 alpha gamma
    run on beta chat log lobby
    [[ $output != *"not for beta"* ]]
}

@test "a stranger gets nothing and gives nothing; one half of a join is none" {
    hosts alpha beta
    on alpha chat send lobby "secret of alpha"
    join beta alpha
    on beta chat send lobby "not asked for"
    until_true 5 logged beta 'none that it knows'
    converge lobby 1 alpha
    converge lobby 1 beta
    not linked beta alpha
    join alpha beta
    converge lobby 2 alpha beta
}

@test "a port in use: one sentence, exit 1, nothing left" {
    hosts alpha
    at=$(cat "$dir/run/alpha/address")
    mkdir -p "$dir/delta/.config/relay"
    printf 'name = delta\nlisten = %s\n' "$at" >"$dir/delta/.config/relay/relay.conf"
    run on delta relay start
    [ "$status" -eq 1 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"cannot listen on $at: another program does; set \`listen\` to another port"* ]]
    printf 'name = delta\nlisten = nowhere\n' >"$dir/delta/.config/relay/relay.conf"
    run on delta relay run
    [ "$status" -eq 1 ]
    [[ $output == *"ADDRESS:PORT"* ]]
}

@test "relay join: what is not a line of relay id is explained and changes nothing" {
    hosts alpha beta
    link alpha beta
    cp "$dir/state/alpha/peers" "$dir/before"
    key=$(on beta relay id | cut -d' ' -f3)
    for line in '' 'nonsense' "gamma 127.0.0.1 $key" "gamma 127.0.0.1:70000 $key" "GAMMA 127.0.0.1:1 $key" \
        "gamma 127.0.0.1:1 ${key%?}" "gamma 127.0.0.1:1 $key more" $'gamma\e[2J 127.0.0.1:1 '"$key"; do
        run on alpha relay join "$line"
        [ "$status" -eq 2 ]
        [[ ${#lines[@]} -eq 1 && $output != *$'\e'* ]]
    done
    run on alpha relay join
    [ "$status" -eq 2 ]
    run on alpha relay join "$(on alpha relay id)"
    [ "$status" -eq 1 ]
    [[ $output == *"this host itself"* ]]
    run on alpha relay join "gamma 127.0.0.1:1 $key"
    [ "$status" -eq 1 ]
    [[ $output == *"that of beta already"* ]]
    cmp "$dir/before" "$dir/state/alpha/peers"
    linked alpha beta
}

@test "a malformed peers file: the line is named, links stay as they are" {
    hosts alpha beta
    link alpha beta
    cp "$dir/state/alpha/peers" "$dir/good"
    echo 'gamma somewhere' >>"$dir/state/alpha/peers"
    run on alpha relay reload
    [ "$status" -eq 2 ]
    [[ ${#lines[@]} -eq 1 && $output == "relay: $dir/state/alpha/peers, line 2: "* ]]
    kill -HUP "$(sed -n 's/^pid //p' "$dir/run/alpha/generation")" # nobody looked at it before
    until_true 5 logged alpha 'peers, line 2'
    linked alpha beta
    on alpha chat send lobby "still linked"
    converge lobby 1 alpha beta
    run on alpha relay join "$(on beta relay id)"
    [ "$status" -eq 1 ]
    [[ $output == *"peers, line 2"* ]]
    on alpha relay stop
    up alpha # it works without links, and links when the file is good again
    on alpha chat send lobby "alone"
    not linked alpha beta
    cp "$dir/good" "$dir/state/alpha/peers"
    on alpha relay reload
    converge lobby 2 alpha beta
}

@test "who is where on all hosts; who is killed is gone, who comes is announced" {
    hosts alpha beta
    link alpha beta
    on alpha chat tail -f -n 0 lobby >"$dir/out" &
    until_true 5 on beta chat who lobby
    run on beta chat who lobby
    [[ $output == *"@alpha"* ]]
    on alpha chat send lobby "so that the room has a line"
    converge lobby 1 alpha beta
    run on beta chat rooms
    [[ $output == *"lobby  1 here"* ]]
    terminal_on beta one
    until_true 5 has "@beta joined #lobby" "$dir/out"
    run on alpha chat who lobby
    [[ $output == *"@alpha"*"@beta"* ]]
    kill -9 "$(process_of beta link)"
    both() { on alpha chat who lobby | grep -q @beta && on beta chat who lobby | grep -q @alpha; }
    until_true 10 linked alpha beta
    until_true 5 both
    [ "$(grep -c joined "$dir/out")" -eq 1 ]
    tmux -S "$dir/tmux" kill-server
    alone() { ! on alpha chat who lobby | grep -q @beta; }
    until_true 20 alone
    has "@beta left #lobby" "$dir/out"
}
