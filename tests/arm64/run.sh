#!/bin/bash
# tests/arm64/run.sh BUILD ROOT KERNEL: the tests of several processes on a 64-bit ARM machine with a kernel of its own.
# qemu-user has no restartable sequences and ignores MADV_WIPEONFORK and MADV_DONTFORK; here qemu-system-aarch64 runs
# Debian's arm64 kernel on two CPUs, emulated by a thread each, so that preemption and migration are real.
#   BUILD   a cross build     ROOT   the Debian packages it was built against     KERNEL   a directory with the unpacked
#   packages linux-image-*-cloud-arm64 and busybox-static
# The last line is "N passed, N failed". tools/test --matrix arm64 prepares all of it.
set -u
[ $# = 3 ] || { echo "usage: tests/arm64/run.sh BUILD ROOT KERNEL" >&2 && exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd) root=$(cd "$2" && pwd) kernel=$(cd "$3" && pwd) || exit 2
# Seconds, for all of it and for one program: only what hangs takes so long, however busy this machine is with other work.
limit=1800 each=600

# Those that look at restartable sequences, slots, forks and signals.
tests='test_epoch test_slots test_gauges test_forks test_signals test_versions test_halves test_full test_attacks test_plugin
    test_exact'

stage=$(mktemp -d) || exit 2
trap 'rm -rf "$stage"' EXIT

# Programs and libraries keep their paths, so that they find each other as they were built to.
into() { # into FILE...
    local file
    for file in "$@"; do
        mkdir -p "$stage/fs$(dirname "$file")"
        cp -P "$file" "$stage/fs$file"
    done
}
make_system() {
    local name libs
    mkdir -p "$stage"/fs/{bin,dev,proc,sys,tmp,etc,lib}
    cp "$kernel/bin/busybox" "$stage/fs/bin/"
    install -m 755 "$here/init" "$stage/fs/init"
    echo 'root:x:0:0::/:/bin/sh' >"$stage/fs/etc/passwd"
    echo 'root:x:0:' >"$stage/fs/etc/group"
    libs=$(find "$root"/lib/aarch64-linux-gnu "$root"/usr/lib/aarch64-linux-gnu -maxdepth 1 \
        \( -name 'libc.so.6' -o -name 'libm.so.6' -o -name 'libgcc_s.so.1' -o -name 'libz.so.1*' \
        -o -name 'libmsgpackc.so.2*' -o -name 'ld-linux-*' \))
    # shellcheck disable=SC2086
    cp -P $libs "$stage/fs/lib/"
    cp -L "$root/lib/ld-linux-aarch64.so.1" "$stage/fs/lib/ld-linux-aarch64.so.1"
    into "$build"/registry/libmtx*.so* "$build"/tests/later "$build"/tests/libplugin.so
    find "$kernel/lib/modules" -name overlay.ko -exec cp {} "$stage/fs/overlay.ko" \;
    for name in $tests; do
        into "$build/tests/multi/$name"
        echo "$each $build/tests/multi/$name"
    done >"$stage/fs/tests"
    (cd "$stage/fs" && find . | cpio -o -H newc --quiet) >"$stage/initramfs"
}

run_machine() {
    timeout -k 5 $limit qemu-system-aarch64 -M virt -cpu max -accel tcg,thread=multi -smp 2 -m 1G -nographic \
        -no-reboot -nic none -kernel "$kernel"/boot/vmlinuz-* -initrd "$stage/initramfs" \
        -append 'console=ttyAMA0 quiet panic=-1' </dev/null 2>&1 | tr -d '\r'
}

# Counts the cases of each test; one that did not end well, or never ended, is at least one failed case.
judge() {
    awk '
        function close_test(ok) {
            if (name == "") return
            if (!ok && f == 0) f = 1
            printf "%-16s %4d passed, %d failed\n", name, p, f
            passed += p; failed += f; name = ""
        }
        /^@ machine / { print substr($0, 3); next }
        /^@ begin / { close_test(0); name = $3; p = f = 0; next }
        /^@ end / { close_test($4 == 0); ended++; next }
        /^[0-9]+ passed, [0-9]+ failed/ { p += $1; f += $3; next }
        /^FAIL|^left out|^ +[0-9]+ .*(updates|threads|killed)|held inside|in restartable lanes/ { print "  " $0 }
        END { close_test(0); if (!ended) failed++; print passed + 0 " passed, " failed + 0 " failed" }'
}

make_system || { echo "tests/arm64/run.sh: cannot make the machine" >&2 && exit 1; }
out=$(run_machine | tee "$build/machine.log" | judge)
printf '%s\n' "$out"
[[ $(tail -n 1 <<<"$out") =~ ^[1-9][0-9]*\ passed,\ 0\ failed$ ]]
