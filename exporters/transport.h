/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport.h - how bytes leave the host: one const struct per way. A transport knows nothing of metrics; it
 * hands over a payload, whole, and says what became of it.
 */
#ifndef EXPORTERS_TRANSPORT_H
#define EXPORTERS_TRANSPORT_H

#include "buf.h"

/* What an encoder made: one request's worth of bytes. */
struct payload {
    struct buf body;
};

enum outcome {
    OUTCOME_SENT,  /* accepted: the cursor moves on */
    OUTCOME_RETRY, /* not now: the same bytes again after a pause */
    OUTCOME_SPLIT, /* too large for the other side: the same readings in two halves */
    OUTCOME_DROP,  /* never: count it, tell why, go on */
};

struct answer {
    enum outcome outcome;
    uint64_t retry_after_ns; /* OUTCOME_RETRY: not before; 0 = the caller's own pause */
    size_t refused;          /* OUTCOME_SENT: readings that the other side took the rest without */
    struct buf why;          /* everything but a plain success: for the operator */
};

struct transport {
    const char *name;
    /* Makes the link from the backend's settings, or NULL with the reason: a mistake in the settings, final.
     * That the other side does not answer yet is no reason; send() will say so. */
    void *(*open)(const void *settings, struct buf *why);
    /* Fills in the answer; blocks for a bounded time. Called by one thread. */
    void (*send)(void *link, const struct payload *payload, struct answer *answer);
    /* SIGHUP: open files anew. NULL if there is nothing to do. */
    void (*reopen)(void *link);
    /* Frees the link; *link becomes NULL. */
    void (*close)(void **link);
};

/* Backends that are asked instead of sending (the scrape endpoint): no member but the name. */
extern const struct transport transport_scrape;

#endif
