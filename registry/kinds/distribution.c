/* SPDX-License-Identifier: Apache-2.0 */
#include "distribution.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "process.h"

/* The rare branches of an update stay out of its way. */
#define RARE static __attribute__((cold, noinline))

RARE void ignore(struct metrics__distribution *d)
{
    lane_add(&d->h.cells, (d->reservoir ? DIST_IGNORED : DIST_BUCKET_IGNORED) * 8, 1);
    segment_lose(d->h.seg, LOSS_VALUE, NULL, 0);
}

RARE void keep(struct metrics__distribution *d, uint64_t draw, double x)
{
    metrics__reservoir_offer(d->reservoir, &d->params, draw, metrics__tick_exact(d->h.seg), x);
}

RARE void count_extreme(struct metrics__distribution *d, double x)
{
    if (!isfinite(x)) {
        ignore(d);
        return;
    }
    lane_raise(&d->h.cells, DIST_MAX * 8, &d->head->epoch, metrics__order_encode(x));
    lane_raise(&d->h.cells, DIST_MIN * 8, &d->head->epoch, metrics__order_encode(-x));
    lane_moments_rest(&d->h.cells, DIST_SQUARES * 8, DIST_SUM * 8, x, RSEQ_ABORTED);
}

/* Is the word of an extreme at least {epoch, value}, and of that epoch? */
static inline bool reaches(const uint64_t *word, uint64_t epoch, uint64_t value)
{
    return mem_load(word) - (epoch << 48 | value) < UINT64_C(1) << 48; /* ORD-10 */
}

/*
 * Do the extremes of the open interval already include x, in this lane? A look from outside a section is
 * enough: what was found there stays, whatever CPU and epoch have become since, and nothing is stored in an
 * epoch that may be over (ORD-10). Values that are not finite lie beyond all extremes.
 */
static inline bool within_extremes(const struct metrics__distribution *d, const char *lane, double x)
{
    uint64_t epoch = mem_load(&d->head->epoch); /* ORD-10 */
    const uint64_t *bank = (const uint64_t *)lane + (epoch & 1);
    return reaches(&bank[DIST_MAX], epoch, metrics__order_encode(x)) &&
           reaches(&bank[DIST_MIN], epoch, metrics__order_encode(-x));
}

RSEQ_INLINE void count_sampled(struct metrics__distribution *d, double x)
{
    uint32_t cpu;
    char *lane;
    bool here = lane_here(&d->h.cells, &cpu, &lane);
    if (__builtin_expect(here && within_extremes(d, lane, x), 1))
        lane_moments(&d->h.cells, cpu, lane, DIST_SQUARES * 8, DIST_SUM * 8, x);
    else
        count_extreme(d, x);
}

/* Without the leader's clock, or when the value may be kept. */
static __attribute__((noinline)) void sample(struct metrics__distribution *d, double x, uint64_t draw)
{
    if (metrics__reservoir_wants(d->reservoir, draw, metrics__tick(d->h.seg))) keep(d, draw, x);
    count_sampled(d, x);
}

RARE void sample_first(struct metrics__distribution *d, double x)
{
    sample(d, x, process_random());
}

/*
 * What a reader finds counted it must also find in sample and extremes, so these come first (ORD-6). The
 * usual way makes no call that returns, and so saves no registers.
 */
RSEQ_INLINE void add_to_sample(struct metrics__distribution *d, double x)
{
    if (__builtin_expect(!process_seeded(), 0)) {
        sample_first(d, x);
        return;
    }
    uint64_t draw = process_random_seeded();
    uint32_t tick = metrics__tick_of_leader(d->head, draw);
    if (__builtin_expect(!tick || metrics__reservoir_wants(d->reservoir, draw, tick), 0))
        sample(d, x, draw);
    else
        count_sampled(d, x);
}

static __attribute__((noinline)) void add_to_bucket(struct metrics__distribution *d, double x, double scaled)
{
    if (!d->h.seg) return;
    if (__builtin_expect(!isfinite(x), 0))
        ignore(d);
    else if (d->bounds)
        metrics__distribution_count(d, metrics__bucket_index(d->bounds, d->bound_count, x), x);
    else
        metrics__distribution_count(d, metrics__bucket_exp_index(&d->exponential, scaled), x);
}

