#!/bin/sh
# install.sh VENV LOCK: the pinned packages of LOCK, then this checkout in editable form.
set -eu
python=$1/bin/python
lock=$2

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
# A cache that cannot be written only costs a warning, so leave it out.
cache=$("$python" -m pip cache dir 2>/dev/null || true)
while [ -n "$cache" ] && [ ! -e "$cache" ]; do cache=$(dirname "$cache"); done
[ -n "$cache" ] && [ -w "$cache" ] || export PIP_NO_CACHE_DIR=1

echo "installing $lock"
"$python" -m pip install --quiet --require-hashes --requirement "$lock"
# The build tools came with the lock, so nothing unpinned is fetched for the build.
"$python" -m pip install --quiet --no-deps --no-build-isolation --editable .
