# Functions shared by tools/demo, tools/test and tools/bench. Source it from bash, with $top set to the top of the
# source tree.

say() { printf '%s\n' "$*"; }
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# --- Packages (tools/packages) -------------------------------------------------------------------------------

packages_of() { # packages_of GROUP...: prints the names of their packages, each once
    local group
    for group in "$@"; do awk -v g="$group" '$1 == g { print $2 }' "$top/tools/packages"; done | sort -u
}
packages_missing() {
    local package
    for package in $(packages_of "$@"); do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
    done
}
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}
apt() { # apt-get without questions
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# install WHY GROUP...: installs the missing packages of these groups. With INSTALL=no it only lists them.
install() {
    local why=$1 missing
    shift
    missing=$(packages_missing "$@" | paste -sd' ')
    [ -z "$missing" ] && return 0
    if [ "${INSTALL:-yes}" = no ]; then
        say "Needed $why, but not installed: $missing"
        return 0
    fi
    command -v apt-get >/dev/null || die "these Debian packages are needed $why, but there is no apt-get here: $missing"
    say "Installing with apt-get, $why: $missing"
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "not root and sudo is missing: install these packages, or run this as root: $missing"
        say "sudo may ask for your password; it is used only for apt-get (--no-install skips this)."
    fi
    local log
    log=$(mktemp)
    # shellcheck disable=SC2086
    if ! { apt update && apt install --no-install-recommends $missing; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        die "apt-get failed; the end of its output is above"
    fi
    rm -f "$log"
}

# unpack DIRECTORY GROUP...: unpacks packages that should not be installed into a directory.
unpack() {
    local into=$1 package
    shift
    for package in $(packages_of "$@"); do
        [ -e "$into/.$package" ] && continue
        [ "${INSTALL:-yes}" = no ] && say "Used by tests, but not downloaded: $package" && continue
        mkdir -p "$into/.fetched"
        if (cd "$into/.fetched" && { apt-get -q download "$package" || { apt update && apt-get -q download "$package"; }; }) \
            >"$into/.fetched/log" 2>&1 && dpkg-deb -x "$into"/.fetched/"$package"_*.deb "$into"; then
            touch "$into/.$package"
        else
            tail -n 5 "$into/.fetched/log" >&2
            say "Could not download $package; tests that use it will be skipped."
        fi
    done
    rm -rf "$into/.fetched"
}

# --- Building --------------------------------------------------------------------------------------------------

# build DIRECTORY CMAKE_ARGUMENT...: silent unless it fails. The arguments take effect only at the first configuration;
# those in the array always_configured, if there is one, at each.
build() {
    local dir=$1
    shift
    mkdir -p "$dir"
    local log=$dir/build.log
    if [ -e "$dir/CMakeCache.txt" ]; then set --; else set -- -G Ninja "$@"; fi
    if ! { cmake -S "$top" -B "$dir" "$@" "${always_configured[@]}" && cmake --build "$dir"; } >"$log" 2>&1 </dev/null; then
        grep -E '(error|Error)[: ]|undefined reference' "$log" | head -n 40 >&2
        say "The build failed; the complete log is $log" >&2
        return 1
    fi
}

# --- Processes -------------------------------------------------------------------------------------------------

# children_of PID: prints its living children. Reads only /proc, so that it needs no other program.
children_of() {
    local stat pid rest
    for stat in /proc/[0-9]*/stat; do
        { read -r rest <"$stat"; } 2>/dev/null || continue
        pid=${rest%% *}
        rest=${rest##*) } # the name may contain anything; state and parent follow it
        set -- "$1" $rest
        [ "$3" = "$1" ] && [ "$2" != Z ] && echo "$pid"
    done
}

# free_port: prints a TCP port of the loopback address on which nobody listens.
free_port() {
    local port
    for _ in $(seq 100); do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo $port && return 0; }
    done
    return 1
}

# wait_until SECONDS COMMAND...: runs the command ten times a second until it succeeds; fails after SECONDS.
wait_until() {
    local tries=$(($1 * 10))
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.1
    done
}

# stop SIGNAL PID...: sends the signal and waits for the processes to end, at most five seconds; then SIGKILL.
stop() {
    local signal=$1 pid
    shift
    for pid in "$@"; do kill "-$signal" "$pid" 2>/dev/null; done
    for pid in "$@"; do
        wait_until 5 bash -c "! kill -0 $pid" || kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
}
