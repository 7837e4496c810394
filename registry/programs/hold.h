/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold.h - keep the gauges of a process that has just died in view, until somebody has taken a last snapshot.
 *
 * The kernel lock that proves a slot's owner alive falls at the very end of the process, before its parent
 * can know of it, also if the parent leaves it a zombie. Nobody wipes the slot until another process claims
 * it, and no claimer takes it while a hold keeps it (LOCK_KEEP in layout.h). So whoever takes the dead
 * owner's place at the locks shows readers the values again as the owner left them.
 *
 *     hold = metrics_hold_open(path, NULL);      before the process starts: no moment is unguarded
 *     metrics_hold_process(hold, pid);           when its pid is known
 *     metrics_hold_take(hold, pid, since);       when it has ended and was not reaped yet
 *     metrics_hold_release(&hold);
 *
 * Not installed: for mtxctl run, which takes its last snapshot after its command has ended. A hold belongs to
 * one thread at a time; not async-signal-safe. A hold that is NULL is allowed everywhere: nothing is done
 * then.
 */
#ifndef METRICS_HOLD_H
#define METRICS_HOLD_H

#include <stdbool.h>

#include <mtx/snapshot.h>

#pragma GCC visibility push(default)

typedef struct metrics_hold metrics_hold_t;

/*
 * Keep the slots of all processes that die from now on. Needs write access to the file. The caller releases
 * it. NULL on error: the codes of metrics_reader_open(), and METRICS_E_BUSY, METRICS_E_FULL as in
 * metrics_open().
 */
metrics_hold_t *metrics_hold_open(const char *path, metrics_error_t *error);

/* Keep the slots of the process `pid` alone (as it sees itself: the same pid namespace). */
void metrics_hold_process(metrics_hold_t *hold, uint32_t pid);

/*
 * Hold the slots that were claimed by the process `pid` when the segment was at least `since_ns` old
 * (metrics_segment_info_t.age_ns). The caller must be sure that pid is not in use again: by not having reaped
 * it. Returns how many are held, perhaps 0.
 */
uint32_t metrics_hold_take(metrics_hold_t *hold, uint32_t pid, uint64_t since_ns);

/*
 * The interval that is open now, 0 = cannot be read. Once metrics_hold_is_logged() of it, an exporter has read the whole
 * segment since this call, and so what is held.
 */
uint64_t metrics_hold_interval(metrics_hold_t *hold);
bool metrics_hold_is_logged(metrics_hold_t *hold, uint64_t interval);

/* Let go: the gauges are gone. *hold becomes NULL. */
void metrics_hold_release(metrics_hold_t **hold);

#pragma GCC visibility pop

#endif
