/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h - a connection that carries bytes, by libcurl (CONNECT_ONLY): names, IPv6, TLS, proxies and Unix
 * sockets as for HTTP, but what goes through is ours. One thread at a time.
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
    uint64_t timeout, connect_timeout;                            /* nanoseconds */
};

struct stream;

/* Not connected yet. The options' strings must outlive it. NULL without memory. */
struct stream *stream_new(const struct stream_options *options);
void stream_free(struct stream **stream);

/* True if there is a connection and the other side has not hung up. What it said unasked in between is an
 * error of the protocol and closes it, too. */
bool stream_is_open(struct stream *stream);

/* Makes a connection, if there is none that still stands. False, with the reason. */
bool stream_connect(struct stream *stream, struct buf *why);

void stream_close(struct stream *stream);

/* All of it, within the timeout. False, with the reason; the connection is closed then, and *written says how
 * much had gone. */
bool stream_write(struct stream *stream, const void *data, size_t n, size_t *written, struct buf *why);

/* Waits until the other side's TCP has all that was written. False as above. */
bool stream_drain(struct stream *stream, struct buf *why);

/* What has come, at least one byte, at most n. 0, with the reason, if nothing came until then (monotonic
 * time) or the other side hung up; the connection is closed then. */
size_t stream_read(struct stream *stream, void *data, size_t n, uint64_t until, struct buf *why);

/* When an exchange that begins now has to be over: the timeout. */
uint64_t stream_deadline(const struct stream *stream);

#endif
