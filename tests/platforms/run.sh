#!/usr/bin/env bash
# Runs tests/e2e on a release of Domoticz that is already there, and prints a row for the table in docs/platforms.md.
#   tests/platforms/run.sh DOMOTICZ_FOLDER [CHROOT] [-- PYTEST_ARGUMENTS]
# DOMOTICZ_FOLDER: has the program "domoticz" and its folder "www"; with CHROOT it is named as seen inside of that.
# CHROOT: a root folder of another distribution, with python3 and its venv module; needs root.
# The tests run in a clean copy of this checkout, in an environment made there from the pins with the distribution's own
# Python, as throw-away data on loopback. Nothing is written into DOMOTICZ_FOLDER. The copy is removed at the end.
set -eu

usage() {
    sed -n '2,4s/^# *//p' "$0" >&2
    exit 2
}

[ $# -ge 1 ] || usage
domoticz=$1
shift
chroot=
if [ $# -gt 0 ] && [ "$1" != -- ]; then
    chroot=$1
    shift
fi
if [ $# -gt 0 ]; then
    [ "$1" = -- ] || usage
    shift
fi
if [ ! -x "$chroot$domoticz/domoticz" ] || [ ! -d "$chroot$domoticz/www" ]; then
    echo "run.sh: $chroot$domoticz has no program \"domoticz\" beside a folder \"www\"" >&2
    exit 2
fi

checkout=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
copy=$(mktemp -d "$chroot/tmp/tuya-platform-XXXXXX")
mounted=
clean_up() {
    rm -rf -- "$copy"
    [ -z "$mounted" ] || umount "$mounted"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
git -C "$checkout" ls-files -z --cached --others --exclude-standard |
    tar -C "$checkout" --null --files-from=- --ignore-failed-read -cf - | tar -C "$copy" --no-same-owner -xf -

inside=()
if [ -n "$chroot" ]; then
    inside=(chroot "$chroot")
    if [ ! -e "$chroot/proc/self" ]; then
        mount -t proc proc "$chroot/proc"
        mounted=$chroot/proc
    fi
fi
# The distribution's own Python: Domoticz takes its standard library from the first python3 of the PATH.
inside+=(env -i "PATH=/usr/sbin:/usr/bin:/sbin:/bin" "HOME=${HOME:-/root}" "LANG=C.UTF-8" "TZ=UTC")
there=${copy#"$chroot"}
# "--only manifest": makes lib/ and .venv/ and checks next to nothing
"${inside[@]}" bash "$there/install.sh" test --only manifest >"$copy/install.log" 2>&1 || {
    cat "$copy/install.log" >&2
    exit 1
}
"${inside[@]}" "DOMOTICZ_BIN=$domoticz/domoticz" "DOMOTICZ_ROOT=$domoticz" \
    "$there/.venv/bin/python" "$there/tests/platforms/row.py" "$@"
