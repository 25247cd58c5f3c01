#!/bin/sh
# build.sh -- set up, build, and do the main things.
#
#   ./build.sh            build the two programs
#   ./build.sh run        build, start a relay for you if none serves this host, chat in #lobby
#   ./build.sh test       build and run all tests
#   ./build.sh demo       two linked relays and two people talking, as a transcript
#
# What is missing is installed on Debian and Ubuntu (as root or with sudo); elsewhere it is named.
set -eu
cd "$(dirname "$0")"

say() { echo "build.sh: $*" >&2; }

# have PACKAGE -- is what this package brings there already?
have() {
    case $1 in
    gcc) command -v "${CC:-cc}" >/dev/null ;;
    make | pkg-config | bats | tmux | prove) command -v "$1" >/dev/null ;;
    libc6-dev) [ -e /usr/include/stdio.h ] ;;
    perl) command -v prove >/dev/null ;;
    libssl-dev) pkg-config --atleast-version=3.0 openssl 2>/dev/null ;;
    libsqlite3-dev) pkg-config --atleast-version=3.35 sqlite3 2>/dev/null ;;
    libreadline-dev) pkg-config --atleast-version=8.0 readline 2>/dev/null ;;
    libjansson-dev) pkg-config --exists jansson 2>/dev/null ;;
    libutf8proc-dev) pkg-config --exists libutf8proc 2>/dev/null ;;
    libinih-dev) pkg-config --exists inih 2>/dev/null ;;
    libcmocka-dev) pkg-config --exists cmocka 2>/dev/null ;;
    procps) command -v ps >/dev/null && command -v pgrep >/dev/null ;;
    docker-compose) docker compose version >/dev/null 2>&1 || docker-compose version >/dev/null 2>&1 ;;
    iproute2) command -v ip >/dev/null && command -v tc >/dev/null ;;
    util-linux) command -v setpriv >/dev/null && command -v script >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

# need PACKAGE... -- install what is missing.
need() {
    missing=
    for p in "$@"; do have "$p" || missing="$missing $p"; done
    [ -z "$missing" ] && return
    if ! command -v apt-get >/dev/null; then
        say "please install what these Debian packages hold, then run this again:$missing"
        exit 1
    fi
    sudo=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { say "not root and no sudo; run as root: apt-get install$missing"; exit 1; }
        sudo=sudo
    fi
    say "installing:$missing"
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq update >&2
    # shellcheck disable=SC2086 # one word per package
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends $missing >&2 ||
        { say "that did not work; install by hand:$missing"; exit 1; }
}

build() {
    need gcc libc6-dev make pkg-config libssl-dev libsqlite3-dev libreadline-dev libjansson-dev libutf8proc-dev libinih-dev
    make -j"$(nproc)" "$@" >&2
}

case ${1:-build} in
build) build all; say "built build/release/bin/chat and build/release/bin/relay" ;;
run)
    shift
    build all
    exec build/release/bin/chat "$@"
    ;;
test)
    shift
    need perl bats tmux libcmocka-dev sqlite3 procps util-linux strace
    if docker info >/dev/null 2>&1; then need docker-compose iproute2 iptables; fi # hosts in containers are tested, too
    build "$@" check-build
    make "$@" test
    ;;
demo)
    build all
    exec tests/demo.sh
    ;;
*)
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
