#!/usr/bin/env bats
# grep.bats -- searching what was said: words, phrases, people, rooms, times; at once, after any death, and only one's own.
load helper
load hosts

me=$(getent passwd "$(id -u)" | cut -d: -f1)
me=${me:-uid$(id -u)} # as the relay calls who has no account

# ask ARGUMENT... -- one that takes more than a second is given up, which may be on a busy machine: then again.
ask() {
    local try
    for ((try = 0; try < 10; try++)); do
        run chat grep --json "$@"
        [[ $output == *"given up after a second"* ]] || break
    done
}
# found EXPECTED ARGUMENT... -- the texts, one a line.
found() {
    local expected=$1
    shift
    ask "$@"
    [ "$(sed -n 's/.*"text":"\([^"]*\)".*/\1/p' <<<"$output")" = "$expected" ] || { echo "$output"; return 1; }
}
# indexed N -- that many messages are in the index, and nothing is left to do.
indexed() { [ "$(sqlite3 "$dir/state/default/index.db" 'SELECT count(*) FROM place' 2>/dev/null)" = "$1" ]; }

@test "words in any order, phrases, beginnings, accents; the newest last" {
    start
    chat send lobby "the disk is full"
    chat send build "full of hope, no disk"
    chat send lobby "Größe: zu klein"
    for _ in before after; do
        found $'the disk is full\nfull of hope, no disk' "full disk"
        found "the disk is full" '"disk is full"'
        found "" '"full disk"'
        found "full of hope, no disk" build "disk"
        found "full of hope, no disk" "disk in:build"
        found $'the disk is full\nfull of hope, no disk' lobby build "disk"
        found $'the disk is full\nfull of hope, no disk' "dis*"
        found "Größe: zu klein" "GRÖßE"
        found "full of hope, no disk" -n 1 "disk"
        found "the disk is full" "disk - is"
        until_true 10 indexed 3
    done
}

@test "it looks like chat log, in which room each was said, with ids when asked; exit 1 when nothing is found" {
    start
    chat send build "the linker ran out of space"
    run chat grep linker
    [ "$status" -eq 0 ]
    [[ ${lines[1]} =~ ^[0-9:]+\ \#build\ $me@[a-z0-9.-]+:\ the\ linker\ ran\ out\ of\ space$ ]]
    [ "$(chat log --ids build | tail -1 | cut -d' ' -f1)" = "$(chat grep --ids linker | tail -1 | cut -d' ' -f1)" ]
    run chat grep compiler
    [ "$status" -eq 1 ] && [ -z "$output" ]
}

@test "by whom, and when" {
    start
    chat send lobby "one"
    host=$(chat log --json lobby | sed 's/.*"host":"\([^"]*\)".*/\1/')
    found "one" "from:$me"
    found "one" "one from:$me@$host"
    found "" "one from:nobody"
    run chat grep "one from:$me@elsewhere"
    [ "$status" -eq 1 ]
    [[ $output == *"No host of that name"* ]]
    found "one" --since -1h one
    found "one" "one since:-1h until:2099-01-01"
    found "" --until -1h one
    found "" "one since:2099-01-01"
}

@test "what cannot be understood is one sentence and exit 2" {
    start
    for words in '"open' '' '- --' 'from:' 'from:a@@b' 'in:' 'since:never' "$(printf 'w%.0s ' {1..17})" "$(printf '%2000s' x)"; do
        run chat grep -- "$words"
        [ "$status" -eq 2 ] || { echo "$words: $status"; return 1; }
        [ "$(wc -l <<<"$output")" -eq 1 ]
    done
    run chat grep
    [ "$status" -eq 2 ]
    run chat grep disk full
    [ "$status" -eq 1 ]
    [[ $output == *"no such room"*'chat grep "disk full"'* ]]
}

@test "what is said is found at once, though it is not indexed yet" {
    start
    for i in {1..40}; do
        chat send lobby "word$i"
        found "word$i" "word$i"
    done
}

@test "a message of many parts is one, also where a phrase runs from one part into the next" {
    start
    { for i in {1..3000}; do printf 'line %d\n' "$i"; done; } | chat send lobby
    for _ in before after; do
        run chat grep --json '"line 377 line 378" "line 2999"'
        [ "$status" -eq 0 ]
        [ "$(wc -l <<<"$output")" -eq 1 ]
        [[ $output == *'line 1\nline 2\n'*'line 3000'* ]]
        until_true 10 indexed 1
    done
}

@test "queries from hell find what they say, and nothing breaks" {
    start
    chat send lobby "he said \"drop table\"; -- 'quoted' NEAR(a b) words:x AND OR NOT"
    all=$(chat log --json lobby | sed 's/.*"text":"\(.*\)","cursor.*/\1/')
    for words in "drop';--" 'NEAR(a b)' 'words:x' 'AND OR NOT' 'a"b' '^he' 'he^' '{said}' 'said:' '-said' 'sai*d' 'x AND' '(said' \
        'said OR nothing' 'marks:r1' $'said\t\n"drop table"' '*' '**' 'said*' '"said"*' '""' '"" said' "$(printf '\xf0\x9f\x98\x80') said" 'said,,,,*'; do
        run chat grep --json -- "$words"
        [ "$status" -le 2 ] || { echo "$words: $status $output"; return 1; }
    done
    for words in 'NEAR(a b)' 'words:x' 'AND OR NOT' '(said' '^he' 'said - :' "drop';--" '"drop table" NOT' '"" said'; do
        chat grep --json -- "$words" | grep -q 'drop table' || { echo "not found: $words"; return 1; }
    done
    printf 'bell \a escape \033[31mred' | chat send lobby
    run chat grep "escape"
    [ "$status" -eq 0 ]
    [[ $output != *$'\033'* ]]
}

@test "after a restart, and when the index is gone, damaged, or of another store, everything is found" {
    start
    seq -f 'entry %g' 300 | chat send --lines lobby
    until_true 10 indexed 300
    found "entry 7" '"entry 7"'
    relay stop
    start
    found "entry 300" '"entry 300"'
    relay stop
    rm "$dir"/state/default/index.db*
    start
    until_true 10 indexed 300
    found "entry 7" '"entry 7"'
    relay stop
    head -c 65536 /dev/urandom >"$dir/state/default/index.db"
    start
    until_true 10 indexed 300
    found "entry 7" '"entry 7"'
    relay stop
    mkdir "$dir/backup"
    cp "$dir"/state/default/history.db* "$dir/backup"
    start
    chat send lobby "never was"
    until_true 10 indexed 301
    relay stop
    rm "$dir"/state/default/history.db*
    cp "$dir"/backup/* "$dir/state/default"
    start
    until_true 10 indexed 300
    chat send lobby "another one"
    found "" "never"
    found "another one" "another"
    until_true 10 indexed 301
}

@test "killed again and again while it indexes: nothing is missing, nothing is there twice" {
    start
    sed 's/$/ fill/' <(seq -f 'entry %g' 20000) | chat send --lines lobby
    for _ in {1..30}; do
        kill -KILL "$(pid_of search)" 2>/dev/null || true
        found "entry 20000 fill" '"entry 20000"'
    done
    until_true 60 indexed 20000
    sqlite3 -cmd '.timeout 20000' "$dir/state/default/index.db" "INSERT INTO found(found) VALUES('integrity-check')"
    for i in 1 4711 19999; do found "entry $i fill" "\"entry $i\""; done
    ask -n 1000 fill
    [ "${#lines[@]}" -eq 1000 ]
    [ "$(sort -u <<<"$output" | wc -l)" -eq 1000 ]
}

@test "keeper and search killed while one asks: the answer comes" {
    start
    seq -f 'entry %g' 2000 | chat send --lines lobby
    for _ in {1..10}; do
        kill -KILL "$(pid_of keeper)" "$(pid_of search)" 2>/dev/null || true
        found "entry 1999" '"entry 1999"'
    done
}

@test "what is said between two is found by these two alone, on both hosts" {
    hosts alpha beta
    link alpha beta
    on alpha chat send "@$me@beta" "the secret word"
    until_true 10 on beta chat grep secret
    run on beta chat grep --json secret "in:@$me@alpha"
    [ "$status" -eq 2 ] # the last argument is the words
    run on beta chat grep --json "secret in:@$me@alpha"
    [[ $output == *"\"room\":\"@$me@alpha\""*"the secret word"* ]]
    run on beta chat grep --json "@$me@alpha" secret
    [[ $output == *"the secret word"* ]]
}

@test "inside chat: /grep" {
    start
    chat send build "needle in a haystack"
    terminal one
    until_true 10 shows one '#lobby>'
    keys one '/grep needle' Enter
    until_true 10 shows one "#build $me@"
    keys one '/grep gone' Enter
    until_true 10 shows one '-- nothing found'
    keys one '/grep "open' Enter
    until_true 10 shows one '-- a phrase that begins'
}
