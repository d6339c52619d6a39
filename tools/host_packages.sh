#!/bin/sh
# host_packages.sh [dev]: what Alonzo, and with "dev" its tests, use of the host and can do without.
# Only root has it installed here; 'alonzo doctor' and skipped tests say what is missing.
set -eu

installs() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

get() { DEBIAN_FRONTEND=noninteractive timeout 180 apt-get install -qq -y --no-install-recommends "$1" >/dev/null 2>&1; }

# want PACKAGE COMMAND WHAT-FOR: have the package installed, unless the command is here.
want() {
    PATH="$PATH:/usr/sbin" command -v "$2" >/dev/null 2>&1 && return
    if installs; then
        echo "installing $1, for $3"
        get "$1" && return
        timeout 120 apt-get update -qq >/dev/null 2>&1 && get "$1" && return
    fi
    echo "note: there is no $1 here, for $3"
}

want nftables nft "the outbound network of functions of a platform run by root"
if [ "${1:-}" = dev ]; then
    want chromium-headless-shell chromium-headless-shell "the tests in a real browser"
fi
