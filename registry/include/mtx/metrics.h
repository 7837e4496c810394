/* SPDX-License-Identifier: Apache-2.0 */
/*
 * <mtx/metrics.h> - record metrics from any process of a multi-process server.
 *
 *     #include <mtx/metrics.h>
 *
 *     metrics_timer_t *t = metrics_timer(metrics_default(), "http.request.time", "route", "/cart");
 *     metrics_timer_start(t);
 *     serve(request);
 *     metrics_timer_stop(t);
 *     METRICS_INC("http.requests", "status", "200");
 *
 * All processes that open the same segment write the same series: one counter, one histogram, whatever the
 * number of workers. mtx-exporter reads the segment and reports it.
 *
 * Promises, for every function below:
 *  - a registry or a handle that is returned is never NULL: on failure it is a no-op that accepts everything;
 *  - registries and handles belong to the library and stay valid in the children of a fork; a handle stays
 *    valid for ever, also after metrics_close();
 *  - no thread is started, nothing is written to stdout, the process is never aborted.
 * Handles that are passed in must come from this library, and so are never NULL.
 *
 * Safety is said in these words, at the end of each comment, for all functions below that comment:
 *  - thread-safe: any number of threads may call it at once, for the same registry or handle, too;
 *  - process-safe: any number of processes may call it at once on one segment, and one that is killed inside
 *    it harms no other;
 *  - async-signal-safe: a signal handler may call it, whatever it interrupted. It waits for nothing that the
 *    interrupted code may hold, allocates no memory and leaves errno alone. Only a process's first set of a
 *    gauge ever waits, for another thread that is doing the same; all else is lock-free.
 * Whatever the function, a handler that interrupts it may fork, and may leave by siglongjmp() or end the thread: nobody
 * waits for what it left. In those that are not async-signal-safe, signals are blocked for as long as a lock is held.
 * Do not update metrics between vfork() (or clone(CLONE_VM)) and exec: the child shares the parent's CPU
 * number. posix_spawn() is safe.
 *
 * Names are 1 to METRICS_NAME_MAX bytes of UTF-8 without control characters, and so are tag keys. Tag values
 * are 0 to METRICS_VALUE_MAX bytes of UTF-8. There are at most METRICS_TAGS_MAX tags, no key twice; their
 * order does not matter. A name is kept whole or refused, never cut.
 *
 * -DMETRICS_OFF compiles every call away.
 */
#ifndef MTX_METRICS_H
#define MTX_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include <mtx/error.h>
#include <mtx/rseq.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define METRICS_VERSION   "0.1.0"
#define METRICS_NAME_MAX  255
#define METRICS_VALUE_MAX 1023
#define METRICS_TAGS_MAX  32

typedef struct metrics_registry metrics_registry_t;
typedef struct metrics_counter metrics_counter_t;     /* a total that only grows */
typedef struct metrics_updown metrics_updown_t;       /* a total that goes up and down */
typedef struct metrics_gauge metrics_gauge_t;         /* a level, per process, merged over living processes */
typedef struct metrics_meter metrics_meter_t;         /* a total with 1, 5 and 15 minute rates */
typedef struct metrics_histogram metrics_histogram_t; /* a distribution of doubles */
typedef struct metrics_timer metrics_timer_t;         /* a distribution of durations, with rates */
typedef struct metrics_set metrics_set_t;             /* how many distinct things in an interval */

/* --- Registries --- */

enum metrics_attach {
    METRICS_KEEP,     /* an existing segment is continued (default) */
    METRICS_RESET,    /* an existing segment is replaced by an empty one, if nobody else is attached */
    METRICS_EXISTING, /* an existing segment is continued; METRICS_E_MISSING if it does not exist */
};

