/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meta_inside.h - what meta.c (the segment that is written to, and single series), meta_ledger.c (the
 * accounts), meta_kept.c (backends that are not configured) and meta_recall.c (what an earlier exporter left)
 * share; for nobody else.
 */
#ifndef EXPORTERS_META_INSIDE_H
#define EXPORTERS_META_INSIDE_H

#include "meta.h"
#include "meta_family.h"

#include <mtx/metrics.h>

#include <pthread.h>

struct meta {
    pthread_mutex_t lock;                         /* of all below; the ledger's is taken under it */
    metrics_registry_t *registry;                 /* NULL: none */
    struct ledger_page reported[LEDGER_BACKENDS]; /* what was added to the segment's counters so far */
    uint32_t lanes; /* enum metrics_lanes + 1 of the gauge that is set; 0 = none */
    bool recalled;  /* meta_recall() was called */
    struct {
        char *name;
        uint64_t snapshots;
    } kept[LEDGER_BACKENDS]; /* all that were ever reported by meta_kept() */
    size_t kept_count;
};

/* --- meta_ledger.c --- */

/* The number of an account that a counter of this name, with this reason (NULL: none), adds up. NULL if
 * there is none, or if the counter is a sum of others. Pure. */
uint64_t *meta_account_word(struct ledger_account *account, const char *name, const char *reason);

/* --- meta_kept.c --- */

/* Frees the names. Not thread-safe: nobody may be inside any other call. */
void meta_kept_free(struct meta *meta);

#endif
