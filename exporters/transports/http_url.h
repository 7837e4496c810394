/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_url.h - URLs as people may see them, and text of a service without the secrets of its request.
 *
 * Pure. Thread-safe, but a buffer belongs to one thread at a time.
 */
#ifndef EXPORTERS_HTTP_URL_H
#define EXPORTERS_HTTP_URL_H

#include "buf.h"

/* Appends a URL, or a proxy's host:port, with *** in place of a user and password, of each value of its query
 * and of its fragment. */
void http_show_url(const char *url, struct buf *out);

/* Puts asterisks over what a text repeats of the request's secret lines ("Authorization: Bearer TOKEN",
 * "?token=TOKEN"): services quote what they were asked. A value of fewer than 8 bytes is left. */
void http_hide(struct buf *text, const char *secrets);

#endif