/* Set .size = sizeof(metrics_options_t) and what should differ from the default; zero means the default. */
typedef struct metrics_options {
    size_t size;            /* sizeof this struct: later versions append */
    const char *path;       /* segment file; default $MTX_SEGMENT, else /dev/shm/mtx-<uid>.seg */
    uint64_t segment_bytes; /* most memory the segment may ever take; default 32 MiB */
    enum metrics_attach attach;
    uint32_t mode;     /* permission bits of a new segment; default 0600 */
    const char *group; /* group of a new segment, by name; also accept one of this group. Mode 0660 then */
    const char *owner; /* also accept a segment owned by this user, by name */
    uint32_t slots;    /* most living processes with gauges; default 4096 */
    uint32_t family_series; /* most series of one family; default 10000 */
    int preallocate;        /* 1 = take all memory now, so that later registrations cannot be refused */
    int world_writable;     /* 1 = accept a segment that everybody may write */
    uint32_t lanes;         /* CPU lanes of a new segment; default: highest online CPU + 1 (tests) */
    uint64_t
        event_bytes; /* of each CPU's ring of events (<mtx/events.h>); default 64 KiB, less in a small segment */
} metrics_options_t;

/*
 * Open a segment; create it if it does not exist. Both arguments may be NULL. Never returns NULL: on error a
 * no-op registry, with the reason in *error and in metrics_status(). Close with metrics_close(). Each call
 * opens the file anew: open once per process tree, before forking.
 * MTX_RSEQ=on or off in the environment decides whether updates use restartable sequences; without it, they do where
 * the kernel is trusted with them (docs/reliability.md).
 * Errors: METRICS_E_ARGUMENT, METRICS_E_MISSING (METRICS_EXISTING only), METRICS_E_UNSAFE, METRICS_E_FORMAT,
 * METRICS_E_VERSION, METRICS_E_ARCH, METRICS_E_DAMAGED, METRICS_E_LIMIT, METRICS_E_FULL, METRICS_E_MEMORY,
 * METRICS_E_BUSY (other processes keep replacing the file), METRICS_E_SYSTEM.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
metrics_registry_t *metrics_open(const metrics_options_t *options, metrics_error_t *error);

/*
 * The process-wide registry of $MTX_SEGMENT (or the default path), opened at first use and never closed.
 * Never NULL. On failure one line goes to stderr (none if MTX_QUIET=1), it is a no-op, and metrics_status()
 * has one of the errors of metrics_open(). Leaves errno alone.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
metrics_registry_t *metrics_default(void);

/*
 * Detach from the segment; *registry becomes NULL. Handles stay valid, as no-ops. Other threads may be
 * updating meanwhile. The registry of metrics_default() stays open. Other processes are not affected. No
 * errors.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
void metrics_close(metrics_registry_t **registry);

/*
 * 0 if the registry works and nothing was refused. A negative code if it is a no-op: an error of
 * metrics_open(), METRICS_E_CLOSED, or METRICS_E_ARGUMENT if registry is NULL; *error says why. Else how many
 * series and settings this process was refused, and *error describes the last refusal: METRICS_E_NAME,
 * METRICS_E_KIND, METRICS_E_CARDINALITY, METRICS_E_FULL, METRICS_E_SETTINGS, METRICS_E_DAMAGED,
 * METRICS_E_MEMORY. With 0, the text in *error is "" or a warning (METRICS_OK). error may be NULL.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
int metrics_status(metrics_registry_t *registry, metrics_error_t *error);

/*
 * Run this process's gauge callbacks, in this thread, and publish their values. Call it from the process's
 * own loop, about once a second. Values that were not refreshed for three of the exporter's intervals count
 * as absent. No errors: without a process slot the values are lost and counted in the segment. registry may
 * be NULL.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
void metrics_poll(metrics_registry_t *registry);

/*
 * Make all first-time system calls of this process now (process slot, memory for gauges, random seed, page
 * mappings): for programs that enter a seccomp sandbox afterwards, and for a new worker that sets gauges. After it no
 * update makes a system call, in any thread, of handles that were made before. (Two exceptions: where the kernel's
 * vDSO has no clock, as in some sandboxes, reading the time is a system call; and a forked child calls it anew.) No
 * errors. registry may be NULL.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
void metrics_prepare(metrics_registry_t *registry);

/* --- Series: find or create --- */

