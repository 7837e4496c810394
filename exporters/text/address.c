/* SPDX-License-Identifier: Apache-2.0 */
#include "address.h"

#include <stdlib.h>
#include <string.h>

bool address_parse(const char *text, struct address *out)
{
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
    if (!n || n >= sizeof out->host || !digits || digits > 5 || colon[1 + digits]) return false;
    unsigned long port = strtoul(colon + 1, NULL, 10);
    bool bracketed = text[0] == '[' && text[n - 1] == ']';
    if (port > UINT16_MAX || n == 2 * (size_t)bracketed) return false;
    memcpy(out->host, text + bracketed, n - 2 * bracketed);
    out->host[n - 2 * bracketed] = '\0';
    out->port = (uint16_t)port;
    return true;
}

bool address_check_peer(const char *text, struct buf *why)
{
    struct address a;
    if (address_parse(text, &a) && a.port) return true;
    buf_printf(why, "\"%s\" is not an address such as proxy:2878", text);
    return false;
}

bool address_check_listen(const char *text, struct buf *why)
{
    struct address a;
    if (!strcmp(text, "off") || address_parse(text, &a)) return true;
    buf_printf(why, "\"%s\" is not an address such as 127.0.0.1:9464 or [::1]:9464", text);
    return false;
}
