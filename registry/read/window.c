/* SPDX-License-Identifier: Apache-2.0 */
#include "window.h"

#include <stdlib.h>

enum { ALIGN = 64 };

static bool make_room(struct metrics__window *w, uint64_t n)
{
    if (n <= w->room) return true;
    size_t room = n < METRICS__WINDOW ? METRICS__WINDOW : layout_round_up(n, SEGMENT_PAGE);
    unsigned char *bytes = aligned_alloc(ALIGN, room);
    if (!bytes) return false;
    free(w->bytes);
    w->bytes = bytes;
    w->room = room;
    return true;
}

const void *metrics__window_at(struct metrics__window *w, const view_t *v, uint64_t end, uint64_t offset,
                               uint64_t n, uint64_t ahead, enum metrics__trouble *trouble)
{
    if (offset >= w->from && offset <= w->to && n <= w->to - offset) return w->bytes + (offset - w->from);
    /* The copy is quickest when both sides are aligned alike. */
    uint64_t from = offset - offset % ALIGN, need = offset + n - from;
    metrics__window_forget(w);
    if (!make_room(w, need)) {
        *trouble = METRICS__NO_MEMORY;
        return NULL;
    }
    uint64_t size = need + ahead < w->room ? need + ahead : w->room;
    if (size > end - from) size = end - from > need ? end - from : need;
    if (view_read(v, from, w->bytes, size)) {
        *trouble = METRICS__TRUNCATED;
        return NULL;
    }
    w->from = from;
    w->to = from + size;
    return w->bytes + (offset - from);
}

void metrics__window_free(struct metrics__window *w)
{
    free(w->bytes);
    *w = (struct metrics__window){0};
}
