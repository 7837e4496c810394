/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport.h - how bytes leave the host: one const struct per way. A transport does not know metrics; it
 * sends a payload, whole, and says what became of it.
 *
 * The functions of this header are pure, but for memory. Not thread-safe: one thread at a time for each
 * payload, answer, route and link.
 */
#ifndef EXPORTERS_TRANSPORT_H
#define EXPORTERS_TRANSPORT_H

#include "buf.h"

struct option;

/* What an encoder made: the bytes of one request. All but the body is for transports that can use it. Zero at
 * first; payload_free() gives it back. */
struct payload {
    struct buf body;
    size_t points;      /* how many are in it */
    size_t items;       /* readings that are in it, from the first of the batch on; 0 = all */
    size_t left_out;    /* of these readings: some point of theirs has no form that the backend accepts */
    int channel;        /* transports with several addresses: which of them, from 0 */
    const char *method; /* NULL: POST */
    struct buf path;    /* appended to the backend's url, with a query */
    struct buf headers; /* whole lines, each ends in '\n' */
    struct buf secret;  /* the same, never shown; a line that begins with '?' is a query: ?token=... */
    const char *content_type; /* NULL: none */
    struct buf scratch;       /* the encoder's own: what is put into the body at the end */
};

/* Some services take two sorts of points at two places: a batch may become two payloads, sent in this order.
 * One with an empty body is not sent. */
enum { PAYLOADS = 2 };

/* Makes the payload empty and keeps its memory for the next one. */
void payload_reset(struct payload *payload);

/* Frees what the payload owns and makes it zero. */
void payload_free(struct payload *payload);

/* True if all appends to its buffers were whole; false if there was no memory for one. */
bool payload_ok(const struct payload *payload);

/* Appends the request as it is sent, but for what the transport itself adds (host, secrets, compression): for
 * golden files, `mtxctl explain` and dry runs. */
void payload_print(const struct payload *payload, struct buf *out);

enum outcome {
    OUTCOME_SENT,  /* accepted: the cursor moves on */
    OUTCOME_RETRY, /* not now: the same bytes again after a pause */
    OUTCOME_SPLIT, /* too large for the other side: the same readings in two halves */
    OUTCOME_DROP,  /* never: count it, report why, go on */
    OUTCOME_BAD,   /* something in it is wrong, and the other side took nothing of it: look for the culprit */
    OUTCOME_LOGIN, /* the session has ended: begin a new one, then the same bytes again */
};

/* What the other side said, for a backend's judge(). Only some transports have one. */
struct response {
    int status;      /* of HTTP; 0 = there was no answer */
    struct buf body; /* one of more than 1 MiB is no answer, unless the caller sets another limit before */
};

/* What became of a payload. Zero but for the outcome at first; answer_free() gives it back. */
struct answer {
    enum outcome outcome;
    bool ambiguous;          /* with OUTCOME_RETRY: it may have been accepted all the same */
    uint64_t retry_after_ns; /* OUTCOME_RETRY: not before; 0 = the caller's own pause */
    size_t refused;          /* OUTCOME_SENT: points that the other side refused while it took the others */
    struct buf why;          /* everything but a plain success: for the operator */
    struct response response;
};

/* Frees what the answer owns and makes it zero. */
void answer_free(struct answer *answer);

/* How a payload would be sent, for people (mtxctl send --dry-run). Zero at first; route_free() gives it
 * back. */
struct route {
    const char *way;    /* "http", "tcp", "redis" */
    struct buf address; /* host:port, or the path of a socket; with HTTP the headers say it */
    const char *method; /* HTTP alone, like the next two */
    struct buf path;    /* the whole one, with its query */
    struct buf headers; /* whole lines, each ends in '\n' */
    bool commands;      /* the body is commands in Redis' protocol (RESP) */
};

/* Frees what the route owns and makes it zero. */
void route_free(struct route *route);

struct transport {
    const char *name;
    const struct option *options; /* rows that it adds to its backends' own; NULL: none */
    /* Makes the link from the backend's settings, which must outlive it; close() gives it back. NULL, with
     * the reason, for a mistake in the settings or without memory. If the other side does not answer, send()
     * says so. */
    void *(*open)(const void *settings, struct buf *why);
    /* Sends a payload and fills in the answer; blocks for a bounded time. */
    void (*send)(void *link, const struct payload *payload, struct answer *answer);
    /* Fills in how the payload would be sent with these settings; nothing is opened. Secrets appear as ***
     * unless they are wanted. With HTTP the settings may be NULL: a request of the session to another host.
     * Pure. The caller frees the route. NULL where points cannot be sent by hand. */
    void (*describe)(const void *settings, const struct payload *payload, bool secrets, struct route *route);
    /* --check: false, with the reason, if what the settings name cannot be used now. Makes nothing. NULL if that
     * is known only when something is sent. */
    bool (*check)(const void *settings, struct buf *why);
    /* After SIGHUP: opens files again. NULL = nothing to do. */
    void (*reopen)(void *link);
    /* Frees the link; *link becomes NULL. */
    void (*close)(void **link);
};

/* For scraped backends, which are asked and send nothing: it has a name and no hooks. */
extern const struct transport transport_scrape;

#endif
