# helper.bash -- every test has a relay, a directory and IPC objects of its own, and leaves none of them.

setup() {
    bin=${BIN:-$BATS_TEST_DIRNAME/../../build/release/bin}
    tools=$(dirname "$bin")/tools
    dir=$(mktemp -d /tmp/chat-test.XXXXXX)
    export RELAY_RUNTIME_DIR=$dir/run RELAY_STATE_DIR=$dir/state HOME=$dir TZ=UTC NO_COLOR=1
    export LC_ALL=C.UTF-8 PATH=$bin:$PATH
    unset CHAT_INSTANCE
    mkdir -p "$dir/.config/relay"
    echo "workers = ${WORKERS:-2}" >"$dir/.config/relay/relay.conf" # on any machine: much of what can go wrong is between them
}

# end PID -- it and all its descendants: a chat that lives on would start its relay again.
end() {
    local child
    for child in $(pgrep -P "$1"); do end "$child"; done
    kill "$1" 2>/dev/null || true
}

teardown() {
    [ -z "${frozen:-}" ] || kill -CONT $frozen 2>/dev/null || true # or nothing of it could be stopped
    for job in $(jobs -p); do end "$job"; done
    for instance in "$dir"/run/*/; do
        [ -d "$instance" ] || continue
        remember "$(basename "$instance")"
        # one that was killed: the next start removes what it left
        relay -i "$(basename "$instance")" stop 2>/dev/null || [ ! -e "$instance/generation" ] ||
            { relay -i "$(basename "$instance")" start && relay -i "$(basename "$instance")" stop; } || true
    done
    tmux -S "$dir/tmux" kill-server 2>/dev/null || true
    leaks=
    for object in ${objects:-}; do
        [[ $object != /* || ! -e /dev/shm$object ]] || leaks="$leaks $object"
        [[ $object == /* ]] || ! awk -v id="$object" '$2 == id {found = 1} END {exit !found}' /proc/sysvipc/sem ||
            leaks="$leaks semaphore-$object"
    done
    for place in "$dir/state" "$dir"/state/*; do
        ! mountpoint -q "$place" || umount -l "$place"
    done
    rm -rf "$dir" ${fast:+"$fast"}
    [ -z "$leaks" ] || { echo "left behind:$leaks"; return 1; }
}

# not COMMAND... -- a `!` before a command would fail no test, unless it is the last.
not() { ! "$@"; }

# start -- a relay, whose object names are remembered for the leak check.
start() {
    relay "$@" start
    remember
}

# in_memory -- the runtime directory on tmpfs, as /run is: a crowd makes thousands of FIFOs in it.
in_memory() {
    fast=$(mktemp -d /dev/shm/chat-test.XXXXXX)
    ln -s "$fast" "$dir/run"
}

# remember [INSTANCE] -- the names of its objects now: none of them may be left at the end.
remember() {
    local record=$dir/run/${1:-default}/generation
    [ -e "$record" ] || return 0
    shm=$(sed -n 's/^shm //p' "$record")
    sem=$(sed -n 's/^lock //p' "$record")
    objects="${objects:-} $shm $sem"
}

# sanitized -- are these programs of a build that needs memory of its own?
sanitized() { [[ $bin == */asan/* || $bin == */tsan/* ]]; }

# pause SECONDS -- in a shell of its own, as what it waits for would become $! here.
pause() { (read -rt "$1" <> <(:)) || true; }

# until_true SECONDS COMMAND... -- wait for a condition, with a deadline; $PATIENCE times as long where all is slow.
until_true() {
    local deadline=$((SECONDS + $1 * ${PATIENCE:-1}))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || { echo "never true: $*"; return 1; }
        pause 0.02
    done
}

has() { grep -qF -- "$1" "$2"; }

relay_pid() { sed -n 's/^pid //p' "$dir"/run/default/generation; }
pid_of() { relay status | awk -v p="$1" '$1 == p {print $2}'; }

# terminal NAME [COLUMNS ROWS [COMMAND]] -- chat, or a command, in a terminal of that name; what it shows; a text that it shows; what
# is typed there.
terminal() { tmux -S "$dir/tmux" new-session -d -s "$1" -x "${2:-80}" -y "${3:-24}" "${4:-chat}"; }
screen() { tmux -S "$dir/tmux" capture-pane -p -t "$1"; }
shows() { screen "$1" | grep -qF -- "$2"; }
keys() { tmux -S "$dir/tmux" send-keys -t "$@"; }
