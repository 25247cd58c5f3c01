#!/bin/sh
# demo.sh -- two linked relays and two people on this machine: what each of them sees; then everything is cleaned up.
set -eu
bin=$(cd "$(dirname "$0")/../build/release/bin" && pwd)
dir=$(mktemp -d)
export RELAY_RUNTIME_DIR="$dir/run" RELAY_STATE_DIR="$dir/state" NO_COLOR=1
tails=
# shellcheck disable=SC2086 # one word per process
trap 'kill $tails 2>/dev/null || true
      for host in alpha beta; do "$bin/relay" -i $host stop 2>/dev/null || true; done
      rm -rf "$dir"' EXIT

# until_true COMMAND... -- look again and again, for ten seconds at most.
until_true() {
    for _ in $(seq 200); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.05
    done
    echo "demo.sh: this never came true: $*" >&2
    exit 1
}
has() { grep -q -- "$1" "$2"; }
relay() { host=$1; shift; "$bin/relay" -i "$host" -c "$dir/$host.conf" "$@"; }
chat() { host=$1; shift; "$bin/chat" -i "$host" "$@"; }

for host in alpha beta; do
    printf 'name = %s\nlisten = 127.0.0.1:0\nworkers = 1\nlog = warn\n' $host >"$dir/$host.conf"
    relay $host start
done
echo "== alpha: relay invite; beta: relay join LINE"
line=$(relay alpha invite 2>/dev/null)
echo "  $line"
relay beta join "$line" 2>&1 | sed 's/^/  /'
linked() { relay alpha status | grep -q '^beta .* up '; }
until_true linked

"$bin/chat" -i alpha tail -f -n 0 lobby >"$dir/alpha.out" &
tails=$!
"$bin/chat" -i beta tail -f -n 0 lobby >"$dir/beta.out" &
tails="$tails $!"
until_true chat alpha who lobby
until_true chat beta who lobby
chat alpha send lobby "Hello, beta. This pipe says what I run:"
uname -sr | chat alpha send lobby
until_true has "$(uname -s)" "$dir/beta.out"
printf 'Hello, alpha.\nIt was on disk here before my program ended.\n' | chat beta send --lines lobby
until_true has 'program ended' "$dir/alpha.out"

relay beta stop
chat alpha send lobby "beta is off, and I go on talking."
relay beta start
chat beta log lobby -n 1 >"$dir/later"
caught_up() { chat beta log lobby -n 1 | grep -q 'go on talking'; }
until_true caught_up
until_true has 'go on talking' "$dir/beta.out"

for host in alpha beta; do
    echo
    echo "== what is seen on $host (chat tail -f lobby)"
    cat "$dir/$host.out"
done
echo
echo "== relay status on alpha"
relay alpha status | sed -n '/^host/,$p'
