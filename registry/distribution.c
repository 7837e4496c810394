/* SPDX-License-Identifier: Apache-2.0 */
#include "distribution.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "process.h"
#include "rseq_ops.h"

static inline void add_to_bucket(struct metrics__distribution *d, double x)
{
    double scaled = x * d->to_bucket_unit;
    uint32_t i = d->bounds ? metrics__bucket_index(d->bounds, d->bound_count, scaled)
                           : metrics__bucket_exp_index(&d->exponential, scaled);
    lane_add_f64(&d->h.cells, DIST_BUCKET_SUM * 8, x);
    lane_add(&d->h.cells, (DIST_FIRST_BUCKET + i) * 8, 1);
}

static inline void add_to_sample(struct metrics__distribution *d, double x)
{
    uint32_t tick = metrics__tick(d->h.seg);
    uint64_t draw = process_random();
    if (metrics__reservoir_wants(d->reservoir, draw, tick))
        metrics__reservoir_offer(d->reservoir, &d->params, draw, metrics__tick_exact(d->h.seg), x);
}

void metrics__distribution_update(struct metrics__distribution *d, double x)
{
    const struct metrics__cells *c = &d->h.cells;
    if (!d->h.seg) return;
    if (!d->reservoir) {
        add_to_bucket(d, x);
        return;
    }
    /* What a reader finds counted it must also find here: extremes and sample first (ORD-6). */
    lane_raise(c, DIST_MAX * 8, d->epoch, metrics__order_encode(x));
    lane_raise(c, DIST_MIN * 8, d->epoch, metrics__order_encode(-x));
    add_to_sample(d, x);
    lane_add_f64(c, DIST_SQUARES * 8, x * x);
    lane_add_pair(c, DIST_COUNT * 8, x);
}

void metrics__distribution_ignore(struct metrics__distribution *d)
{
    if (!d->h.seg) return;
    lane_add(&d->h.cells, (d->reservoir ? DIST_IGNORED : DIST_BUCKET_IGNORED) * 8, 1);
    segment_lose(d->h.seg, LOSS_VALUE, NULL, 0);
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
    size_t bytes = s->settings->bound_count * sizeof(double);
    double *bounds = malloc(bytes + 1);
    if (!bounds) return LOSS_MEMORY;
    memcpy(bounds, s->bounds, bytes);
    d->bounds = bounds;
    d->bound_count = s->settings->bound_count;
    return -1;
}

/*
 * Extremes start as zeros, which stand for epoch 0: after 32768 epochs (words compare modulo 2^64) that would
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
    d->epoch = &s->seg->head->epoch;
    d->to_bucket_unit = h->kind == KIND_timer ? 1e-9 : 1;
    int loss = s->plan.buckets ? bind_buckets(d, s) : bind_sample(d, s);
    if (loss < 0) loss = metrics__bind_cells(h, s);
    if (loss < 0 && d->reservoir)
        tag_extremes(&h->cells, mem_load_acquire(d->epoch),
                     h->cells.lanes + h->cells.stripes + 1); /* ORD-10 */
    if (loss >= 0) free((void *)d->bounds);
    return loss;
}
