/* SPDX-License-Identifier: Apache-2.0 */
/*
 * <mtx/events.h> - record events from any process: spans, log lines, annotations, points with a time of their own.
 *
 *     #include <mtx/events.h>
 *
 *     metrics_spans_t *checkout = metrics_spans(registry, "checkout", "service", "shop");
 *     metrics_logger_t *log = metrics_logger(registry, "shop");
 *
 *     metrics_span_start(checkout);
 *     metrics_log(log, METRICS_LOG_INFO, "order %d from %s", id, city);
 *     metrics_span_stop(checkout, metrics_field_text("city", city), metrics_field_int("items", n));
 *
 * An event is not aggregated: each goes to the backends as it is. Names and constant tags are registered once, like a
 * series; what an event itself says is copied into a ring of the segment, from which mtx-exporter takes it a moment
 * later. There is a ring per CPU, so processes do not wait for each other. When a ring is full, because no exporter
 * runs or it does not keep up, events are dropped, and counted (docs/events.md).
 *
 * The promises, the words about safety and the rules for names are those of <mtx/metrics.h>. In particular: everything
 * that does not register or open is async-signal-safe, never waits, never allocates memory and leaves errno alone. It
 * takes as much stack as the event is long, and 1 KiB. It makes no system call, but in a thread without a CPU's ring (no
 * restartable sequences), which blocks its signals for a moment and, the first time, claims a process slot.
 *
 * Texts of events are UTF-8; bytes that are not are shown as '?'. A NULL text counts as "". An event may have
 * METRICS_FIELDS_MAX fields and about 32 KiB (half of what `event_bytes` of metrics_open() gives a ring, 64 KiB at
 * most). The message of a log line is cut to that; other events that are longer are dropped and counted.
 *
 * -DMETRICS_OFF compiles every call away.
 */
#ifndef MTX_EVENTS_H
#define MTX_EVENTS_H

#include <stdarg.h>

#include <mtx/metrics.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define METRICS_FIELDS_MAX 64

typedef struct metrics_annotations metrics_annotations_t; /* a stream of annotations */
typedef struct metrics_spans metrics_spans_t;             /* spans of one name */
typedef struct metrics_logger metrics_logger_t;           /* log lines of one service */
typedef struct metrics_points metrics_points_t;           /* points of one name */

/* --- Kinds: find or create --- */

/*
 * metrics_spans(registry, name, "key", "value", ...): the kind of event of that name and those constant tags, created
 * if new. Rules, errors and ownership are those of metrics_counter(); without room, or with too many kinds
 * (family_series of each class), the result is a no-op. The first one of a segment allocates the rings.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
#define metrics_annotations(REGISTRY, ...) METRICS__LIST(metrics_annotations_v, REGISTRY, __VA_ARGS__)
#define metrics_spans(REGISTRY, ...)       METRICS__LIST(metrics_spans_v, REGISTRY, __VA_ARGS__)
#define metrics_logger(REGISTRY, ...)      METRICS__LIST(metrics_logger_v, REGISTRY, __VA_ARGS__)
#define metrics_points(REGISTRY, ...)      METRICS__LIST(metrics_points_v, REGISTRY, __VA_ARGS__)

#ifdef METRICS_OFF
METRICS__OFF(annotations)
METRICS__OFF(spans)
METRICS__OFF(logger)
METRICS__OFF(points)
#else
metrics_annotations_t *metrics_annotations_v(metrics_registry_t *, const char *const *name_tags, size_t n);
metrics_spans_t *metrics_spans_v(metrics_registry_t *, const char *const *name_tags, size_t n);
metrics_logger_t *metrics_logger_v(metrics_registry_t *, const char *const *name_tags, size_t n);
metrics_points_t *metrics_points_v(metrics_registry_t *, const char *const *name_tags, size_t n);
#endif

/* --- Trace context (W3C Trace Context) --- */

enum { METRICS_TRACE_SAMPLED = 1 }; /* the flag: spans of this trace are recorded */