/*
 * metrics_counter(registry, name, "key", "value", ...): the handle of that series, created if new. The same
 * arguments always give the same handle; it belongs to the registry and is never freed. Costs a hash and a
 * look-up: keep the handle where that matters. All strings are copied. registry may be NULL: a no-op.
 *
 * Errors are counted, and metrics_status() describes the last one: METRICS_E_NAME (an invalid name or tag,
 * NULL among the strings, a tag key without a value), METRICS_E_KIND, METRICS_E_CARDINALITY, METRICS_E_FULL,
 * METRICS_E_DAMAGED, METRICS_E_MEMORY. With METRICS_E_CARDINALITY and METRICS_E_FULL, counters, updowns,
 * meters, histograms and timers with tags get the family's overflow series (same tag keys, every value
 * "_overflow"), so the family's total stays exact. Otherwise the handle is a no-op.
 *
 * The _v forms take {name, key, value, key, value, ...} as an array of n strings, for bindings.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
#define metrics_counter(REGISTRY, ...)   METRICS__LIST(metrics_counter_v, REGISTRY, __VA_ARGS__)
#define metrics_updown(REGISTRY, ...)    METRICS__LIST(metrics_updown_v, REGISTRY, __VA_ARGS__)
#define metrics_gauge(REGISTRY, ...)     METRICS__LIST(metrics_gauge_v, REGISTRY, __VA_ARGS__)
#define metrics_meter(REGISTRY, ...)     METRICS__LIST(metrics_meter_v, REGISTRY, __VA_ARGS__)
#define metrics_histogram(REGISTRY, ...) METRICS__LIST(metrics_histogram_v, REGISTRY, __VA_ARGS__)
#define metrics_timer(REGISTRY, ...)     METRICS__LIST(metrics_timer_v, REGISTRY, __VA_ARGS__)
#define metrics_set(REGISTRY, ...)       METRICS__LIST(metrics_set_v, REGISTRY, __VA_ARGS__)

#ifdef METRICS_OFF
#define METRICS__OFF(T)                                                                                    \
    static inline __attribute__((unused))                                                                  \
    metrics_##T##_t *metrics_##T##_v(metrics_registry_t *registry, const char *const *name_tags, size_t n) \
    {                                                                                                      \
        (void)registry, (void)name_tags, (void)n;                                                          \
        return (metrics_##T##_t *)0;                                                                       \
    }
#endif

#ifndef METRICS_OFF

metrics_counter_t *metrics_counter_v(metrics_registry_t *, const char *const *name_tags, size_t n);
metrics_updown_t *metrics_updown_v(metrics_registry_t *, const char *const *name_tags, size_t n);
metrics_gauge_t *metrics_gauge_v(metrics_registry_t *, const char *const *name_tags, size_t n);
metrics_meter_t *metrics_meter_v(metrics_registry_t *, const char *const *name_tags, size_t n);
metrics_histogram_t *metrics_histogram_v(metrics_registry_t *, const char *const *name_tags, size_t n);
metrics_timer_t *metrics_timer_v(metrics_registry_t *, const char *const *name_tags, size_t n);
metrics_set_t *metrics_set_v(metrics_registry_t *, const char *const *name_tags, size_t n);

/* Call F with the arguments as an array: anything but a string does not compile. */
#ifdef __cplusplus
extern "C++" {
template <typename F, typename... S>
inline auto metrics__list(F find, metrics_registry_t *registry, S... strings)
    -> decltype(find(registry, nullptr, 0))
{
    const char *const list[] = {strings...};
    return find(registry, list, sizeof...(strings));
}
}
#define METRICS__LIST(F, REGISTRY, ...) metrics__list(F, (REGISTRY), __VA_ARGS__)
#else
/* A number would be taken for an address, with a warning at most from older compilers: here it is an error. */
#define METRICS__LIST(F, REGISTRY, ...)                                                     \
    __extension__({                                                                         \
        _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic error \"-Wint-conversion\"") \
            _Pragma("GCC diagnostic error \"-Wincompatible-pointer-types\"")                \
                F((REGISTRY), (const char *const[]){__VA_ARGS__},                           \
                  sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *));       \
    })
