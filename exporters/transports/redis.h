/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis.h - commands to a Redis server: hiredis writes and reads the protocol (RESP), stream.h carries it, so
 * TLS, Unix sockets and time limits are those of every other backend.
 * https://redis.io/docs/reference/protocol-spec/
 *
 * Not thread-safe: one thread at a time for each struct redis.
 */
#ifndef EXPORTERS_REDIS_H
#define EXPORTERS_REDIS_H

#include "backend.h"

/* The settings struct of a backend that speaks to Redis begins with this one. */
struct redis_settings {
    struct backend_common common;
    char *host, *user, *password, *ca_file, *client_cert, *client_key, *unix_socket;
    int64_t port, db;
    bool tls;
    uint64_t timeout, connect_timeout; /* ns */
};
extern const struct option redis_options[];

struct redis;

/* Makes a client, not connected yet, which redis_free() gives back. The settings must outlive it. NULL
 * without memory. */
struct redis *redis_new(const struct redis_settings *settings);

/* Closes the connection and frees the client; *redis becomes NULL. */
void redis_free(struct redis **redis);

/* The describe() of transports to Redis; see struct transport. Pure. */
void redis_describe(const void *settings, const struct payload *payload, bool secrets, struct route *route);

/* Their check(). */
bool redis_check(const void *settings, struct buf *why);

/* Appends a command of n words; lengths may be NULL for words that end with a NUL. Pure. */
void redis_command(struct buf *out, size_t n, const char *const *words, const size_t *lengths);

/*
 * Sends commands and reads as many replies, within the timeout; connects, and logs in, if need be. `replies`
 * must be the number of commands. OUTCOME_SENT: the integers of the last reply are in numbers[0] to numbers[n
 * - 1], the only one or those of an array, -1 for what is not an integer. OUTCOME_RETRY, with the reason: an
 * error of the server, or trouble with the connection.
 */
void redis_exchange(struct redis *redis, const struct buf *commands, size_t replies, int64_t *numbers,
                    size_t n, struct answer *answer);

/* Where the texts of replies go: each is called for every text, in order, that of arrays in arrays included; an
 * integer is its digits, what is not there is NULL. */
struct redis_texts {
    void (*each)(void *arg, const char *text, size_t n);
    void *arg;
};

/* The same for somebody who wants the replies themselves, and more of them: up to 64 MiB. After an error some texts may
 * have been given. */
void redis_ask(struct redis *redis, const struct buf *commands, size_t replies,
               const struct redis_texts *texts, struct answer *answer);

#endif
