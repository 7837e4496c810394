/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One worker process. Its first thread runs the event loop: it accepts connections and queues those that have
 * input. The other threads take connections from the queue, answer every complete request, and hand the
 * connection back to the event loop (EPOLLONESHOT), so that an idle client does not occupy a thread.
 *
 * A worker that has served its share of requests stops accepting, and from then on sends "Connection: close".
 * It ends when its last connection is closed, or a second later.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

enum { THREADS_MAX = 64, CONNECTIONS_MAX = 1000, GRACE_S = 1, SEND_TIMEOUT_S = 5 };

struct worker {
    struct worker_options options;
    int epoll, signals; /* signals: a signalfd for SIGTERM */
    /* Everything below is protected by lock. */
    pthread_mutex_t lock;
    pthread_cond_t ready; /* something was queued, or the worker is ending */
    struct connection *first, **last;
    int queued, connections;
    long served;
    bool draining, ending;
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- The queue --- */

static void queue_put(struct worker *worker, struct connection *connection)
{
    pthread_mutex_lock(&worker->lock);
    connection->next = NULL;
    *worker->last = connection;
    worker->last = &connection->next;
    worker->queued++;
    pthread_cond_signal(&worker->ready);
    pthread_mutex_unlock(&worker->lock);
}

/* Waits for a connection; NULL if the worker is ending. */
static struct connection *queue_take(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    while (!worker->first && !worker->ending) pthread_cond_wait(&worker->ready, &worker->lock);
    struct connection *connection = worker->first;
    if (connection) {
        worker->first = connection->next;
        if (!worker->first) worker->last = &worker->first;
        worker->queued--;
    }
    pthread_mutex_unlock(&worker->lock);
    return connection;
}

/* Called by metrics_poll(), once a second. */
static double queue_depth(void *arg)
{
    struct worker *worker = arg;
    pthread_mutex_lock(&worker->lock);
    int queued = worker->queued;
    pthread_mutex_unlock(&worker->lock);
    return queued;
}

/* --- Answering --- */

/* Counts a request; true if its connection must be closed afterwards. */
static bool request_served(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->served++;
    if (worker->options.requests && worker->served >= worker->options.requests) worker->draining = true;
    bool close = worker->draining;
    pthread_mutex_unlock(&worker->lock);
    return close;
}

/* Answers all requests received so far. False if the connection is finished. */
static bool connection_serve(struct worker *worker, struct connection *connection)
{
    struct http_request request;
    struct http_response response;
    for (;;) {
        enum http_next next = http_next(connection, &request);
        if (next == HTTP_LATER) return true;
        if (next == HTTP_GONE) return false;
        app_in_flight(+1);
        if (next == HTTP_REQUEST)
            app_answer(&request, &response);
        else
            app_refuse(&response);
        bool close = request_served(worker) || next == HTTP_BAD || request.close;
        bool sent = http_send(connection->fd, &response, close);
        app_in_flight(-1);
        if (!sent || close) return false;
    }
}

static void connection_close(struct worker *worker, struct connection *connection)
{
    close(connection->fd);
    free(connection);
    pthread_mutex_lock(&worker->lock);
    worker->connections--;
    pthread_mutex_unlock(&worker->lock);
}

static void *thread_run(void *arg)
{
    struct worker *worker = arg;
    struct connection *connection;
    while ((connection = queue_take(worker))) {
        struct epoll_event again = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = connection};
        if (!connection_serve(worker, connection) ||
            epoll_ctl(worker->epoll, EPOLL_CTL_MOD, connection->fd, &again) != 0)
            connection_close(worker, connection);
    }
    return NULL;
}

/* --- The event loop --- */

static void connection_accept(struct worker *worker)
{
    const struct timeval timeout = {.tv_sec = SEND_TIMEOUT_S};
    int fd = accept4(worker->options.listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);

    struct connection *connection = calloc(1, sizeof *connection);
    struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = connection};
    pthread_mutex_lock(&worker->lock);
    bool full = !connection || worker->connections >= CONNECTIONS_MAX;
    if (!full) worker->connections++;
    pthread_mutex_unlock(&worker->lock);
    if (full) {
        METRICS_INC("http.connections.refused");
        close(fd);
        free(connection);
        return;
    }
    METRICS_MARK("http.connections");
    connection->fd = fd;
    if (epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &event) != 0) connection_close(worker, connection);
}

/* One turn of the loop: waits at most a quarter of a second for an event. */
static void loop_turn(struct worker *worker)
{
    struct epoll_event events[64];
    int n = epoll_wait(worker->epoll, events, 64, 250);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == &worker->options.listener) {
            connection_accept(worker);
        } else if (events[i].data.ptr == &worker->signals) {
            struct signalfd_siginfo ignored;
            pthread_mutex_lock(&worker->lock);
            worker->draining = read(worker->signals, &ignored, sizeof ignored) > 0 || worker->draining;
            pthread_mutex_unlock(&worker->lock);
        } else {
            queue_put(worker, events[i].data.ptr);
        }
    }
}

static void loop_run(struct worker *worker)
{
    double polled = 0, drain_since = 0;
    for (;;) {
        loop_turn(worker);
        double now = now_s();
        if (now - polled >= 1) {
            metrics_poll(worker->options.registry); /* calls queue_depth() */
            polled = now;
        }
        pthread_mutex_lock(&worker->lock);
        bool draining = worker->draining, empty = worker->connections == 0;
        pthread_mutex_unlock(&worker->lock);
        if (draining && !drain_since) {
            epoll_ctl(worker->epoll, EPOLL_CTL_DEL, worker->options.listener, NULL);
            drain_since = now;
        }
        if (draining && (empty || now - drain_since > GRACE_S)) return;
    }
}

/* The event loop waits for new connections and for SIGTERM. */
static bool loop_open(struct worker *worker)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    worker->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event on_signal = {.events = EPOLLIN, .data.ptr = &worker->signals};
    struct epoll_event on_accept = {.events = EPOLLIN | EPOLLEXCLUSIVE,
                                    .data.ptr = &worker->options.listener};
    return worker->signals >= 0 && worker->epoll >= 0 &&
           epoll_ctl(worker->epoll, EPOLL_CTL_ADD, worker->signals, &on_signal) == 0 &&
           epoll_ctl(worker->epoll, EPOLL_CTL_ADD, worker->options.listener, &on_accept) == 0;
}

int worker_run(const struct worker_options *options)
{
    static struct worker worker;
    pthread_t threads[THREADS_MAX];
    worker.options = *options;
    worker.last = &worker.first;
    pthread_mutex_init(&worker.lock, NULL);
    pthread_cond_init(&worker.ready, NULL);
    if (!loop_open(&worker)) {
        perror("worker: cannot create the event loop");
        return EXIT_FAILURE;
    }
    metrics_prepare(options->registry);
    app_queue_depth(queue_depth, &worker);
    int started = 0, wanted = options->threads < THREADS_MAX ? options->threads : THREADS_MAX;
    while (started < wanted && pthread_create(&threads[started], NULL, thread_run, &worker) == 0) started++;
    if (started > 0) loop_run(&worker);

    pthread_mutex_lock(&worker.lock);
    worker.ending = true;
    pthread_cond_broadcast(&worker.ready);
    pthread_mutex_unlock(&worker.lock);
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    return started > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
