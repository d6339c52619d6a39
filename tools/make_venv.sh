#!/bin/sh
# make_venv.sh FOLDER: a virtual environment made with the first Python >= 3.11 that works here.
set -eu
folder=$1

fail() { printf '\nerror: %s\n' "$1" >&2; exit 1; }

[ "$(uname -s)" = Linux ] || fail "Alonzo runs on Linux; this is $(uname -s). Use a Linux machine, virtual machine or WSL 2."

# A name on PATH may be a shim without an interpreter behind it, so each candidate is tried.
python=
for name in ${PYTHON:-} python3.13 python3.12 python3.11 python3.14 python3; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$name
        break
    fi
done
[ -n "$python" ] || fail "no Python 3.11 or newer on PATH (looked for python3.14 … python3.11, python3).
Install one, for example 'apt-get install python3 python3-venv', or name it: make PYTHON=/path/to/python3 …"

if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    fail "$("$python" --version) lacks venv or ensurepip, which this distribution packages apart.
Install it, for example 'apt-get install python3-venv' or 'python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv', then run make again."
fi

echo "setting up $folder with $("$python" --version)"
rm -rf "$folder"
"$python" -m venv "$folder" || { rm -rf "$folder"; fail "'$python -m venv $folder' failed; see above."; }
