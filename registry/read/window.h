/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window.h - a stretch of the segment's file in private memory, which moves over the file.
 *
 * Whoever reads places in ascending order pays one pread() per stretch, into memory that stays in the cache,
 * and needs no copy of the whole file. A window moves only when asked for what is not in it, and then what
 * it returned before is gone: so of each thing ask once, for all of it, and look only at that copy.
 */
#ifndef METRICS_REGISTRY_WINDOW_H
#define METRICS_REGISTRY_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "readonly.h"

enum { METRICS__WINDOW = 64 << 10 };

struct metrics__window {
    unsigned char *bytes; /* room of them, aligned to 64; NULL before the first use */
    size_t room;
    uint64_t from, to; /* what of the file stands there; from is a multiple of 64 */
};

/* Why a window, and with it the snapshot, could not be had. */
enum metrics__trouble { METRICS__NO_TROUBLE, METRICS__TRUNCATED, METRICS__NO_MEMORY };

/*
 * The bytes [offset, offset + n) of the file, which its reader knows to be inside it. If they are not in the
 * window, it moves there and takes in as much as `ahead` bytes more, but nothing from `end` on. Grows if n is
 * larger than it. NULL, with *trouble, if they cannot be read.
 */
const void *metrics__window_at(struct metrics__window *w, const view_t *v, uint64_t end, uint64_t offset,
                               uint64_t n, uint64_t ahead, enum metrics__trouble *trouble);
/* Forget what is in it: the next look is at the file as it is then. */
static inline void metrics__window_forget(struct metrics__window *w)
{
    w->from = w->to = 0;
}
void metrics__window_free(struct metrics__window *w);

#endif
