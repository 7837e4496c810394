/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restart.h - may this process use the CPU lanes? Only if the kernel restarts a sequence that it interrupts.
 *
 * On arm64, Linux 6.19 and later restart a sequence only when its thread migrates, and not when another thread
 * runs on the same CPU meanwhile (reported to the kernel's lists on 2026-04-22; x86-64 is not affected). A plain
 * add would then lose updates without a sign. So writers there use the atomic lanes until a test on this kernel
 * has passed since its boot. Whoever runs the test (mtx-exporter, mtxctl check) notes the verdict in the segment,
 * and a writer believes it for the same boot and release. A failed test is believed on every machine.
 */
#ifndef METRICS_SHM_RESTART_H
#define METRICS_SHM_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#include "layout.h"

/* Verdicts of the test: segment_kernel.verdict. */
enum restart_verdict { RESTART_UNTESTED = 0, RESTART_WORKS = 1, RESTART_BROKEN = 2 };

/* Which lanes, and why. The order is that of enum metrics_lanes in <mtx/snapshot.h>. */
enum restart_choice {
    RESTART_TRUSTED,    /* CPU lanes: not tested, but no such kernel is known to be broken */
    RESTART_PROVED,     /* CPU lanes: the test has passed */
    RESTART_FORCED,     /* CPU lanes: MTX_RSEQ=on */
    RESTART_NOT_PROVED, /* atomic lanes: kernels like this one are known to be broken, and no test has passed */
    RESTART_FAILED,     /* atomic lanes: the test has failed */
    RESTART_SWITCHED_OFF, /* atomic lanes: MTX_RSEQ=off */
};

/* What the choice depends on, besides the note in the segment. */
struct restart_here {
    uint8_t boot_id[16]; /* of the running kernel; zeros if it is unknown: then no note is believed */
    char release[40];    /* as in segment_kernel */
    bool suspect;        /* known to be broken until it is proved */
    bool on, off;        /* MTX_RSEQ */
};

/* Ask the kernel and the environment. Not async-signal-safe. */
void restart_look(struct restart_here *here);

/* Is a kernel of that machine and release (uname) known to be broken? Pure. */
bool restart_suspect(const char *machine, const char *release);

/*
 * The choice for this process, given the note of a segment (in the mapped header, or a copy of it). [S]
 * Thread-safe.
 */
enum restart_choice restart_choose(const struct restart_here *here, const struct segment_kernel *note);
static inline bool restart_uses_cpus(enum restart_choice choice)
{
    return choice <= RESTART_FORCED;
}

/* Write the verdict into the note of a mapped header. Does nothing if it is RESTART_UNTESTED. */
void restart_note(struct segment_kernel *note, const struct restart_here *here, enum restart_verdict verdict);

/* --- restart_test.c, for readers --- */

/*
 * Test the kernel, at most 100 ms, usually a few: a thread stays inside a section while another thread of the
 * same CPU runs. The section must be restarted each time. RESTART_UNTESTED if that cannot be tried here (no
 * sequences in this process, no second thread, a CPU that is too busy). Not async-signal-safe.
 */
enum restart_verdict restart_test(void);
/* The same with the struct rseq at this offset from the thread pointer. */
enum restart_verdict restart_test_at(intptr_t rseq);

#endif
