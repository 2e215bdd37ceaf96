# Sourced by contrib/try and contrib/check: installs what is missing of some sections of contrib/packages.
#
# install_packages SECTION...: as root, or with sudo. Services that packages bring are not started where policy-rc.d can say so.

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "$0: $1 needs root: run this as root, or install sudo" >&2
        return 1
    fi
}

missing_packages() {
    for section in "$@"; do
        sed -n "s/^$section //p" "$SOURCE/contrib/packages"
    done | sort -u | while read -r package; do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' || echo "$package"
    done
}

# Keeps the daemons of packages such as postfix from starting while they are installed.
forbid_services() {
    [ ! -e /usr/sbin/policy-rc.d ] || return 0
    as_root sh -c 'printf "#!/bin/sh\nexit 101\n" >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d' || return 1
    trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
}

install_packages() {
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    echo "Installing:" $missing
    forbid_services || return 1
    as_root apt-get -q update >"$LOG" 2>&1 &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing >>"$LOG" 2>&1 || {
        tail -n 20 "$LOG" >&2
        echo "$0: these packages could not be installed:" $missing >&2
        return 1
    }
    still=$(missing_packages "$@")
    [ -z "$still" ] || { echo "$0: still missing after the installation:" $still >&2; return 1; }
}

# build_in FOLDER [CONFIGURE ARGUMENT]...: bootstraps if that was not done, configures and makes the program there.
build_in() {
    folder=$1
    shift
    mkdir -p "$folder" || return 1
    if [ ! -x "$SOURCE/configure" ] || [ "$SOURCE/configure.ac" -nt "$SOURCE/configure" ]; then
        "$SOURCE/bootstrap" >"$LOG" 2>&1 || { tail -n 20 "$LOG" >&2; return 1; }
    fi
    # A file list that is as old as a checkout is as good as new: make itself sees what has changed.
    (cd "$folder" && { [ -f Makefile ] || "$SOURCE/configure" -q "$@"; } && make -s -j"$(nproc)") >"$LOG" 2>&1 || {
        tail -n 40 "$LOG" >&2
        echo "$0: the build in $folder failed" >&2
        return 1
    }
}
