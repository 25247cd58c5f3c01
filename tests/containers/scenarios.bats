#!/usr/bin/env bats
# scenarios.bats -- three hosts in a chain, people who talk and watch on them, and what befalls the hosts meanwhile.
#
# In containers, or (DRIVER=netns) in network namespaces.
load helper

# people -- one who writes and one who watches on each host.
people() {
    for h in alpha beta gamma; do watch $h ben; done
    for h in alpha beta gamma; do talk $h ann; done
}

flowing() { for h in alpha beta gamma; do has_acked ann@$h 100 || return; done; }

# ahead HOST -- by so many seconds is its clock.
ahead() { echo $(($(host_exec "$1" cleo date +%s </dev/null) - $(date +%s))); }

# all_here HOST -- as somebody there sees it.
all_here() { [ "$(host_exec "$1" cleo chat who lobby </dev/null | grep -o 'ben@[a-z]*' | sort | xargs)" = "ben@alpha ben@beta ben@gamma" ]; }

@test "chat across all three" {
    all_up
    people
    until_true 20 flowing
    hush
    agree
    for h in alpha beta gamma; do until_true 10 all_here $h; done
}

@test "a cut with both sides talking" {
    all_up
    people
    until_true 20 flowing
    net_cut alpha north
    start=$SECONDS before=$(acked ann@alpha) before_gamma=$(acked ann@gamma)
    cut_is_over() { ((SECONDS - start >= cut_seconds)); }
    until_true 60 cut_is_over
    apart alpha beta
    apart beta alpha
    until_true 20 has_acked ann@alpha $((before + 100))
    until_true 20 has_acked ann@gamma $((before_gamma + 100))
    not has "ann@gamma $(acked ann@gamma)" "$dir/logs/tail.ben@alpha"
    net_heal alpha north
    until_true 20 linked alpha beta
    hush
    agree
}

@test "kill -9 of the host in the middle while all talk" {
    all_up
    people
    until_true 20 flowing
    host_kill beta
    before=$(acked ann@gamma)
    until_true 20 has_acked ann@gamma $((before + 50))
    up beta
    watch_on beta ben
    talk beta ann again
    all_linked
    before=$(acked ann@alpha)
    until_true 20 has_acked ann@alpha $((before + 50))
    hush
    agree
}

@test "kill -9 of all three at once" {
    all_up
    people
    until_true 20 flowing
    local kills=
    for h in alpha beta gamma; do
        host_kill $h &
        kills="$kills $!"
    done
    wait $kills
    up alpha beta gamma
    for h in alpha beta gamma; do watch_on $h ben; done
    all_linked
    talk gamma ann again
    until_true 20 has_acked "ann@gamma" 100
    hush
    agree
}

@test "a volume restored from an old copy: the others give back what it lost" {
    all_up
    say gamma ann old 200
    say alpha ann old 200
    agree
    host_stop gamma
    volume_save gamma
    up gamma
    say gamma cleo lost 300 # only in what the copy has not
    say alpha cleo later 100
    agree
    host_kill gamma
    volume_restore gamma
    up gamma
    watch gamma ben late
    say gamma ann new 200
    say beta ann new 200
    agree
    contradicts() { host_output "$1" | grep -i contradict; }
    for h in alpha beta gamma; do not contradicts $h; done
}

@test "a host that joins late has it all" {
    up alpha beta
    until_true 20 linked alpha beta
    watch alpha ben
    say alpha ann early 500
    say beta ann early 500
    talk alpha cleo
    up gamma
    until_true 20 knows alpha gamma
    until_true 20 linked gamma beta
    watch gamma ben late
    say gamma ann first 200
    hush
    agree
}

@test "clocks that differ by less than two minutes: the same order everywhere, answers behind questions" {
    skew_beta=60 skew_gamma=-50
    all_up
    [ "$(ahead beta)" -ge 50 ]
    [ "$(ahead gamma)" -le -40 ]
    people
    until_true 20 flowing
    hush
    say beta cleo question 1
    until_true 10 has "cleo@beta/question 1" "$dir/logs/tail.ben@gamma"
    say gamma cleo answer 1
    until_true 10 has "cleo@gamma/answer 1" "$dir/logs/tail.ben@alpha"
    say alpha cleo thanks 1
    agree
    run grep -o 'cleo@[a-z/]* 1' "$dir/logs/log.alpha"
    [ "${lines[*]}" = "cleo@beta/question 1 cleo@gamma/answer 1 cleo@alpha/thanks 1" ]
}

@test "a clock more than two minutes ahead: what it stamped is shown when its time has come, and in the same order everywhere" {
    skew_alpha=130
    all_up
    [ "$(ahead alpha)" -ge 125 ]
    people
    until_true 20 flowing
    hush
    not has "ann@alpha $(acked ann@alpha)" "$dir/logs/tail.ben@beta"
    agree 60
}

@test "a slow link that loses packets" {
    can_be_rough
    all_up
    rough gamma
    people
    until_true 60 flowing
    hush
    agree 60
    lossy gamma
}
