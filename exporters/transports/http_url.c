/* SPDX-License-Identifier: Apache-2.0 */
#include "http_url.h"

#include <string.h>

enum { HTTP_HIDDEN_LEAST = 8 };

/* Where the host begins. A password may hold any character, so the last @ before the query ends it. */
static const char *url_host(const char *url)
{
    const char *scheme = strstr(url, "://"), *from = scheme ? scheme + 3 : url;
    const char *at = memrchr(from, '@', strcspn(from, "?#"));
    return at ? at + 1 : from;
}

void http_show_url(const char *url, struct buf *out)
{
    const char *scheme = strstr(url, "://"), *host = url_host(url);
    size_t n = strcspn(host, "?#");
    if (scheme && scheme < host) buf_mem(out, url, (size_t)(scheme + 3 - url));
    if (host > url && host[-1] == '@') buf_str(out, "***@");
    buf_mem(out, host, n);
    for (const char *part = host + n; *part; part += n) {
        n = 1 + strcspn(part + 1, "&#");
        const char *equals = memchr(part, '=', n);
        buf_mem(out, part, equals && *part != '#' ? (size_t)(equals + 1 - part) : 1);
        buf_str(out, "***");
    }
}

static void hide_value(struct buf *text, const char *value, size_t n)
{
    char *at = text->data, *end = at + text->len;
    while (n >= HTTP_HIDDEN_LEAST && at && (at = memmem(at, (size_t)(end - at), value, n))) {
        memset(at, '*', n);
        at += n;
    }
}

void http_hide(struct buf *text, const char *secrets)
{
    for (const char *line = secrets; *line;) {
        size_t n = strcspn(line, "\n");
        const char *value = memrchr(line, line[0] == '?' ? '=' : ' ', n);
        if (value && text->len) hide_value(text, value + 1, (size_t)(line + n - value - 1));
        line += n + (line[n] == '\n');
    }
}
