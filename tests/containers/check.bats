#!/usr/bin/env bats
# check.bats -- the checker itself: good logs pass, each kind of wrong ones does not.
load ../scenario/helper

# line FILE USER@HOST NUMBER [TIME] -- as chat writes it.
line() {
    printf '{"v":1,"type":"message","id":"%s","room":"lobby","user":"%s","host":"%s","time":"%s","text":"%s %d","cursor":%d}\n' \
        "$2-$3" "${2%@*}" "${2#*@}" "${4:-12:00}" "$2" "$3" "$RANDOM" >>"$dir/logs/$1"
}

said() { for n in $2; do printf 'sent %s %d\nacked %s %d\n' "$1" "$n" "$1" "$n" >>"$dir/logs/said.$1"; done; }

# good -- two hosts, two people; ann's third message is not acknowledged and arrived, her fourth is not and did not.
good() {
    mkdir -p "$dir/logs"
    said ann@alpha "1 2"
    said ben@beta "1 2"
    printf 'sent ann@alpha 3\nsent ann@alpha 4\n' >>"$dir/logs/said.ann@alpha"
    for f in log.alpha log.beta tail.alpha; do
        line $f ann@alpha 1; line $f ben@beta 1; line $f ben@beta 2; line $f ann@alpha 2; line $f ann@alpha 3
    done
    line tail.beta ben@beta 1; line tail.beta ben@beta 2; line tail.beta ann@alpha 1; line tail.beta ann@alpha 2
    line late.beta ann@alpha 2
}

check() { run awk -f "$BATS_TEST_DIRNAME/check.awk" "$dir"/logs/*; }
# fails TEXT -- and says so.
fails() { check; [ "$status" -eq 1 ] && [[ $output == *"$1"*WRONG* ]]; }

@test "checker: good logs pass" {
    good
    check
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *"6 sent, 4 acknowledged; 2 logs, 3 clients that watched: every"* ]]
}

@test "checker: one that a host lost" { good; sed -i 2d "$dir/logs/log.beta"; fails "log.beta: lost: ben@beta 1"; }
@test "checker: the last one lost" { good; sed -i '4,$d' "$dir/logs/log.alpha"; fails "log.alpha: lost: ann@alpha 2"; }
@test "checker: one host lost all" { good; : >"$dir/logs/log.beta"; fails "log.beta: lost: ben@beta 1"; }
@test "checker: one twice in a log" { good; sed -i 2p "$dir/logs/log.beta"; fails "log.beta: twice: ben@beta 1"; }
@test "checker: two swapped on one host" { good; sed -i '1{h;d};2G' "$dir/logs/log.beta"; fails "log.beta: another order, from line 1"; }
@test "checker: one writer's two swapped on all hosts" {
    good
    sed -i '2{h;d};3G' "$dir"/logs/log.*
    fails "before an earlier one of the same writer: ben@beta 1"
}
@test "checker: another time for one" { good; sed -i '4s/12:00/12:01/' "$dir/logs/log.beta"; fails "another order, from line 4"; }
@test "checker: an unacknowledged one that only one host has" { good; sed -i 5d "$dir/logs/log.beta"; fails "log.beta: ends before"; }
@test "checker: an unacknowledged one that only another host has" { good; sed -i 5d "$dir/logs/log.alpha"; fails "log.alpha: ends before"; }
@test "checker: one shown twice" { good; line tail.alpha ben@beta 2; fails "tail.alpha: twice: ben@beta 2"; }
@test "checker: one never shown" { good; sed -i 1d "$dir/logs/tail.beta"; fails "tail.beta: never shown: ben@beta 1"; }
@test "checker: one shown late, twice" { good; line late.beta ann@alpha 2; fails "late.beta: twice"; }
@test "checker: one that nobody sent" { good; line late.beta ann@alpha 9; fails "nobody sent this: ann@alpha 9"; }
@test "checker: words put into another's mouth" {
    good
    sed -i '2s/"user":"ben"/"user":"ann"/' "$dir"/logs/log.*
    fails "shown as ann@beta's: ben@beta 1"
}
@test "checker: no acknowledgement is no success" { good; sed -i /acked/d "$dir"/logs/said.*; fails "nothing to compare"; }
