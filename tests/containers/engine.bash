# engine.bash -- hosts are containers of compose.yaml.
cut_seconds=30
label=com.docker.compose

# available -- why not, if not.
available() {
    docker info >/dev/null 2>&1 || { echo "no container engine answers; make netns does without"; return 1; }
    docker compose version >/dev/null 2>&1 || docker-compose version >/dev/null 2>&1 || { echo "no docker compose"; return 1; }
}

compose() {
    local front=(docker compose)
    docker compose version >/dev/null 2>&1 || front=(docker-compose)
    "${front[@]}" -p "$lab" -f "$BATS_TEST_DIRNAME/compose.yaml" -f "$dir/override.yaml" "$@" 3>&- </dev/null
}

driver_setup() { "$BATS_TEST_DIRNAME/image.sh" >&2; }

# override -- what this test changes of the hosts.
override() {
    local h skew
    echo "services:"
    for h in alpha beta gamma; do
        skew=skew_$h
        printf '  %s:\n    image: chat-host\n' $h
        [ -z "${!skew:-}" ] || cat <<END
    environment: {SKEW: "${!skew}", LD_PRELOAD: /skew.so}
    volumes: ["$tools/skew.so:/skew.so:ro"]
END
    done
}

lab_up() { lab=chat-$$-$BATS_TEST_NUMBER; }

lab_down() {
    local mine=label=$label.project=$lab what
    docker ps -aqf "$mine" | xargs -r docker rm -fv >/dev/null
    docker network ls -qf "$mine" | xargs -r docker network rm >/dev/null
    docker volume ls -qf "$mine" | xargs -r docker volume rm >/dev/null
    for what in "ps -a" "network ls" "volume ls"; do
        [ -z "$(docker $what -qf "$mine")" ] || return
    done
}

container() { docker ps -aqf "label=$label.project=$lab" -f "label=$label.service=$1"; }

# host_start HOST -- as new, or as it was left.
host_start() {
    local c
    c=$(container "$1")
    if [ -n "$c" ]; then
        docker start "$c" >/dev/null
    else
        override >"$dir/override.yaml"
        compose up -d --no-build --no-deps "$1" >"$dir/compose.out" 2>&1 || { cat "$dir/compose.out"; return 1; }
    fi
}

# host_exec HOST USER COMMAND...
host_exec() { docker exec -iu "$2" "$(container "$1")" "${@:3}" 3>&-; }

host_output() { docker logs "$(container "$1")" 2>&1; }
host_kill() { docker kill -s KILL "$(container "$1")" >/dev/null; }
host_stop() { docker stop -t 20 "$(container "$1")" >/dev/null; }

# state_of HOST COMMAND -- as root where its volume is, while it is off.
state_of() { docker run -i --rm -u 0 --volumes-from "$(container "$1")" --entrypoint sh chat-host -c "cd /var/lib/relay && $2"; }
volume_save() { state_of "$1" "tar -c ." </dev/null >"$dir/$1.tar"; }
volume_restore() { state_of "$1" "rm -rf ./* && tar -xp" <"$dir/$1.tar"; }

net_cut() { docker network disconnect "${lab}_$2" "$(container "$1")"; }
net_heal() { docker network connect --alias "$1" "${lab}_$2" "$(container "$1")"; }
in_net_of() { nsenter -n -t "$(docker inspect -f '{{.State.Pid}}' "$(container "$1")")" "${@:2}"; }
