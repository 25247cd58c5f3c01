#!/usr/bin/env bats
# hosts.bats -- who belongs to a network: one invitation is enough for all, one revocation, too.
load helper
load hosts

settings="address = -" # nobody is dialled but where a file says so: the topology is the test's

invite() { on "$1" relay "${@:2}" invite 2>/dev/null; }
# enter HOST INVITER -- by invitation, dialling where the inviter really is.
enter() { on "$1" relay join "$(invite "$2")" 2>/dev/null; }

# meet HOST PEER -- linked, by the address where the peer really listens; nobody ever hears where HOST is.
at() { sed -n 's/.*listening on //p' "$dir/state/$1/relay.log" | tail -1; }
meet() {
    join "$1" "$2" "$(at "$2")"
    join "$2" "$1" -
    until_true 10 linked "$1" "$2"
    until_true 10 linked "$2" "$1"
}

knows() { on "$1" relay hosts | awk -v h="$2" -v s="${3:-}" '$1 == h && (s == "" || $2 == s) {found = 1} END {exit !found}'; }
hosts_of() { on "$1" relay hosts | awk 'NR > 1 && $2 != "revoked" {print $1}' | sort | tr '\n' ' '; }
see() { [ "$(hosts_of "$1")" = "$2 " ]; }

@test "a chain: invited by one, known to all; messages reach the ends; one reads the table" {
    unset settings
    hosts alpha beta gamma
    sed -i 's/^listen.*/listen = 127.0.0.1:0/' "$dir"/*/.config/relay/relay.conf
    enter beta alpha
    enter gamma beta
    for h in alpha beta gamma; do until_true 10 see "$h" "alpha beta gamma"; done
    on alpha chat send lobby "from one end"
    on gamma chat send lobby "from the other"
    converge lobby 2 alpha beta gamma
    # alpha and gamma never met, but each knows the other's address: they link by themselves
    until_true 10 linked alpha gamma
    run on alpha relay hosts
    [ "$status" -eq 0 ]
    [[ ${lines[0]} == host*state*member*heard*key*address ]]
    knows alpha alpha self
    knows alpha gamma linked
    run on alpha relay hosts --json
    [[ $output == *'"host":"gamma","state":"linked"'* ]]
}

@test "a revoked host is cut off everywhere, its messages stay, and nobody can take it back" {
    hosts alpha beta gamma
    meet alpha beta
    meet gamma beta
    for h in alpha beta gamma; do until_true 10 see "$h" "alpha beta gamma"; done
    on gamma chat send lobby "before"
    converge lobby 1 alpha beta gamma
    run on alpha relay revoke gamma
    [ "$status" -eq 0 ]
    [[ $output == *"gamma is cut off"* ]]
    until_true 10 see beta "alpha beta"
    until_true 10 apart gamma beta
    knows alpha gamma revoked
    on gamma chat send lobby "into the void"
    on beta chat send lobby "without gamma"
    converge lobby 2 alpha beta
    [ "$(history gamma lobby | wc -l)" -eq 2 ]
    run on alpha relay join "$(on gamma relay id)" # a revoked key stays revoked, also for who thinks better of it
    on alpha chat send lobby "still without gamma"
    converge lobby 3 alpha beta
    knows alpha gamma revoked
    apart gamma beta
    run on alpha relay revoke gamma
    [ "$status" -eq 1 ]
    [[ $output == *"no host called gamma"* ]]
    # with a new key, and joined anew, it is a new host of the same name
    run on gamma relay rotate
    [ "$status" -eq 1 ]
    [[ $output == *"relay rotate --force"* ]]
    on gamma relay rotate --force
    meet gamma alpha
    for h in alpha beta gamma; do until_true 10 see "$h" "alpha beta gamma"; done
    converge lobby 4 alpha beta gamma # what it said while nobody heard it is there, too
}

@test "revoked while the net is split: wins on merging, and what was said meanwhile is everywhere" {
    hosts alpha beta gamma
    meet alpha beta
    meet gamma beta
    for h in alpha beta gamma; do until_true 10 see "$h" "alpha beta gamma"; done
    for h in alpha beta gamma; do sed -i "s/^listen.*/listen = $(at "$h")/" "$dir/$h/.config/relay/relay.conf"; done # also next time
    kill_all alpha
    on gamma chat send lobby "while alpha is away"
    converge lobby 1 beta gamma
    kill_all beta
    up alpha
    on alpha relay revoke gamma
    up beta
    until_true 10 linked alpha beta
    until_true 10 see beta "alpha beta"
    until_true 10 apart gamma beta
    on alpha chat send lobby "after"
    converge lobby 2 alpha beta
}

