/* SPDX-License-Identifier: Apache-2.0 */
/* noop.h - where inline updates of refused series go: a cell that nobody reads, by the atomic way. */
#ifndef METRICS_REGISTRY_NOOP_H
#define METRICS_REGISTRY_NOOP_H

#include "handle.h"
#include "process.h"

/*
 * The no-op handle of a kind that keeps cells. It has no lanes, so every thread falls through to the one
 * atomic cell. Even such an update enters a restartable section and needs the place of the thread's struct
 * rseq, which is known once the library is loaded.
 */
#define METRICS__NOOP_HANDLE(HANDLE)                                                  \
    static _Alignas(64) uint64_t HANDLE##_cell;                                       \
    static struct metrics__handle HANDLE = {                                          \
        .cells = {.base = (char *)&HANDLE##_cell, .atomic = (char *)&HANDLE##_cell}}; \
    __attribute__((constructor)) static void prepare_##HANDLE(void)                   \
    {                                                                                 \
        HANDLE.cells.rseq = process_rseq_offset();                                    \
    }

#endif
