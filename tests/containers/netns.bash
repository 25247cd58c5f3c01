# netns.bash -- hosts are processes in namespaces of their own: network, IPC, processes, files under /run, /var/lib and /etc.
cut_seconds=8

available() {
    [ "$(id -u)" -eq 0 ] || { echo "network namespaces need root"; return 1; }
    ip netns add "chat-try-$$" 2>/dev/null && ip netns del "chat-try-$$" || { echo "no network namespaces here"; return 1; }
}

driver_setup() { :; }

# ---- the two networks, and who is where: as in compose.yaml ----
declare -gA nets=([alpha]=north [beta]="north south" [gamma]=south)
declare -gA joins=([beta]=alpha [gamma]=beta)
declare -gA number=([alpha]=1 [beta]=2 [gamma]=3 [north]=1 [south]=2)

address() { echo "10.99.${number[$2]}.${number[$1]}"; }

plug() { # HOST NETWORK
    ip -n "$lab-$2" link add "$1" type veth peer name "$2" netns "$lab-$1"
    ip -n "$lab-$2" link set "$1" master bridge up
    ip -n "$lab-$1" addr add "$(address "$1" "$2")/24" dev "$2"
    ip -n "$lab-$1" link set "$2" up
}

lab_up() {
    local h net
    lab=chat-$$-$BATS_TEST_NUMBER
    chmod 755 "$dir"
    mkdir -m 1777 "$dir/enrol"
    mkdir "$dir/bin"
    cp "$bin"/{chat,relay} "$tools/skew.so" "$BATS_TEST_DIRNAME/host.sh" "$dir/bin"
    for net in north south; do
        ip netns add "$lab-$net"
        ip -n "$lab-$net" link add bridge type bridge
        ip -n "$lab-$net" link set bridge up
    done
    for h in alpha beta gamma; do
        ip netns add "$lab-$h"
        ip -n "$lab-$h" link set lo up
        for net in ${nets[$h]}; do plug $h "$net"; done
    done
}

lab_down() {
    local h
    for h in alpha beta gamma; do
        [ ! -e "$dir/$h/first" ] || ! running $h || host_kill $h
    done
    for h in alpha beta gamma north south; do
        ! ip netns list | grep -q "^$lab-$h\b" || ip netns del "$lab-$h"
    done
}

# make_host HOST -- its files.  Every relay has a uid of its own: queues come out of a purse that a user has only one of.
make_host() {
    local h=$1 uid=$((60100 + number[$1])) net peer who i=0
    mkdir -p "$dir/$h"/{run,lib,etc/relay}
    mkdir "$dir/$h/run/relay" "$dir/$h/lib/relay"
    chown $uid:$uid "$dir/$h/run/relay" "$dir/$h/lib/relay"
    (cd /etc && ls -d ld.so.* nsswitch.conf alternatives ssl/openssl.cnf 2>/dev/null | xargs cp -a --parents -t "$dir/$h/etc")
    cp "$BATS_TEST_DIRNAME/relay.conf" "$dir/$h/etc/relay"
    echo "root:x:0:0::/root:/bin/sh" >"$dir/$h/etc/passwd"
    echo "relay:x:$uid:$uid::/nonexistent:/bin/sh" >>"$dir/$h/etc/passwd"
    for who in ann ben cleo; do
        echo "$who:x:$((60200 + ++i)):60200::/nonexistent:/bin/sh" >>"$dir/$h/etc/passwd"
    done
    echo "127.0.0.1 localhost" >"$dir/$h/etc/hosts"
    for net in ${nets[$h]}; do
        for peer in alpha beta gamma; do
            [[ ${nets[$peer]} != *$net* ]] || echo "$(address $peer "$net") $peer" >>"$dir/$h/etc/hosts"
        done
    done
}

# variables HOST -- of everything that runs there.
variables() {
    local skew=skew_$1
    printf %s "PATH=$dir/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 ENROL=$dir/enrol JOINS=${joins[$1]:-}"
    [ -z "${!skew:-}" ] || printf %s " SKEW=${!skew} LD_PRELOAD=$dir/bin/skew.so ASAN_OPTIONS=verify_asan_link_order=0"
}

enter='hostname "$2" && mount --make-rprivate / && mount -t proc proc /proc && mount -t tmpfs -o mode=1777 shm /dev/shm &&
    mkdir -p /dev/mqueue && mount -t mqueue mqueue /dev/mqueue && mount --bind "$1/$2/lib" /var/lib && mount --bind "$1/$2/run" /run &&
    mount --bind "$1/$2/etc" /etc && cd / && shift 2 && exec setpriv --reuid relay --regid "$1" --clear-groups --no-new-privs env -i "${@:2}"'

# host_start HOST -- as new, or as it was left.
host_start() {
    local variables
    [ -d "$dir/$1" ] || make_host "$1"
    read -ra variables <<<"$(variables "$1")" # now: the only child of what starts below is to be the host
    ip netns exec "$lab-$1" unshare --ipc --uts --mount --pid --fork --kill-child bash -c "$enter" enter "$dir" "$1" \
        $((60100 + number[$1])) "${variables[@]}" sh "$dir/bin/host.sh" </dev/null >>"$dir/$1/output" 2>&1 3>&- &
    outer=$!
    until_true 5 pgrep -P $outer
    pgrep -P $outer >"$dir/$1/first"
}

first() { cat "$dir/$1/first"; }
running() { [ -e "/proc/$(first "$1")/ns" ] && ! grep -q '^State:.Z' "/proc/$(first "$1")/status"; }
off() { ! running "$1"; }

# host_exec HOST USER COMMAND...
host_exec() {
    local pid
    pid=$(first "$1")
    # shellcheck disable=SC2046
    nsenter -t "$pid" -m -u -i -n -p setpriv --reuid "$2" --regid "$([ "$2" = relay ] && echo $((60100 + number[$1])) || echo 60200)" \
        --clear-groups env -i $(variables "$1") "${@:3}" 3>&-
}

host_output() { cat "$dir/$1/output"; }
host_kill() { kill -9 "$(first "$1")" && until_true 5 off "$1"; }
host_stop() { kill -TERM "$(first "$1")" && until_true 20 off "$1"; }
volume_save() { rm -rf "$dir/$1.saved" && cp -a "$dir/$1/lib/relay" "$dir/$1.saved"; }
volume_restore() { rm -rf "$dir/$1/lib/relay" && cp -a "$dir/$1.saved" "$dir/$1/lib/relay"; }
net_cut() { ip -n "$lab-$2" link set "$1" down; }
net_heal() { ip -n "$lab-$2" link set "$1" up; }
in_net_of() { ip netns exec "$lab-$1" "${@:2}"; }
