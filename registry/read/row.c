/* SPDX-License-Identifier: Apache-2.0 */
/* row.c - one row: its names, its number, and how kinds append it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "reading.h"

const char *metrics_attribute_name(enum metrics_attribute attribute)
{
    static const char *const names[] = {
#define ATTRIBUTE_NAME(ID, NAME) [ID] = NAME,
        METRICS_ATTRIBUTES(ATTRIBUTE_NAME)
#undef ATTRIBUTE_NAME
    };
    return (unsigned)attribute < METRICS_ATTRIBUTE_COUNT ? names[attribute] : NULL;
}

double metrics_row_number(const metrics_row_t *row)
{
    switch (row->type) {
    case METRICS_U64: return (double)row->value.u;
    case METRICS_I64: return (double)row->value.i;
    default: return row->value.f;
    }
}

/* A character of %g that is not the point: in a locale that may be a comma, or several bytes. */
static bool is_of_number(char c)
{
    return (c >= '0' && c <= '9') || c == 'e' || c == '-' || c == '+';
}

/* 0.5 -> p50, 0.999 -> p999, 0.025 -> p025, 1 -> p100: digits of the percentage, without its point. */
static void quantile_suffix(double q, char *buf, size_t n)
{
    char text[32];
    snprintf(text, sizeof text, "%.10g", q * 100);
    size_t at = 0;
    if (n) buf[at++] = 'p';
    if (q < 0.1 && q > 0 && at + 1 < n) buf[at++] = '0';
    for (const char *p = text; *p && at + 1 < n; p++)
        if (is_of_number(*p)) buf[at++] = *p;
    if (n) buf[at < n ? at : n - 1] = 0;
}

const char *metrics_row_suffix(const metrics_row_t *row, char *buf, size_t n)
{
    if (row->attribute == METRICS_PERCENTILE)
        quantile_suffix(row->parameter, buf, n);
    else
        snprintf(buf, n, "%s", metrics_attribute_name(row->attribute));
    return buf;
}

/* --- Appending --- */

void metrics__row_push(struct metrics__rows *r, const metrics_row_t *row)
{
    if (!(r->options.attributes & METRICS_ATTR(row->attribute))) return;
    if (r->n < r->max) {
        r->out[r->n] = *row;
        r->out[r->n].reading = r->now;
    }
    r->n++;
}

void metrics__row_u64(struct metrics__rows *r, enum metrics_attribute a, enum metrics_nature nature,
                      enum metrics_scope scope, uint64_t v)
{
    metrics__row_push(r, &(metrics_row_t){.attribute = a,
                                          .nature = nature,
                                          .scope = scope,
                                          .type = METRICS_U64,
                                          .value.u = v,
                                          .worker = -1,
                                          .unit = r->unit});
}

void metrics__row_i64(struct metrics__rows *r, enum metrics_attribute a, enum metrics_nature nature,
                      int64_t v, bool additive)
{
    metrics__row_push(r, &(metrics_row_t){.attribute = a,
                                          .nature = nature,
                                          .scope = METRICS_LIFETIME,
                                          .type = METRICS_I64,
                                          .value.i = v,
                                          .worker = -1,
                                          .unit = r->unit,
                                          .additive = additive});
}

void metrics__row_f64(struct metrics__rows *r, enum metrics_attribute a, enum metrics_nature nature,
                      enum metrics_scope scope, double v)
{
    metrics__row_push(r, &(metrics_row_t){.attribute = a,
                                          .nature = nature,
                                          .scope = scope,
                                          .type = METRICS_F64,
                                          .value.f = v,
                                          .worker = -1,
                                          .unit = r->unit});
}

void metrics__row_rates(struct metrics__rows *r, const struct metrics_reading *now)
{
    static const enum metrics_attribute which[] = {METRICS_M1_RATE, METRICS_M5_RATE, METRICS_M15_RATE};
    const struct metrics__rates_read *rates = metrics__rates_of(now);
    const char *unit = r->unit;
    r->unit = "";
    for (int i = 0; !isnan(rates->ewma[0]) && i < 3; i++)
        metrics__row_f64(r, which[i], METRICS_RATE, METRICS_RECENT, rates->ewma[i]);
    if (!isnan(rates->mean))
        metrics__row_f64(r, METRICS_MEAN_RATE, METRICS_RATE, METRICS_LIFETIME, rates->mean);
    r->unit = unit;
}
