#!/usr/bin/env bats
# faults.bats -- what goes wrong, and what is said about it.
load helper

@test "a second relay of the same instance is refused with one sentence" {
    start
    run relay run
    [ "$status" -eq 1 ]
    [[ $output == *"runs already"* ]]
}

@test "one store, one relay: with another runtime directory none starts, and says where the other runs" {
    start
    chat send lobby one
    RELAY_RUNTIME_DIR=$dir/other run relay start
    [ "$status" -eq 1 ]
    [[ $output == *"is in use by a relay that runs in $dir/run/default; stop that one first: RELAY_RUNTIME_DIR=$dir/run relay -i default stop" ]]
    chat send lobby two
    relay stop
    RELAY_RUNTIME_DIR=$dir/other relay start
    RELAY_RUNTIME_DIR=$dir/other chat log --json lobby >"$dir/out"
    RELAY_RUNTIME_DIR=$dir/other relay stop
    [ "$(wc -l <"$dir/out")" -eq 2 ]
}

@test "a keeper that outlives its supervisor is waited for" {
    start
    chat send lobby one
    supervisor=$(relay_pid)
    frozen=$(pid_of keeper)
    kill -STOP "$supervisor" "$frozen"
    kill -9 "$supervisor"
    until_true 5 bash -c "! relay status >/dev/null 2>&1" # it dies a moment later
    relay start &
    starting=$!
    run timeout 1 tail -s 0.05 --pid=$starting -f /dev/null
    [ "$status" -eq 124 ]
    kill -CONT "$frozen"
    wait $starting
    remember
    chat send lobby two
    [ "$(chat log --json lobby | wc -l)" -eq 2 ]
}

@test "who has a login session finds the relay that was started without one" {
    unset RELAY_RUNTIME_DIR
    name=login-$BASHPID
    mkdir -m 700 "$dir/session"
    env -u XDG_RUNTIME_DIR relay -i "$name" start
    XDG_RUNTIME_DIR=$dir/session run chat -i "$name" send lobby hello
    env -u XDG_RUNTIME_DIR relay -i "$name" stop
    [ "$status" -eq 0 ]
    [ ! -e "$dir/session/relay" ]
    rm -rf "/tmp/relay-$(id -u)/$name" "/run/user/$(id -u)/relay/$name"
}

@test "stop without a relay; status without a relay" {
    run relay stop
    [ "$status" -eq 1 ]
    run relay status
    [ "$status" -eq 1 ]
    [[ $output == *"no relay of instance default runs"* ]]
}

@test "a relay is started for who wants the default one, or one that was there before; not for a slip" {
    run chat -i tema log lobby
    [ "$status" -eq 3 ]
    [[ $output == *"no relay of instance tema runs on this host; start it with: relay -i tema start"* ]]
    [ ! -e "$dir/state/tema" ]
    relay -i team start
    relay -i team stop
    chat -i team send lobby "started again"
    relay -i team status
    chat send lobby "the default one, too"
    remember
    remember team
}

@test "a relay that is about to stop is not taken for one that runs" {
    start
    kill "$(relay_pid)"
    relay start
    remember
    relay status
    chat send lobby here
}

@test "everything killed: the next start removes what is left and loses nothing" {
    start
    chat send lobby before
    old=$shm
    pids="$(relay_pid) $(relay status | awk '$1 ~ /worker|keeper/ {print $2}')"
    kill -9 $pids
    until_true 5 bash -c "! relay status >/dev/null 2>&1"
    run relay doctor
    [[ $output == *"was killed and left its objects"* ]]
    chat send lobby after
    remember
    [ ! -e "/dev/shm$old" ]
    run chat log lobby
    [[ $output == *before*after* ]]
}

@test "names deleted under a live relay: a new generation, nothing lost" {
    start
    chat send lobby before
    rm "/dev/shm$shm"
    changed() { [ "$(sed -n 's/^number //p' "$dir/run/default/generation")" -ge 2 ] && has "ready 1" "$dir/run/default/generation"; }
    until_true 15 changed
    remember
    chat send lobby after
    run chat log lobby
    [[ $output == *before*after* ]]
}

@test "a file that is no database is left as it is" {
    mkdir -p "$dir/state/default"
    chmod 700 "$dir/state/default"
    yes 'not a database' | head -c 8192 >"$dir/state/default/history.db"
    cp "$dir/state/default/history.db" "$dir/copy"
    run relay start
    [ "$status" -eq 1 ]
    [[ $output == *"not a database"* ]]
    cmp "$dir/copy" "$dir/state/default/history.db"
}

