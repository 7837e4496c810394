/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address.h - "host:port" and "[v6]:port" as text. Pure; nothing is looked up or resolved. Thread-safe.
 */
#ifndef EXPORTERS_ADDRESS_H
#define EXPORTERS_ADDRESS_H

#include "buf.h"

#include <stdint.h>

struct address {
    char host[256]; /* a name or an address, without brackets */
    uint16_t port;
};

/* False if the text is not a host and a port from 0 to 65535; *out is undefined then. */
bool address_parse(const char *text, struct address *out);

/* For option tables; false with the reason appended to `why`. A peer has a port other than 0. */
bool address_check_peer(const char *text, struct buf *why);
/* An address to listen on, port 0 being any free one, or "off". */
bool address_check_listen(const char *text, struct buf *why);

#endif
