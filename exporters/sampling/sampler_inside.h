/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sampler_inside.h - what the sampler's sources share; for nobody else. From the bottom up: sampler_wishes.c
 * (what was asked for), sampler_list.c (the segments that are followed), sampler_recover.c (logs that earlier
 * exporters left), sampler.c (segments that come and go, and time).
 */
#ifndef EXPORTERS_SAMPLER_INSIDE_H
#define EXPORTERS_SAMPLER_INSIDE_H

#include "sampler.h"

#include <glob.h>
#include <pthread.h>

struct sampler {
    struct sampler_options options; /* never change */

    /* Of `sources`, `replaced` and `ended` of each, and all down to `poll_interval`. Only the sampler's thread
     * changes the first three, so it reads them without the lock. Locks of logs are taken under it. */
    pthread_mutex_t lock;
    struct source *sources;
    struct option_list wishes; /* segments that were asked for: paths and patterns */
    struct source_log log;
    uint64_t interval;
    uint64_t due_wall; /* the multiple at which the next snapshot is taken; 0 = to be computed */
    uint64_t look_at;  /* monotonic */
    uint64_t poll_interval;

    /* Of the sampler's thread: */
    uint64_t poll_at; /* monotonic */
    uint64_t poll_pause;
    struct rest *looked;     /* files of logs that were looked at; of sampler_recover.c */
    struct complain waiting; /* for the segments that are not there */
    struct complain rests;   /* logs of earlier exporters that cannot be read */
    bool busy;               /* another exporter leads a segment that was asked for */
};

/* --- sampler_wishes.c: these take the lock --- */

/* The paths that the wishes lead to now; freed by globfree(), in either case. False without memory. */
bool sampler_paths(struct sampler *s, glob_t *paths);

/* A copy of the wishes about logs; the caller frees state_dir. */
struct source_log sampler_log(struct sampler *s);

/* Frees what a list of wishes holds. Takes no lock. */
void sampler_wishes_free(struct option_list *wishes);

/* --- sampler_list.c: of the sampler's thread; these take the lock where they have to --- */

/* True if the segment at that path is followed. */
bool sampler_follows(const struct sampler *s, const char *path);

/* Takes over a source, and calls the hook that says so. */
void sampler_add(struct sampler *s, struct source *source);

/* Frees each source that has ended and whose log was delivered, after the hook was called. */
void sampler_reap(struct sampler *s);

/* --- sampler_recover.c: of the sampler's thread --- */

/* Delivers the logs of segments that were asked for and are gone, before their files go. What a log says in its
 * file counts, not the file's name: one whose segment is there, may be there, or was not asked for is another
 * exporter's, and is not touched. To be called once the segments that are there are followed. */
void sampler_recover(struct sampler *s);

/* Forgets what it has looked at. */
void sampler_recover_end(struct sampler *s);

#endif
