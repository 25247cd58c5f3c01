#!/usr/bin/env bats
# talk.bats -- people and scripts in rooms of one host.
load helper

@test "a pipe into chat starts a relay, posts its lines, shows the room, exits 0" {
    run bash -c "printf 'hello\nworld\n' | chat"
    remember
    [ "$status" -eq 0 ]
    [[ $output == *"hello"*"world"* ]]
}

@test "what was sent is in the log, in order" {
    start
    for i in 1 2 3; do chat send lobby "message $i"; done
    run chat log lobby
    [ "$status" -eq 0 ]
    [[ $output == *"message 1"*"message 2"*"message 3"* ]]
    run chat log lobby -n 1
    [[ $output != *"message 2"* && $output == *"message 3"* ]]
}

@test "a room name works with and without #, and an empty one is explained" {
    start
    chat send '#build' one
    run chat log build
    [[ $output == *one* ]]
    run chat send
    [ "$status" -eq 2 ]
    [[ $output == *comment* ]]
}

@test "tail -f shows what comes, once" {
    start
    chat tail -f -n 0 lobby >"$dir/out" &
    until_true 5 chat who lobby
    for i in 1 2 3; do chat send lobby "line $i"; done
    until_true 5 has "line 3" "$dir/out"
    [ "$(grep -c 'line [123]$' "$dir/out")" -eq 3 ]
}

@test "standard input becomes one message; long input a few" {
    start
    printf 'a\nb\nc\n' | chat send build
    [ "$(chat log --json build | wc -l)" -eq 1 ]
    seq 1 20000 | chat send build
    chat log --json build >"$dir/out"
    [ "$(wc -l <"$dir/out")" -eq 3 ]
    tail -n 1 "$dir/out" | grep -q 20000
}

@test "one message per line" {
    start
    seq 1 500 | chat send --lines build
    [ "$(chat log --json -n 1000 build | wc -l)" -eq 500 ]
}

# Says one line, and the next when somebody else has read it.
reluctant() {
    echo first
    until_true 5 said first && echo second
}

said() { chat log lobby | grep -q "$1"; }

@test "a line is posted when it comes, not when the input ends" {
    start
    reluctant | chat send --lines lobby
    said second
    [ "$(chat log --json lobby | wc -l)" -eq 2 ]
}

@test "a pipe into chat posts each line when it comes, and shows what others say meanwhile" {
    start
    { reluctant && until_true 5 has "and I" "$dir/out" && echo third; } | chat >"$dir/out" &
    passing=$!
    until_true 5 said second
    chat send lobby "and I"
    wait $passing
    said third
}

@test "every line of --json is an object with a version" {
    start
    chat send lobby 'quote " backslash \ tab	'
    chat log --json lobby | grep -q '^{"v":1,"type":"message",.*"text":"quote \\" backslash \\\\ tab\\t".*}$'
    chat rooms --json | grep -q '^{"v":1,"type":"room","room":"lobby"'
}

@test "a cursor resumes exactly" {
    start
    seq 1 10 | chat send --lines lobby
    cursor=$(chat log --json -n 10 lobby | sed -n '4s/.*"cursor":\([0-9]*\).*/\1/p')
    run chat tail --after-cursor "$cursor" lobby
    [[ $output == *": 5"*": 10"* && $output != *": 4"* ]]
}

@test "who exits 1 when nobody is there" {
    start
    chat send lobby hello
    run chat who lobby
    [ "$status" -eq 1 ]
}

@test "control sequences of others do not reach the output" {
    start
    printf 'a\033]0;owned\007b \302\233c \342\200\256d' | chat send lobby
    chat log lobby >"$dir/out"
    not grep -q $'\033\|\007' "$dir/out"
    grep -q '<U+001B>' "$dir/out"
    grep -q '<U+202E>' "$dir/out"
}

@test "bytes that are no text are replaced, not refused" {
    start
    printf 'x\377y' | chat send lobby
    chat log --json lobby | grep -q 'x.*y'
}

@test "nothing to send is said so" {
    start
    run chat send lobby </dev/null
    [ "$status" -eq 2 ]
    run chat send --allow-empty lobby </dev/null
    [ "$status" -eq 0 ]
}

@test "input that cannot be read is said so" {
    run chat send lobby </
    [ "$status" -eq 1 ] && [ "$output" = "chat: cannot read the input: Is a directory" ]
    run chat </
    [ "$status" -eq 1 ] && [[ $output == *"chat: cannot read the input: Is a directory" ]]
}

@test "output that cannot be written is said so" {
    id=$(chat send --ids lobby hello)
    for verb in "log lobby" "tail lobby" "grep hello" rooms "trace $id" "send --ids lobby hello" "" --help; do
        run bash -c "chat $verb </dev/null >/dev/full"
        echo "chat $verb: $status: $output"
        [ "$status" -eq 1 ] && [[ $output == *"chat: cannot write the output: No space left on device" ]]
    done
}

@test "log --since and --until" {
    start
    chat send lobby now
    run chat log --since -1h lobby
    [[ $output == *now* ]]
    run chat log --since -1h --until -30m lobby
    [ "$status" -eq 1 ]
    run chat log --since yesterday lobby
    [ "$status" -eq 2 ]
}

@test "history and rooms survive a restart" {
    start
    chat send build kept
    relay stop
    start
    run chat log build
    [[ $output == *kept* ]]
    run chat rooms
    [[ $output == *"build"*"1 message"* ]]
}

@test "--help of both programs fits a screen and exits 0" {
    for p in chat relay; do
        run "$p" --help
        [ "$status" -eq 0 ]
        [ "${#lines[@]}" -le 45 ]
        [[ $output == *examples* ]]
    done
}
