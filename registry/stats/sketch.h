/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sketch.h - how many distinct values there were in an interval: exact up to 256, then within 1.6 %.
 *
 * ALGORITHM. HyperLogLog with 2^12 registers, shared by all processes: the first 12 bits of a value's hash
 * choose a register, which keeps the largest number of leading zeros (plus one) seen in the following bits.
 * Standard error 1.04 / sqrt(4096) = 1.6 %. The estimator needs no correction tables and has no bias at
 * either end.
 *
 *   P. Flajolet, E. Fusy, O. Gandouet, F. Meunier: HyperLogLog. AOFA 2007, 127-146.
 *   O. Ertl: New cardinality estimation algorithms for HyperLogLog sketches, arXiv:1702.01284, algorithm 6.
 *
 * Besides, the first 256 distinct hashes are kept themselves, so that small sets are exact and their elements
 * can be sent on. Only the top 48 bits of a hash count, for both parts: 12 choose the register and 36 its
 * content (0 to 37). So registers follow from elements, and sets merge without loss in any mixture of the
 * two.
 *
 * EPOCHS. Values belong to the interval (epoch) in which they were added. Two banks, epoch & 1, take turns;
 * each word carries the epoch that it is of and starts anew with the first value of a newer one, so nothing
 * is ever cleared and readers have a whole epoch to read the closed bank. A writer that is so late that its
 * bank already belongs to epoch + 2 counts there. A word is one u64, changed by CAS: a kill loses that value
 * at most, and no order between words is needed (ORD-5). Tags are 16 bits of the epoch; see
 * metrics__sketch_sweep().
 *
 * FORMAT. 12352 bytes, 64-byte aligned, zeros at first.
 *        0  full       2 x u64: 65536 + tag of the epoch in which the bank had to turn an element away
 *       16  reserved
 *       64  registers  2 banks x 512 x u64: tag << 48 | 8 registers of 6 bits; register r is in word r / 8 at
 *                      bit 6 * (r % 8)
 *     8256  elements   2 banks x 256 x u64: tag << 48 | top 48 bits of the hash; a hash of 0 is kept as 1, so
 *                      a word whose lower 48 bits are 0 is free. Open addressing: the place given by the
 *                      top 8 bits of the hash, then the following ones, round the end
 */
#ifndef METRICS_REGISTRY_SKETCH_H
#define METRICS_REGISTRY_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    METRICS__SKETCH_PRECISION = 12,
    METRICS__SKETCH_REGISTERS = 1 << METRICS__SKETCH_PRECISION,
    METRICS__SKETCH_WORDS = METRICS__SKETCH_REGISTERS / 8,
    METRICS__SKETCH_ELEMENTS = 256,
    METRICS__SKETCH_RANK_MAX = 37, /* content of a register: 48 - 12 zeros, plus one */
};

typedef struct metrics__sketch {
    uint64_t full[2];
    uint64_t reserved[6];
    uint64_t registers[2][METRICS__SKETCH_WORDS];
    uint64_t elements[2][METRICS__SKETCH_ELEMENTS];
} metrics__sketch_t;

_Static_assert(offsetof(metrics__sketch_t, full) == 0, "format");
_Static_assert(offsetof(metrics__sketch_t, registers) == 64, "format");
_Static_assert(offsetof(metrics__sketch_t, elements) == 8256, "format");
_Static_assert(sizeof(metrics__sketch_t) == 12352, "format");

/* What was added in one epoch. If exact, the elements are all there is and the registers follow from them. */
typedef struct metrics__sketch_set {
    bool exact;
    uint32_t count;                              /* of elements; 0 if not exact */
    uint64_t elements[METRICS__SKETCH_ELEMENTS]; /* 48 bits each, ascending */
    uint8_t registers[METRICS__SKETCH_REGISTERS];
} metrics__sketch_set_t;

/*
 * Add a value, by its 64-bit hash (of a good hash function: all bits count), in the epoch that is open.
 * Async-signal-safe, lock-free, keeps errno; any number of threads and processes; may be killed anywhere.
 * A value that is already there changes nothing and costs a few loads.
 */
void metrics__sketch_add(metrics__sketch_t *s, uint64_t hash, uint64_t epoch);

/* What a private copy of the block holds of that epoch. Pure; any bytes give some valid set. */
void metrics__sketch_read(const metrics__sketch_t *copy, uint64_t epoch, metrics__sketch_set_t *out);

/* The set of those elements (48 bits each, at most 256, in any order; repeated ones count once). Pure. */
void metrics__sketch_from_elements(const uint64_t *elements, size_t n, metrics__sketch_set_t *out);

/* into = the union of into and from: as if all values had been added to one. Pure. */
void metrics__sketch_merge(metrics__sketch_set_t *into, const metrics__sketch_set_t *from);

/* How many distinct values: the exact number if the set is exact, else the estimate, at most 2^48. Pure. */
double metrics__sketch_estimate(const metrics__sketch_set_t *set);

/*
 * Give words that were not touched in the last two epochs an empty, recent tag, so that they do not come to
 * life again when the 16 bits of the tags come round after 65536 epochs. By the leader, for each block at
 * least once in 30,000 epochs. Lock-free beside writers; may be killed anywhere.
 */
void metrics__sketch_sweep(metrics__sketch_t *s, uint64_t epoch);

#endif
