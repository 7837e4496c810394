/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reservoir.h - one sample of a distribution, shared by every process that records into it.
 *
 * ALGORITHM. Every event gets a key, and the K events with the highest keys stay:
 *
 *     key = decay * tick + noise        noise = -ln(-ln(1 - q)), q uniform in (0, 1): a Gumbel variable
 *
 * This is weighted sampling without replacement with weights w = exp(decay * tick), in the log domain: no
 * landmark moves and nothing is rescaled, and keys computed by different processes compare. With decay
 * 0 the sample is uniform. A sliding time window is eight uniform reservoirs of K/8, each for a seventh of
 * the window, so that the eight always cover all of it; readers cut off what is older. A sliding window is a
 * ring of the last K events, placed by a ticket.
 *
 *   P. Efraimidis, P. Spirakis: Weighted random sampling with a reservoir. IPL 97 (2006), 181-185.
 *   G. Cormode, V. Shkapenyuk, D. Srivastava, B. Xu: Forward decay. ICDE 2009, 138-149.
 *   E. Cohen, H. Kaplan: Tighter estimation using bottom k sketches. PVLDB 1 (2008), 213-224 (the weights).
 *
 * UNBIASED. A kept event weighs w / P, where P = 1 - exp(-exp(ln w - K0)) is its chance of a key above K0,
 * and K0 is the smallest kept key, that event itself left out. While there is room P = 1. Sums over the
 * sample are then unbiased estimates of sums over all events. (Counting a decayed sample with w alone would
 * apply the decay twice: it was applied when the event was kept or not.)
 *
 * HOT PATH. An event is refused when its draw is beyond a cached bound; that takes one load and two compares,
 * and no logarithm. At a steady rate some K * alpha events a second get further, whatever the rate is.
 *
 * FORMAT. A block is 64-byte aligned and starts as zeros; all of it is little-endian.
 *
 *        0  bound     u64: ticks until which it holds << 32 | (2^32 - 1 - limit)
 *        8  floor     u64: an ordered key; no event with a key up to it can enter. 0: there is room
 *       16  tickets   u64: sliding window only: updates so far; the next one goes to slot tickets mod K
 *       24  reserved
 *       64  floors    u64 per group of 64 slots: no slot of the group has a smaller ordered key
 *    slots  K slots of 16 bytes, 16-byte aligned; slots = 64 + 8 * groups rounded up to 64
 *           0  tick   u32: segment time in 1/8 s, from 1; 0 = the slot is empty
 *           4  noise  f32 (sliding window: the low 32 bits of the ticket, u32)
 *           8  value  f64
 *
 * A sliding time window of K slots has 8 banks of ceil(K/8) + 1 slots, one after the other, each with groups
 * of its own; ticks n * S to n * S + S - 1 belong to bank n mod 8, with S = ceil(ceil(8 * window_s) / 7).
 *
 * An ordered key is an integer that compares like the key: the bits of decay * tick + noise as f64, sign bit
 * flipped (negative numbers: all bits); in a sliding time window (n + 1) << 32 | the bits of noise as f32,
 * flipped in the same way. decay is alpha / 8 rounded to 21 significant bits: its product with a tick is then
 * exact in a double, so every compiler, with or without fused multiply-add, computes the same key. An empty
 * slot has ordered key 0, one whose noise is not a number between -64 and 64 has 1, and is replaced first.
 *
 * KILLED ANYWHERE, ALWAYS RIGHT. A slot is replaced whole by one 16-byte CAS, and only by a higher key. So
 * the keys of a slot only rise, and every lower bound that was ever computed from them (floors, floor, bound)
 * stays a lower bound for ever. Whoever is stopped or killed between a CAS and the raising of a bound leaves
 * a bound that is too low: it lets events through to the exact comparison, which costs time, and refuses none
 * wrongly. The words are raised by maximum, so an overtaken writer cannot lower them again; no order between
 * them and the slots is needed (ORD-8). A higher bound word means a later time, or the same time and a lower
 * limit.
 *
 * NEVER THE SAME TWICE. {tick, noise} of a slot determines its key, keys in a slot rise strictly, so no
 * {tick, noise} returns to a slot (sliding window: a ticket returns after 2^32 updates, within one tick
 * never). That makes two equal copies of a slot proof that neither is torn; see metrics__reservoir_confirm().
 */
#ifndef METRICS_REGISTRY_RESERVOIR_H
#define METRICS_REGISTRY_RESERVOIR_H

#include <stddef.h>

#include <mtx/metrics.h>
#include <mtx/snapshot.h>

#include "atomic.h"

enum {
    METRICS__RESERVOIR_SLOTS_MIN = 8,
    METRICS__RESERVOIR_SLOTS_MAX = 65536,
    METRICS__RESERVOIR_GROUP = 64, /* slots that share a floor */
    METRICS__RESERVOIR_BANKS = 8,  /* of a sliding time window */
};
#define METRICS__RESERVOIR_ALPHA_MAX  100.0 /* per second */
#define METRICS__RESERVOIR_WINDOW_MAX 1e8   /* seconds */

/* What kind of sample. Constant for the life of a block; whoever uses the block must pass the same. */
typedef struct metrics__reservoir_params {
    enum metrics_reservoir kind; /* METRICS_RESERVOIR_*, not METRICS_BUCKETS* */
    uint32_t slots;              /* K */
    double alpha;                /* METRICS_RESERVOIR_DECAYING: decay per second */
    double window_s;             /* METRICS_RESERVOIR_SLIDING_TIME: length in seconds */
} metrics__reservoir_params_t;

