/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_lines.h - lines of text over TCP, to services that answer nothing; or over HTTP, if a url is
 * given in place of an address.
 *
 * The settings struct of a backend that uses it begins with struct lines_settings, and its rows with
 * LINES_URL and LINES_TCP. A backend whose payloads go to several addresses numbers them by payload.channel.
 * A body goes out as it is: its last line has to end with a newline.
 *
 * The functions of this header are pure. A link: not thread-safe: one thread at a time.
 */
#ifndef EXPORTERS_TRANSPORT_LINES_H
#define EXPORTERS_TRANSPORT_LINES_H

#include "address.h"
#include "transport_http.h"

enum { LINES_CHANNELS = 3 };

struct lines_settings {
    struct http_settings http; /* its time limits are those of TCP, too */
    char *tcp[LINES_CHANNELS]; /* host:port of each channel; an empty one is that of channel 0 */
};

/* Row for the url, which need not be given. */
#define LINES_URL(HELP)                                                                \
    {                                                                                  \
        .name = "url", .type = OPTION_STRING, OPTION_FIELD(struct http_settings, url), \
        .check = http_check_url, .show = http_show_url, .help = (HELP)                 \
    }
/* Row for the address of a channel. */
#define LINES_TCP(NAME, CHANNEL, HELP)                                                            \
    {                                                                                             \
        .name = (NAME), .type = OPTION_STRING, OPTION_FIELD(struct lines_settings, tcp[CHANNEL]), \
        .check = address_check_peer, .help = (HELP)                                               \
    }

/* True if the lines go over TCP. */
bool lines_is_tcp(const struct lines_settings *settings);

/* True if there is one way: either tcp or url; false with the reason. */
bool lines_sound(const struct lines_settings *settings, struct buf *why);

extern const struct transport transport_lines;

#endif
