/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exporter_inside.h - what exporter.c, exporter_reload.c and exporter_once.c share. Only for them.
 *
 * Not thread-safe: the main thread calls these functions. Those marked "under the lock" are called by the
 * main thread or the sampler's thread, which hold the exporter's lock.
 */
#ifndef EXPORTERS_EXPORTER_INSIDE_H
#define EXPORTERS_EXPORTER_INSIDE_H

#include "complain.h"
#include "exporter.h"
#include "names.h"
#include "part.h"

#include <pthread.h>

enum { EXPORTER_PARTS = LEDGER_BACKENDS };

struct exporter {
    const metrics_clock_t *clock;

    /* Protects what follows up to the blank line. It is never held while a backend, a client or a disk is
     * waited for. Only the main thread changes `config` and `parts`, so it may read them without the lock. */
    pthread_mutex_t lock;
    struct config *config; /* the current one */
    struct part *parts;    /* its backends */
    struct names removed;  /* names of backends that a new configuration left out */
    struct part *leavers;  /* earlier backends whose threads are still sending a payload */
    struct serve *serve;
    struct serve_route routes[EXPORTER_PARTS + 3]; /* changed only while there is no server */
    bool unserved;                                 /* the routes are being changed: no server now */
    struct complain serve_trouble;
    const struct source *meta_source; /* its segment receives the exporter's own metrics */
    bool stop;

    struct sampler *sampler;
    struct ledger *ledger;
    struct meta *meta;
    struct wake wake;         /* for the consumers: there is something new in a log */
    struct wake sampler_wake; /* for the sampler's thread */
    bool threaded;            /* `thread` runs */
    pthread_t thread;
};

/* Makes all but the threads, and takes over the configuration. NULL, with the reason appended to `why`, on
 * failure; the configuration is still the caller's then. */
struct exporter *exporter_new(struct config *config, const metrics_clock_t *clock, struct buf *why);

/* Frees it with its configuration; *exporter becomes NULL. The sampler's thread must have ended. */
void exporter_free(struct exporter **exporter);

/* What its parts are made with. */
struct part_options exporter_part_options(struct exporter *exporter);

/* Tells the sampler what the configuration says. False without memory. */
bool exporter_configure(struct exporter *exporter);

/* Under the lock: makes the table of routes from the parts. */
void exporter_route(struct exporter *exporter);

/* Under the lock: starts the server if there should be one and is none. */
void exporter_serve(struct exporter *exporter);

/* Under the lock: lets all consumers of the exporter `arg` follow the log of the source, those that do already
 * included. Without memory, a line on stderr says so. */
void exporter_follow(void *arg, struct source *source);

/* Under the lock: frees the leavers whose threads have ended. */
void exporter_tidy(struct exporter *exporter);

/* Waits until nothing is queued, at most as long as the configuration allows. Returns the end of that time
 * (monotonic, nanoseconds). */
uint64_t exporter_flush(struct exporter *exporter);

/* True if nothing is queued for any backend. */
bool exporter_idle(const struct exporter *exporter);

#endif
