/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.h - a world: segments that are counted into, services, and the exporters between them. The calls here are the
 * things that can be done to it; whatever comes of it goes to the story and to the auditor.
 */
#ifndef SIMULATE_WORLD_H
#define SIMULATE_WORLD_H

#include "audit.h"
#include "dice.h"
#include "life.h"
#include "service.h"
#include "setup.h"
#include "shared.h"
#include "writer.h"

/* An exporter that may be living. */
struct running {
    struct life life;
    struct setup setup;
    unsigned memory;  /* segments whose logs have no file, a bit for each place */
    bool robbed;      /* its log's files were removed */
    uint64_t ordinal; /* since the world began, for the story */
    uint64_t led[AUDIT_PLACES];
};

struct world {
    uint64_t seed;
    struct dice dice;
    unsigned themes; /* what may happen in it, see actions.c */
    char folder[64];
    struct service services[AUDIT_BACKENDS];
    struct writer writers[AUDIT_PLACES];
    unsigned drops;                /* on_ambiguous: drop, a bit for each service */
    uint64_t log_of[AUDIT_PLACES]; /* where the log of the segment was last: see world_sampled() */
    uint64_t latest;               /* wall clock, before it was set back */
    unsigned timeout;              /* of requests, in seconds */
    bool logs_move;                /* logs lie now here, now there */
    uint64_t level;                /* that was set last, of any gauge */
    uint64_t exporters;            /* so many were started */
    struct running lives[SHARED_LIVES];
};

void world_begin(struct world *w, uint64_t seed);
void world_end(struct world *w);

/* All services, a bit each. */
unsigned world_backends(const struct world *w);

/* --- Exporters --- */

/* Starts one in that place of w->lives. */
void world_start(struct world *w, unsigned i, const struct setup *setup);

/* What waits in logs that lie elsewhere waits on. */
void world_logs_elsewhere(struct world *w, const struct setup *setup);

/* --once, beside whatever runs; it has ended when this returns. The place must be free. */
void world_once(struct world *w, unsigned i, const struct setup *setup);

void world_reload(struct world *w, unsigned i, const struct setup *setup);
void world_stop(struct world *w, unsigned i); /* SIGTERM */
void world_kill(struct world *w, unsigned i); /* SIGKILL, while all its threads wait */

/* All processes are killed, what is in memory is gone, the disk has what it has. No exporter or segment is left. */
void world_lose_power(struct world *w);

/* All files of logs are removed. */
void world_forget(struct world *w);

/* Time passes for all. */
void world_pass(struct world *w, uint64_t ns);

static inline bool world_lives(const struct world *w, unsigned i)
{
    return w->lives[i].life.pid != 0;
}

#endif
