/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - what a backend's session says to its service beside the requests of an interval. */
#ifndef METRICS_TESTS_SESSION_H
#define METRICS_TESTS_SESSION_H

#include "backend.h"
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

#endif
