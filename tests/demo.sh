#!/bin/sh
# demo.sh -- one relay and two people on this machine: what each of them sees; then everything is cleaned up.
set -eu
bin=$(cd "$(dirname "$0")/../build/release/bin" && pwd)
dir=$(mktemp -d)
export RELAY_RUNTIME_DIR="$dir/run" RELAY_STATE_DIR="$dir/state"
trap '"$bin/relay" stop 2>/dev/null || true; rm -rf "$dir"' EXIT
"$bin/relay" start
"$bin/chat" tail -f -n 0 lobby >"$dir/listener" &
listener=$!
until [ -n "$("$bin/chat" who lobby 2>/dev/null)" ]; do :; done
printf 'Hello from a pipe.\nIt is on disk before this program ends.\n' | "$bin/chat" >"$dir/speaker"
uname -a | "$bin/chat" send lobby
until [ "$(wc -l <"$dir/listener")" -ge 4 ]; do :; done
kill "$listener"
echo "== what the speaker saw"
cat "$dir/speaker"
echo "== what the listener saw"
cat "$dir/listener"
echo "== what the relay says"
"$bin/relay" status
