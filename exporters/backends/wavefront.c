/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wavefront.c - the ways to Wavefront: HTTP, or lines on a socket to a proxy, which answers nothing; and the
 * login at the cloud-services platform.
 */
#include "wavefront.h"

#include "address.h"
#include "base64.h"
#include "clock.h"
#include "stream.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* --- The link --- */

struct link {
    void *http;
    char *hosts[PAYLOADS];
    struct stream *streams[PAYLOADS]; /* lines; NULL: HTTP */
};

static void link_close(void **arg)
{
    struct link *l = *arg;
    if (!l) return;
    if (l->http) transport_http.close(&l->http);
    for (int i = 0; i < PAYLOADS; i++) {
        stream_free(&l->streams[i]);
        free(l->hosts[i]);
    }
    free(l);
    *arg = NULL;
}

static bool open_stream(struct link *l, int which, const char *address, const struct http_settings *s)
{
    struct address a;
    l->hosts[which] = address_parse(address, &a) ? strdup(a.host) : NULL;
    if (!l->hosts[which]) return false;
    l->streams[which] = stream_new(&(struct stream_options){.host = l->hosts[which],
                                                            .port = a.port,
                                                            .timeout = s->timeout,
                                                            .connect_timeout = s->connect_timeout});
    return l->streams[which] != NULL;
}

bool wavefront_sound(const void *settings, struct buf *why)
{
    const struct wavefront_settings *s = settings;
    bool tcp = s->tcp && *s->tcp, url = s->http.url && *s->http.url;
    bool token = (s->token && *s->token) || (s->csp_api_token && *s->csp_api_token) ||
                 (s->csp_app_id && *s->csp_app_id);
    if (tcp && s->mode == WAVEFRONT_DIRECT)
        buf_str(why, "tcp is for mode: proxy");
    else if (tcp == url)
        buf_str(why,
                tcp ? "url and tcp exclude each other" : "url is missing (or tcp, for lines to a proxy)");
    else if (s->mode == WAVEFRONT_DIRECT && !token)
        buf_str(why, "token is missing (or csp_api_token, or csp_app_id and csp_app_secret)");
    else
        return true;
    return false;
}

/* Lines go to one address, those of distributions perhaps to another. */
static const char *line_address(const struct wavefront_settings *s, bool distributions)
{
    bool other = distributions && s->tcp_distributions && *s->tcp_distributions;
    return other ? s->tcp_distributions : s->tcp;
}

static bool is_of_distributions(const struct payload *payload)
{
    return strstr(buf_text(&payload->path), "f=histogram") != NULL;
}

static void *link_open(const void *settings, struct buf *why)
{
    const struct wavefront_settings *s = settings;
    if (!wavefront_sound(settings, why)) return NULL;
    void *arg = calloc(1, sizeof(struct link));
    struct link *l = arg;
    bool good = l != NULL;
    if (good && s->tcp && *s->tcp) {
        good = open_stream(l, 0, line_address(s, false), &s->http) &&
               open_stream(l, 1, line_address(s, true), &s->http);
    } else if (good) {
        l->http = transport_http.open(settings, why);
        good = l->http != NULL;
    }
    if (good) return arg;
    if (!why->len) buf_str(why, "out of memory");
    link_close(&arg);
    return NULL;
}

/*
 * A proxy that closed an idle connection has not read what is written now, and nobody would be told: so a
 * hang-up is looked for first, and the payload counts as sent only when the proxy's TCP has all of it.
 */
static void send_lines(struct stream *stream, const struct payload *payload, struct answer *answer)
{
    size_t written = 0;
    bool good = stream_connect(stream, &answer->why) &&
                stream_write(stream, payload->body.data, payload->body.len, &written, &answer->why) &&
                stream_drain(stream, &answer->why);
    answer->outcome = good ? OUTCOME_SENT : OUTCOME_RETRY;
    answer->ambiguous = !good && written > 0;
}

static void link_send(void *arg, const struct payload *payload, struct answer *answer)
{
    struct link *l = arg;
    if (l->http)
        transport_http.send(l->http, payload, answer);
    else
        send_lines(l->streams[is_of_distributions(payload)], payload, answer);
}

static void link_describe(const void *settings, const struct payload *payload, bool secrets,
                          struct route *route)
{
    const struct wavefront_settings *s = settings;
    if (!s->tcp || !*s->tcp) {
        transport_http.describe(settings, payload, secrets, route);
        return;
    }
    route->way = "tcp";
    buf_str(&route->address, line_address(s, is_of_distributions(payload)));
}