typedef struct metrics__reservoir {
    uint64_t bound;
    uint64_t floor;
    uint64_t tickets;
    uint64_t reserved[5];
    uint64_t floors[]; /* then, aligned to 64, the slots */
} metrics__reservoir_t;

typedef union metrics__reservoir_slot {
    mem_pair_t pair;
    struct {
        uint32_t tick;
        union {
            float noise;
            uint32_t ticket;
        };
        double value;
    };
} metrics__reservoir_slot_t;

_Static_assert(offsetof(metrics__reservoir_t, bound) == 0, "format");
_Static_assert(offsetof(metrics__reservoir_t, floor) == 8, "format");
_Static_assert(offsetof(metrics__reservoir_t, tickets) == 16, "format");
_Static_assert(offsetof(metrics__reservoir_t, floors) == 64, "format");
_Static_assert(sizeof(metrics__reservoir_slot_t) == 16, "format");
_Static_assert(offsetof(metrics__reservoir_slot_t, tick) == 0, "format");
_Static_assert(offsetof(metrics__reservoir_slot_t, noise) == 4, "format");
_Static_assert(offsetof(metrics__reservoir_slot_t, value) == 8, "format");

/*
 * Bytes of the block for these parameters, a multiple of 64; 0 if a parameter is out of range: slots 8 to
 * 65536, alpha 0 to 100 per second, window_s above 0 up to 1e8, kind a reservoir. Pure.
 */
size_t metrics__reservoir_size(const metrics__reservoir_params_t *p);

/* The most samples that metrics__reservoir_samples() can return; 0 if a parameter is out of range. Pure. */
size_t metrics__reservoir_capacity(const metrics__reservoir_params_t *p);

/*
 * Might an event with this draw, now, be kept? true: call metrics__reservoir_offer(), best with a fresh tick.
 * draw is uniform over all 64-bit integers, and the same one must be passed on; tick is the segment time in
 * 1/8 s, from 1. Async-signal-safe, wait-free, keeps errno; any number of threads and processes.
 *
 * The bound is compared with the upper half of the draw. It holds for ticks up to its own, because a decayed
 * reservoir only grows more willing with time; an all-zero block and a sliding window have none, and accept.
 */
static inline bool metrics__reservoir_wants(const metrics__reservoir_t *r, uint64_t draw, uint32_t tick)
{
    uint64_t bound = mem_load(&r->bound); /* ORD-8: any value that it ever had will do */
    return (uint32_t)(draw >> 32) <= (uint32_t)~bound || tick > (uint32_t)(bound >> 32);
}

/*
 * Keep the event if its key is high enough. Decides exactly, whatever metrics__reservoir_wants() said, and
 * refreshes the bound. A tick of 0 and values that are not finite are ignored. Async-signal-safe, lock-free,
 * keeps errno; any number of threads and processes at once; may be killed at any instruction.
 * Cost: some 50 ns when only the bound is refreshed, some 200 ns when the event is kept (1028 slots).
 */
void metrics__reservoir_offer(metrics__reservoir_t *r, const metrics__reservoir_params_t *p, uint64_t draw,
                              uint32_t tick, double value);

/* The Gumbel noise of a draw; small draws give high noise, to full precision down to 2^-64. Pure. */
float metrics__reservoir_noise(uint64_t draw);

/*
 * READING. Copy the block twice (pread), then confirm; then take the samples from the confirmed copy:
 *
 *     pread(fd, a, size, offset), pread(fd, b, size, offset);
 *     metrics__reservoir_confirm(a, b, size, &params);
 *     n = metrics__reservoir_samples(a, size, &params, 0, now_tick, samples);
 *
 * A copy made while writers run may hold the time of one event beside the value of another. A slot that is
 * the same in both copies is whole: had the first copy mixed two events, then one of its halves was already,
 * or not yet, what the second copy saw, and halves do not come back (see above). Slots that differ are marked
 * so that metrics__reservoir_samples() leaves them out but still knows that they are not empty. Returns how
 * many were marked; if that is too many, copy and confirm again. `copy` is changed, `again` is not; both are
 * private.
 */
size_t metrics__reservoir_confirm(metrics__reservoir_t *copy, const metrics__reservoir_t *again, size_t bytes,
                                  const metrics__reservoir_params_t *p);

/*
 * How many bytes to copy first: with metrics__reservoir_has_room() in such a copy, they hold all samples that
 * were kept before they were copied, else the rest of the block is needed, too. (Slots are filled group by
 * group and never become empty again. Sliding windows are always copied whole.) Pure.
 */
size_t metrics__reservoir_first(const metrics__reservoir_params_t *p);
bool metrics__reservoir_has_room(const metrics__reservoir_t *copy, const metrics__reservoir_params_t *p);

/*
 * The weighted sample in a confirmed private copy, in no particular order: .mean is a value, .weight its
 * weight. out has room for metrics__reservoir_capacity(); returns how many were stored, 0 = there is no
 * sample.
 *
 *   from = 0   what the reservoir represents: the decayed past, all of it, the window. Weights are w / P,
 *              with w relative to the newest sample, so a long silence does not make them vanish.
 *   from > 0   the events of ticks from..now, each counting once: weights 1 / P. Their sum estimates how
 *              many there were. (A sliding window has events of equal weight 1: the last K only.)
 *
 * now must not be older than the copy. Invalid slots (ticks after now, values or noise that are not numbers)
 * are left out. Pure; nothing in the copy can make it fail.
 */
size_t metrics__reservoir_samples(const metrics__reservoir_t *copy, size_t bytes,
                                  const metrics__reservoir_params_t *p, uint32_t from, uint32_t now,
                                  metrics_centroid_t *out);

#endif
