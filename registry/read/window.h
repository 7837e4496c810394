/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window.h - a stretch of the segment's file in private memory, which moves over the file.
 *
 * Reading places in ascending order takes one pread() per stretch, into memory that stays in the cache, and
 * needs no copy of the whole file. A window moves only when it is asked for what is not in it, and then what
 * it returned before is gone. So ask for each thing once, for all of it, and look only at that copy. One
 * thread at a time.
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
    uint64_t from, to; /* the part of the file that it holds; from is a multiple of 64 */
};

/* Why a window could not be filled, and so no snapshot taken. */
enum metrics__trouble { METRICS__NO_TROUBLE, METRICS__TRUNCATED, METRICS__NO_MEMORY };

/*
 * The bytes [offset, offset + n) of the file, which its reader knows to be inside it. If they are not in the
 * window, it moves there and reads up to `ahead` bytes more, but nothing from `end` on. It grows if n is
 * larger. The bytes belong to the window and are valid until it moves. NULL, with *trouble, if they cannot be
 * read.
 */
const void *metrics__window_at(struct metrics__window *w, const view_t *v, uint64_t end, uint64_t offset,
                               uint64_t n, uint64_t ahead, enum metrics__trouble *trouble);
/* Forget the content, so that the next call reads the file again. */
static inline void metrics__window_forget(struct metrics__window *w)
{
    w->from = w->to = 0;
}
void metrics__window_free(struct metrics__window *w);

#endif
