# helper.bash -- hosts, and people on them who write down what they sent, what was acknowledged, and what they saw.
#
# $DRIVER makes the hosts: engine (containers) or netns (network namespaces).
load ../scenario/helper
DRIVER=${DRIVER:-engine}
load "$DRIVER"

# In CI nothing is left out.
setup_file() {
    local why
    export LC_ALL=C.UTF-8
    if ! why=$(available); then
        [ "${CI:-}" != true ] || { echo "$why"; return 1; }
        export cannot="$why"
        return 0
    fi
    driver_setup
}

eval "scenario_$(declare -f setup)"

setup() {
    [ -z "${cannot:-}" ] || skip "$cannot"
    scenario_setup
    mkdir "$dir/logs"
    up=
    lab_up
}

teardown() {
    [ -z "${cannot:-}" ] || return 0
    touch "$dir/hush"
    if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
        for h in $up; do echo "-- $h"; host_output "$h" | tail -n 15; done
    fi
    left=
    lab_down || left=$lab
    for job in $(jobs -p); do end "$job"; done
    rm -rf "$dir"
    [ -z "$left" ] || { echo "left behind: $left"; return 1; }
}

# not COMMAND... -- a plain ! in the middle of a test is never looked at.
not() { ! "$@"; }

# ---- hosts ----

relay_of() { host_exec "$1" relay relay --system "${@:2}" </dev/null; }
ready() { relay_of "$1" status; }
# linked HOST PEER -- as HOST sees it.
linked() { relay_of "$1" status | grep -q "^$2 *up "; }
apart() { relay_of "$1" status | grep -q "^$2 *down "; }

# up HOST... -- until people may come.
up() {
    local h
    for h; do
        host_start "$h"
        [[ " $up " == *" $h "* ]] || up="$up $h"
    done
    for h; do until_true 20 ready "$h"; done
}

all_up() {
    up alpha beta gamma
    all_linked
}

all_linked() {
    until_true 20 linked alpha beta
    until_true 20 linked gamma beta
    until_true 20 linked beta alpha
    until_true 20 linked beta gamma
}

# knows HOST PEER -- it would take what PEER signed, through whomever.
knows() { relay_of "$1" status | grep -q "^$2 "; }

# can_be_rough -- and otherwise why not; in CI it must.
can_be_rough() {
    [ "${CI:-}" != true ] || return 0
    [ "$(id -u)" -eq 0 ] && command -v tc && command -v iptables || skip "a bad link needs root, tc and iptables"
}

# rough HOST -- all its networks from now on slow, with 5 % of the packets lost in each direction.
rough() {
    local dev
    for dev in $(in_net_of "$1" ip -o link show up | sed -n 's/^[0-9]*: \([^:@]*\).*/\1/p' | grep -vx lo); do
        if ! in_net_of "$1" tc qdisc add dev "$dev" root netem delay 80ms 30ms loss 5% rate 1mbit 2>/dev/null; then # not in this kernel
            in_net_of "$1" tc qdisc add dev "$dev" root tbf rate 1mbit burst 10kb latency 400ms
            in_net_of "$1" iptables -A OUTPUT -o "$dev" -m statistic --mode random --probability 0.05 -j DROP
        fi
        in_net_of "$1" iptables -A INPUT -i "$dev" -m statistic --mode random --probability 0.05 -j DROP
    done
}

# lossy HOST -- packets for it have really been dropped.
lossy() { in_net_of "$1" iptables -nvL INPUT | awk '/statistic/ {n += $1} END {exit !n}'; }

# ---- people ----

# What a writer runs: ranges of numbers in, what happens out.
writer='while read -r first last; do
    lines=$(seq -f "$1 %.0f" "$first" "$last")
    echo "$lines" | sed "s/^/sent /"
    if echo "$lines" | chat send --lines lobby; then echo "$lines" | sed "s/^/acked /"; else echo "refused $1 $first"; fi
done'

# feed -- ten numbers, and ten more, until it is enough.
feed() {
    local n
    for ((n = 1; ; n += 10)); do
        [ ! -e "$dir/hush" ] || break
        echo "$n $((n + 9))" || break
        pause 0.15
    done
}

# talk HOST USER [MORE] -- in the background, until hush or the end of his host.
talk() {
    local name=$2@$1${3:+/$3}
    feed 2>/dev/null | host_exec "$1" "$2" sh -c "$writer" writer "$name" >"$dir/logs/said.$2@$1.${3:-}" 2>>"$dir/talk.err" 3>&- &
    talkers="${talkers:-} $!"
}

# say HOST USER MORE NUMBERS -- and it is acknowledged.
say() {
    echo "1 $4" | host_exec "$1" "$2" sh -c "$writer" writer "$2@$1/$3" >"$dir/logs/said.$2@$1.$3"
    grep -q "^acked .* $4$" "$dir/logs/said.$2@$1.$3"
}

# hush -- all who talk finish their sentence.
hush() {
    touch "$dir/hush"
    wait $talkers || true # those whose host is dead did not end well
    rm "$dir/hush"
    talkers=
}

acked() { grep -c ^acked "$dir/logs/said.$1." || true; }
# has_acked WRITER COUNT -- at least.
has_acked() { [ "$(acked "$1")" -ge "$2" ]; }

# watch HOST USER [KIND] -- shows the lobby from now on.  KIND late: not from the first to the last message.
watch() {
    host_exec "$1" "$2" chat tail -f -n 0 --json lobby >"$dir/logs/${3:-tail}.$2@$1" </dev/null 2>>"$dir/watch.err" 3>&- &
    until_true 10 here "$1" "$2"
}

here() { host_exec "$1" "$2" chat who lobby </dev/null | grep -q "$2@$1"; }

# watch_on HOST USER -- goes on where he was when his host died.
watch_on() {
    local log=$dir/logs/tail.$2@$1 cursor
    sed -i '$ {/}$/! d}' "$log" # half a line was seen by nobody
    cursor=$(sed -n '$ s/.*"cursor":\([0-9]*\)}$/\1/p' "$log")
    host_exec "$1" "$2" chat tail -f --after-cursor "$cursor" --json lobby >>"$log" </dev/null 2>>"$dir/watch.err" 3>&- &
    until_true 10 here "$1" "$2"
}

# ---- the verdict ----

check() {
    local h
    for h in $up; do
        host_exec "$h" cleo chat log --json --since -1d lobby </dev/null >"$dir/logs/log.$h" || true
    done
    awk -f "$BATS_TEST_DIRNAME/check.awk" "$dir"/logs/*
}

# agree [SECONDS] -- in time, every acknowledged message is on all hosts that are up, once, in the same order.
agree() {
    until_true "${1:-30}" check || { check; return 1; }
    echo "# $BATS_TEST_DESCRIPTION: $(check)" >&3
}
