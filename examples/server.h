/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small pre-fork HTTP/1.1 server, to show how a multi-process, multi-threaded program is instrumented:
 *   server.c         the parent: opens the segment, forks the workers, replaces those that end or are killed
 *   server_worker.c  one worker: an event loop, a queue, a few threads
 *   server_app.c     the routes, and nearly all of the metrics: start reading there
 *   server_http.c    bytes in, bytes out
 */
#ifndef EXAMPLES_SERVER_H
#define EXAMPLES_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include <mtx/metrics.h>

/* --- server_http.c --- */

struct http_request {
    char method[8];
    char path[256];
    char client[64]; /* who asks: the X-Client-Id header, or "" */
    bool close;      /* the client will not send another one */
};

struct http_response {
    int status;
    const char *type; /* media type */
    const char *body;
    size_t size;
};

struct connection {
    int fd;
    struct connection *next; /* in the worker's queue */
    size_t used;             /* bytes in in[] */
    char in[8192];
};

enum http_next {
    HTTP_REQUEST, /* *request is filled in */
    HTTP_LATER,   /* nothing whole has come yet */
    HTTP_BAD,     /* what came is not a request that this server understands: answer 400 and close */
    HTTP_GONE,    /* the client has left */
};

/* Take the next request that has come on the connection; never waits. */
enum http_next http_next(struct connection *connection, struct http_request *request);

/* Send all of it, waiting for a slow client up to the socket's send timeout. False if the client is gone. */
bool http_send(int fd, const struct http_response *response, bool close);

/* --- server_app.c --- */

/* Open the segment and create the series: once, in the parent, before forking. */
metrics_registry_t *app_open(void);

/* Answer a request. The body lives until the calling thread answers its next one. Thread-safe. */
void app_answer(const struct http_request *request, struct http_response *response);

/* The answer that a connection deserves which did not send a request we understand. */
void app_refuse(struct http_response *response);

/* How many requests this process is working on changed by delta. */
void app_in_flight(int delta);

/* Let metrics_poll() ask fn how many connections wait in this worker's queue. */
void app_queue_depth(metrics_gauge_fn *fn, void *arg);

/* --- server_worker.c --- */

struct worker_options {
    int listener; /* the listening socket, shared by all workers */
    int threads;
    long requests; /* end after so many; 0 = never */
    metrics_registry_t *registry;
};

/* Be a worker: returns the exit status when the worker has served its requests or got SIGTERM. */
int worker_run(const struct worker_options *options);

#endif