typedef struct metrics_trace {
    uint8_t trace_id[16], span_id[8]; /* all zeros: no trace */
    uint8_t flags;
    uint8_t reserved[7];
} metrics_trace_t;

/* Room for a traceparent header's value, and its '\0'. */
enum { METRICS_TRACEPARENT_SIZE = 56 };

#ifndef METRICS_OFF

/*
 * The trace that this thread is in, and setting it: for programs with a tracer of their own, and for a request that
 * another thread began. metrics_span_start() makes its span the current one, metrics_span_stop() goes back. NULL: none.
 * *out is all zeros if there is none.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
void metrics_trace_current(metrics_trace_t *out);
void metrics_trace_set(const metrics_trace_t *trace);

/*
 * A new trace: random ids, without a system call, and the flag METRICS_TRACE_SAMPLED in as many of the traces as
 * metrics_trace_rate() says (default 1: all). The rate is of this process.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
void metrics_trace_new(metrics_trace_t *out);
void metrics_trace_rate(double rate);

/*
 * From and to the value of a traceparent header. parse returns 0, or -1 if it is not valid; *out is all zeros then.
 * Values of later versions are read as the recommendation says. format writes METRICS_TRACEPARENT_SIZE bytes and
 * returns buf.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
int metrics_traceparent_parse(const char *value, metrics_trace_t *out);
char *metrics_traceparent_format(const metrics_trace_t *trace, char *buf);

#endif

/* --- Fields --- */

enum metrics_field_type {
    METRICS_FIELD_TEXT,
    METRICS_FIELD_INT,
    METRICS_FIELD_DOUBLE,
    METRICS_FIELD_BOOL,
    METRICS_FIELD_LINK,    /* annotations: key = relation, text = address */
    METRICS_FIELD_PARENT,  /* spans: one more parent */
    METRICS_FIELD_FOLLOWS, /* spans: a span that this one follows from */
    METRICS_FIELD_MOMENT,  /* spans: a line of the span's log */
};

/* What an event has besides what every one of its kind has. All that it leads to stays the caller's. */
typedef struct metrics_field {
    const char *key;
    enum metrics_field_type type;
    uint64_t at; /* METRICS_FIELD_MOMENT: when, a reading of metrics_now() */
    union {
        const char *text;
        int64_t i;
        double f;
        const metrics_trace_t *trace;
    } value;
} metrics_field_t;

/*
 * Fields, to be given to the calls below.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
static inline metrics_field_t metrics_field_text(const char *key, const char *text)
{
    metrics_field_t f = {key, METRICS_FIELD_TEXT, 0, {text}};
    return f;
}
static inline metrics_field_t metrics_field_int(const char *key, int64_t value)
{
    metrics_field_t f = metrics_field_text(key, (const char *)0);
    f.type = METRICS_FIELD_INT;
    f.value.i = value;
    return f;
}
static inline metrics_field_t metrics_field_double(const char *key, double value)
{
    metrics_field_t f = metrics_field_text(key, (const char *)0);
    f.type = METRICS_FIELD_DOUBLE;
    f.value.f = value;
    return f;
}
static inline metrics_field_t metrics_field_bool(const char *key, int value)
{
    metrics_field_t f = metrics_field_int(key, value != 0);
    f.type = METRICS_FIELD_BOOL;
    return f;
}
/* A link of an annotation: what the address is to it ("details"), and the address. */
static inline metrics_field_t metrics_field_link(const char *relation, const char *address)
{
    metrics_field_t f = metrics_field_text(relation, address);
    f.type = METRICS_FIELD_LINK;
    return f;
}
/* Another span to which this one belongs, or which it follows. */
static inline metrics_field_t metrics_field_parent(const metrics_trace_t *trace)
{
    metrics_field_t f = {(const char *)0, METRICS_FIELD_PARENT, 0, {(const char *)0}};
    f.value.trace = trace;
    return f;
}
static inline metrics_field_t metrics_field_follows(const metrics_trace_t *trace)
{
    metrics_field_t f = metrics_field_parent(trace);
    f.type = METRICS_FIELD_FOLLOWS;
    return f;
}
/* A line of the span's log: at = metrics_now() when it happened. */
static inline metrics_field_t metrics_field_moment(uint64_t at, const char *key, const char *text)
{
    metrics_field_t f = metrics_field_text(key, text);
    f.type = METRICS_FIELD_MOMENT;
    f.at = at;
    return f;
}

