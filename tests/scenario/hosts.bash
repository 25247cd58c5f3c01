# hosts.bash -- several hosts on this one: relays with a home, a relay.conf and a state of their own, linked over 127.0.0.1.
#
# A host is an instance; its relay.conf lies where its relay looks for it, so that a relay that chat starts is the same.

# on HOST PROGRAM ARGUMENT... -- relay or chat there.
on() {
    local h=$1 program=$2
    shift 2
    HOME=$dir/$h "$program" -i "$h" "$@"
}

# hosts NAME... -- set up (with $settings) and started; every one listens at a port of its own.  One worker each, or $workers: the
# queues of all relays of a user come out of one purse, which holds nine, and two scenarios run at a time.
hosts() {
    local h
    for h; do
        mkdir -p "$dir/$h/.config/relay"
        printf 'name = %s\nlisten = 127.0.0.1:0\nworkers = %d\n%s\n' "$h" "${workers:-1}" "${settings:-}" >"$dir/$h/.config/relay/relay.conf"
        up "$h"
    done
}

# ready HOST -- by a record of its own, not by the one of a relay that was killed.
ready() {
    local pid
    pid=$(sed -n 's/^pid //p' "$dir/run/$1/generation")
    has "ready 1" "$dir/run/$1/generation" && ! gone "$pid"
}

# up HOST -- chat may have started it in the same moment: then `relay start` does not wait.
up() {
    on "$1" relay start
    until_true 10 ready "$1"
    remember "$1"
}

# linked HOST PEER, apart HOST PEER -- as HOST sees it.
linked() { on "$1" relay status | grep -q "^$2 *up "; }
apart() { on "$1" relay status | grep -q "^$2 *down "; }

# up_for HOST PEER SECONDS -- and all the time the same link.
up_for() { on "$1" relay status | awk -v peer="$2" -v s="$3" '$1 == peer && $2 == "up" && $3 >= s {found = 1} END {exit !found}'; }

# join HOST PEER [ADDRESS] -- HOST takes PEER for a peer, at another address than it says.
join() {
    local name address key
    read -r name address key <<<"$(on "$2" relay id)"
    on "$1" relay join "$name ${3:-$address} $key" 2>/dev/null
}

# link HOST PEER -- both ways, until it is there.
link() {
    join "$1" "$2"
    join "$2" "$1"
    until_true 10 linked "$1" "$2"
    until_true 10 linked "$2" "$1"
}

pids_of() { on "$1" relay status | awk '$1 ~ /^(worker|keeper|link)/ && $2 ~ /^[0-9]/ {print $2}'; }
process_of() { on "$1" relay status | awk -v p="$2" '$1 == p {print $2; exit}'; }

# gone PID... -- none of them runs; one who is only unburied has no command line any more.
gone() {
    local pid
    for pid; do ! has relay "/proc/$pid/cmdline" || return 1; done
}

# kill_all HOST -- as when the power fails: all processes at once.  A chat may start its relay again at once.
kill_all() {
    local pids
    pids="$(sed -n 's/^pid //p' "$dir/run/$1/generation") $(pids_of "$1")"
    kill -9 $pids
    until_true 5 gone $pids
}

# say HOST ROOM FROM TO -- numbered lines.
say() { seq -f "%.0f from $1" "$3" "$4" | on "$1" chat send --lines "$2"; }

# burst HOST ROOM N -- 100 N lines, little by little: something to fall into.
burst() {
    local i
    for ((i = 0; i < $3; i++)); do say "$1" "$2" $((100 * i + 1)) $((100 * i + 100)) || return; done
}

# history HOST ROOM -- all of it, without what is only this host's.
history() { on "$1" chat log --json --since -1h "$2" | sed 's/,"cursor":[0-9]*}$/}/'; }

# at_least HOST ROOM LINES
at_least() { [ "$(history "$1" "$2" | wc -l)" -ge "$3" ]; }

# same ROOM LINES HOST... -- the same history everywhere, so many lines.
same() {
    local room=$1 lines=$2 first=$3 h
    shift 2
    for h; do
        history "$h" "$room" >"$dir/history.$h"
        [ "$(wc -l <"$dir/history.$h")" -eq "$lines" ] || return
        cmp "$dir/history.$first" "$dir/history.$h" || return
    done
}

# converge ROOM LINES HOST... -- in time, and no line twice.
converge() {
    until_true 20 same "$@" || { wc -l "$dir"/history.*; return 1; }
    [ -z "$(sed 's/.*"text"://' "$dir/history.$3" | sort | uniq -d)" ]
}

logged() { grep -q -- "$2" "$dir/state/$1/relay.log"; }

# laid DIALLER LISTENER -- two hosts and the cable between them; only DIALLER can dial.
laid() {
    hosts "$1" "$2"
    coproc CABLE { exec "$tools/cable" "$dir/port" "$(cat "$dir/run/$2/address")" 3>&-; }
    until_true 5 test -s "$dir/port"
    join "$1" "$2" "127.0.0.1:$(cat "$dir/port")"
    join "$2" "$1" -
    until_true 10 linked "$1" "$2"
    until_true 10 linked "$2" "$1"
}

# cable HOW -- cut, hole, half, heal.
cable() {
    local answer
    echo "$*" >&"${CABLE[1]}"
    read -rt 5 -u "${CABLE[0]}" answer
    [ "$answer" = ok ]
}

# terminal_on HOST NAME -- chat in a terminal of that name.
terminal_on() { terminal "$2" 120 30 "HOME=$dir/$1 chat -i $1"; }

# streams_of HOST NAME -- how many streams of the room of that name its store has.
streams_of() {
    local id
    id=$(printf %s "$2" | sha256sum | cut -c1-16 | fold -w2 | tac | tr -d '\n')
    sqlite3 "$dir/state/$1/history.db" "SELECT count(*) FROM stream WHERE room = $((16#$id))"
}
