#!/bin/bash
# image.sh -- the image chat-host, on the base $BASE; where that can be had from nowhere, on one that is made here from the
# packages that this machine gets its own from.
set -euo pipefail
cd "$(dirname "$0")/../.."
base=${BASE:-debian:bookworm-slim}

# make_base -- what debootstrap brings, with this machine's settings of apt, so that the same packages are found in it.
make_base() {
    local root mirror suite
    root=$(mktemp -d)
    # shellcheck disable=SC2064 # now
    trap "rm -rf '$root'" EXIT
    # shellcheck disable=SC2016 # apt's variables
    read -r mirror suite < <(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' 'Origin: Debian' | grep -v -- - | sort -u)
    debootstrap --variant=minbase "$suite" "$root" "$mirror" >&2
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/etc/apt/sources.list
    cp -a /etc/apt/. "$root/etc/apt"
    tar -C "$root" -c . | docker import - "$1" >&2
}

if ! docker image inspect "$base" >/dev/null 2>&1 && ! docker pull -q "$base" >/dev/null 2>&1; then
    base=chat-base
    if ! docker image inspect $base >/dev/null 2>&1; then
        if [ "$(id -u)" -ne 0 ] || ! command -v debootstrap >/dev/null; then
            echo "image.sh: no image ${BASE:-debian:bookworm-slim}, and without root and debootstrap none can be made" >&2
            exit 1
        fi
        make_base $base
    fi
fi
proxies=()
for p in http_proxy https_proxy no_proxy; do [ -z "${!p:-}" ] || proxies+=(--build-arg "$p=${!p}"); done
docker build -q -t chat-host -f tests/containers/Dockerfile --build-arg BASE="$base" --build-arg PEOPLE="ann ben cleo" \
    "${proxies[@]}" . >&2
