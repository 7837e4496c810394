/* SPDX-License-Identifier: Apache-2.0 */
/* Promises: a request that does not come in time costs its client the connection; of too many clients the right one
 * is cut. */
#include "unit.h"

#include "clients.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS UINT64_C(1000000)

struct pair {
    int ours, theirs;
    struct client *client;
};

static struct pair pair_begin(struct clients *clients)
{
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    struct pair p = {fds[0], fds[1], client_begin(clients, fds[0])};
    usleep(2000);
    return p;
}

/* True if the client's connection is cut within so many milliseconds. */
static bool is_cut(const struct pair *p, int ms)
{
    struct pollfd fd = {.fd = p->theirs, .events = POLLIN};
    return poll(&fd, 1, ms) > 0;
}

static void pair_end(struct clients *clients, struct pair *p)
{
    client_end(clients, p->client);
    close(p->ours);
    close(p->theirs);
}

/* Breaks if a client that owes a request stays, or one that is being answered goes. */
UNIT(clients, patience)
{
    struct clients *clients = clients_new(10, 200 * MS);
    REQUIRE(clients);
    struct pair late = pair_begin(clients), answered = pair_begin(clients), again = pair_begin(clients);
    client_answering(clients, answered.client);
    client_answering(clients, again.client);
    CHECK(is_cut(&late, 5000));
    CHECK(!is_cut(&answered, 0));
    client_answered(clients, again.client);
    CHECK(!is_cut(&again, 0));
    CHECK(is_cut(&again, 5000));
    CHECK(!is_cut(&answered, 300));
    pair_end(clients, &late);
    pair_end(clients, &again);
    pair_end(clients, &answered);
    clients_free(&clients);
    CHECK(clients == NULL);
}

/* Breaks if the newest one is cut, or one that is being answered before one that owes a request. */
UNIT(clients, too_many)
{
    struct clients *clients = clients_new(3, 3600 * 1000 * MS);
    struct pair p[6];
    REQUIRE(clients);
    for (int i = 0; i < 3; i++) p[i] = pair_begin(clients);
    client_answering(clients, p[0].client);
    p[3] = pair_begin(clients);
    CHECK(is_cut(&p[1], 1000));
    p[4] = pair_begin(clients);
    CHECK(is_cut(&p[2], 1000));
    client_answering(clients, p[3].client);
    client_answering(clients, p[4].client);
    p[5] = pair_begin(clients);
    CHECK(is_cut(&p[0], 1000));
    CHECK(!is_cut(&p[3], 0) && !is_cut(&p[4], 0) && !is_cut(&p[5], 0));
    for (int i = 0; i < 6; i++) pair_end(clients, &p[i]);
    clients_free(&clients);
}
