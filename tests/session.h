/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.h - a backend by itself, without an exporter: what its session says to its service, and what it makes
 * of a snapshot.
 */
#ifndef METRICS_TESTS_SESSION_H
#define METRICS_TESTS_SESSION_H

#include "config_load.h"
#include "unit.h"
#include "view.h"

/* prepare() or done() of a session, through the test's sink; a session need not have one. It must succeed. */
static inline void session_talk(backend_talk_fn *fn, void *session, const struct view *view)
{
    struct answer answer = {.outcome = OUTCOME_DROP};
    if (!fn) return;
    fn(session, view->selection->settings, NULL, view, &answer);
    CHECK_EQ_I64(answer.outcome, OUTCOME_SENT);
    answer_free(&answer);
}

static inline const char *session_no_env(const char *name)
{
    (void)name;
    return NULL;
}

/* Appends the bodies that the first backend of a configuration makes of a whole snapshot, its first ever. */
static inline void session_encode(const metrics_snapshot_t *snapshot, const char *yaml, struct buf *out)
{
    struct payload payloads[PAYLOADS] = {{.points = 0}};
    struct buf why = {0};
    struct selection sel;
    struct view view;
    const metrics_snapshot_header_t *h = metrics_snapshot_header(snapshot);
    struct config *config = config_parse("test", yaml, strlen(yaml), session_no_env, &why);
    if (!config) UNIT_FAIL("%s\n", buf_text(&why));
    REQUIRE(config);
    const struct config_backend *b = config->backends;
    void *session = b->type->session ? b->type->session->open(b->settings, &why) : NULL;
    REQUIRE(selection_compile(&sel, b->type, b->settings, &config->tags));
    view_begin(&view, &sel, h->wall_ns, h->interval_ns);
    CHECK(view_add(&view, snapshot, NULL));
    b->type->encode(&(struct batch){.view = &view, .to = view.n, .settings = b->settings, .session = session},
                    payloads);
    for (int i = 0; i < PAYLOADS; i++) {
        buf_mem(out, buf_text(&payloads[i].body), payloads[i].body.len);
        payload_free(&payloads[i]);
    }
    if (session) b->type->session->close(&session);
    view_free(&view);
    selection_free(&sel);
    config_free(&config);
}

#endif
