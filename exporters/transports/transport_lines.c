/* SPDX-License-Identifier: Apache-2.0 */
#include "transport_lines.h"

#include "stream.h"

#include <stdlib.h>
#include <string.h>

struct lines {
    void *http; /* NULL: TCP */
    char *hosts[LINES_CHANNELS];
    struct stream *streams[LINES_CHANNELS];
};

/* --- Settings --- */

bool lines_is_tcp(const struct lines_settings *s)
{
    return backend_given(s->tcp[0]);
}

bool lines_sound(const struct lines_settings *s, struct buf *why)
{
    bool url = backend_given(s->http.url), tcp = lines_is_tcp(s);
    if (url && tcp) buf_str(why, "url and tcp exclude each other");
    if (!url && !tcp) buf_str(why, "url is missing (or tcp, for lines on a socket)");
    return url != tcp;
}

static const char *lines_address(const struct lines_settings *s, int channel)
{
    return backend_given(s->tcp[channel]) ? s->tcp[channel] : s->tcp[0];
}

/* --- The link --- */

static void lines_close(void **link)
{
    struct lines *l = *link;
    if (!l) return;
    if (l->http) transport_http.close(&l->http);
    for (int i = 0; i < LINES_CHANNELS; i++) {
        stream_free(&l->streams[i]);
        free(l->hosts[i]);
    }
    free(l);
    *link = NULL;
}

/* False without memory. */
static bool lines_open_channel(struct lines *l, const struct lines_settings *s, int channel)
{
    struct address a;
    l->hosts[channel] = address_parse(lines_address(s, channel), &a) ? strdup(a.host) : NULL;
    if (!l->hosts[channel]) return false;
    l->streams[channel] = stream_new(&(struct stream_options){.host = l->hosts[channel],
                                                              .port = a.port,
                                                              .timeout = s->http.timeout,
                                                              .connect_timeout = s->http.connect_timeout});
    return l->streams[channel] != NULL;
}

static bool lines_open_all(struct lines *l, const struct lines_settings *s, struct buf *why)
{
    if (!lines_is_tcp(s)) return (l->http = transport_http.open(s, why)) != NULL;
    bool good = true;
    for (int i = 0; i < LINES_CHANNELS && good; i++) good = lines_open_channel(l, s, i);
    if (!good) buf_str(why, "out of memory");
    return good;
}

static void *lines_open(const void *settings, struct buf *why)
{
    void *link = lines_sound(settings, why) ? backend_alloc(sizeof(struct lines), why) : NULL;
    if (link && !lines_open_all(link, settings, why)) lines_close(&link);
    return link;
}

/*
 * A receiver that closed an idle connection does not read what is written now, and reports nothing. So it is
 * first checked whether it has hung up, and the payload counts as sent only when the receiver's TCP has all
 * of it.
 */
static void lines_write(struct stream *stream, const struct payload *payload, struct answer *answer)
{
    size_t written = 0;
    bool good = stream_connect(stream, &answer->why) &&
                stream_write(stream, payload->body.data, payload->body.len, &written, &answer->why) &&
                stream_drain(stream, &answer->why);
    answer->outcome = good ? OUTCOME_SENT : OUTCOME_RETRY;
    answer->ambiguous = !good && written > 0;
}

static void lines_send(void *link, const struct payload *payload, struct answer *answer)
{
    struct lines *l = link;
    if (l->http)
        transport_http.send(l->http, payload, answer);
    else
        lines_write(l->streams[payload->channel], payload, answer);
}

static void lines_describe(const void *settings, const struct payload *payload, bool secrets,
                           struct route *route)
{
    const struct lines_settings *s = settings;
    if (!s || !lines_is_tcp(s)) {
        transport_http.describe(settings, payload, secrets, route);
        return;
    }
    route->way = "tcp";
    buf_str(&route->address, lines_address(s, payload->channel));
}

const struct transport transport_lines = {.name = "lines",
                                          .options = http_options,
                                          .open = lines_open,
                                          .send = lines_send,
                                          .describe = lines_describe,
                                          .check = http_check,
                                          .close = lines_close};
