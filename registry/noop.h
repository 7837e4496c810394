/* SPDX-License-Identifier: Apache-2.0 */
/* noop.h - where inline updates of refused series go: a cell that nobody reads, by the atomic way. */
#ifndef METRICS_REGISTRY_NOOP_H
#define METRICS_REGISTRY_NOOP_H

#include "handle.h"

extern uint64_t metrics__noop_cell;

/* No lanes: every thread falls through to the one atomic cell. rseq is set when the library is loaded. */
#define METRICS__NOOP_CELL                                                                     \
    {                                                                                          \
        .cells = {.base = (char *)&metrics__noop_cell, .atomic = (char *)&metrics__noop_cell } \
    }

#endif
