/* SPDX-License-Identifier: Apache-2.0 */
/* walk.h - do everything with a snapshot that its public interface offers, and check what it promises. */
#ifndef FUZZ_WALK_H
#define FUZZ_WALK_H

#include <mtx/snapshot.h>

/* Every reading: rows of three sorts, distribution, elements, find. base may be NULL. */
void walk_snapshot(const metrics_snapshot_t *s, const metrics_snapshot_t *base);

/* Encode, decode, encode: the same bytes. Then merge with itself. */
void walk_bytes(const metrics_snapshot_t *s);

/* Well-formed UTF-8? */
int walk_is_utf8(const char *text, size_t n);

#endif
