/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold.h - keep the gauges of a process that has just died in view, until somebody has taken a last snapshot.
 *
 * The kernel lock that proves a slot's owner alive falls at the very end of the process, before its parent
 * can know of it, also if the parent leaves it a zombie. But nobody wipes the slot until another process
 * claims it. So whoever takes the dead owner's place at the locks shows readers the values again as the owner
 * left them.
 *
 * Not installed: for mtxctl run, whose last snapshot comes after its command's end.
 */
#ifndef METRICS_HOLD_H
#define METRICS_HOLD_H

#include <mtx/snapshot.h>

#pragma GCC visibility push(default)

typedef struct metrics_hold metrics_hold_t;

/*
 * Hold the slots that were claimed by the process `pid` (as it saw itself: the same pid namespace) when the
 * segment was at least `since_ns` old (metrics_segment_info_t.age_ns) and that nobody has claimed since. The
 * caller must be sure that pid is not in use again: by not having reaped it. *slots (may be NULL) becomes how
 * many are held, perhaps 0. NULL on error, as metrics_reader_open; needs write access to the file.
 */
metrics_hold_t *metrics_hold_take(const char *path, uint32_t pid, uint64_t since_ns, uint32_t *slots,
                                  metrics_error_t *error);

/* Let go: the gauges are gone. *hold becomes NULL. */
void metrics_hold_release(metrics_hold_t **hold);

#pragma GCC visibility pop

#endif
