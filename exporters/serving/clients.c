/* SPDX-License-Identifier: Apache-2.0 */
#include "clients.h"

#include "clock.h"
#include "wake.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

struct client {
    struct client *next, **link;
    int fd;
    bool answering, cut;
    uint64_t since; /* when that began: a request is owed, or it is being answered */
};

struct clients {
    size_t most;
    uint64_t patience_ns;
    pthread_mutex_t lock; /* of the list; a leaf */
    struct client *first;
    size_t n; /* those that are cut left out */
    bool stop;
    struct wake wake;
    pthread_t thread;
};

/* Under the lock. The server sees the end of the connection and closes it. */
static void cut(struct clients *c, struct client *client)
{
    shutdown(client->fd, SHUT_RDWR);
    client->cut = true;
    c->n--;
}

/* --- Requests that do not come --- */

/* Under the lock: cuts those whose time is over; returns when the next one's will be. */
static uint64_t cut_late(struct clients *c, uint64_t now)
{
    uint64_t next = CLOCK_NEVER;
    for (struct client *client = c->first; client; client = client->next) {
        if (client->answering || client->cut) continue;
        uint64_t end = client->since + c->patience_ns;
        if (end <= now)
            cut(c, client);
        else if (end < next)
            next = end;
    }
    return next;
}

static void *watch(void *arg)
{
    struct clients *c = arg;
    for (uint64_t seen = 0;;) {
        pthread_mutex_lock(&c->lock);
        bool stop = c->stop;
        uint64_t next = cut_late(c, clock_mono(&clock_system));
        pthread_mutex_unlock(&c->lock);
        if (stop) return NULL;
        /* Who comes later has more time than the next one here, so only the first one wakes it. */
        seen = wake_wait(&c->wake, seen, next);
    }
}

/* --- Too many --- */

/* Under the lock: the one that is cut first. */
static struct client *worst(const struct clients *c, const struct client *but)
{
    struct client *worst = NULL;
    for (struct client *client = c->first; client; client = client->next) {
        if (client->cut || client == but) continue;
        bool owes = !client->answering;
        if (!worst || (owes && worst->answering) ||
            (owes == !worst->answering && client->since < worst->since))
            worst = client;
    }
    return worst;
}

/* --- One of them --- */

struct client *client_begin(struct clients *c, int fd)
{
    struct client *client = calloc(1, sizeof *client);
    if (!client) return NULL;
    client->fd = fd;
    client->since = clock_mono(&clock_system);
    client->link = &c->first;
    pthread_mutex_lock(&c->lock);
    bool first = !c->n;
    client->next = c->first;
    if (client->next) client->next->link = &client->next;
    c->first = client;
    c->n++;
    struct client *other = c->n > c->most ? worst(c, client) : NULL;
    if (other) cut(c, other);
    pthread_mutex_unlock(&c->lock);
    if (first) wake_call(&c->wake);
    return client;
}

void client_end(struct clients *c, struct client *client)
{
    if (!client) return;
    pthread_mutex_lock(&c->lock);
    if (!client->cut) c->n--;
    *client->link = client->next;
    if (client->next) client->next->link = client->link;
    pthread_mutex_unlock(&c->lock);
    free(client);
}

static void turn(struct clients *c, struct client *client, bool answering)
{
    if (!client) return;
    pthread_mutex_lock(&c->lock);
    client->answering = answering;
    client->since = clock_mono(&clock_system);
    pthread_mutex_unlock(&c->lock);
    if (!answering) wake_call(&c->wake); /* it may be the only one that owes a request */
}

void client_answering(struct clients *c, struct client *client)
{
    turn(c, client, true);
}

void client_answered(struct clients *c, struct client *client)
{
    turn(c, client, false);
}

/* --- All of them --- */

struct clients *clients_new(size_t most, uint64_t patience_ns)
{
    struct clients *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->most = most;
    c->patience_ns = patience_ns;
    pthread_mutex_init(&c->lock, NULL);
    wake_init(&c->wake);
    if (!pthread_create(&c->thread, NULL, watch, c)) return c;
    wake_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    free(c);
    return NULL;
}

void clients_free(struct clients **clients)
{
    struct clients *c = *clients;
    if (!c) return;
    *clients = NULL;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_mutex_unlock(&c->lock);
    wake_call(&c->wake);
    pthread_join(c->thread, NULL);
    while (c->first) client_end(c, c->first);
    wake_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
