#!/usr/bin/env bats
# system.bats -- the relay of a host, started by root, as a user of its own.
load helper

# system [SETTING]... -- start it, its settings one per argument.
system() {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    mkdir -p -m 755 "$dir/run" "$dir/state" # as /run/relay and /var/lib/relay are
    chmod 755 "$dir"
    cp "$bin/chat" "$dir/chat"
    printf '%s\n' "$@" >"$dir/relay.conf"
    setpriv --groups 0,4 relay --system -c "$dir/relay.conf" start
    remember
}

as() { setpriv --reuid "$1" --regid "$(id -g "$1")" --clear-groups env HOME=/nonexistent "${@:2}"; }
owner() { stat -c %U "$@"; }
# uids -- who runs the processes of this relay, each name once.
uids() { { relay_pid; relay --system status | awk '$1 ~ /^(worker|keeper)/ {print $2}'; } | xargs -I{} awk '/^(Uid|Gid):/ {print $2, $3, $4, $5}' /proc/{}/status | sort -u; }

@test "it becomes the user that is set, and two others chat under their own names" {
    system "user = daemon"
    [ "$(uids)" = "$(id -u daemon | sed 's/.*/& & & &/')" ]
    [ "$(owner "$dir/run/default" "$dir/state/default" "$dir/state/default/identity.key" | sort -u)" = daemon ]
    as games "$dir/chat" send lobby "from games"
    as man "$dir/chat" send lobby "from man"
    chat send lobby "from root"
    run as games "$dir/chat" log lobby
    [[ $output == *"games@"*"from games"*"man@"*"from man"*"root@"*"from root"* ]]
    run relay --system -c "$dir/relay.conf" doctor
    [[ $output == *"ok       runtime and state directories"* ]]
    run relay --system -c "$dir/relay.conf" run
    [ "$status" -eq 1 ]
    [[ $output == *"runs already"* ]]
    relay --system stop
}

@test "what root does to it while it runs leaves nothing that is root's" {
    system "user = daemon" "listen = 127.0.0.1:0"
    by_root() { relay --system -c "$dir/relay.conf" "$@"; }
    by_root id | grep -q " 127.0.0.1:"
    by_root invite
    by_root join "other - $(by_root id | awk '{print $3}' | rev)" || true # a key that is none
    by_root reload
    [ "$(owner "$dir"/run/default/* "$dir"/state/default/* | sort -u)" = daemon ]
    relay --system stop
}

@test "what it has of root it gives up for good, but for the group that may chat" {
    system "user = daemon" "group = games"
    for pid in $(relay_pid) $(relay --system status | awk '$1 ~ /^(worker|keeper)/ {print $2}'); do
        grep -q '^CapEff:.0*$' "/proc/$pid/status"
        [ "$(awk '/^Groups:/ {$1 = ""; print}' "/proc/$pid/status" | tr ' ' '\n' | grep -cvxE "|$(id -g daemon)|$(id -g games)")" -eq 0 ]
    done
    as games "$dir/chat" send lobby "from games"
    run as man "$dir/chat" --timeout 1 send lobby "from man"
    [ "$status" -ne 0 ]
    relay --system stop
}

@test "what a relay that ran as root left becomes his" {
    system "user = root"
    [ "$(owner "$dir/state/default")" = root ]
    chat send lobby before
    system "user = daemon" # runs already, and is left in peace
    run relay --system -c "$dir/relay.conf" run
    [[ $output == *"runs already"* ]]
    [ "$(owner "$dir"/run/default/* "$dir"/state/default/* | sort -u)" = root ]
    kill -9 "$(relay_pid)" # the others leave, the objects stay
    until_true 10 bash -c "! relay --system status"
    old=$shm
    system "user = daemon"
    [ ! -e "/dev/shm$old" ]
    [ "$(owner "$dir"/run/default/* "$dir"/state/default/* | sort -u)" = daemon ]
    run chat log lobby
    [[ $output == *before* ]]
    relay --system stop
    system "user = daemon" # and again, in directories that are his
    relay --system stop
}

@test "a user that there is not, and a directory of somebody else's" {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    printf 'user = nobody-at-all\n' >"$dir/relay.conf"
    run relay --system -c "$dir/relay.conf" start
    [ "$status" -eq 1 ]
    [[ $output == *"useradd --system nobody-at-all"* ]]
    [ ! -e "$dir/state" ]
    chmod 755 "$dir"
    mkdir -p "$dir/state/default"
    touch "$dir/state/default/precious"
    chown -R games "$dir/state/default"
    printf 'user = daemon\n' >"$dir/relay.conf"
    run relay --system -c "$dir/relay.conf" start
    [ "$status" -eq 1 ]
    [[ $output == *"must be a directory that belongs to this user"* ]]
    [ "$(owner "$dir/state/default/precious")" = games ]
}

@test "without a user of its own it says so and stays root" {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    ! id relay >/dev/null 2>&1 || skip "there is a user relay here"
    run relay --system start
    remember
    [ "$status" -eq 0 ]
    [[ $output == *"useradd --system relay"* && ${#lines[@]} -eq 1 ]]
    [ "$(owner "$dir/state/default")" = root ]
    relay --system stop
}

@test "the owner of a room mutes, kicks and bans another user of the host" {
    system "user = daemon"
    by_games() { as games "$dir/chat" room "$@"; }
    by_games create build
    run as man "$dir/chat" room mute build games
    [[ $status -eq 4 && $output == *"Only the owner and the operators"* ]]
    by_games mute build man
    run as man "$dir/chat" send build "muted"
    [[ $status -eq 4 && $output == *"You are muted in this room"* ]]
    chat send build "others are not"
    by_games unmute build man
    by_games op build man
    as man "$dir/chat" room kick build root
    follow() { as man "$dir/chat" tail -f -n 0 build >"$dir/out" 2>&1 </dev/null && echo 0 >"$dir/code" || echo $? >"$dir/code"; }
    follow &
    until_true 5 as man "$dir/chat" who build
    by_games ban build man
    until_true 5 test -s "$dir/code"
    [ "$(cat "$dir/code")" -eq 4 ]
    grep -q -- "-- man@.* was banned by games@" "$dir/out"
    run as man "$dir/chat" tail build
    [[ $status -eq 4 && $output == *"You are banned from this room"* ]]
    run as man "$dir/chat" room unban build man # operator or not
    [ "$status" -eq 4 ]
    run by_games show build
    [[ $output == *"owner     games@"*"operator  man@"*"banned    man@"* ]]
    relay --system stop
}

@test "what two said to each other is found by these two, and by no third, root or not" {
    system "user = daemon"
    as games "$dir/chat" send @man "the secret word"
    as games "$dir/chat" send lobby "the open word"
    indexed() { [ "$(sqlite3 "$dir/state/default/index.db" 'SELECT count(*) FROM place')" = 2 ]; }
    for _ in before after; do
        run as man "$dir/chat" grep secret
        [ "$status" -eq 0 ]
        [[ $output == *"@games"*"the secret word"* ]]
        for other in backup root; do
            run as "$other" sh -c "'$dir/chat' grep secret 2>/dev/null"
            [ "$status" -eq 1 ] && [ -z "$output" ]
            run as "$other" "$dir/chat" grep word
            [ "$status" -eq 0 ]
            [[ $output == *"open word"* && $output != *secret* ]]
        done
        until_true 10 indexed
    done
    [ "$(stat -c '%a %U' "$dir/state/default/index.db")" = "600 daemon" ]
    relay --system stop
}
