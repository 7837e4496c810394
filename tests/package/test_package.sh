#!/bin/bash
# Promises: an installed tree is enough to build C and C++ programs against, by pkg-config and by find_package(mtx);
# it may be moved after the installation; it holds the programs, the documentation and the examples.
set -u
source=${MTX_SOURCE:?} build=${MTX_BUILD:?} cc=${CC:-cc} cxx=${CXX:-c++}
[ -z "${MTX_SANITIZE:-}" ] || { echo "an outside program would need the sanitizer, too" && exit 77; }
here=$source/tests/package
work=$(mktemp -d) || exit 1
export MTX_SEGMENT=/dev/shm/mtx-package-$$.seg
trap 'rm -rf "$work" "$MTX_SEGMENT"' EXIT
. "$source/tests/checks.sh"
reads() { # reads NUMBER PROGRAM
    local got
    got=$("$2") && [ "$got" = "$1" ] || { echo "expected $1, got \"$got\"" && return 1; }
}

check "cmake --install" cmake --install "$build" --prefix "$work/first"
check "the tree may be moved" mv "$work/first" "$work/usr"
lib=$(dirname "$(find "$work/usr" -name libmtx.so)")
export LD_LIBRARY_PATH=$lib PKG_CONFIG_PATH=$lib/pkgconfig

flags() { pkg-config --cflags --libs "$@"; }
check "pkg-config knows the version" sh -c 'pkg-config --modversion mtx mtx-snapshot | grep -qx 0.1.0'
# shellcheck disable=SC2046
{
    check "C by pkg-config" "$cc" -std=gnu11 -Wall -Wextra -Werror "$here/write.c" -o "$work/write_c" $(flags mtx)
    check "C++ by pkg-config" "$cxx" -std=c++17 -Wall -Wextra -Werror "$here/write.cpp" -o "$work/write_cxx" $(flags mtx)
    check "a reader by pkg-config" "$cc" -std=gnu11 "$here/read.c" -o "$work/read_c" $(flags mtx-snapshot)
    check "the example server by pkg-config" "$cc" -D_GNU_SOURCE -std=gnu11 -Wall -Wextra -Werror \
        "$work"/usr/share/doc/mtx/examples/server*.c -o "$work/server" $(flags mtx) -lpthread
}
check "the C program records" "$work/write_c"
check "the C++ program records" "$work/write_cxx"
check "both are read" reads 12 "$work/read_c"

check "find_package configures" cmake -G Ninja -S "$here" -B "$work/out" -DCMAKE_PREFIX_PATH="$work/usr" \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx"
check "find_package builds" cmake --build "$work/out"
check "its C program records" "$work/out/write_c"
check "its C++ program records" "$work/out/write_cxx"
check "its reader reads" reads 24 "$work/out/read_c"

for file in bin/mtx-exporter bin/mtxctl include/mtx/metrics.h include/mtx/snapshot.h include/mtx/error.h \
    include/mtx/rseq.h share/doc/mtx/README.md share/doc/mtx/LICENSE share/doc/mtx/index.md \
    share/doc/mtx/examples/server_app.c share/doc/mtx/examples/reader.py share/doc/mtx/examples/estimate.py; do
    check "$file is installed" test -e "$work/usr/$file"
done
check "libmtx brings nothing but libc and libm along" sh -c "
    ! readelf -d '$lib/libmtx.so' | grep NEEDED | grep -vE 'libc\.so|libm\.so|ld-linux'"
unset LD_LIBRARY_PATH
check "mtxctl runs from there" "$work/usr/bin/mtxctl" ls
check "mtx-exporter runs from there" "$work/usr/bin/mtx-exporter" --version

# Every link of an installed page leads to an installed file, and all examples are there.
links() {
    local page to broken=0
    while IFS=: read -r page to; do
        [ -e "$(dirname "$page")/$to" ] || { echo "$page: $to is not there" && broken=1; }
    done < <(grep -roP '\]\(\K(?!https?:|#)[^)#]+' "$work/usr/share/doc/mtx" --include='*.md')
    return $broken
}
check "the links of the documentation" links
check "the examples" diff -r "$source/examples" "$work/usr/share/doc/mtx/examples"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
