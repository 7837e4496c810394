/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.h - memory that is given out piece by piece and taken back all at once. Zero is an empty arena. One
 * thread at a time. A refused allocation is remembered (`failed`), so that a builder can check once at the
 * end.
 */
#ifndef EXPORTERS_ARENA_H
#define EXPORTERS_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena {
    struct arena_chunk *chunks;
    bool failed;
};

/* n zeroed bytes, aligned for anything; NULL without memory. Lives until arena_free(). */
void *arena_alloc(struct arena *arena, size_t n);

/* A copy of a string. */
char *arena_copy(struct arena *arena, const char *text, size_t n);

/* Gives everything back; the arena is empty. */
void arena_free(struct arena *arena);

#endif
