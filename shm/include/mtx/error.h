/* SPDX-License-Identifier: Apache-2.0 */
/*
 * <mtx/error.h> - how mtx says what went wrong.
 *
 * Calls that can fail take a metrics_error_t * (which may be NULL) and fill in a code and one sentence that
 * names what failed, where, and how to fix it. Update calls (inc, mark, set, ...) never fail: what they
 * cannot do is a no-op that is counted in the segment.
 *
 * Safety is said in the words of <mtx/metrics.h>: thread-safe, process-safe, async-signal-safe.
 */
#ifndef MTX_ERROR_H
#define MTX_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * code, text. The numbers are part of the ABI: append only. METRICS_E_SLOT is not returned by this version,
 * which counts updates without a slot instead.
 */
#define METRICS_ERRORS(X)                                                   \
    X(METRICS_OK, "no error")                                               \
    X(METRICS_E_SYSTEM, "a system call failed")                             \
    X(METRICS_E_MISSING, "there is no such segment")                        \
    X(METRICS_E_UNSAFE, "the segment file is not safe to open")             \
    X(METRICS_E_FORMAT, "the file is not an mtx segment")                   \
    X(METRICS_E_VERSION, "the segment has another major version")           \
    X(METRICS_E_ARCH, "the segment was made on another architecture")       \
    X(METRICS_E_DAMAGED, "the segment is damaged")                          \
    X(METRICS_E_LIMIT, "a limit of this process or file system is too low") \
    X(METRICS_E_MEMORY, "out of memory")                                    \
    X(METRICS_E_FULL, "the segment is full")                                \
    X(METRICS_E_CARDINALITY, "the family has reached its limit of series")  \
    X(METRICS_E_KIND, "the name is already used by another kind of metric") \
    X(METRICS_E_SETTINGS, "the family already has other settings")          \
    X(METRICS_E_NAME, "the name or a tag is not valid")                     \
    X(METRICS_E_SLOT, "no process slot is left")                            \
    X(METRICS_E_BUSY, "another process holds it")                           \
    X(METRICS_E_CLOSED, "the registry is closed")                           \
    X(METRICS_E_ARGUMENT, "an argument is not valid")

enum metrics_code {
#define METRICS__ERROR(CODE, TEXT) CODE,
    METRICS_ERRORS(METRICS__ERROR)
#undef METRICS__ERROR
        METRICS_CODES /* how many codes this version knows */
};

/* Memory of the caller; text is always terminated. */
typedef struct metrics_error {
    int code;       /* one of enum metrics_code */
    int sys;        /* the errno behind it, or 0 */
    char text[248]; /* one sentence */
} metrics_error_t;

/*
 * The general text of a code, positive or negative; a constant, never NULL ("unknown error"). No errors.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
const char *metrics_strerror(int code);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