/* --- Spans --- */

/* A span that runs: the caller's memory. Hand `trace` on to those who work for it. */
typedef struct metrics_span {
    metrics_spans_t *spans;
    metrics_trace_t trace; /* its own ids */
    metrics_trace_t outer; /* the thread's trace before it */
    uint8_t parent_id[8];
    uint64_t start; /* metrics_now() */
    uint32_t error; /* 1 = it failed */
    uint32_t apart; /* 1 = it is not the thread's current one */
} metrics_span_t;

#ifndef METRICS_OFF

/*
 * begin makes *span a child of the thread's current trace, or a new trace, and the current one. begin_under makes it a
 * child of *parent (NULL: a new trace) and leaves the thread's trace alone: for programs whose requests change
 * threads. end records it, with its fields; with cancel nothing is recorded. Both go back to the trace that was current
 * before; ended out of turn, spans do not disturb each other. An unsampled trace's spans have ids, but are not recorded.
 * Between begin and end there must be no fork whose child also ends the span.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
void metrics_span_begin(metrics_span_t *span, metrics_spans_t *spans);
void metrics_span_begin_under(metrics_span_t *span, metrics_spans_t *spans, const metrics_trace_t *parent);
void metrics_span_end(metrics_span_t *span, const metrics_field_t *fields, size_t n);
void metrics_span_cancel(metrics_span_t *span);

/*
 * Record a span that is over, with ids and times of its own: start in ns since 1970, duration in ns. Its `trace_id`,
 * `span_id` are those of *trace, whatever its flags; parent_id may be NULL.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
void metrics_span_record(metrics_spans_t *spans, const metrics_trace_t *trace, const uint8_t *parent_id,
                         uint64_t start_wall_ns, uint64_t duration_ns, int error,
                         const metrics_field_t *fields, size_t n);

/*
 * The same as begin and end, for a variable S that holds the handle; start declares a local named after it.
 *     metrics_span_start(checkout);
 *     ... metrics_span_fail(checkout); ... metrics_span_trace(checkout) ...
 *     metrics_span_stop(checkout);         or with fields: metrics_span_stop(checkout, metrics_field_text(...), ...)
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
#define metrics_span_start(S)         \
    metrics_span_t metrics__span_##S; \
    metrics_span_begin(&metrics__span_##S, (S))
#define metrics_span_trace(S)  (&metrics__span_##S.trace)
#define metrics_span_fail(S)   ((void)(metrics__span_##S.error = 1))
#define metrics_span_stop(...) METRICS__SPAN_STOP(__VA_ARGS__, metrics_field_int((const char *)0, 0))
#ifdef __cplusplus
#define METRICS__SPAN_STOP(S, ...) metrics__span_stop(&metrics__span_##S, __VA_ARGS__)
extern "C++" {
/* The last field is there so that the list is never empty. */
template <typename... T> inline void metrics__span_stop(metrics_span_t *span, T... fields)
{
    const metrics_field_t list[] = {fields...};
    metrics_span_end(span, list, sizeof...(fields) - 1);
}
}
#else
#define METRICS__SPAN_STOP(S, ...)                                               \
    metrics_span_end(&metrics__span_##S, (const metrics_field_t[]){__VA_ARGS__}, \
                     sizeof((const metrics_field_t[]){__VA_ARGS__}) / sizeof(metrics_field_t) - 1)
#endif

/*
 * A span for the rest of the enclosing scope, however it is left.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
#define METRICS_SPAN_SCOPE(S)     METRICS__SPAN_SCOPE(S, __COUNTER__)
#define METRICS__SPAN_SCOPE(S, N) METRICS__SPAN_SCOPE2(S, N)
#define METRICS__SPAN_SCOPE2(S, N)                                                            \
    metrics_span_t metrics__span_scope_##N __attribute__((cleanup(metrics__span_scope_end))); \
    metrics_span_begin(&metrics__span_scope_##N, (S))
static inline void metrics__span_scope_end(metrics_span_t *span)
{
    metrics_span_end(span, (const metrics_field_t *)0, 0);
}

#endif

/* --- Log lines --- */

