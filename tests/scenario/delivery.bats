#!/usr/bin/env bats
# delivery.bats -- from "on disk here" to "on disk on another host" to "everywhere": never said too early.
load helper
load hosts

# freeze HOST, thaw HOST -- its keeper stores nothing meanwhile; its link process goes on.  (Its supervisor would end what
# is stopped.)
freeze() {
    local pids
    pids="$(sed -n 's/^pid //p' "$dir/run/$1/generation") $(process_of "$1" keeper)"
    frozen="${frozen:-} $pids"
    kill -STOP $pids
}
thaw() { kill -CONT "$(process_of "$1" keeper)" "$(sed -n 's/^pid //p' "$dir/run/$1/generation")"; }

# last_id HOST ROOM
last_id() { on "$1" chat log -n 1 --json "$2" | sed 's/.*"id":"\([^"]*\)".*/\1/'; }

# traced HOST ID LINE... -- these lines, in any order, and no other.
traced() {
    local h=$1 id=$2
    shift 2
    [ "$(on "$h" chat trace "$id" | tr -s ' ' | sort)" = "$(printf '%s\n' "$@" | sort)" ]
}

@test "--wait host: not when the message is there, but when it is on disk there" {
    hosts alpha beta
    link alpha beta
    on beta chat tail -f -n 0 lobby >"$dir/out" &
    until_true 5 on beta chat who lobby
    freeze beta
    on alpha chat send --wait host --timeout 100 lobby "shown, not stored" &
    sending=$!
    until_true 10 has "shown, not stored" "$dir/out"
    id=$(last_id alpha lobby)
    traced alpha "$id" "alpha on disk (this host)" "beta not yet"
    run on alpha chat send --wait host --timeout 1 lobby "nor this"
    [ "$status" -eq 124 ]
    [[ $output == *"not in time on any other: beta (not yet)"* ]]
    kill -0 $sending
    thaw beta
    wait $sending
    traced alpha "$id" "alpha on disk (this host)" "beta on disk"
    traced beta "$id" "beta on disk (this host)" "alpha on disk"
    run on beta chat log lobby
    [[ $output == *"shown, not stored"*"nor this"* ]]
}

@test "--wait all with a host that is off: 124 and its name; when it is back, it has it" {
    hosts alpha beta gamma
    link alpha beta
    link alpha gamma
    link beta gamma
    on alpha chat send --wait all lobby "to all three"
    for h in beta gamma; do
        [[ $(on $h chat log lobby) == *"to all three"* ]]
    done
    on gamma relay stop
    until_true 10 apart alpha gamma
    on alpha chat send --wait host lobby "enough is one"
    [[ $(on beta chat log lobby) == *"enough is one"* ]]
    run on alpha chat send --wait all --timeout 1 lobby "gamma is off"
    [ "$status" -eq 124 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == *"not in time on gamma (no link since "*"; it arrives there later"* && $output != *beta* ]]
    id=$(last_id alpha lobby)
    [[ $(on alpha chat trace "$id") == *"gamma"*"no link since"* ]]
    on alpha chat send --wait all --timeout 100 lobby "wait for it" &
    sending=$!
    up gamma
    wait $sending
    [[ $(on gamma chat log lobby) == *"gamma is off"*"wait for it"* ]]
    until_true 5 traced alpha "$id" "alpha on disk (this host)" "beta on disk" "gamma on disk"
}

