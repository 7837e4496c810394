/* SPDX-License-Identifier: Apache-2.0 */
/* trace.h - the trace that a thread is in, and new ids. */
#ifndef METRICS_REGISTRY_TRACE_H
#define METRICS_REGISTRY_TRACE_H

#include <stdbool.h>

#include <mtx/events.h>

/* Initial-exec, because the default model costs a call. reserved[0] = 1: it is whole. */
extern __thread metrics_trace_t metrics__trace_here __attribute__((tls_model("initial-exec")));

/* [S] Is this thread in a trace whose spans are recorded? One load. */
static inline bool metrics__trace_is_sampled(void)
{
    return __builtin_expect(metrics__trace_here.flags & METRICS_TRACE_SAMPLED, 0);
}

/* [S] *trace has ids? */
bool metrics__trace_is_set(const metrics_trace_t *trace);

/*
 * [S] A new span id, not 0. `salt` is a clock: a handler that interrupts the generator may be given the same random
 * number, but not at the same time.
 */
void metrics__trace_draw_span(metrics_trace_t *trace, uint64_t salt);
/* [S] The same, with a trace id and flags. */
void metrics__trace_draw(metrics_trace_t *trace, uint64_t salt);

#endif