@test "an identity key that others can read is refused" {
    start
    relay stop
    chmod 644 "$dir/state/default/identity.key"
    run relay start
    [ "$status" -eq 1 ]
    [[ $output == *"chmod 600"* ]]
}

@test "a wrong setting names file and line" {
    printf 'workers = 2\nworkers = many\n' >"$dir/relay.conf"
    run relay -c "$dir/relay.conf" start
    [ "$status" -eq 2 ]
    [[ $output == *"relay.conf, line 2"* ]]
    mkdir -p "$HOME/.config/relay"
    mv "$dir/relay.conf" "$HOME/.config/relay/relay.conf"
    run timeout 15 chat send lobby x # does not wait for what will not come
    [ "$status" -eq 3 ]
    [[ $output == *"relay.conf, line 2"*"does not start"* ]]
}

@test "chat without the program relay says so, and does not wait" {
    [ ! -e /usr/local/sbin/relay ] || skip "one is installed"
    mkdir "$dir/alone"
    cp "$(command -v chat)" "$dir/alone/chat"
    run env PATH=/usr/bin:/bin timeout 15 "$dir/alone/chat" send lobby x
    [ "$status" -eq 3 ]
    [[ $output == *"neither beside chat nor in PATH"*"does not start"* ]]
}

@test "no relay and none to be had: exit 3" {
    mkdir -p "$dir/run/default"
    chmod 777 "$dir/run/default"
    run chat --timeout 1 send lobby x
    [ "$status" -eq 3 ]
}

@test "a full disk: a clear error, the relay goes on, and recovers by itself" {
    [ "$(id -u)" -eq 0 ] || skip "needs root for a small file system"
    mkdir -p "$dir/state"
    mount -t tmpfs -o size=2m,mode=700 none "$dir/state"
    start
    chat send lobby before
    head -c 4m /dev/zero >"$dir/state/fill" 2>/dev/null || true
    full() { ! seq 1 2000 | chat --timeout 3 send lobby 2>/dev/null; }
    until_true 20 full
    run chat --timeout 5 send lobby refused
    [ "$status" -eq 6 ]
    [[ $output == *"disk is full"* ]]
    run chat log lobby
    [[ $output == *before* ]]
    rm "$dir/state/fill"
    accepted() { chat --timeout 5 send lobby after 2>/dev/null; }
    until_true 20 accepted
    relay stop
    umount "$dir/state"
}

@test "two users of one system relay see each other under their own names" {
    [ "$(id -u)" -eq 0 ] || skip "needs root to be two users"
    chmod 755 "$dir"
    relay --system start
    remember
    as() { setpriv --reuid "$1" --regid "$(id -g "$1")" --clear-groups env HOME=/nonexistent "${@:2}"; }
    cp "$bin/chat" "$dir/chat"
    run as nobody "$dir/chat" --timeout 1 send lobby "from nobody" # uid 65534 stands for any stranger
    [ "$status" -ne 0 ]
    as daemon "$dir/chat" send lobby "from daemon"
    as games "$dir/chat" send lobby "from games"
    run chat log lobby
    [[ $output == *"daemon@"*"from daemon"*"games@"*"from games"* && $output != *"from nobody"* ]]
    relay --system stop
}

@test "files that may not grow: said so, and what was acknowledged is kept" {
    limit() { (ulimit -f "$1"; shift; "$@"); } # KiB
    run limit 1000 relay start
    [ "$status" -eq 1 ] && [[ $output == *"shared memory: File too large; make the limit on files (ulimit -f) larger"* ]]
    run limit 1000 relay doctor
    [[ $output == *"no file may be larger than 1000 KiB"* ]]
    limit 24000 relay start
    remember
    chat send lobby before
    keeper=$(pid_of keeper)
    run bash -c "seq -f %04000.0f 9000 | chat send --timeout 3 --lines lobby" # some of it waits in memory for a place, and may be stored yet
    [ "$status" -eq 6 ] || [ "$status" -eq 124 ]
    run chat send lobby more
    [ "$status" -eq 6 ] && [[ $output == *"so nothing can be kept"* ]]
    [ "$(pid_of keeper)" -eq "$keeper" ]
    relay stop
    start
    chat log --json --since -1h lobby | sed -n 's/.*"text":"0*\([^"]*\)".*/\1/p' >"$dir/kept"
    [ "$(head -n 1 "$dir/kept")" = before ]
    sed 1d "$dir/kept" | diff - <(seq "$(($(wc -l <"$dir/kept") - 1))")
    chat send lobby after
}