/* Levels are OpenTelemetry's severity numbers. */
enum metrics_log_level {
    METRICS_LOG_TRACE = 1,
    METRICS_LOG_DEBUG = 5,
    METRICS_LOG_INFO = 9,
    METRICS_LOG_NOTICE = 10,
    METRICS_LOG_WARNING = 13,
    METRICS_LOG_ERROR = 17,
    METRICS_LOG_CRITICAL = 18,
    METRICS_LOG_FATAL = 21,
};

#ifndef METRICS_OFF

/*
 * Record a line, unless its level is below the process's threshold. A line of a thread in a trace has the trace's ids.
 * metrics_log() understands printf's conversions, and %m as syslog() does; not %n, %ls, %lc, and arguments by number;
 * numbers have a point whatever the locale. Of a double's digits, those from the 15th on may differ from printf's.
 * metrics_log_fields(logger, level, message, field ...) takes a message as it is, and fields.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
void metrics_log(metrics_logger_t *, enum metrics_log_level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void metrics_vlog(metrics_logger_t *, enum metrics_log_level, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
void metrics_log_fields_v(metrics_logger_t *, enum metrics_log_level, const char *message,
                          const metrics_field_t *fields, size_t n);
#define metrics_log_fields(LOGGER, LEVEL, ...) \
    METRICS__LOG_FIELDS(LOGGER, LEVEL, __VA_ARGS__, metrics_field_int((const char *)0, 0))
#ifdef __cplusplus
#define METRICS__LOG_FIELDS(LOGGER, LEVEL, MESSAGE, ...) \
    metrics__log_fields((LOGGER), (LEVEL), (MESSAGE), __VA_ARGS__)
extern "C++" {
template <typename... T>
inline void metrics__log_fields(metrics_logger_t *logger, enum metrics_log_level level, const char *message,
                                T... fields)
{
    const metrics_field_t list[] = {fields...};
    metrics_log_fields_v(logger, level, message, list, sizeof...(fields) - 1);
}
}
#else
#define METRICS__LOG_FIELDS(LOGGER, LEVEL, MESSAGE, ...)                                       \
    metrics_log_fields_v((LOGGER), (LEVEL), (MESSAGE), (const metrics_field_t[]){__VA_ARGS__}, \
                         sizeof((const metrics_field_t[]){__VA_ARGS__}) / sizeof(metrics_field_t) - 1)
#endif

/*
 * The threshold of this process: at first that of MTX_LOG_LEVEL, else CHOUETTE_LOG_LEVEL, in the environment (a name
 * such as WARNING, in any case of letters, or a number of Python's logging such as 30), else all lines are recorded. 1 = a line of that level would be recorded.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
int metrics_log_enabled(enum metrics_log_level level);
void metrics_log_threshold(enum metrics_log_level least);

#endif

/* --- Annotations --- */

/* Set .size = sizeof(metrics_annotation_t) and what there is; only the title must be given. */
typedef struct metrics_annotation {
    size_t size;
    const char *title, *description, *source;
    uint64_t start_wall_ns, end_wall_ns; /* since 1970; 0 = now; no end */
    const metrics_field_t *fields;       /* links, and others */
    size_t field_count;
} metrics_annotation_t;

/* --- Points --- */

enum metrics_point_type { METRICS_POINT_GAUGE = 1, METRICS_POINT_COUNTER = 2 };

#ifndef METRICS_OFF

