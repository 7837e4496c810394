/* SPDX-License-Identifier: Apache-2.0 */
/* meta_kept.c - what waits for backends that this exporter does not have. */
#include "meta_inside.h"

#include <stdlib.h>
#include <string.h>

void meta_kept_begin(struct meta *meta)
{
    pthread_mutex_lock(&meta->lock);
    for (size_t i = 0; i < meta->kept_count; i++) meta->kept[i].snapshots = 0;
    pthread_mutex_unlock(&meta->lock);
}

void meta_kept(struct meta *meta, const char *backend, uint64_t snapshots)
{
    size_t i = 0;
    pthread_mutex_lock(&meta->lock);
    while (i < meta->kept_count && strcmp(meta->kept[i].name, backend)) i++;
    if (i == meta->kept_count && i < LEDGER_BACKENDS && (meta->kept[i].name = strdup(backend)))
        meta->kept_count++;
    if (i < meta->kept_count) meta->kept[i].snapshots += snapshots;
    pthread_mutex_unlock(&meta->lock);
}

void meta_kept_end(struct meta *meta)
{
    pthread_mutex_lock(&meta->lock);
    for (size_t i = 0; meta->registry && i < meta->kept_count; i++)
        metrics_gauge_set(
            metrics_gauge(meta->registry, meta_families[META_KEPT].name, "backend", meta->kept[i].name),
            (double)meta->kept[i].snapshots);
    pthread_mutex_unlock(&meta->lock);
}

void meta_kept_free(struct meta *meta)
{
    for (size_t i = 0; i < meta->kept_count; i++) free(meta->kept[i].name);
}
