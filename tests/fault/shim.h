/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim.h - system calls and allocations that fail on demand.
 *
 * The shared library fault_shim comes before libc: linked first into test_fault, or preloaded into any
 * program. It counts calls while it is armed, fails the n-th of them (or all from the n-th on) with an errno
 * that the call may have, and keeps account of what was allocated and mapped meanwhile. Preloaded, it is
 * armed from the start by FAULT_AT=n, FAULT_MODE=once|from, FAULT_PICK=i (which of the call's errnos) and
 * says at exit how many calls there were, as a line "calls N failed NAME" in the file $FAULT_REPORT.
 */
#ifndef METRICS_TESTS_FAULT_SHIM_H
#define METRICS_TESTS_FAULT_SHIM_H

#include <stdbool.h>
#include <stddef.h>

struct shim_plan {
    long at;   /* fail this call, counted from 1; 0 = count only */
    bool from; /* and all that follow */
    int pick;  /* which of the errnos that are plausible for the call */
};

/* Begin to count, and forget what was counted before. */
void shim_arm(const struct shim_plan *plan);
/* Stop; returns how many calls there were. Allocations are still accounted for. */
long shim_disarm(void);
/* The name of the first call that was made to fail; "" if none was. */
const char *shim_failed(void);
/* Blocks and mappings that were made since shim_arm() and are still there. */
long shim_blocks(void);
long shim_mappings(void);

#endif
