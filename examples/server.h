/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small pre-fork HTTP/1.1 server that shows how to instrument a multi-process, multi-threaded program:
 *   server.c         the parent: opens the segment, forks the workers, replaces those that end or are killed
 *   server_worker.c  one worker: an event loop, a queue, a few threads
 *   server_app.c     the routes and nearly all of the metrics: start reading here
 *   server_http.c    reading requests, sending responses
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
    char client[64]; /* the X-Client-Id header, or "" */
    bool close;      /* the client will not send another request */
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
    HTTP_LATER,   /* no complete request yet */
    HTTP_BAD,     /* not a request that this server understands: answer 400 and close */
    HTTP_GONE,    /* the client has disconnected */
};

/* Takes the next request from the connection; never waits. */
enum http_next http_next(struct connection *connection, struct http_request *request);

/* Sends the whole response, waiting for a slow client up to the socket's send timeout. False if the client
 * has disconnected. */
bool http_send(int fd, const struct http_response *response, bool close);

/* --- server_app.c --- */

/* Opens the segment and creates the series: call it once, in the parent, before forking. */
metrics_registry_t *app_open(void);

/* Answers a request. The body is valid until the calling thread answers its next one. Thread-safe. */
void app_answer(const struct http_request *request, struct http_response *response);

/* The response to anything that is not a request we understand. */
void app_refuse(struct http_response *response);

/* Adds delta to the number of requests that this process is working on. */
void app_in_flight(int delta);

/* Registers fn, which metrics_poll() calls for the number of connections in this worker's queue. */
void app_queue_depth(metrics_gauge_fn *fn, void *arg);

/* --- server_worker.c --- */

struct worker_options {
    int listener; /* the listening socket, shared by all workers */
    int threads;
    long requests; /* end after this many; 0 = never */
    metrics_registry_t *registry;
};

/* Runs a worker until it has served its requests or gets SIGTERM; returns its exit status. */
int worker_run(const struct worker_options *options);

#endif