void metrics__distribution_else(struct metrics__distribution *d, double x, double scaled)
{
    if (d->reservoir)
        add_to_sample(d, x);
    else
        add_to_bucket(d, x, scaled);
}

static int bind_sample(struct metrics__distribution *d, const struct metrics__series *s)
{
    int loss;
    unsigned char *block = metrics__bind_block(s, 1, s->plan.block1, &loss);
    if (!block) return loss;
    d->reservoir = (metrics__reservoir_t *)(block + (s->plan.rate ? METRICS__RATE_BLOCK : 0));
    d->params = (metrics__reservoir_params_t){.kind = (enum metrics_reservoir)s->settings->reservoir,
                                              .slots = s->settings->samples,
                                              .alpha = s->settings->alpha,
                                              .window_s = s->settings->window_s};
    return -1;
}

/*
 * A bound in the unit of the cells. One that is a whole number of nanoseconds, but for the rounding of what a
 * person wrote (5e-6, 5 * 1e-6, 0.005 / 1000), is that number: durations equal to it count under it.
 */
static double bound_in_cells(enum metrics__kind_number kind, double bound)
{
    if (kind != KIND_timer) return bound;
    double ns = bound * 1e9, whole = rint(ns);
    return fabs(ns - whole) <= fabs(ns) * 0x1p-50 ? whole : ns;
}

static int bind_buckets(struct metrics__distribution *d, const struct metrics__series *s)
{
    int loss = -1;
    /* A timer's rates need their block even without a reservoir. */
    if (s->plan.block1 && !metrics__bind_block(s, 1, s->plan.block1, &loss)) return loss;
    if (s->settings->reservoir == METRICS_BUCKETS_EXPONENTIAL) {
        double low, high;
        metrics__plan_range((enum metrics__kind_number)d->h.kind, s->settings, &low, &high);
        return metrics__bucket_exp_init(&d->exponential, s->settings->scale, low, high) ? -1
                                                                                        : (int)LOSS_DAMAGE;
    }
    double *bounds = malloc(s->settings->bound_count * sizeof *bounds + 1);
    if (!bounds) return LOSS_MEMORY;
    for (uint32_t i = 0; i < s->settings->bound_count; i++)
        bounds[i] = bound_in_cells((enum metrics__kind_number)d->h.kind, s->bounds[i]);
    d->bounds = bounds;
    d->bound_count = s->settings->bound_count;
    return -1;
}

/*
 * Extremes start as zeros, which mean epoch 0: after 32768 epochs (words compare modulo 2^64) that would
 * look like the future. Give untouched words a recent tag. Beside a restartable store the CAS loses or is
 * overwritten.
 */
static void tag_extremes(const struct metrics__cells *c, uint64_t epoch, uint32_t lanes)
{
    if (epoch < 2) return;
    for (uint32_t lane = 0; lane < lanes; lane++) {
        uint64_t *cells = (uint64_t *)(c->base + lane * c->stride), none;
        for (int i = DIST_MAX; i < DIST_CELLS; i++) {
            none = 0;
            mem_cas(&cells[i], &none, (epoch - 2) << 48); /* ORD-10 */
        }
    }
}

int metrics__distribution_bind(struct metrics__handle *h, const struct metrics__series *s)
{
    struct metrics__distribution *d = (struct metrics__distribution *)h;
    d->head = s->seg->head;
    int loss = s->plan.buckets ? bind_buckets(d, s) : bind_sample(d, s);
    if (loss < 0) loss = metrics__bind_cells(h, s);
    if (loss < 0 && d->reservoir)
        tag_extremes(&h->cells, mem_load_acquire(&d->head->epoch),
                     h->cells.lanes + h->cells.stripes + 1); /* ORD-10 */
    if (loss >= 0) free((void *)d->bounds);
    return loss;
}
