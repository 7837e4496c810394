/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h - a connection that carries bytes, by libcurl (CONNECT_ONLY): names, IPv6, TLS and Unix sockets as
 * for HTTP, but the bytes are ours. Proxies, which are for HTTP, are not used.
 *
 * Not thread-safe: one thread at a time for each stream.
 */
#ifndef EXPORTERS_STREAM_H
#define EXPORTERS_STREAM_H

#include <stdbool.h>

#include "buf.h"

struct stream_options {
    const char *host; /* a name, an address, or one in brackets */
    int64_t port;
    bool tls;
    const char *ca_file, *client_cert, *client_key, *unix_socket; /* NULL: none */
    uint64_t timeout, connect_timeout;                            /* ns */
};

struct stream;

/* Makes a stream, not connected yet, which stream_free() gives back. The options' strings must outlive it.
 * NULL without memory. */
struct stream *stream_new(const struct stream_options *options);

/* Closes the connection and frees the stream; *stream becomes NULL. */
void stream_free(struct stream **stream);

/* True if there is a connection and the other side has not hung up. If it sent something that nobody asked
 * for, that is an error of the protocol: the connection is closed. */
bool stream_is_open(struct stream *stream);

/* Makes a connection unless there is one, within the connect timeout. False, with the reason. */
bool stream_connect(struct stream *stream, struct buf *why);

/* Closes the connection, if there is one. */
void stream_close(struct stream *stream);

/* Writes n bytes, within the timeout; *written says how many were written. False, with the reason, if not all
 * were; the connection is closed then. */
bool stream_write(struct stream *stream, const void *data, size_t n, size_t *written, struct buf *why);

/* Waits, within the timeout, until the other side's TCP has all that was written. False as above. */
bool stream_drain(struct stream *stream, struct buf *why);

/* Reads what has come, at least one byte, at most n, and returns how many. 0, with the reason, if nothing
 * came before `until` (monotonic time in ns) or the other side hung up; the connection is closed then. */
size_t stream_read(struct stream *stream, void *data, size_t n, uint64_t until, struct buf *why);

/* When an exchange that begins now has to be over: now + timeout, monotonic time in ns. */
uint64_t stream_deadline(const struct stream *stream);

#endif
