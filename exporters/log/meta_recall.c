/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meta_recall.c - after an earlier exporter that was killed: the log's file and the segment's counters may
 * have stopped at different moments, and each reading is to be in the counters once.
 */
#include "meta_inside.h"

#include <string.h>

static const char *meta_tag(const metrics_reading_t *reading, const char *key)
{
    size_t n;
    const metrics_tag_t *tags = metrics_reading_tags(reading, &n);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(tags[i].key, key)) return tags[i].value;
    return NULL;
}

static bool meta_is_of(const metrics_reading_t *reading, const char *key, const char *value)
{
    const char *tag = meta_tag(reading, key);
    return tag && !strcmp(tag, value);
}

/* Adds up what the segment's counters say of one account. */
static struct ledger_account meta_in_segment(const metrics_snapshot_t *snapshot, const char *backend,
                                             const char *signal)
{
    struct ledger_account sum = {0};
    metrics_row_options_t options = {.size = sizeof options, .attributes = METRICS_ATTR(METRICS_COUNT)};
    metrics_row_t row;
    for (size_t i = 0, n = metrics_snapshot_count(snapshot); i < n; i++) {
        const metrics_reading_t *reading = metrics_snapshot_reading(snapshot, i);
        uint64_t *word = meta_account_word(&sum, metrics_reading_name(reading), meta_tag(reading, "reason"));
        if (!word || !meta_is_of(reading, "backend", backend) || !meta_is_of(reading, "signal", signal))
            continue;
        if (metrics_reading_rows(reading, NULL, &options, &row, 1) == 1 && row.type == METRICS_U64)
            *word += row.value.u;
    }
    return sum;
}

/* What one account owes the segment, as if so much less had been reported. Where the kill came after the
 * counters and before the file, the counters have more, which will happen again. But if they have more
 * taken than the file, they may also hold what other segments' logs took: then only that is owed which the
 * file has more of. */
static void meta_owe(struct ledger_account restored, struct ledger_account in_segment,
                     struct ledger_account *reported)
{
    bool alone = restored.taken && in_segment.taken <= restored.taken;
    in_segment.retries = in_segment.rebased = 0; /* these are not in the file */
    for (size_t w = 0; w < LEDGER_WORDS; w++) {
        uint64_t counted = *ledger_word(&restored, w), before = *ledger_word(&in_segment, w);
        if (w != LEDGER_QUEUED && (alone || counted > before)) *ledger_word(reported, w) -= counted - before;
    }
}

void meta_recall(struct meta *meta, struct ledger *ledger, const metrics_snapshot_t *snapshot)
{
    struct ledger_page now[LEDGER_BACKENDS];
    pthread_mutex_lock(&meta->lock);
    size_t n = meta->recalled ? 0 : ledger_read(ledger, now);
    meta->recalled = true;
    for (size_t i = 0; i < n; i++)
        for (int s = 0; s < LEDGER_SIGNAL_COUNT; s++)
            meta_owe(now[i].restored[s],
                     meta_in_segment(snapshot, now[i].name, ledger_signal_name((enum ledger_signal)s)),
                     &meta->reported[i].account[s]);
    pthread_mutex_unlock(&meta->lock);
}
