/* SPDX-License-Identifier: Apache-2.0 */
#include "values.h"

#include <string.h>

static bool values_alike(const metrics_row_t *a, const metrics_row_t *b)
{
    return a->attribute == b->attribute && a->parameter == b->parameter && a->worker == b->worker;
}

const metrics_row_t *values_same(const struct rows *rows, const metrics_row_t *like, size_t hint)
{
    if (hint < rows->n && values_alike(&rows->at[hint], like)) return &rows->at[hint];
    for (size_t i = 0; i < rows->n; i++)
        if (values_alike(&rows->at[i], like)) return &rows->at[i];
    return NULL;
}

double values_delta(const metrics_row_t *now, const metrics_row_t *before)
{
    if (!before) return metrics_row_number(now);
    /* Integers are subtracted as integers: beyond 2^53, doubles would lose the difference. */
    if (now->type == METRICS_U64 && before->type == METRICS_U64)
        return (double)(int64_t)(now->value.u - before->value.u);
    if (now->type == METRICS_I64 && before->type == METRICS_I64)
        return (double)(int64_t)((uint64_t)now->value.i - (uint64_t)before->value.i);
    return metrics_row_number(now) - metrics_row_number(before);
}

/* The value and the count, which backends always send, are shown only if they were asked for. */
static uint32_t values_bits(const struct attributes *compiled, const struct cmd_list *words)
{
    uint32_t bits = compiled->mask & ~(METRICS_ATTR(METRICS_VALUE) | METRICS_ATTR(METRICS_COUNT));
    for (size_t i = 0; i < words->n; i++) {
        bool all = !strcmp(words->items[i], "all");
        if (all || !strcmp(words->items[i], "value")) bits |= METRICS_ATTR(METRICS_VALUE);
        if (all || !strcmp(words->items[i], "count")) bits |= METRICS_ATTR(METRICS_COUNT);
        if (!strcmp(words->items[i], "buckets")) bits |= METRICS_ATTR(METRICS_BUCKETS_LE);
    }
    return bits;
}

int values_wanted(const struct cli *cli, const struct cmd_list *words, struct values_wanted *wanted)
{
    struct option_list list = {(char **)words->items, words->n};
    struct buf why = {0};
    int code = CLI_OK;
    for (size_t i = 0; i < words->n && code == CLI_OK; i++)
        if (strcmp(words->items[i], "buckets") && !attribute_check(words->items[i], &why))
            code = cli_usage(cli, "--attributes: %s", buf_text(&why));
    buf_free(&why);
    if (code != CLI_OK) return code;
    attributes_compile(&list, &wanted->attributes);
    wanted->options = (metrics_row_options_t){
        .size = sizeof wanted->options,
        .attributes = values_bits(&wanted->attributes, words),
        .quantiles = wanted->attributes.quantiles,
        .quantile_count = wanted->attributes.quantile_count,
    };
    return CLI_OK;
}
