#!/usr/bin/env bats
# demo.bats -- the image, and the compose file as somebody finds it who tries this out.
load helper

in_containers() { [ "$DRIVER" = engine ] || skip "only in containers"; }
inspect() { docker inspect -f "$2" "$(container "$1")"; }
healthy() { [ "$(inspect "$1" '{{.State.Health.Status}}')" = healthy ]; }

# added -- bytes beside the base: two programs and their libraries.
added() {
    docker history --no-trunc --human=false --format '{{.Size}} {{.CreatedBy}}' chat-host | awk '/libssl3|COPY/ {n += $1} END {printf "%d", n}'
}

@test "the image: nobody special, small, healthy, and its first process takes care of the others" {
    in_containers
    host_start alpha
    up=alpha
    until_true 20 ready alpha
    [ "$(host_exec alpha relay cat /proc/1/comm </dev/null)" = relay ]
    host_exec alpha relay grep -q '^CapEff:.0*$' /proc/1/status </dev/null
    [ "$(host_exec alpha relay sed -n 's/^Uid:\t\([0-9]*\)\t.*/\1/p' /proc/1/status </dev/null)" -ne 0 ]
    not host_exec alpha relay sh -c 'command -v cc || command -v make' </dev/null
    until_true 20 healthy alpha
    [ "$(added)" -lt 32000000 ]
    host_exec alpha ann sh -c '(sleep 0.1 &)' </dev/null # an orphan
    orphan() { docker top "$(container alpha)" | grep -q sleep; } # running or unburied
    until_true 5 not orphan
    host_exec alpha ann chat send lobby "before" </dev/null
    host_stop alpha
    [ "$(inspect alpha '{{.State.ExitCode}}')" -eq 0 ]
    up alpha
    host_exec alpha ben chat log lobby </dev/null | grep -q "ann@alpha: before"
}

@test "the demo: one command, three hosts that found each other" {
    in_containers
    override >"$dir/override.yaml" # nothing
    compose up -d --no-build
    up="alpha beta gamma"
    for h in $up; do until_true 30 healthy $h; done
    all_linked
    host_exec alpha ann chat send lobby "hello gamma" </dev/null
    heard() { host_exec gamma ben chat log lobby </dev/null | grep -q 'ann@alpha: hello gamma'; }
    until_true 10 heard
    [[ $(inspect alpha '{{json .NetworkSettings.Networks}}') != *south* ]]
}
