/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

#include "restart.h"

extern const unsigned int __rseq_size __attribute__((weak));

/* Promise: the kernels that are known to break sequences are told by machine and release. */
UNIT(restart, releases)
{
    static const struct {
        const char *machine, *release;
        bool suspect;
    } rows[] = {
        {"x86_64", "6.19.0", false},    {"x86_64", "nonsense", false},   {"aarch64", "6.18.99-arm64", false},
        {"aarch64", "6.19", true},      {"aarch64", "6.19.0-rc1", true}, {"aarch64", "6.2.0", false},
        {"aarch64", "7.0.0", true},     {"aarch64", "10.1", true},       {"aarch64", "5.19.0", false},
        {"aarch64_be", "6.20.1", true}, {"armv8l", "6.19.0", true},      {"aarch64", "2.6.79", true},
        {"aarch64", "", true},          {"aarch64", "linux", true},      {"aarch64", "3.7.0", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (restart_suspect(rows[i].machine, rows[i].release) != rows[i].suspect)
            UNIT_FAIL("%s %s\n", rows[i].machine, rows[i].release);
}

/* Promise: a verdict holds for its boot and release alone, and MTX_RSEQ is above all. */
UNIT(restart, choices)
{
    struct restart_here here = {.boot_id = {1}, .release = "6.19.0", .suspect = true};
    struct segment_kernel note = {0};
    CHECK(restart_choose(&here, &note) == RESTART_NOT_PROVED);
    restart_note(&note, &here, RESTART_UNTESTED);
    CHECK(restart_choose(&here, &note) == RESTART_NOT_PROVED);
    restart_note(&note, &here, RESTART_WORKS);
    CHECK(restart_choose(&here, &note) == RESTART_PROVED);
    here.boot_id[15] = 1;
    CHECK(restart_choose(&here, &note) == RESTART_NOT_PROVED);
    here.boot_id[15] = 0;
    here.release[5] = '1';
    CHECK(restart_choose(&here, &note) == RESTART_NOT_PROVED);
    here.release[5] = '0';
    restart_note(&note, &here, RESTART_BROKEN);
    here.suspect = false;
    CHECK(restart_choose(&here, &note) == RESTART_FAILED);
    here.on = true;
    CHECK(restart_choose(&here, &note) == RESTART_FORCED);
    here.off = true;
    CHECK(restart_choose(&here, &note) == RESTART_SWITCHED_OFF);
}

/* Promise: without a boot id no verdict is believed: it could be of another boot. */
UNIT(restart, unknown_boot)
{
    struct restart_here here = {.release = "6.19.0", .suspect = true};
    struct segment_kernel note = {0};
    restart_note(&note, &here, RESTART_WORKS);
    CHECK(restart_choose(&here, &note) == RESTART_NOT_PROVED);
}

static double seconds_of(enum restart_verdict (*test)(void), enum restart_verdict *verdict)
{
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    *verdict = test();
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

/* Promise: a kernel that works passes. (A machine that is busy beyond measure leaves the question open.) */
UNIT(restart, this_kernel)
{
    enum restart_verdict verdict;
    double seconds = seconds_of(restart_test, &verdict);
    printf("verdict %d after %.1f ms\n", verdict, seconds * 1e3);
    CHECK(verdict != RESTART_BROKEN);
    if (!&__rseq_size || __rseq_size == 0) CHECK(verdict == RESTART_UNTESTED);
}

/* To the kernel, a struct rseq that is not registered is nothing: it restarts no section, like a broken kernel. */
static __thread uint64_t not_registered[4] __attribute__((aligned(32)));

/* Again, while other work keeps the CPU from both threads. */
static enum restart_verdict test_broken(void)
{
    enum restart_verdict verdict = RESTART_UNTESTED;
    for (int i = 0; i < 100 && verdict == RESTART_UNTESTED; i++)
        verdict = restart_test_at((char *)not_registered - (char *)__builtin_thread_pointer());
    return verdict;
}

/* Promise: a kernel that restarts nothing fails the test. */
UNIT(restart, no_restarts)
{
    enum restart_verdict verdict;
    double seconds = seconds_of(test_broken, &verdict);
    printf("verdict %d after %.1f ms\n", verdict, seconds * 1e3);
    CHECK(verdict != RESTART_WORKS);
    CHECK(verdict == RESTART_BROKEN);
}