@test "a guest may talk, but neither invite nor revoke; a member's name is taken; one network is not two" {
    unset settings
    hosts alpha beta gamma
    on beta relay join "$(on alpha relay invite --guest 2>/dev/null)"
    until_true 10 linked alpha beta
    until_true 10 see beta "alpha beta"
    run on beta relay invite
    [ "$status" -eq 4 ]
    [[ $output == *"is a guest"* ]]
    run on beta relay revoke alpha
    [ "$status" -eq 4 ]
    [[ $output == *"is a guest"* ]]
    on beta chat send lobby "a guest speaks"
    converge lobby 1 alpha beta
    on gamma relay stop
    sed -i 's/^name.*/name = beta/' "$dir/gamma/.config/relay/relay.conf"
    up gamma # what it runs by is what counts
    run on gamma relay join "$(invite alpha)"
    [ "$status" -eq 4 ]
    [[ $output == *"a host called beta in this network"*"revoke"* ]]
    on gamma relay stop
    sed -i 's/^name.*/name = gamma/' "$dir/gamma/.config/relay/relay.conf"
    up gamma
    invite gamma >/dev/null
    printf 'other 127.0.0.1:9 %s\n' "$(printf 'A%.0s' {1..43})" >>"$dir/state/gamma/peers"
    run on gamma relay join "$(invite alpha)"
    [ "$status" -eq 1 ]
    [[ $output == *"a network of its own"*"--merge"* ]]
}

@test "who belongs to it survives restarts and a lost file of peers" {
    hosts alpha beta gamma
    meet alpha beta
    meet gamma beta
    for h in alpha beta gamma; do until_true 10 see "$h" "alpha beta gamma"; done
    on gamma relay stop
    rm "$dir/state/gamma/peers"
    up gamma
    see gamma "alpha beta gamma"
    kill_all alpha
    up alpha
    see alpha "alpha beta gamma"
}

@test "hosts without a link of their own are linked through another, and directly once they can be" {
    hosts alpha beta gamma
    meet alpha beta
    meet gamma beta
    until_true 20 knows alpha gamma indirect
    until_true 10 knows gamma alpha indirect
    on alpha relay status | grep -q '^gamma *via'
    say alpha lobby 1 5000 # nothing of this goes twice
    converge lobby 5000 alpha beta gamma
    # what is for gamma alone goes through beta, who cannot read it
    me=$(getent passwd "$(id -u)" | cut -d: -f1)
    me=${me:-uid$(id -u)}
    on alpha chat send "@$me@gamma" "xyzzy for gamma"
    arrived() { on gamma chat log "@$me@alpha" | grep -q 'xyzzy for gamma'; }
    until_true 10 arrived
    not grep -rq xyzzy "$dir/state/beta"
    kill_all beta
    until_true 10 knows alpha gamma apart
    up beta
    join alpha beta "$(at beta)" # it listens elsewhere now
    join gamma beta "$(at beta)"
    until_true 20 knows alpha gamma indirect
    meet alpha gamma
    until_true 10 knows gamma alpha linked
}

@test "a member who fills a host with tunnels of his invention keeps nobody from being linked through another" {
    hosts alpha beta gamma delta
    for h in beta delta; do
        meet alpha $h
        meet gamma $h
    done
    for h in alpha beta gamma; do until_true 10 see $h "alpha beta delta gamma"; done
    number() { on "$1" chat send --ids lobby hello | cut -d- -f1; }
    flooded=alpha # who has the larger number is dialled
    [[ $(number alpha) > $(number gamma) ]] || flooded=gamma
    on delta relay stop
    on beta relay stop
    timeout 60 "$tools/impostor" "$(at $flooded)" "$dir/state/delta" tunnels &
    until_true 10 linked $flooded delta
    up beta
    join alpha beta "$(at beta)" # it listens elsewhere now
    join gamma beta "$(at beta)"
    until_true 20 knows alpha gamma indirect
    until_true 10 knows gamma alpha indirect
    linked $flooded delta
    kill %%
}

@test "a new key: the host is who it was, the old key is nobody's, and what was said stays" {
    unset settings
    hosts alpha beta gamma
    sed -i 's/^listen.*/listen = 127.0.0.1:0/' "$dir"/*/.config/relay/relay.conf
    enter beta alpha
    enter gamma beta
    for h in alpha beta gamma; do until_true 10 see "$h" "alpha beta gamma"; done
    on beta chat send lobby "under the old key"
    converge lobby 1 alpha beta gamma
    old=$(on beta relay id | cut -d' ' -f3)
    run on beta relay rotate
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$(on beta relay id | cut -d' ' -f3)" != "$old" ]
    for h in alpha beta gamma; do until_true 10 see "$h" "alpha beta gamma"; done
    until_true 10 linked alpha beta
    not grep -q "$old" "$dir"/state/*/peers
    on alpha relay hosts | grep -q "^beta *revoked *full .*${old:0:12}"
    on beta chat send lobby "under the new one"
    converge lobby 2 alpha beta gamma
    kill_all beta
    cp "$dir/state/beta/identity.key.old" "$dir/state/beta/identity.key" # whoever stole it
    rm "$dir/state/beta/tls.pem"
    up beta
    on beta chat send lobby "under the stolen one"
    on alpha chat send lobby "alpha goes on"
    converge lobby 3 alpha gamma
    ! linked beta alpha
}