const struct transport transport_wavefront = {.name = "wavefront",
                                              .options = http_options,
                                              .open = link_open,
                                              .send = link_send,
                                              .describe = link_describe,
                                              .close = link_close};

/* --- The session --- */

#define BEAT        (UINT64_C(300) * CLOCK_SECOND)
#define LOGIN_LIMIT (30 * CLOCK_SECOND)

static void *open_session(const void *settings, struct buf *why)
{
    struct wavefront *w = backend_alloc(sizeof *w, why);
    (void)settings;
    if (w) host_name(w->host);
    return w;
}

static void expire_session(void *session)
{
    struct wavefront *w = session;
    free(w->bearer);
    w->bearer = NULL;
}

static void close_session(void **session)
{
    expire_session(*session);
    backend_free(session);
}

static void login_request(const struct wavefront_settings *s, struct payload *request)
{
    struct buf pair = {0};
    request->content_type = "application/x-www-form-urlencoded";
    if (s->csp_api_token && *s->csp_api_token) {
        buf_str(&request->path, "/csp/gateway/am/api/auth/api-tokens/authorize");
        buf_str(&request->body, "api_token=");
        http_escape(&request->body, s->csp_api_token);
        return;
    }
    buf_str(&request->path, "/csp/gateway/am/api/auth/authorize");
    buf_str(&request->body, "grant_type=client_credentials");
    if (s->csp_org_id && *s->csp_org_id) {
        buf_str(&request->body, "&orgId=");
        http_escape(&request->body, s->csp_org_id);
    }
    buf_printf(&pair, "%s:%s", s->csp_app_id, s->csp_app_secret ? s->csp_app_secret : "");
    buf_str(&request->secret, "Authorization: Basic ");
    base64(&request->secret, pair.data, pair.len);
    buf_char(&request->secret, '\n');
    buf_free(&pair);
}

/* The platform is another host than the service: a link of its own, for one request. */
static bool exchange(const struct wavefront_settings *s, const struct payload *request, struct answer *answer)
{
    struct http_settings there = s->http;
    there.url = s->csp_url;
    there.compression = HTTP_PLAIN;
    there.timeout = LOGIN_LIMIT;
    void *link = transport_http.open(&there, &answer->why);
    answer->outcome = OUTCOME_RETRY;
    if (!link) return false;
    transport_http.send(link, request, answer);
    transport_http.close(&link);
    if (answer->outcome == OUTCOME_SENT) return true;
    answer->outcome = OUTCOME_RETRY; /* whatever is wrong with a login, no number is to blame */
    return false;
}

static bool log_in(struct wavefront *w, const struct wavefront_settings *s, struct answer *answer)
{
    struct payload request = {.points = 0};
    login_request(s, &request);
    bool good = exchange(s, &request, answer);
    json_t *root =
        good ? json_loadb(buf_text(&answer->response.body), answer->response.body.len, 0, NULL) : NULL;
    const char *token = json_string_value(json_object_get(root, "access_token"));
    json_int_t life = json_integer_value(json_object_get(root, "expires_in"));
    if (token) {
        expire_session(w);
        w->bearer = strdup(token);
        /* Once before it ends: three minutes, or half a minute for a short one. */
        json_int_t early = life < 600 ? 30 : 180;
        w->renew_at = clock_mono(&clock_system) + (uint64_t)(life > early ? life - early : 1) * CLOCK_SECOND;
    } else if (good) {
        answer->outcome = OUTCOME_RETRY;
        buf_str(&answer->why, "the login's answer holds no access_token");
    }
    json_decref(root);
    payload_free(&request);
    return w->bearer != NULL;
}

static void prepare_session(void *session, const void *settings, void *link, const struct view *view,
                            struct answer *answer)
{
    struct wavefront *w = session;
    const struct wavefront_settings *s = settings;
    bool platform = (s->csp_api_token && *s->csp_api_token) || (s->csp_app_id && *s->csp_app_id);
    (void)link;
    if (s->application && *s->application) {
        w->heartbeat_ns = view->wall_ns >= w->last_beat_ns + BEAT ? view->wall_ns : 0;
        if (w->heartbeat_ns) w->last_beat_ns = view->wall_ns;
    }
    bool fresh = w->bearer && clock_mono(&clock_system) < w->renew_at;
    if (platform && !fresh && !log_in(w, s, answer)) return;
    answer_free(answer);
    answer->outcome = OUTCOME_SENT;
}

const struct backend_session wavefront_session = {
    .open = open_session, .prepare = prepare_session, .expire = expire_session, .close = close_session};
