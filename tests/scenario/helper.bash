# helper.bash -- every test has a relay, a directory and IPC objects of its own, and leaves none of them.

setup() {
    bin=${BIN:-$BATS_TEST_DIRNAME/../../build/release/bin}
    tools=$(dirname "$bin")/tools
    dir=$(mktemp -d /tmp/chat-test.XXXXXX)
    export RELAY_RUNTIME_DIR=$dir/run RELAY_STATE_DIR=$dir/state HOME=$dir TZ=UTC NO_COLOR=1
    export LC_ALL=C.UTF-8 PATH=$bin:$PATH
    unset CHAT_INSTANCE
}

teardown() {
    relay stop 2>/dev/null || true
    jobs -p | xargs -r kill 2>/dev/null || true
    tmux -S "$dir/tmux" kill-server 2>/dev/null || true
    leaks=
    if [ -n "${shm:-}" ]; then
        [ ! -e "/dev/shm$shm" ] || leaks="$leaks $shm"
        ! awk -v id="$sem" '$2 == id {found = 1} END {exit !found}' /proc/sysvipc/sem || leaks="$leaks semaphore-$sem"
    fi
    ! mountpoint -q "$dir/state" || umount -l "$dir/state"
    rm -rf "$dir"
    [ -z "$leaks" ] || { echo "left behind:$leaks"; return 1; }
}

# start -- a relay, whose object names are remembered for the leak check.
start() {
    relay "$@" start
    remember
}

remember() {
    shm=$(sed -n 's/^shm //p' "$dir"/run/default/generation)
    sem=$(sed -n 's/^lock //p' "$dir"/run/default/generation)
}

# until_true SECONDS COMMAND... -- wait for a condition, with a deadline.
until_true() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || { echo "never true: $*"; return 1; }
        read -rt 0.02 <> <(:) || true
    done
}

has() { grep -qF -- "$1" "$2"; }

relay_pid() { sed -n 's/^pid //p' "$dir"/run/default/generation; }
pid_of() { relay status | awk -v p="$1" '$1 == p {print $2}'; }
