#!/bin/bash
# The README's two commands on a bare Debian 12: a debootstrap chroot with /proc and a tmpfs on /dev/shm, a fresh clone,
# nothing else. Needs root and debootstrap.
#   tests/bare/run.sh [--keep] [--matrix] [DIRECTORY]   default: a new temporary directory, removed at the end
set -u
top=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
keep=no matrix=no root=''
for argument in "$@"; do
    case $argument in
    --keep) keep=yes ;;
    --matrix) matrix=yes ;;
    -*) echo "usage: tests/bare/run.sh [--keep] [--matrix] [DIRECTORY]" >&2 && exit 2 ;;
    *) root=$argument ;;
    esac
done
[ "$(id -u)" = 0 ] || { echo "tests/bare/run.sh: a chroot needs root" >&2 && exit 1; }
command -v debootstrap >/dev/null || { echo "tests/bare/run.sh: apt-get install debootstrap" >&2 && exit 1; }
[ -n "$root" ] || root=$(mktemp -d /var/tmp/mtx-bare.XXXXXX) || exit 1
# mktemp makes it 0700, but it becomes a root directory, which everybody must be able to enter.
mkdir -p "$root" && chmod 755 "$root" && root=$(cd "$root" && pwd) && [ "$root" != / ] || exit 1
clean_up() {
    umount "$root/dev/shm" "$root/proc" 2>/dev/null
    # Never below a mount point: --one-file-system keeps to this file system even if an unmount failed.
    [ $keep = yes ] || rm -rf --one-file-system "$root"
}
trap clean_up EXIT

mirror=$(apt-cache policy 2>/dev/null | grep -oE 'https?://[^ ]+' | grep -v security | head -n 1)
[ -e "$root/etc/debian_version" ] ||
    debootstrap --variant=minbase bookworm "$root" ${mirror:+"$mirror"} >"$root.log" 2>&1 ||
    { tail "$root.log" && exit 1; }
rm -f "$root.log"
cp /etc/apt/sources.list.d/debian.sources "$root/etc/apt/sources.list.d/" 2>/dev/null && rm -f "$root/etc/apt/sources.list"
cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/" 2>/dev/null
cp /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null
mount -t proc proc "$root/proc" && mkdir -p "$root/dev/shm" && mount -t tmpfs -o size=1g tmpfs "$root/dev/shm" || exit 1

rm -rf "$root/src"
git clone -q "$top" "$root/src" || exit 1
inside() { # inside WORDS...: in the chroot, in the clone, with a clean environment and no input
    echo "=== $*"
    chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin ${http_proxy:+http_proxy="$http_proxy"} \
        ${https_proxy:+https_proxy="$https_proxy"} sh -c 'cd /src && exec "$@"' sh "$@" </dev/null
}
status=0
inside tools/demo || status=1
inside tools/test || status=1
if [ $matrix = yes ]; then inside tools/test --matrix || status=1; fi
[ $status = 0 ] && echo "bare Debian 12: all well"
exit $status
