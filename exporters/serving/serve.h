/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve.h - an HTTP server on one address: a table of routes, a bounded number of connections and threads.
 *
 * Thread-safe, except serve_stop(). The functions of the routes are called by several threads at the same
 * time.
 */
#ifndef EXPORTERS_SERVE_H
#define EXPORTERS_SERVE_H

#include "buf.h"

struct serve;

/* What the client asks for. The strings are valid during the call; a header that it did not send is NULL. */
struct serve_request {
    const char *path;
    const char *accept;
    const char *accept_encoding;
};

#define SERVE_BROKEN SIZE_MAX

/* What the route answers. All zeros means: 200, no body. */
struct serve_answer {
    unsigned status;
    const char *type;   /* Content-Type: a constant */
    const char *coding; /* Content-Encoding of the body: a constant; NULL = none */
    const void *body;   /* valid until release(owner) is called, which may happen in another thread */
    size_t n;
    /* Instead of a body: writes the next piece to `to`, at most n >= 1 bytes, and returns its length; 0 at
     * the end; SERVE_BROKEN to close the connection, so that the client knows that something is missing.
     * Called when the client has taken the piece before, by one thread at a time. */
    size_t (*more)(void *owner, char *to, size_t n);
    void (*release)(void *owner); /* called once, when the answer has been sent; NULL: nothing to free */
    void *owner;
};

/* Fills in `answer`, which is all zeros. */
typedef void serve_fn(void *arg, const struct serve_request *request, struct serve_answer *answer);

struct serve_route {
    const char *path; /* exactly this path; NULL ends the table */
    serve_fn *answer;
    void *arg;
    const char *help; /* for the list that / shows; NULL: not in the list */
};

/* Listens on "host:port" or "[v6]:port" (port 0: any free one), and answers
 * GET and HEAD until serve_stop(). The routes must outlive the server. NULL,
 * with the reason appended to `why`, if the address is wrong or taken. */
struct serve *serve_start(const char *listen, const struct serve_route *routes, struct buf *why);

/* The address, as "127.0.0.1:9464", with the real port. Belongs to the server. */
const char *serve_address(const struct serve *serve);

/* Closes all connections, waits until no function of a route is running and all answers are released, and
 * frees the server; *serve becomes NULL. It may be NULL before. Not thread-safe. */
void serve_stop(struct serve **serve);

/* Whether one could listen on that address now: yes; an mtx-exporter does; no, with the reason appended to
 * `why`. Takes two seconds at most. */
enum serve_found { SERVE_FREE, SERVE_EXPORTER, SERVE_TAKEN };
enum serve_found serve_check(const char *listen, struct buf *why);

/* Answers with `text`, compressed if the client accepts that and the text is long enough. The answer takes
 * over the memory; *text is all zeros afterwards. Without memory the answer is status 500. */
void serve_text(struct serve_answer *answer, const struct serve_request *request, const char *type,
                struct buf *text);

#endif
