#!/usr/bin/env bash
# The only set-up there is: finds a Python and hands over to tuya/setup.
#   bash install.sh            packages into lib/, checked in the Python that Domoticz loads
#   bash install.sh keys       fetch or import the local keys of your breakers into devices.json
#   bash install.sh demo       three simulated breakers in Domoticz, or in a stand-in where it is not installed
#   bash install.sh test       everything that is checked before a change is accepted
#   bash install.sh uninstall [--purge]
# No sudo, no system packages; asks nothing unless a person sits at the terminal. PYTHON=... chooses another Python.
if [ -z "${BASH_VERSION:-}" ]; then
    exec bash "$0" "$@" # started as `sh install.sh`
fi
set -u

# Nothing of the caller's is executed: Python is isolated (-I: no PYTHON... variable, no user site, no module of the
# caller's folder), and what it starts gets none of these variables either.
unset CDPATH
for name in "${!PYTHON@}"; do
    [ "$name" = PYTHON ] || unset "$name"
done
folder=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P) || exit 1

fits() {
    "$1" -I -c 'import sys; sys.exit(sys.version_info < (3, 9))' >/dev/null 2>&1
}

find_python() {
    local name
    if [ -n "${PYTHON:-}" ]; then
        fits "$PYTHON" && printf '%s\n' "$PYTHON"
        return
    fi
    for name in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9 \
        /usr/bin/python3 /usr/local/bin/python3; do
        if fits "$name"; then
            printf '%s\n' "$name"
            return 0
        fi
    done
    return 1
}

if ! python=$(find_python); then
    echo "install.sh: no Python 3.9 or newer was found (looked for ${PYTHON:-python3 and python3.9 ... python3.14})." >&2
    echo "Install it (Debian, Ubuntu: sudo apt install python3) or name one: PYTHON=/path/to/python3 bash install.sh" >&2
    exit 1
fi

case "${1:-install}" in
    -h | --help | help)
        sed -n '3,8s/^# *//p' "$folder/install.sh"
        exit 0
        ;;
esac

# Python itself would answer a Ctrl-C during its own start with a traceback; who ignores it (nohup) goes on to do so
ctrl_c=ignored
if [ -z "$(trap -p INT)" ]; then
    ctrl_c=heard
    trap '' INT
fi

exec "$python" -I "$folder/tuya/setup/start.py" "$ctrl_c" tuya.setup "$@"
