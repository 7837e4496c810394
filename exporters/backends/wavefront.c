/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wavefront.c - Wavefront's session: the heartbeat, and the login at the cloud-services platform.
 */
#include "wavefront.h"

#include "clock.h"
#include "printable.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

bool wavefront_sound(const void *settings, struct buf *why)
{
    const struct wavefront_settings *s = settings;
    if (lines_is_tcp(&s->lines) && s->mode == WAVEFRONT_DIRECT) {
        buf_str(why, "tcp is for mode: proxy");
        return false;
    }
    if (!lines_sound(&s->lines, why)) return false;
    bool token = backend_given(s->token) || backend_given(s->csp_api_token) || backend_given(s->csp_app_id);
    if (token || s->mode == WAVEFRONT_PROXY) return true;
    buf_str(why, "token is missing (or csp_api_token, or csp_app_id and csp_app_secret)");
    return false;
}

#define BEAT            (UINT64_C(300) * CLOCK_SECOND)
#define LOGIN_LIMIT     (30 * CLOCK_SECOND)
#define LOGIN_LIFE_MOST 86400 /* s; a platform that says more has made a mistake */

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
    request->content_type = "application/x-www-form-urlencoded";
    if (backend_given(s->csp_api_token)) {
        buf_str(&request->path, "/csp/gateway/am/api/auth/api-tokens/authorize");
        buf_str(&request->body, "api_token=");
        http_escape(&request->body, s->csp_api_token);
        return;
    }
    buf_str(&request->path, "/csp/gateway/am/api/auth/authorize");
    buf_str(&request->body, "grant_type=client_credentials");
    if (backend_given(s->csp_org_id)) {
        buf_str(&request->body, "&orgId=");
        http_escape(&request->body, s->csp_org_id);
    }
    http_auth_basic(request, s->csp_app_id, s->csp_app_secret ? s->csp_app_secret : "");
}

/* The platform is another host than the service: a link of its own, for one request. */
static bool exchange(const struct wavefront_settings *s, const struct payload *request, struct answer *answer)
{
    struct http_settings there = s->lines.http;
    there.url = s->csp_url;
    there.compression = HTTP_PLAIN;
    there.timeout = LOGIN_LIMIT;
    void *link = transport_http.open(&there, &answer->why);
    answer->outcome = OUTCOME_RETRY;
    if (!link) return false;
    transport_http.send(link, request, answer);
    transport_http.close(&link);
    if (answer->outcome == OUTCOME_SENT) return true;
    answer->outcome = OUTCOME_RETRY; /* what is wrong with a login is not the points' fault */
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
    struct buf wrong = {0};
    if (token && printable_check(token, &wrong)) { /* it goes into a header */
        expire_session(w);
        w->bearer = strdup(token);
        /* It is renewed three minutes before it ends, or half a minute if it is short. */
        if (life > LOGIN_LIFE_MOST) life = LOGIN_LIFE_MOST;
        json_int_t early = life < 600 ? 30 : 180;
        w->renew_at = clock_mono(&clock_system) + (uint64_t)(life > early ? life - early : 1) * CLOCK_SECOND;
    } else if (good) {
        answer->outcome = OUTCOME_RETRY;
        buf_str(&answer->why, "the login's answer contains no valid access_token");
    }
    buf_free(&wrong);
    json_decref(root);
    payload_free(&request);
    return w->bearer != NULL;
}

static void prepare_session(void *session, const void *settings, void *link, const struct view *view,
                            struct answer *answer)
{
    struct wavefront *w = session;
    const struct wavefront_settings *s = settings;
    bool platform = backend_given(s->csp_api_token) || backend_given(s->csp_app_id);
    (void)link;
    if (backend_given(s->application)) {
        w->heartbeat_ns = view->wall_ns >= w->last_beat_ns + BEAT ? view->wall_ns : 0;
        if (w->heartbeat_ns) w->last_beat_ns = view->wall_ns;
    }
    bool fresh = w->bearer && clock_mono(&clock_system) < w->renew_at;
    if (platform && !fresh && !log_in(w, s, answer)) return;
    answer_free(answer);
    answer->outcome = OUTCOME_SENT;
}

void wavefront_auth(struct payload *payload, const struct wavefront_settings *s, const struct wavefront *w)
{
    const char *token = w->bearer ? w->bearer : s->token;
    if (backend_given(token)) http_auth_bearer(payload, token);
}

const struct backend_session wavefront_session = {
    .open = open_session, .prepare = prepare_session, .expire = expire_session, .close = close_session};
