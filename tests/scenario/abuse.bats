#!/usr/bin/env bats
# abuse.bats -- clients that keep no rule, and those beside them.
load helper

pids() { relay "$@" status | awk '/^instance/ {print $NF} $1 ~ /^(worker|keeper)/ {print $1, $2}'; }

@test "garbage, cut messages, false sessions, names, rooms and FIFOs: refused, and others are served meanwhile" {
    start
    before=$(pids)
    run timeout 300 "$tools/abuse" default
    echo "$output"; tail -n 5 "$dir/state/default/relay.log"
    [ "$status" -eq 0 ]
    [ "$(pids)" = "$before" ]
    [ "$(grep -c 'line [0-9]*"' <(chat log --json -n 10000 abuse))" -eq "$(sed -n 's/^\([0-9]*\) lines.*/\1/p' <<<"$output")" ]
    [ "$(chat log --json -n 10000 abuse | wc -l)" -eq "$(sed -n 's/^\([0-9]*\) lines.*/\1/p' <<<"$output")" ]
    [ "$(chat log --json -n 10000 bystander | wc -l)" -eq "$(sed -n 's/.* \([0-9]*\) messages.*/\1/p' <<<"$output")" ]
    run chat log --json -n 10000 abuse/quiet
    [[ $output != *"from a false session"* ]]
    run chat rooms
    [[ $output != *never-opened* && $output != *abuse/false* && $output != *abuse/name* ]]
}

@test "a user cannot speak as another one, read what is for him, or touch the relay's objects" {
    [ "$(id -u)" -eq 0 ] || skip "needs root to be two users"
    chmod 755 "$dir"
    relay --system start
    remember
    before=$(pids --system)
    run timeout 100 "$tools/strangers" daemon games
    echo "$output"; tail -n 5 "$dir/state/default/relay.log"
    [ "$status" -eq 0 ]
    [ "$(pids --system)" = "$before" ]
    [ "$(chat log --json strangers | grep -c '"user":"daemon"')" -eq 3 ]
    [ "$(chat log --json strangers | wc -l)" -eq 3 ]
    relay --system stop
}

as() { setpriv --reuid "$1" --regid "$(id -g "$1")" --clear-groups env HOME=/nonexistent "${@:2}"; }

@test "a user who says hello too often is told to wait, others are not, and chat waits by itself" {
    [ "$(id -u)" -eq 0 ] || skip "needs root to be two users"
    chmod 755 "$dir"
    printf 'workers = 1\n' >"$dir/relay.conf"
    relay --system -c "$dir/relay.conf" start
    remember
    cp "$bin/chat" "$tools/hello" "$dir"
    run as daemon "$dir/hello" default 200
    echo "$output"; tail -n 5 "$dir/state/default/relay.log"
    [ "$status" -eq 0 ]
    [ "$(awk '{print $2}' <<<"$output")" -ge 64 ]
    [ "$(awk '{print $4}' <<<"$output")" -gt 0 ]
    turned_away() { # every fifth of a second there is a turn: it may come up while chat starts
        as daemon "$dir/hello" default 100 >/dev/null
        run as daemon "$dir/chat" --timeout 0 send lobby impatient
        [ "$status" -ne 0 ] && [[ $output == *"Too many new sessions at once; wait a second."* ]]
    }
    until_true 10 turned_away
    as games "$dir/chat" send lobby "from another"
    run "$tools/hello" default 200
    [[ $output == "welcome 200 busy 0" ]]
    as daemon "$dir/chat" --timeout 30 send lobby patient
    run chat log lobby
    [[ $output == *"from another"*": patient"* ]]
    relay --system stop
}

@test "a user who asks and does not read the answers: he is told that it is enough, others are answered" {
    [ "$(id -u)" -eq 0 ] || skip "needs root to be two users"
    chmod 755 "$dir"
    relay --system start
    remember
    cp "$bin/chat" "$tools/unread" "$dir"
    seq 1 40000 | chat send big # more than a FIFO holds
    as daemon "$dir/unread" default big 40 >"$dir/out" &
    asking=$!
    until_true 20 has asked "$dir/out"
    refused() { # not before the relay has taken in what he asks, and in time on a busy machine
        run as daemon "$dir/chat" --timeout 2 log big
        [ "$status" -eq 5 ]
    }
    until_true 20 refused
    [ "$output" = "chat: You have asked the relay too much at once; ask again when some of it is answered." ]
    as games "$dir/chat" log big >"$dir/other"
    has 40000 "$dir/other"
    as daemon "$dir/chat" --timeout 60 log big >"$dir/log" &
    log=$!
    as daemon "$dir/chat" tail -f big >"$dir/tail" & # joins; its history comes later
    until_true 10 chat who big
    end $asking
    wait $log
    has 40000 "$dir/log"
    until_true 20 has 40000 "$dir/tail"
    relay --system stop
}

@test "a flood that fills every queue: a victim's messages are acknowledged, and a reader of the flood misses nothing" {
    printf 'journal = 1M\n' >"$dir/relay.conf"
    start -c "$dir/relay.conf"
    before=$(pids)
    run timeout 400 "$tools/flood" default 8 50 say
    echo "$output"; tail -n 5 "$dir/state/default/relay.log"
    [ "$status" -eq 0 ]
    [ "$(pids)" = "$before" ]
    [ "$(chat log --json -n 10000 victim | wc -l)" -eq 50 ]
}

@test "a flood of joins: who delivers is not overtaken by what he takes in" {
    printf 'workers = 1\njournal = 1M\n' >"$dir/relay.conf"
    start -c "$dir/relay.conf"
    before=$(pids)
    run timeout 400 "$tools/flood" default 8 200 join
    echo "$output"; tail -n 5 "$dir/state/default/relay.log"
    [ "$status" -eq 0 ]
    [ "$(pids)" = "$before" ]
    [ "$(chat log --json -n 10000 victim | wc -l)" -eq 200 ]
}
