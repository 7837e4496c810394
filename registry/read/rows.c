/* SPDX-License-Identifier: Apache-2.0 */
/* rows.c - from a reading to rows: the table of kinds, and what each of them is asked. */
#include <string.h>

#include "reading.h"

const struct metrics__kind_read *metrics__kind_read_of(unsigned number)
{
    static const struct metrics__kind_read *const kinds[] = {
#define KIND(NUMBER, NAME) [NUMBER] = &metrics__kind_read_##NAME,
#include "kinds.def"
#undef KIND
    };
    return number < sizeof kinds / sizeof *kinds ? kinds[number] : NULL;
}

const char *metrics_reading_kind(const metrics_reading_t *r)
{
    const struct metrics__kind_read *k = metrics__kind_read_of(r->series->kind);
    return k ? k->name : "unknown";
}

static const double default_quantiles[] = {0.5, 0.75, 0.95, 0.98, 0.99, 0.999};

static void complete(metrics_row_options_t *o, const metrics_row_options_t *given)
{
    memset(o, 0, sizeof *o);
    if (given) memcpy(o, given, given->size < sizeof *o ? given->size : sizeof *o);
    if (!o->attributes) o->attributes = METRICS_ATTRS_DEFAULT;
    if (!o->quantiles) {
        o->quantiles = default_quantiles;
        o->quantile_count = sizeof default_quantiles / sizeof *default_quantiles;
    }
    if (o->sampled == METRICS_LIFETIME) o->sampled = METRICS_RECENT;
}

size_t metrics_reading_rows(const metrics_reading_t *now, const metrics_reading_t *base,
                            const metrics_row_options_t *options, metrics_row_t *rows, size_t max)
{
    struct metrics__rows r = {.out = rows, .max = max, .now = now, .unit = metrics_reading_unit(now)};
    complete(&r.options, options);
    const struct metrics__kind_read *kind = metrics__kind_read_of(now->series->kind);
    /* A base of another kind is not the same series. */
    if (base && base->series->kind != now->series->kind) base = NULL;
    if (kind) kind->rows(&r, now, base);
    return r.n;
}
