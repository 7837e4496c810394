/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The application: the routes, and the metrics of a request.
 *
 * Handles are looked up once, in the parent, before it forks. They stay valid in every worker, and an update
 * then costs about a nanosecond. Tags have few, known values: never the path as the client typed it, which
 * would create a new series for every visitor.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

enum { BODY_MAX = 64 * 1024 };
static _Thread_local char body[BODY_MAX];
static _Thread_local unsigned seed;

/* --- Routes: each fills body and returns its size, or 0 on failure --- */

static size_t random_below(size_t n)
{
    if (!seed) seed = (unsigned)getpid() ^ (unsigned)(uintptr_t)&seed ^ (unsigned)time(NULL);
    return (size_t)rand_r(&seed) % n;
}

static size_t serve_home(void)
{
    return (size_t)snprintf(body, sizeof body, "welcome, worker %d speaking\n", getpid());
}

/* Uses some CPU time. */
static size_t serve_cart(void)
{
    unsigned price = 0;
    size_t items = 1 + random_below(40), n = 0;
    for (unsigned i = 0; i < 20000; i++) price = price * 31 + i;
    for (size_t i = 0; i < items; i++)
        n += (size_t)snprintf(body + n, sizeof body - n, "item %zu costs %u.%02zu\n", i, price % 100, i);
    return n;
}

/* Waits for a while, as for a database. */
static size_t serve_search(void)
{
    usleep((useconds_t)(500 + random_below(3000)));
    size_t n = 200 + random_below(20000);
    memset(body, 's', n);
    return n;
}

static size_t serve_image(void)
{
    memset(body, 0x7f, sizeof body);
    return sizeof body;
}

/* One payment in twenty fails. */
static size_t serve_pay(void)
{
    if (random_below(20) == 0) return 0;
    return (size_t)snprintf(body, sizeof body, "paid\n");
}

/* --- Metrics --- */

static struct route {
    const char *path;
    size_t (*serve)(void);
    metrics_timer_t *time, *time_failed;
    metrics_counter_t *ok, *failed;
} routes[] = {
    {.path = "/", .serve = serve_home},         {.path = "/cart", .serve = serve_cart},
    {.path = "/search", .serve = serve_search}, {.path = "/image", .serve = serve_image},
    {.path = "/pay", .serve = serve_pay},
};
enum { ROUTES = sizeof routes / sizeof *routes };

static metrics_counter_t *not_found, *bad_request;
static metrics_gauge_t *in_flight, *queue_depth;
static metrics_histogram_t *response_size;
static metrics_set_t *clients;

static void describe(metrics_registry_t *registry)
{
    static const double sizes[] = {100, 1000, 10000, 50000, 100000};
    const struct {
        const char *name;
        metrics_family_t family;
    } families[] = {
        {"http.requests", {.help = "Requests answered, by route and status."}},
        {"http.request.time", {.help = "Time to generate a response, by route and outcome."}},
        {"http.clients", {.help = "Distinct clients in the interval."}},
        {"http.connections", {.help = "Connections accepted.", .unit = "connections"}},
        {"http.in_flight", {.help = "Requests being answered now.", .merge = METRICS_MERGE_SUM}},
        {"http.queue.depth", {.help = "Connections waiting for a thread.", .merge = METRICS_MERGE_SUM}},
        {"http.response.size",
         {.help = "Size of response bodies.",
          .unit = "bytes",
          .reservoir = METRICS_BUCKETS,
          .bounds = sizes,
          .bound_count = sizeof sizes / sizeof *sizes}},
    };
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        metrics_family_t family = families[i].family;
        family.size = sizeof family;
        metrics_describe(registry, families[i].name, &family, NULL);
    }
}

metrics_registry_t *app_open(void)
{
    metrics_registry_t *registry = metrics_default();
    describe(registry);
    metrics_info(registry, "http.server", "version", METRICS_VERSION);
    in_flight = metrics_gauge(registry, "http.in_flight");
    queue_depth = metrics_gauge(registry, "http.queue.depth");
    response_size = metrics_histogram(registry, "http.response.size");
    clients = metrics_set(registry, "http.clients");
    not_found = metrics_counter(registry, "http.requests", "route", "other", "status", "404");
    bad_request = metrics_counter(registry, "http.requests", "route", "other", "status", "400");
    for (struct route *route = routes; route < routes + ROUTES; route++) {
        const char *path = route->path;
        route->time = metrics_timer(registry, "http.request.time", "route", path, "outcome", "ok");
        route->time_failed = metrics_timer(registry, "http.request.time", "route", path, "outcome", "failed");
        route->ok = metrics_counter(registry, "http.requests", "route", path, "status", "200");
        route->failed = metrics_counter(registry, "http.requests", "route", path, "status", "500");
    }
    return registry;
}

/* Counts a response whose body has that many bytes, before it is sent, so that nothing arrives uncounted. */
static void answer(struct http_response *response, int status, metrics_counter_t *answered, size_t size)
{
    *response = (struct http_response){status, "text/plain", body, size};
    metrics_counter_inc(answered);
    metrics_histogram_update(response_size, (double)size);
    METRICS_ADD(size, "http.bytes.sent");
}

static void answer_route(struct route *route, struct http_response *response)
{
    metrics_timer_t *time = route->time;
    metrics_timer_start(time);
    size_t size = route->serve();
    if (size > 0) {
        metrics_timer_stop(time);
        answer(response, 200, route->ok, size);
    } else { /* only now is it known which series the time belongs to */
        metrics_timer_stop_as(time, route->time_failed);
        answer(response, 500, route->failed, (size_t)snprintf(body, sizeof body, "no luck\n"));
    }
}

void app_answer(const struct http_request *request, struct http_response *response)
{
    if (request->client[0]) metrics_set_add(clients, request->client, strlen(request->client));
    for (struct route *route = routes; route < routes + ROUTES; route++)
        if (strcmp(route->path, request->path) == 0) return answer_route(route, response);
    answer(response, 404, not_found, (size_t)snprintf(body, sizeof body, "nothing here\n"));
}

void app_refuse(struct http_response *response)
{
    size_t size = (size_t)snprintf(body, sizeof body, "this server supports only GET without a body\n");
    answer(response, 400, bad_request, size);
}

/* A level of this process, merged by sum: when a worker dies, its share drops out of the sum. */
void app_in_flight(int delta)
{
    metrics_gauge_add(in_flight, delta);
}

void app_queue_depth(metrics_gauge_fn *fn, void *arg)
{
    metrics_gauge_callback(queue_depth, fn, arg);
}
