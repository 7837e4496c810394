/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prove.h - test once whether this kernel restarts sequences, and note the verdict in segments. Why: shm/restart.h.
 *
 * Not installed: for mtx-exporter (through leader.h) and mtxctl check.
 */
#ifndef METRICS_PROVE_H
#define METRICS_PROVE_H

#include <mtx/snapshot.h>

#pragma GCC visibility push(default)

enum metrics_proof {
    METRICS_PROOF_NONE,   /* the test could not be made here */
    METRICS_PROOF_WORKS,  /* sequences are restarted */
    METRICS_PROOF_BROKEN, /* they are not: plain adds in CPU lanes would be lost */
};

/*
 * Test the kernel, unless this process has done so (a few ms, at most 100), and note the verdict in the segment at
 * path, if it is of this boot and this process may write it. 0, or a metrics_code with *error if there is nothing to note or it could not be
 * noted; *proof holds in any case. Thread-safe; process-safe; not async-signal-safe.
 */
int metrics_prove(const char *path, enum metrics_proof *proof, metrics_error_t *error);

#pragma GCC visibility pop

struct segment_kernel;

/* The same for the note of a header that is mapped. */
enum metrics_proof metrics__prove(struct segment_kernel *note);

#endif