#endif

/*
 * Hide a series from all readers until it is created again. Its handles stay usable. Does nothing if the
 * series does not exist or registry is NULL or a no-op. No errors.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
void metrics_retire(metrics_registry_t *, const char *const *name_tags, size_t n);

#endif /* !METRICS_OFF */

/* --- Families: settings shared by all series of one name --- */

/* How the values that the living processes gave a gauge become one. */
enum metrics_merge {
    METRICS_MERGE_LAST, /* the value set last (default) */
    METRICS_MERGE_SUM,
    METRICS_MERGE_MIN,
    METRICS_MERGE_MAX,
    METRICS_MERGE_AVG,
    METRICS_MERGE_ALL, /* not merged: one series per process, labelled with its worker index */
};

/* How a histogram or timer keeps its distribution. */
enum metrics_reservoir {
    METRICS_RESERVOIR_DECAYING,     /* exponentially decaying sample (default): recent values weigh more */
    METRICS_RESERVOIR_UNIFORM,      /* uniform sample of everything ever recorded */
    METRICS_RESERVOIR_SLIDING,      /* the last .samples values */
    METRICS_RESERVOIR_SLIDING_TIME, /* the last .window_s seconds */
    METRICS_BUCKETS,                /* explicit upper bounds: .bounds, .bound_count */
    METRICS_BUCKETS_EXPONENTIAL,    /* base-2 exponential buckets of .scale between .low and .high */
};

/*
 * Set .size = sizeof(metrics_family_t); zero means the default. Strings and arrays are copied. Units are the
 * usual ones: "seconds", "bytes", "requests"... (a timer's is always seconds).
 */
typedef struct metrics_family {
    size_t size;
    const char *unit;
    const char *help; /* one sentence for the reader of a dashboard */
    enum metrics_merge merge;
    int persistent; /* gauge: the value outlives its process */
    enum metrics_reservoir reservoir;
    uint32_t samples;      /* reservoir slots; default 1028 */
    double alpha;          /* decay per second; default 0.015 */
    double window_s;       /* sliding time window; default 60 */
    const double *bounds;  /* ascending, finite; timers: in seconds */
    uint32_t bound_count;  /* at most 512 */
    int scale;             /* METRICS_BUCKETS_EXPONENTIAL: 0 to 5; relative error 2.2 % at 4 */
    double low, high;      /* its range; default 2^-20 to 2^30, timers 1e-6 to 1e3 seconds */
    uint32_t series_limit; /* most series of this family; default: the segment's */
} metrics_family_t;

enum { METRICS_SAMPLES_DEFAULT = 1028 };

/* Called by metrics_poll() for a gauge's value; see metrics_gauge_callback(). NaN = no value now. */
typedef double metrics_gauge_fn(void *arg);

#ifndef METRICS_OFF

/*
 * Give the family's settings, before its first series is created. The same settings may be repeated, and
 * unit and help may be added later, each once. error may be NULL. Returns 0 or, also in *error:
 *   METRICS_E_SETTINGS  the family exists with other settings, another unit or another help text; they stay,
 *                       and the refusal is counted
 *   METRICS_E_FULL      the segment is full; counted
 *   METRICS_E_DAMAGED   the family's bytes in the segment are damaged; counted
 *   METRICS_E_NAME, METRICS_E_ARGUMENT   the name or a setting is not valid
 *   METRICS_E_CLOSED    the registry is a no-op
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
int metrics_describe(metrics_registry_t *, const char *name, const metrics_family_t *,
                     metrics_error_t *error);

/*
 * Constant facts: metrics_info(r, "build", "version", "1.2", "commit", "abc"), a series whose value is 1.
 * Errors as for the other series.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
#define metrics_info(REGISTRY, ...) METRICS__LIST(metrics_info_v, REGISTRY, __VA_ARGS__)
void metrics_info_v(metrics_registry_t *, const char *const *name_tags, size_t n);

/*
 * --- Updates ---
 *
 * An update never fails. What cannot be recorded is dropped and counted in the segment (see <mtx/error.h>).
 */

