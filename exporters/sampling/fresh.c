/* SPDX-License-Identifier: Apache-2.0 */
#include "fresh.h"

#include <pthread.h>
#include <stdlib.h>
#include <urcu-bp.h>

/* The thread sanitizer does not understand liburcu's barriers; this declares what they order. */
#ifdef __SANITIZE_THREAD__
void __tsan_acquire(void *);
void __tsan_release(void *);
#define FRESH_AFTER(P)  __tsan_acquire((void *)(P))
#define FRESH_BEFORE(P) __tsan_release((void *)(P))
#else
#define FRESH_AFTER(P)  ((void)0)
#define FRESH_BEFORE(P) ((void)0)
#endif

/* What is published: immutable until a grace period after it was replaced. */
struct fresh_node {
    metrics_snapshot_t *snapshot;
    uint64_t taken;
};

struct fresh {
    const metrics_clock_t *clock;
    pthread_mutex_t lock;         /* of the reader; one thread at a time reads the segment */
    metrics_reader_t *reader;     /* NULL: gone */
    struct fresh_node *published; /* RCU; written under the lock */
};

struct fresh *fresh_new(metrics_reader_t *reader, const metrics_clock_t *clock)
{
    struct fresh *fresh = calloc(1, sizeof *fresh);
    if (!fresh) return NULL;
    fresh->clock = clock;
    fresh->reader = reader;
    pthread_mutex_init(&fresh->lock, NULL);
    return fresh;
}

void fresh_hold(struct fresh *fresh)
{
    pthread_mutex_lock(&fresh->lock);
}

void fresh_let(struct fresh *fresh)
{
    pthread_mutex_unlock(&fresh->lock);
}

void fresh_forget(struct fresh *fresh)
{
    pthread_mutex_lock(&fresh->lock);
    fresh->reader = NULL;
    pthread_mutex_unlock(&fresh->lock);
}

/* A reference to what is published, if it is young enough. */
static metrics_snapshot_t *fresh_published(struct fresh *fresh, uint64_t now, uint64_t most)
{
    metrics_snapshot_t *snapshot = NULL;
    urcu_bp_read_lock();
    const struct fresh_node *node = rcu_dereference(fresh->published);
    FRESH_AFTER(&fresh->published);
    /* The node holds a reference of its own until every section that can see it has ended. */
    if (node && (now < node->taken || now - node->taken < most))
        snapshot = metrics_snapshot_retain(node->snapshot);
    FRESH_BEFORE(&fresh->reader);
    urcu_bp_read_unlock();
    return snapshot;
}

static void fresh_replace(struct fresh *fresh, struct fresh_node *node)
{
    struct fresh_node *old = fresh->published;
    FRESH_BEFORE(&fresh->published);
    rcu_assign_pointer(fresh->published, node);
    urcu_bp_synchronize_rcu();
    FRESH_AFTER(&fresh->reader);
    if (old) metrics_snapshot_release(&old->snapshot);
    free(old);
}

metrics_snapshot_t *fresh_get(struct fresh *fresh)
{
    metrics_snapshot_t *snapshot = fresh_published(fresh, clock_mono(fresh->clock), FRESH_NS);
    if (snapshot) return snapshot;
    pthread_mutex_lock(&fresh->lock);
    /* Perhaps the thread that held the lock has just published one. */
    uint64_t now = clock_mono(fresh->clock);
    snapshot = fresh_published(fresh, now, FRESH_NS);
    struct fresh_node *node = snapshot || !fresh->reader ? NULL : calloc(1, sizeof *node);
    if (node) {
        node->taken = now;
        node->snapshot = metrics_snapshot_take(fresh->reader, NULL);
        if (node->snapshot) {
            snapshot = metrics_snapshot_retain(node->snapshot);
            fresh_replace(fresh, node);
        } else {
            free(node);
        }
    }
    if (!snapshot) snapshot = fresh_published(fresh, now, UINT64_MAX);
    pthread_mutex_unlock(&fresh->lock);
    return snapshot;
}

void fresh_free(struct fresh **fresh)
{
    struct fresh *f = *fresh;
    if (!f) return;
    fresh_replace(f, NULL);
    pthread_mutex_destroy(&f->lock);
    free(f);
    *fresh = NULL;
}
