/* SPDX-License-Identifier: Apache-2.0 */
/* span.c - spans: begun in the caller's memory, recorded at their end. */
#include <string.h>

#include "event.h"
#include "trace.h"

/* A child of that trace, or the first span of a new one. */
static void begin(metrics_span_t *span, metrics_spans_t *spans, const metrics_trace_t *parent)
{
    span->spans = spans;
    span->error = 0;
    span->start = metrics_now();
    if (parent && metrics__trace_is_set(parent)) {
        span->trace = *parent;
        memcpy(span->parent_id, parent->span_id, sizeof span->parent_id);
        metrics__trace_draw_span(&span->trace, span->start);
    } else {
        memset(span->parent_id, 0, sizeof span->parent_id);
        metrics__trace_draw(&span->trace, span->start);
    }
}

void metrics_span_begin(metrics_span_t *span, metrics_spans_t *spans)
{
    metrics_trace_current(&span->outer);
    begin(span, spans, &span->outer);
    span->apart = 0;
    metrics_trace_set(&span->trace);
}

void metrics_span_begin_under(metrics_span_t *span, metrics_spans_t *spans, const metrics_trace_t *parent)
{
    memset(&span->outer, 0, sizeof span->outer);
    begin(span, spans, parent);
    span->apart = 1;
}

/* Only from the span itself: whoever has set another trace meanwhile keeps it. */
void metrics_span_cancel(metrics_span_t *span)
{
    if (span->apart || memcmp(metrics__trace_here.span_id, span->trace.span_id, sizeof span->trace.span_id))
        return;
    metrics_trace_set(&span->outer);
}

static void record(metrics_spans_t *spans, uint64_t time, int error, const struct metrics__event_span *part,
                   const metrics_field_t *fields, size_t n, uint64_t began)
{
    metrics__event_put(&(struct metrics__event){.kind = &spans->kind,
                                                .time = time,
                                                .small = error != 0,
                                                .part = part,
                                                .fields = fields,
                                                .count = n,
                                                .began = began});
}

void metrics_span_end(metrics_span_t *span, const metrics_field_t *fields, size_t n)
{
    uint64_t duration = metrics_elapsed_ns(span->start);
    metrics_span_cancel(span);
    if (!(span->trace.flags & METRICS_TRACE_SAMPLED)) return;
    struct metrics__event_span part = {.duration = duration};
    memcpy(part.trace_id, span->trace.trace_id, sizeof part.trace_id);
    memcpy(part.span_id, span->trace.span_id, sizeof part.span_id);
    memcpy(part.parent_id, span->parent_id, sizeof part.parent_id);
    record(span->spans, metrics__event_time(&span->spans->kind, span->start), (int)span->error, &part, fields,
           n, span->start);
}

void metrics_span_record(metrics_spans_t *spans, const metrics_trace_t *trace, const uint8_t *parent_id,
                         uint64_t start_wall_ns, uint64_t duration_ns, int error,
                         const metrics_field_t *fields, size_t n)
{
    struct metrics__event_span part = {.duration = duration_ns};
    memcpy(part.trace_id, trace->trace_id, sizeof part.trace_id);
    memcpy(part.span_id, trace->span_id, sizeof part.span_id);
    if (parent_id) memcpy(part.parent_id, parent_id, sizeof part.parent_id);
    record(spans, metrics__event_time_of_wall(&spans->kind, start_wall_ns), error, &part, fields, n, 0);
}

METRICS__EVENT_FRONT_END(spans, EVENT_SPAN)