/* Frozen: the first cache line of a counter, updown and meter. */
struct metrics_counter {
    struct metrics__cells cells;
};
struct metrics_updown {
    struct metrics__cells cells;
};
struct metrics_meter {
    struct metrics__cells cells;
};

/*
 * Add n, or 1, to the total. Totals wrap at 2^64.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
static inline void metrics_counter_add(metrics_counter_t *c, uint64_t n)
{
    metrics__add(&c->cells, n);
}
static inline void metrics_counter_inc(metrics_counter_t *c)
{
    metrics__add(&c->cells, 1);
}
/*
 * Add n (which may be negative), 1 or -1 to the total.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
static inline void metrics_updown_add(metrics_updown_t *c, int64_t n)
{
    metrics__add(&c->cells, (uint64_t)n);
}
static inline void metrics_updown_inc(metrics_updown_t *c)
{
    metrics__add(&c->cells, 1);
}
static inline void metrics_updown_dec(metrics_updown_t *c)
{
    metrics__add(&c->cells, (uint64_t)-1);
}
/*
 * Count n events.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
static inline void metrics_meter_mark(metrics_meter_t *m, uint64_t n)
{
    metrics__add(&m->cells, n);
}

/*
 * The same as library calls, for bindings that cannot inline.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
void metrics_counter_add_call(metrics_counter_t *, uint64_t n);
void metrics_updown_add_call(metrics_updown_t *, int64_t n);
void metrics_meter_mark_call(metrics_meter_t *, uint64_t n);

/*
 * Set this process's value, or add to it. NaN = absent. When the process dies, its value leaves the merge by
 * itself. The first set of a process (also after a fork) claims a process slot, with a few system calls; if
 * none is left, the value is dropped and counted.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
void metrics_gauge_set(metrics_gauge_t *, double value);
void metrics_gauge_add(metrics_gauge_t *, double delta);

/*
 * Let metrics_poll() call fn(arg) for the value. fn and arg stay the caller's: they must be valid until the
 * callback is replaced, by NULL to remove it, and a poll that is under way has ended. fn returns NaN for "no
 * value now". It runs only in the process that registered it, not in its forked children. No errors.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
void metrics_gauge_callback(metrics_gauge_t *, metrics_gauge_fn *fn, void *arg);

/*
 * Record a value, in the family's unit. NaN and infinities are dropped and counted.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
void metrics_histogram_update(metrics_histogram_t *, double value);

/*
 * Record a duration in nanoseconds.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
void metrics_timer_update(metrics_timer_t *, uint64_t nanoseconds);

/*
 * metrics_now() reads the fastest monotonic clock of the machine, in ticks of its own: use the result only
 * for metrics_timer_since(), which records the time since then, and metrics_elapsed_ns(), on the same
 * machine. Keep it in the request object when start and stop are far apart.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
uint64_t metrics_now(void);
void metrics_timer_since(metrics_timer_t *, uint64_t start);
uint64_t metrics_elapsed_ns(uint64_t start); /* nanoseconds from start to now; 0 if the clock went back */

/*
 * Note that the value of n bytes was seen; only a hash of it is kept. The distinct values of an interval are
 * counted: exactly up to 256, then with a standard error of 1.6 %.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
void metrics_set_add(metrics_set_t *, const void *bytes, size_t n);

/* --- Macros --- */

