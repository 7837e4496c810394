/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_gap.c - places in a cursor's queue behind which the backend was sent something from another log. What was
 * sent then is not known here, so the first entry behind such a place counts as zero: deltas from an earlier one
 * would send it again. They are kept in the file, since the queue before such a place may last.
 */
#include "log_inside.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOG_GAP_FACT "gaps of "

void log_gap_add(struct log *log, struct log_cursor *c, uint64_t seq)
{
    int i = 0;
    while (i < LOG_GAPS && c->gaps[i] && c->gaps[i] != seq) i++;
    if (i < LOG_GAPS && c->gaps[i]) return;
    /* So many lives in turn: what is between the last two counts as zero, too. */
    c->gaps[i < LOG_GAPS ? i : LOG_GAPS - 1] = seq;
    log_gap_save(log, c);
}

bool log_gap_between(const struct log_cursor *c, uint64_t from, uint64_t to)
{
    for (int i = 0; i < LOG_GAPS && c->gaps[i]; i++)
        if ((c->gaps[i] > from || from == STORE_NO_BASE) && c->gaps[i] <= to) return true;
    return false;
}

void log_gap_passed(struct log *log, struct log_cursor *c, uint64_t through)
{
    int n = 0;
    if (!c->gaps[0]) return;
    for (int i = 0; i < LOG_GAPS; i++)
        if (c->gaps[i] > through) c->gaps[n++] = c->gaps[i];
    while (n < LOG_GAPS) c->gaps[n++] = 0;
    log_gap_save(log, c);
}

void log_gap_save(struct log *log, const struct log_cursor *c)
{
    struct buf name = {0}, text = {0};
    if (!log->store) return;
    buf_printf(&name, LOG_GAP_FACT "%s", c->name);
    for (int i = 0; i < LOG_GAPS && c->gaps[i]; i++) buf_printf(&text, "%" PRIu64 " ", c->gaps[i]);
    store_put_fact(log->store, buf_text(&name), buf_text(&text));
    buf_free(&name);
    buf_free(&text);
}

void log_gap_load(struct log *log, const char *fact, const char *text)
{
    size_t n = sizeof LOG_GAP_FACT - 1;
    if (strncmp(fact, LOG_GAP_FACT, n)) return;
    for (struct log_cursor *c = log->cursors; c < log->cursors + LOG_CURSORS; c++) {
        char *at = (char *)(uintptr_t)text;
        if (!c->name || strcmp(c->name, fact + n)) continue;
        for (int i = 0; i < LOG_GAPS && *at; i++) c->gaps[i] = strtoull(at, &at, 10);
    }
}