@test "no other host: --wait says so, and the message is sent" {
    hosts alpha
    for what in host all; do
        run on alpha chat send --wait $what lobby "for $what"
        [ "$status" -eq 1 ]
        [[ ${#lines[@]} -eq 1 && $output == *"linked with no other"* ]]
    done
    converge lobby 2 alpha
    run on alpha chat send --wait nobody lobby text
    [ "$status" -eq 2 ]
}

@test "ids: those of send are those of the history, everywhere; of what is not there trace says so" {
    hosts alpha beta
    link alpha beta
    seq 1 5 | on alpha chat send --lines --ids --wait all lobby >"$dir/ids"
    seq 1 20000 | on alpha chat send --ids --wait all lobby >>"$dir/ids" # a message of many parts has one
    [ "$(wc -l <"$dir/ids")" -eq 7 ]
    for h in alpha beta; do
        history $h lobby | sed 's/.*"id":"\([^"]*\)".*/\1/' | cmp - "$dir/ids"
        on $h chat log --ids lobby | sed -n 's/^\(\S*\) ..:.. [^ ]*@.*/\1/p' | cmp - "$dir/ids"
        while read -r id; do
            [[ $(on $h chat trace "$id") != *not* ]]
        done <"$dir/ids"
    done
    id=$(tail -n 1 "$dir/ids")
    run on beta chat trace "${id%-*}-$((${id##*-} + 1))"
    [ "$status" -eq 1 ]
    [[ $output == *"no host that can be asked has this message"* ]]
    for bad in "" x "$id-1" "${id%-*}-0" "${id%-*}" "0x$id"; do
        run on beta chat trace "$bad"
        [ "$status" -eq 2 ]
    done
    run on beta chat trace --json "$id"
    [[ $output == *'"host":"beta","state":"durable"'*'"host":"alpha","state":"durable"'* ]]
}

@test "who waits goes on waiting when keeper, link or all of his relay die" {
    hosts alpha beta
    link alpha beta
    freeze beta
    on alpha chat send --wait host --timeout 100 lobby "patience" &
    sending=$!
    until_true 10 at_least alpha lobby 1
    for p in keeper link; do
        old=$(process_of alpha $p)
        kill -9 "$old"
        until_true 10 gone "$old"
        until_true 10 linked alpha beta
    done
    kill -0 $sending
    kill_all alpha
    up alpha
    join beta alpha # it listens elsewhere now
    kill -0 $sending
    thaw beta
    wait $sending
    converge lobby 1 alpha beta
}

# lacks HOST PEER UNACKED BEHIND -- as relay status shows it; BEHIND: at least so many seconds, or exactly none.
lacks() {
    on "$1" relay status | awk -v peer="$2" -v n="$3" -v s="$4" '$1 == peer && ($2 == "up" || $2 == "down") {
        unacked = $(NF - 2); behind = $(NF - 1); found = unacked == n && (s == 0 ? behind == 0 : behind >= s) }
        END {exit !found}'
}

@test "relay status: how much of ours a peer lacks, and since when, also while it is off and the keeper dies" {
    hosts alpha beta
    say alpha lobby 1 100
    run on alpha relay status
    [[ $output != *unacked* ]]
    link alpha beta
    converge lobby 100 alpha beta
    until_true 5 lacks alpha beta 0 0
    freeze beta
    say alpha lobby 101 200
    until_true 1 lacks alpha beta 100 0.001
    until_true 5 lacks alpha beta 100 0.5
    thaw beta
    until_true 10 lacks alpha beta 0 0
    on beta relay stop
    until_true 10 apart alpha beta
    say alpha lobby 201 250
    until_true 5 lacks alpha beta 50 0.5
    old=$(process_of alpha keeper)
    kill -9 "$old"
    until_true 5 gone "$old"
    on alpha chat send lobby "one more"
    lacks alpha beta 51 0.5
    up beta
    until_true 10 lacks alpha beta 0 0
}


@test "the prompt marks the newest own message: here, on another host, on all; what is being typed stays" {
    hosts alpha beta gamma
    terminal_on alpha one
    until_true 5 shows one '#lobby>'
    keys one 'alone' Enter
    until_true 5 shows one ': alone'
    not shows one '✓'
    link alpha beta
    link alpha gamma
    keys one 'for all' Enter
    until_true 5 shows one '#lobby ✓✓✓>'
    freeze gamma
    keys one 'not yet on gamma' Enter
    until_true 5 shows one '#lobby ✓✓·>'
    freeze beta
    keys one 'on none' Enter
    until_true 5 shows one '#lobby ✓··>'
    keys one 'half a li'
    until_true 5 shows one '#lobby ✓··> half a li'
    thaw beta
    until_true 10 shows one '#lobby ✓✓·> half a li'
    keys one 'ne' Enter # the newer one is marked from now on
    until_true 5 shows one ': half a line'
    until_true 10 shows one '#lobby ✓✓·>'
    kill -9 "$(process_of alpha keeper)"
    thaw gamma
    until_true 10 shows one '#lobby ✓✓✓>'
    not shows one '✓> half' # of a line that is done the mark is gone
    not shows one '·> half'
    keys one '/who' Enter
    until_true 5 shows one '#lobby> /who'
    until_true 5 shows one '#lobby ✓✓✓>'
    keys one '/join build' Enter
    until_true 5 shows one '#build>'
    keys one C-d
    until_true 5 bash -c "! tmux -S $dir/tmux has-session 2>/dev/null"
}

@test "--probe: each step of the way, through this host and to another" {
    hosts alpha beta
    run on alpha chat trace --probe
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 4 ]
    [[ ${lines[0]} == "message queue "*us && ${lines[1]} == "semaphore, shared memory "*us && ${lines[2]} == "FIFO "*us ]]
    link alpha beta
    run on alpha chat trace --probe beta
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 7 ]
    [[ $output == *$'\nTLS over TCP '*us$'\n'* ]]
    on alpha chat trace --probe --json beta | awk -F'"us":' '{us[NR] = $2 + 0; if (us[NR] <= 0) exit 1; sum += us[NR]}
        END {exit !(NR == 7 && us[7] < 5000000 && sum - us[7] == us[7])}'
    frozen="$(sed -n 's/^pid //p' "$dir/run/beta/generation") $(process_of beta link)"
    kill -STOP $frozen
    run on alpha chat trace --probe beta
    [ "$status" -ne 0 ]
    [[ $output == *"beta does not answer"* || $output == *"no link to beta"* ]]
    kill -CONT $frozen
    on beta relay stop
    until_true 10 apart alpha beta
    run on alpha chat trace --probe beta
    [ "$status" -eq 1 ]
    [[ $output == *"no link to beta now"* ]]
    run on alpha chat trace --probe nowhere
    [[ "$status" -eq 1 && ${#lines[@]} -eq 1 && $output == *"no host of that name"* ]]
}
