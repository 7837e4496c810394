/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan.h - how much storage a series takes, computed alike by writers (who allocate it) and readers (who copy
 * it) from nothing but the kind and the family's settings.
 */
#ifndef METRICS_REGISTRY_PLAN_H
#define METRICS_REGISTRY_PLAN_H

#include "format.h"

struct metrics__plan {
    uint32_t cells;     /* cells in lanes at storage[0]; 0 = none */
    uint32_t buckets;   /* of these cells, how many are buckets */
    uint64_t block0;    /* bytes of a block at storage[0]; 0 = none */
    uint64_t block1;    /* bytes of a block at storage[1]; 0 = none */
    uint32_t rate;      /* 1 = block1 begins with a rate block */
    uint64_t reservoir; /* bytes of the reservoir in block1; 0 = none */
};

/*
 * Fill in the plan for a series of that kind. bounds are the family's explicit bounds (settings->bound_count
 * of them). Returns 0, or -1 if the settings are invalid (damaged segment). Pure.
 */
int metrics__plan(enum metrics__kind_number kind, const struct metrics__settings *settings,
                  const double *bounds, struct metrics__plan *plan);

/* The range of exponential buckets: the family's, or the kind's default. Pure. */
void metrics__plan_range(enum metrics__kind_number kind, const struct metrics__settings *settings,
                         double *low, double *high);

#endif
