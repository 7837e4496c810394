/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve.h - answers HTTP requests on one address: a table of routes, a bounded number of connections and
 * threads, compression where the client takes it.
 */
#ifndef EXPORTERS_SERVE_H
#define EXPORTERS_SERVE_H

#include "buf.h"

struct serve;

/* What a route is told. The strings live as long as the call; headers that were not sent are NULL. */
struct serve_request {
    const char *path;
    const char *accept;
    const char *accept_encoding;
};

#define SERVE_BROKEN SIZE_MAX

/* What it answers. Zero means: 200, no body. */
struct serve_answer {
    unsigned status;
    const char *type;   /* Content-Type: a constant */
    const char *coding; /* Content-Encoding of the body: a constant; NULL = as it is */
    const void *body;   /* read until release(owner) is called, perhaps from another thread */
    size_t n;
    /* Instead of a body: writes its next piece, at most n >= 1 bytes; how many; 0 at its end; SERVE_BROKEN to
     * break the connection off, so that the client knows that something is missing. Called when the client
     * has taken what came before; by one thread at a time. */
    size_t (*more)(void *owner, char *to, size_t n);
    void (*release)(void *owner); /* NULL: the body is a constant */
    void *owner;
};

/* Called by several threads at once. */
typedef void serve_fn(void *arg, const struct serve_request *request, struct serve_answer *answer);

struct serve_route {
    const char *path; /* exactly; NULL ends the table */
    serve_fn *answer;
    void *arg;
    const char *help; /* for the list that / shows; NULL: not listed */
};

/*
 * Listen on "host:port" or "[v6]:port" (port 0: any free one) and answer GET and HEAD until serve_stop(). The
 * routes must outlive it. NULL, with the reason in `why`, if the address is wrong or taken.
 */
struct serve *serve_start(const char *listen, const struct serve_route *routes, struct buf *why);

/* The address that is listened on, as "127.0.0.1:9464". */
const char *serve_address(const struct serve *serve);

/* Lets running answers finish for a moment and stops; *serve becomes NULL. */
void serve_stop(struct serve **serve);

/* Answers with `text`, whose memory the answer takes over; compressed if it is worth it and asked for. */
void serve_text(struct serve_answer *answer, const struct serve_request *request, const char *type,
                struct buf *text);

#endif
