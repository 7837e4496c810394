/* SPDX-License-Identifier: Apache-2.0 */
#include "claims.h"

#include <stdlib.h>

void metrics__claim(struct metrics__claims *c, uint64_t from, uint64_t n, uint64_t where, const char *what)
{
    if (!n) return;
    if (c->n == c->room) {
        size_t room = c->room ? c->room * 2 : 256;
        struct metrics__claim *list = realloc(c->list, room * sizeof *list);
        if (!list) {
            c->failed = true;
            return;
        }
        c->list = list;
        c->room = room;
    }
    c->list[c->n++] = (struct metrics__claim){from, from + n, where, what};
}

static int by_place(const void *a, const void *b)
{
    const struct metrics__claim *x = a, *y = b;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    return (x->where > y->where) - (x->where < y->where);
}

void metrics__claims_overlaps(struct metrics__claims *c, metrics__overlap_fn *fn, void *arg)
{
    if (c->n) qsort(c->list, c->n, sizeof *c->list, by_place);
    for (size_t i = 1, farthest = 0; i < c->n; i++) {
        if (c->list[i].from < c->list[farthest].to) fn(arg, &c->list[i], &c->list[farthest]);
        if (c->list[i].to > c->list[farthest].to) farthest = i;
    }
}

void metrics__claims_free(struct metrics__claims *c)
{
    free(c->list);
    *c = (struct metrics__claims){0};
}
