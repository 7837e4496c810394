/* SPDX-License-Identifier: Apache-2.0 */
/* exporter_inside.h - what exporter.c, exporter_reload.c and exporter_once.c share; for nobody else. */
#ifndef EXPORTERS_EXPORTER_INSIDE_H
#define EXPORTERS_EXPORTER_INSIDE_H

#include "complain.h"
#include "exporter.h"
#include "part.h"

#include <pthread.h>

enum { EXPORTER_PARTS = LEDGER_BACKENDS };

struct exporter {
    const metrics_clock_t *clock;
    pthread_mutex_t lock;  /* of the configuration, the parts, the server and `stop`; never held while a
                              backend, a client or a disk is waited for */
    struct config *config; /* in force */
    struct part *parts;    /* its backends */
    struct part *leavers;  /* earlier ones, whose threads are still in the middle of a payload */
    struct serve *serve;
    struct serve_route routes[EXPORTER_PARTS + 3]; /* changed only while there is no server */
    bool unserved;                                 /* the routes are being changed: no server now */
    struct complain serve_trouble;
    struct sampler *sampler;
    struct ledger *ledger;
    struct meta *meta;
    struct wake wake;         /* for the consumers: a log has something new */
    struct wake sampler_wake; /* for the sampler's thread */
    const struct source *meta_source;
    bool stop;
    bool threaded;
    pthread_t thread;
};

/* Everything but threads. Takes the configuration over if it succeeds. */
struct exporter *exporter_new(struct config *config, const metrics_clock_t *clock, struct buf *why);
void exporter_free(struct exporter **exporter);

struct part_options exporter_part_options(struct exporter *exporter);

/* Hands over what the sampler needs to know of the configuration. False without memory. */
bool exporter_configure(struct exporter *exporter);

/* Under the lock: the routes of the pages; a server, if there ought to be one and is none. */
void exporter_route(struct exporter *exporter);
void exporter_serve(struct exporter *exporter);

/* Under the lock: frees the leavers whose threads have ended. */
void exporter_tidy(struct exporter *exporter);

/* Waits until nothing is queued, at most as long as the configuration allows; returns that moment. */
uint64_t exporter_flush(struct exporter *exporter);
bool exporter_idle(const struct exporter *exporter);

#endif
