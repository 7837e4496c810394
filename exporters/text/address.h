/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address.h - "host:port" and "[v6]:port" as text. Nothing is looked up or resolved.
 *
 * Pure. Thread-safe.
 */
#ifndef EXPORTERS_ADDRESS_H
#define EXPORTERS_ADDRESS_H

#include "buf.h"

#include <stdint.h>

struct address {
    char host[256]; /* a name or an address, without brackets */
    uint16_t port;
};

/* Splits `text`. False if it is not a host and a port from 0 to 65535; *out is undefined then. */
bool address_parse(const char *text, struct address *out);

/* The `check` of an option that names a peer: host and port, the port not 0. False, with the reason appended
 * to `why`, for anything else. */
bool address_check_peer(const char *text, struct buf *why);

/* The same for an option that names an address to listen on:
 * host and port, where port 0 is any free one; or "off". */
bool address_check_listen(const char *text, struct buf *why);

#endif
