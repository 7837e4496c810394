/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clients.h - the connections of a server, so that no client can keep another from being answered.
 *
 * A request has to be there, with its body, within a time, however steadily its bytes drip. When there are too many
 * connections, one is cut for each new one: the one that has owed its request for longest, or else the one that has been
 * read from for longest.
 *
 * Thread-safe, except clients_new() and clients_free().
 */
#ifndef EXPORTERS_CLIENTS_H
#define EXPORTERS_CLIENTS_H

#include <stddef.h>
#include <stdint.h>

struct clients;
struct client;

/* At most `most` connections, and `patience_ns` for a request. NULL without memory or a thread. The caller frees it, when no
 * connection is left. */
struct clients *clients_new(size_t most, uint64_t patience_ns);
void clients_free(struct clients **clients);

/* A connection begins, on that descriptor; NULL without memory. It belongs to the clients until client_end(), before which
 * the descriptor must not be closed. */
struct client *client_begin(struct clients *clients, int fd);
void client_end(struct clients *clients, struct client *client);

/* Its request is there and is answered from now on; it is answered, and another one may come. A client of NULL is none. */
void client_answering(struct clients *clients, struct client *client);
void client_answered(struct clients *clients, struct client *client);

#endif