/*
 * Time a piece of code. T is the name of a variable that holds the handle; start declares a local named after
 * it, so a forgotten stop is an unused-variable warning.
 *     metrics_timer_start(t);
 *     ...
 *     metrics_timer_stop(t);          or metrics_timer_stop_as(t, other) when the series is known at the end
 *     metrics_timer_cancel(t);        or not at all
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
#define metrics_timer_start(T)          const uint64_t metrics__started_##T = metrics_now()
#define metrics_timer_stop(T)           metrics_timer_since((T), metrics__started_##T)
#define metrics_timer_stop_as(T, OTHER) metrics_timer_since((OTHER), metrics__started_##T)
#define metrics_timer_cancel(T)         ((void)metrics__started_##T)

/*
 * Time the rest of the enclosing scope, however it is left (return, break, C++ exception).
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
#define METRICS_TIME_SCOPE(T) METRICS__TIME_SCOPE(T, __COUNTER__)

struct metrics__scope {
    metrics_timer_t *timer;
    uint64_t start;
};
static inline void metrics__scope_end(struct metrics__scope *s)
{
    metrics_timer_since(s->timer, s->start);
}
#define METRICS__TIME_SCOPE(T, N) METRICS__TIME_SCOPE2(T, N)
#define METRICS__TIME_SCOPE2(T, N)           \
    struct metrics__scope metrics__scope_##N \
        __attribute__((cleanup(metrics__scope_end), unused)) = {(T), metrics_now()}

/*
 * One-line forms on the default registry:
 *     METRICS_INC("orders", "city", "nyc");      METRICS_ADD(7, "bytes", "dir", "in");
 * Name and tags must be string literals: the call site keeps the handle, so a variable there would count
 * every city under the first one. It does not compile. Variables go through metrics_counter(). The first use
 * of a call site finds the series, with the errors and the safety of metrics_counter(); later ones are
 * updates.
 * Safety: thread-safe; process-safe; not async-signal-safe.
 */
#define METRICS_INC(...)    METRICS__SITE(counter, metrics_counter_inc(metrics__h), __VA_ARGS__)
#define METRICS_ADD(N, ...) METRICS__SITE(counter, metrics_counter_add(metrics__h, (N)), __VA_ARGS__)
#define METRICS_MARK(...)   METRICS__SITE(meter, metrics_meter_mark(metrics__h, 1), __VA_ARGS__)
#define METRICS_SET(V, ...) METRICS__SITE(gauge, metrics_gauge_set(metrics__h, (V)), __VA_ARGS__)
#define METRICS_UPDATE(V, ...) \
    METRICS__SITE(histogram, metrics_histogram_update(metrics__h, (V)), __VA_ARGS__)
#define METRICS_UNIQUE(P, N, ...) METRICS__SITE(set, metrics_set_add(metrics__h, (P), (N)), __VA_ARGS__)
/* METRICS_TIME(start, "name", tags...): the time since start = metrics_now(). */
#define METRICS_TIME(START, ...) METRICS__SITE(timer, metrics_timer_since(metrics__h, (START)), __VA_ARGS__)

/* One call site: the handle that its arguments resolved to. Zero at first. */
struct metrics__site {
    void *handle;
    uint32_t generation;
};
/*
 * When it changes, every site resolves again. This header cannot include shm/atomic.h, so the macro below
 * uses the compiler's atomic built-ins itself; their order is argued under ORD-15 in shm/layout.h.
 */
extern uint32_t metrics__generation;

