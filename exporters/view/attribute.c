/* SPDX-License-Identifier: Apache-2.0 */
#include "attribute.h"

#include "nearest.h"
#include "quantity.h"

#include <stdio.h>
#include <string.h>

static const uint32_t attribute_rates = METRICS_ATTR(METRICS_M1_RATE) | METRICS_ATTR(METRICS_M5_RATE) |
                                        METRICS_ATTR(METRICS_M15_RATE) | METRICS_ATTR(METRICS_MEAN_RATE);
static const uint32_t attribute_always = METRICS_ATTR(METRICS_VALUE) | METRICS_ATTR(METRICS_COUNT);
static const double attribute_customary[] = {0.5, 0.75, 0.95, 0.98, 0.99, 0.999};

bool attribute_quantile(const char *word, double *out)
{
    char text[32];
    size_t digits = *word == 'p' ? strspn(word + 1, "0123456789") : 0;
    if (!digits || digits > 16) return false;
    bool dotted = word[1 + digits] == '.';
    if (!dotted && word[1 + digits]) return false;
    /* Up to two digits, or with a point, they are per cent; p999 is the customary way to write 99.9. Either
     * way the nearest double to the decimal, so that p99.9 and p999 are the same quantile. */
    bool percent = dotted || digits <= 2 || !strcmp(word, "p100");
    int n = snprintf(text, sizeof text, percent ? "%se-2" : "0.%s", word + 1);
    double q;
    if (n >= (int)sizeof text || !quantity_float(text, &q)) return false;
    if (q > 1) return false;
    *out = q;
    return true;
}

/* The bits that a word means, but those of a single quantile; 0 for any other word. */
static uint32_t attribute_bits(const char *word)
{
    if (!strcmp(word, "rates")) return attribute_rates;
    if (!strcmp(word, "quantiles")) return METRICS_ATTR(METRICS_PERCENTILE);
    if (!strcmp(word, "all")) return METRICS_ATTRS_DEFAULT;
    for (int a = 0; a < METRICS_ATTRIBUTE_COUNT; a++) {
        bool whole = a == METRICS_PERCENTILE || a == METRICS_BUCKETS_LE || a == METRICS_WHOLE;
        if (!whole && !strcmp(word, metrics_attribute_name((enum metrics_attribute)a)))
            return METRICS_ATTR(a);
    }
    return 0;
}

bool attribute_check(const char *word, struct buf *why)
{
    double q;
    if (attribute_bits(word) || attribute_quantile(word, &q)) return true;
    const char *best = NULL, *groups[] = {"rates", "quantiles", "all"};
    for (size_t i = 0; i < 3; i++) best = nearest_of(word, best, groups[i]);
    for (int a = 0; a < METRICS_ATTRIBUTE_COUNT; a++) {
        const char *name = metrics_attribute_name((enum metrics_attribute)a);
        if (attribute_bits(name)) best = nearest_of(word, best, name);
    }
    buf_printf(why, "\"%s\" is not an attribute", word);
    if (best)
        buf_printf(why, " (did you mean %s?)", best);
    else
        buf_str(why,
                ": known are sum, sum_squares, min, max, mean, stddev, p50, p99, p999..., m1_rate, m5_rate, "
                "m15_rate, mean_rate, and the groups quantiles, rates, all");
    return false;
}

static void attribute_add_quantile(struct attributes *out, double q)
{
    size_t at = 0;
    while (at < out->quantile_count && out->quantiles[at] < q) at++;
    if (at < out->quantile_count && out->quantiles[at] == q) return;
    if (out->quantile_count == ATTRIBUTE_QUANTILES) return;
    memmove(out->quantiles + at + 1, out->quantiles + at, (out->quantile_count - at) * sizeof q);
    out->quantiles[at] = q;
    out->quantile_count++;
}

void attributes_compile(const struct option_list *words, struct attributes *out)
{
    *out = (struct attributes){.mask = attribute_always};
    for (size_t i = 0; i < words->n; i++) {
        double q;
        uint32_t bits = attribute_bits(words->items[i]);
        if (attribute_quantile(words->items[i], &q))
            attribute_add_quantile(out, q);
        else if (bits & METRICS_ATTR(METRICS_PERCENTILE))
            for (size_t k = 0; k < sizeof attribute_customary / sizeof *attribute_customary; k++)
                attribute_add_quantile(out, attribute_customary[k]);
        out->mask |= bits & ~METRICS_ATTR(METRICS_PERCENTILE);
    }
    if (out->quantile_count) out->mask |= METRICS_ATTR(METRICS_PERCENTILE);
}
