# Cross build for 64-bit ARM with Debian's compiler and a directory of Debian's arm64 packages (tools/test makes
# one): cmake -DCMAKE_TOOLCHAIN_FILE=cmake/arm64.cmake -DMTX_ARM64_ROOT=/path/to/root ...
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MTX_ARM64_ROOT)

set(CMAKE_SYSROOT ${MTX_ARM64_ROOT})
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${MTX_ARM64_ROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${MTX_ARM64_ROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${MTX_ARM64_ROOT}/usr/share/pkgconfig)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L ${MTX_ARM64_ROOT})
