#!/usr/bin/env bats
# many.bats -- thousands of sessions on one host: they come at once, hear what is said, cost nothing while they are silent, and go
# at once.
load helper

# crowd CLIENTS ROOMS -- them, in the background; orders go to &9, what they say into $dir/crowd.
crowd() {
    mkfifo "$dir/orders"
    exec 9<>"$dir/orders"
    "$tools/many" default "$1" "$2" <"$dir/orders" >"$dir/crowd" 9>&- &
    crowd=$!
    until_true 60 has "in $1 " "$dir/crowd"
    cat "$dir/crowd"
}

# order WORDS SIGN -- and wait until the crowd says SIGN once more.
order() {
    local before
    before=$(grep -c "^$2" "$dir/crowd" || true)
    echo "$1" >&9
    until_true 60 said_more "$2" "$before"
}
said_more() { [ "$(grep -c "^$1" "$dir/crowd")" -gt "$2" ]; }

processes() { relay status | awk '/^instance/ {print $NF} $1 ~ /^(worker|keeper|link)/ {print $2}' | tr -dc '0-9\n'; }

# woken -- how often the processes of the relay were put to sleep or interrupted so far.
woken() { for pid in $(processes); do cat "/proc/$pid/status"; done | awk '/ctxt_switches/ {n += $2} END {print n}'; }

# heap -- KiB of memory that the workers have for themselves.
heap() { for pid in $(pid_of worker/0) $(pid_of worker/1); do awk '/^RssAnon/ {print $2}' "/proc/$pid/status"; done | awk '{n += $1} END {print n}'; }

@test "2,000 come at once into one room: each is told of no other session of theirs, and hears what is said once" {
    in_memory
    start
    crowd 2000 1
    [ "$(chat who many-0 | wc -l)" -eq 1 ] # one user
    order "hear hello" listening
    chat send many-0 hello
    until_true 60 has "heard 2000, twice 0" "$dir/crowd"
    [ "$(sed -n 's/.*others //p' "$dir/crowd")" -le 64 ] # that the first one came is news, to those who came beside him
    chat rooms | grep -q '^many-0 *1 here, 1 message'
}

@test "2,000 in 100 rooms hear their own and nothing else, and are gone when they are killed, in one line a room" {
    in_memory
    start
    crowd 2000 100
    chat tail -f many-7 >"$dir/tail" &
    until_true 10 chat who many-7
    order "hear only here" listening
    for i in {0..99}; do printf 'only here\n' | chat send "many-$i"; done
    until_true 60 has "heard 2000, twice 0" "$dir/crowd"
    { kill -9 $crowd && wait $crowd; } 2>/dev/null || true
    not_there() { [ "$(chat rooms | awk '/^many-/ && $2 != 0' | grep -vc many-7)" -eq 0 ]; }
    until_true 25 not_there
    [ "$(grep -c "only here" "$dir/tail")" -eq 1 ]
    [ "$(grep -c "left #many-7" "$dir/tail")" -le 1 ]
}

@test "a crowd that is silent wakes nobody" {
    in_memory
    start
    crowd 1000 10
    quiet() { # whoever looks wakes nobody either
        local before after
        before=$(woken)
        pause 2
        after=$(woken)
        [ "$before" -eq "$after" ]
    }
    until_true 30 quiet
}

@test "memory is flat: ten crowds, one after the other, come and go as one does" {
    printf 'sessions = 1000\njournal = 1M\nworkers = 2\n' >"$dir/relay.conf" # slots and journal are used again and again
    in_memory
    start -c "$dir/relay.conf"
    for round in {1..10}; do
        rm -f "$dir/orders"
        crowd 500 5
        [ "$round" -ne 2 ] || second=$(heap)
        [ "$round" -eq 9 ] || order bye done # else they linger
        { kill -9 $crowd && wait $crowd; } 2>/dev/null || true
        nobody() { [ "$(chat rooms | awk '/^many-/ && $2 != 0' | wc -l)" -eq 0 ]; }
        until_true 25 nobody
    done
    echo "second $second KiB, last $(heap) KiB"
    [[ $bin != *asan* ]] || return 0 # which keeps what is freed, to see it used
    [ "$(heap)" -le $((second + 128)) ]
}
