/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis.h - commands to a Redis server: hiredis writes and reads the protocol (RESP), stream.h carries it, so
 * TLS, Unix sockets and time limits are those of every other backend.
 * https://redis.io/docs/reference/protocol-spec/
 */
#ifndef EXPORTERS_REDIS_H
#define EXPORTERS_REDIS_H

#include "backend.h"

/* A backend that speaks to Redis begins its settings with this. */
struct redis_settings {
    struct backend_common common;
    char *host, *user, *password, *ca_file, *client_cert, *client_key, *unix_socket;
    int64_t port, db;
    bool tls;
    uint64_t timeout, connect_timeout;
};
extern const struct option redis_options[];

struct redis;

/* Not connected yet; the settings must outlive it. NULL without memory. */
struct redis *redis_new(const struct redis_settings *settings);
void redis_free(struct redis **redis);

/* For struct transport: where a payload of commands goes. */
void redis_describe(const void *settings, const struct payload *payload, bool secrets, struct route *route);

/* Appends a command of so many words. */
void redis_command(struct buf *out, size_t n, const char *const *words, const size_t *lengths);

/*
 * Sends commands and reads as many replies; connects, and logs in, if need be. Nothing may be left unread. On
 * OUTCOME_SENT the last reply stands in *number if it is an integer, in *numbers (n of them) if it is an
 * array of integers. Errors of the server are told in answer->why: OUTCOME_RETRY, as is trouble with the
 * connection.
 */
void redis_exchange(struct redis *redis, const struct buf *commands, size_t replies, int64_t *numbers,
                    size_t n, struct answer *answer);

#endif