/*
 * Record an annotation; the short form has a title alone.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
void metrics_annotate(metrics_annotations_t *, const metrics_annotation_t *);
void metrics_annotate_title(metrics_annotations_t *, const char *title);

/*
 * Record a value with a time of its own: wall_ns since 1970, 0 = now. fields are further tags. NaN and infinities are
 * dropped and counted. metrics_point() is a gauge's value now.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
void metrics_point(metrics_points_t *, double value);
void metrics_point_at(metrics_points_t *, enum metrics_point_type, double value, uint64_t wall_ns,
                      const metrics_field_t *fields, size_t n);

/*
 * One-line forms on the default registry: the first use of a call site finds the kind. Names are literals.
 *     METRICS_LOG(METRICS_LOG_ERROR, "shop", "cannot reach %s", host);
 *     METRICS_ANNOTATE("2.1 is live", "deploys", "service", "shop");      METRICS_POINT(3.5, "queue.depth");
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
#define METRICS_LOG(LEVEL, SERVICE, ...) \
    METRICS__SITE(logger, metrics_log(metrics__h, (LEVEL), __VA_ARGS__), SERVICE)
#define METRICS_ANNOTATE(TITLE, ...) \
    METRICS__SITE(annotations, metrics_annotate_title(metrics__h, (TITLE)), __VA_ARGS__)
#define METRICS_POINT(V, ...) METRICS__SITE(points, metrics_point(metrics__h, (V)), __VA_ARGS__)
void *metrics__site_resolve_logger(struct metrics__site *, const char *const *, size_t);
void *metrics__site_resolve_annotations(struct metrics__site *, const char *const *, size_t);
void *metrics__site_resolve_points(struct metrics__site *, const char *const *, size_t);

#else /* METRICS_OFF */

static inline char *metrics__same(char *text)
{
    return text;
}

#define metrics_trace_current(out)                     (METRICS__USED(out), (void)0)
#define metrics_trace_set(...)                         METRICS__USED(__VA_ARGS__)
#define metrics_trace_new(...)                         METRICS__USED(__VA_ARGS__)
#define metrics_trace_rate(...)                        METRICS__USED(__VA_ARGS__)
#define metrics_traceparent_parse(value, out)          (METRICS__USED(value, out), metrics__constant(-1))
#define metrics_traceparent_format(trace, buf)         (METRICS__USED(trace), metrics__same(buf))
#define metrics_span_begin(...)                        METRICS__USED(__VA_ARGS__)
#define metrics_span_begin_under(...)                  METRICS__USED(__VA_ARGS__)
#define metrics_span_end(...)                          METRICS__USED(__VA_ARGS__)
#define metrics_span_cancel(...)                       METRICS__USED(__VA_ARGS__)
#define metrics_span_record(...)                       METRICS__USED(__VA_ARGS__)
#define metrics_span_start(S)                          METRICS__USED(S)
#define metrics_span_trace(S)                          (METRICS__USED(S), (metrics_trace_t *)0)
#define metrics_span_fail(S)                           METRICS__USED(S)
#define metrics_span_stop(...)                         METRICS__USED(__VA_ARGS__)
#define METRICS_SPAN_SCOPE(S)                          METRICS__USED(S)
#define metrics_log(...)                               METRICS__USED(__VA_ARGS__)
#define metrics_vlog(logger, level, format, arguments) METRICS__USED(logger, level, format)
#define metrics_log_fields(...)                        METRICS__USED(__VA_ARGS__)
#define metrics_log_fields_v(...)                      METRICS__USED(__VA_ARGS__)
#define metrics_log_enabled(level)                     (METRICS__USED(level), metrics__zero())
#define metrics_log_threshold(...)                     METRICS__USED(__VA_ARGS__)
#define metrics_annotate(...)                          METRICS__USED(__VA_ARGS__)
#define metrics_annotate_title(...)                    METRICS__USED(__VA_ARGS__)
#define metrics_point(...)                             METRICS__USED(__VA_ARGS__)
#define metrics_point_at(...)                          METRICS__USED(__VA_ARGS__)
#define METRICS_LOG(...)                               METRICS__USED(__VA_ARGS__)
#define METRICS_ANNOTATE(...)                          METRICS__USED(__VA_ARGS__)
#define METRICS_POINT(...)                             METRICS__USED(__VA_ARGS__)
#endif

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
