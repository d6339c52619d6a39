#!/bin/sh
# host_packages.sh: what Alonzo uses of the host and can do without. Only root has it installed here;
# 'alonzo doctor' says what is missing, and how to get it.
set -eu

command -v nft >/dev/null 2>&1 || [ -x /usr/sbin/nft ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "note: without nftables functions of a platform run by root have no outbound network"
    exit 0
fi
echo "installing nftables, for the outbound network of functions"
install() { DEBIAN_FRONTEND=noninteractive timeout 120 apt-get install -qq -y --no-install-recommends nftables >/dev/null 2>&1; }
install || { timeout 120 apt-get update -qq >/dev/null 2>&1 && install; } ||
    echo "note: nftables could not be installed; functions have no outbound network until it is"