#ifdef __cplusplus
#define METRICS__CONST_ARGS static constexpr const char *metrics__args[]
#define METRICS__ASSERT     static_assert
#else
#define METRICS__CONST_ARGS static const char *const metrics__args[]
#define METRICS__ASSERT     _Static_assert
#endif
#define METRICS__SITE(KIND, CALL, ...)                                                          \
    do {                                                                                        \
        METRICS__CONST_ARGS = {METRICS__LITERALS(__VA_ARGS__)};                                 \
        METRICS__ASSERT(sizeof metrics__args / sizeof *metrics__args % 2 == 1,                  \
                        "a metric takes a name and then pairs of tag key and value");           \
        static struct metrics__site metrics__s;                                                 \
        metrics_##KIND##_t *metrics__h = /* ORD-15 */                                           \
            (metrics_##KIND##_t *)__atomic_load_n(&metrics__s.handle, __ATOMIC_ACQUIRE);        \
        if (__builtin_expect(__atomic_load_n(&metrics__s.generation, __ATOMIC_RELAXED) !=       \
                                     __atomic_load_n(&metrics__generation, __ATOMIC_RELAXED) || \
                                 !metrics__h,                                                   \
                             0))                                                                \
            metrics__h = (metrics_##KIND##_t *)metrics__site_resolve_##KIND(                    \
                &metrics__s, metrics__args, sizeof metrics__args / sizeof *metrics__args);      \
        CALL;                                                                                   \
    } while (0)
/* A static array of pointers takes constants only; with "" in front, anything but a literal is an error. */
#define METRICS__LITERALS(...) METRICS__EACH(__VA_ARGS__)

void *metrics__site_resolve_counter(struct metrics__site *, const char *const *, size_t);
void *metrics__site_resolve_meter(struct metrics__site *, const char *const *, size_t);
void *metrics__site_resolve_gauge(struct metrics__site *, const char *const *, size_t);
void *metrics__site_resolve_histogram(struct metrics__site *, const char *const *, size_t);
void *metrics__site_resolve_timer(struct metrics__site *, const char *const *, size_t);
void *metrics__site_resolve_set(struct metrics__site *, const char *const *, size_t);

/* "" x for each of up to 17 arguments (a name and eight tags). */
#define METRICS__EACH(...)                                                                           \
    METRICS__PICK(__VA_ARGS__, METRICS__L17, METRICS__L16, METRICS__L15, METRICS__L14, METRICS__L13, \
                  METRICS__L12, METRICS__L11, METRICS__L10, METRICS__L9, METRICS__L8, METRICS__L7,   \
                  METRICS__L6, METRICS__L5, METRICS__L4, METRICS__L3, METRICS__L2, METRICS__L1, 0)   \
    (__VA_ARGS__)
#define METRICS__PICK(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, NAME, ...) NAME
#define METRICS__L1(a)                                                              "" a
#define METRICS__L2(a, ...)                                                         "" a, METRICS__L1(__VA_ARGS__)
#define METRICS__L3(a, ...)                                                         "" a, METRICS__L2(__VA_ARGS__)
#define METRICS__L4(a, ...)                                                         "" a, METRICS__L3(__VA_ARGS__)
#define METRICS__L5(a, ...)                                                         "" a, METRICS__L4(__VA_ARGS__)
#define METRICS__L6(a, ...)                                                         "" a, METRICS__L5(__VA_ARGS__)
#define METRICS__L7(a, ...)                                                         "" a, METRICS__L6(__VA_ARGS__)
#define METRICS__L8(a, ...)                                                         "" a, METRICS__L7(__VA_ARGS__)
#define METRICS__L9(a, ...)                                                         "" a, METRICS__L8(__VA_ARGS__)
#define METRICS__L10(a, ...)                                                        "" a, METRICS__L9(__VA_ARGS__)
#define METRICS__L11(a, ...)                                                        "" a, METRICS__L10(__VA_ARGS__)
#define METRICS__L12(a, ...)                                                        "" a, METRICS__L11(__VA_ARGS__)
#define METRICS__L13(a, ...)                                                        "" a, METRICS__L12(__VA_ARGS__)
#define METRICS__L14(a, ...)                                                        "" a, METRICS__L13(__VA_ARGS__)
#define METRICS__L15(a, ...)                                                        "" a, METRICS__L14(__VA_ARGS__)
#define METRICS__L16(a, ...)                                                        "" a, METRICS__L15(__VA_ARGS__)
#define METRICS__L17(a, ...)                                                        "" a, METRICS__L16(__VA_ARGS__)

#else /* METRICS_OFF: nothing is evaluated, nothing is linked */

METRICS__OFF(counter)
METRICS__OFF(updown)
METRICS__OFF(gauge)
METRICS__OFF(meter)
METRICS__OFF(histogram)
METRICS__OFF(timer)
METRICS__OFF(set)

/* Arguments count as used, so that no warning appears; they are not evaluated. It is never defined. */
int metrics__off(int, ...);
#define METRICS__USED(...) ((void)sizeof(metrics__off(0, __VA_ARGS__)))
static inline int metrics__zero(void)
{
    return 0;
}
static inline int metrics__constant(int value)
{
    return value;
}
#define METRICS__LIST(F, REGISTRY, ...) \
    (METRICS__USED(REGISTRY, __VA_ARGS__), F((metrics_registry_t *)0, (const char *const *)0, 0))
#define metrics_open(options, error)           (METRICS__USED(options, error), (metrics_registry_t *)0)
#define metrics_default()                      ((metrics_registry_t *)0)
#define metrics_status(registry, error)        (METRICS__USED(registry, error), metrics__zero())
#define metrics_describe(registry, name, f, e) (METRICS__USED(registry, name, f, e), metrics__zero())
#define metrics_close(...)                     METRICS__USED(__VA_ARGS__)
#define metrics_poll(...)                      METRICS__USED(__VA_ARGS__)
#define metrics_prepare(...)                   METRICS__USED(__VA_ARGS__)
#define metrics_retire(...)                    METRICS__USED(__VA_ARGS__)
#define metrics_info(...)                      METRICS__USED(__VA_ARGS__)
#define metrics_info_v(...)                    METRICS__USED(__VA_ARGS__)
#define metrics_counter_add(...)               METRICS__USED(__VA_ARGS__)
#define metrics_counter_inc(...)               METRICS__USED(__VA_ARGS__)
#define metrics_counter_add_call(...)          METRICS__USED(__VA_ARGS__)
#define metrics_updown_add(...)                METRICS__USED(__VA_ARGS__)
#define metrics_updown_inc(...)                METRICS__USED(__VA_ARGS__)
#define metrics_updown_dec(...)                METRICS__USED(__VA_ARGS__)
#define metrics_updown_add_call(...)           METRICS__USED(__VA_ARGS__)
#define metrics_meter_mark(...)                METRICS__USED(__VA_ARGS__)
#define metrics_meter_mark_call(...)           METRICS__USED(__VA_ARGS__)
#define metrics_gauge_set(...)                 METRICS__USED(__VA_ARGS__)
#define metrics_gauge_add(...)                 METRICS__USED(__VA_ARGS__)
#define metrics_gauge_callback(...)            METRICS__USED(__VA_ARGS__)
#define metrics_histogram_update(...)          METRICS__USED(__VA_ARGS__)
#define metrics_timer_update(...)              METRICS__USED(__VA_ARGS__)
#define metrics_timer_since(...)               METRICS__USED(__VA_ARGS__)
#define metrics_set_add(...)                   METRICS__USED(__VA_ARGS__)
#define metrics_now()                          ((uint64_t)0)
#define metrics_elapsed_ns(start)              (METRICS__USED(start), (uint64_t)0)
#define metrics_timer_start(T)                 METRICS__USED(T)
#define metrics_timer_stop(T)                  METRICS__USED(T)
#define metrics_timer_stop_as(T, OTHER)        METRICS__USED(T, OTHER)
#define metrics_timer_cancel(T)                METRICS__USED(T)
#define METRICS_TIME_SCOPE(T)                  METRICS__USED(T)
#define METRICS_INC(...)                       METRICS__USED(__VA_ARGS__)
#define METRICS_ADD(...)                       METRICS__USED(__VA_ARGS__)
#define METRICS_MARK(...)                      METRICS__USED(__VA_ARGS__)
#define METRICS_SET(...)                       METRICS__USED(__VA_ARGS__)
#define METRICS_UPDATE(...)                    METRICS__USED(__VA_ARGS__)
#define METRICS_UNIQUE(...)                    METRICS__USED(__VA_ARGS__)
#define METRICS_TIME(...)                      METRICS__USED(__VA_ARGS__)
#endif

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
