/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger.h - counts for each backend and signal where every reading and every event went:
 *
 *     taken = delivered + merged + queued + dropped{reason}
 *
 * The functions that change it keep that equation, so only a bug in ledger.c can break it. One lock protects
 * the ledger; nothing else is locked under it. All functions are thread-safe unless they say otherwise.
 */
#ifndef EXPORTERS_LEDGER_H
#define EXPORTERS_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why a reading was never delivered. */
#define LEDGER_REASONS(X)                                                                                    \
    X(LEDGER_REFUSED, "refused")       /* the backend refused it for good */                                 \
    X(LEDGER_TOO_LARGE, "too_large")   /* larger than the backend takes, even alone */                       \
    X(LEDGER_THINNED, "thinned")       /* an old level or event, left out for lack of room */                \
    X(LEDGER_QUEUE_FULL, "queue_full") /* more than queue_bytes even as one interval */                      \
    X(LEDGER_REMOVED, "removed")       /* its backend, or its name in the filter, left the configuration */  \
    X(LEDGER_SHUTDOWN, "shutdown")     /* still queued when the exporter had to end */                       \
    X(LEDGER_AMBIGUOUS, "ambiguous")   /* its answer never came, and on_ambiguous says drop */               \
    X(LEDGER_DAMAGED, "damaged")       /* its record in the log's file was damaged */                        \
    X(LEDGER_ENCODE, "encode")         /* out of memory while it was turned into bytes */                    \
    X(LEDGER_EXPIRED, "expired")       /* waited longer than log.age for a backend that is not configured */ \
    X(LEDGER_LEFT_OUT, "left_out")     /* it, or a part of it, has no form that the backend accepts */
enum ledger_reason {
#define LEDGER_REASON(ID, NAME) ID,
    LEDGER_REASONS(LEDGER_REASON)
#undef LEDGER_REASON
        LEDGER_REASON_COUNT
};
/* A constant. */
const char *ledger_reason_name(enum ledger_reason reason);

/* What flows through it: readings, and events, whose signals have the numbers of their types. */
enum ledger_signal {
    LEDGER_METRICS,
    LEDGER_ANNOTATIONS,
    LEDGER_SPANS,
    LEDGER_LOGS,
    LEDGER_POINTS,
    LEDGER_SIGNAL_COUNT
};
/* A constant. */
const char *ledger_signal_name(enum ledger_signal signal);

struct ledger_account {
    uint64_t taken, delivered, merged, queued, dropped[LEDGER_REASON_COUNT];
    /* Beside the equation: */
    uint64_t rebased; /* readings whose interval counted as zero, see view.h */
    uint64_t points;  /* sent for the readings that were delivered */
    uint64_t retries; /* payloads that had to be sent again */
};

/* An account as LEDGER_WORDS numbers, in the order of the struct. All but LEDGER_QUEUED only grow. */
enum {
    LEDGER_WORDS = sizeof(struct ledger_account) / sizeof(uint64_t),
    LEDGER_QUEUED = offsetof(struct ledger_account, queued) / sizeof(uint64_t)
};
/* A pointer into the account. Not thread-safe: the account is the caller's own. */
uint64_t *ledger_word(struct ledger_account *account, size_t word);
/* The name of such a number, a constant: that of its field, or "dropped." and the reason. */
const char *ledger_word_name(size_t word);

struct ledger;

/* NULL without memory. The caller frees it with ledger_free(). */
struct ledger *ledger_new(void);
/* *ledger becomes NULL. Not thread-safe: nobody may be inside any other call. */
void ledger_free(struct ledger **ledger);

enum { LEDGER_BACKENDS = 64, LEDGER_NONE = -1 };

/* The account of the backend of that name (copied), opened if it is new; LEDGER_NONE when there are
 * LEDGER_BACKENDS already, or without memory. An account is never closed: what was counted stays. The
 * functions below do nothing for LEDGER_NONE. */
int ledger_open(struct ledger *ledger, const char *name);

/* n readings were queued. */
void ledger_take(struct ledger *ledger, int id, enum ledger_signal signal, uint64_t n);

/* n readings leave the queue: delivered as so many points, merged into a later interval, or dropped. */
void ledger_deliver(struct ledger *ledger, int id, enum ledger_signal signal, uint64_t n, uint64_t points);
void ledger_merge(struct ledger *ledger, int id, enum ledger_signal signal, uint64_t n);
void ledger_drop(struct ledger *ledger, int id, enum ledger_signal signal, enum ledger_reason reason,
                 uint64_t n);

/* What an earlier exporter counted, from the file of a log: added to the account, and remembered apart for
 * the meta-metrics, which live in the segment and have counted it already. */
void ledger_restore(struct ledger *ledger, int id, enum ledger_signal signal,
                    const struct ledger_account *was);

/* n readings counted as zero; one payload has to be sent again. */
void ledger_rebased(struct ledger *ledger, int id, enum ledger_signal signal, uint64_t n);
void ledger_retried(struct ledger *ledger, int id, enum ledger_signal signal);

/* A copy of all accounts, taken at one moment; the index is the id. Returns their
 * number, at most LEDGER_BACKENDS. */
struct ledger_page {
    const char *name; /* the ledger's; it lives as long as the ledger */
    struct ledger_account account[LEDGER_SIGNAL_COUNT];
    struct ledger_account restored[LEDGER_SIGNAL_COUNT]; /* the part of it that ledger_restore() brought */
};
size_t ledger_read(struct ledger *ledger, struct ledger_page pages[LEDGER_BACKENDS]);

/* All that was dropped, and whether the equation holds. Not thread-safe: the account is the caller's own. */
uint64_t ledger_dropped(const struct ledger_account *account);
bool ledger_balanced(const struct ledger_account *account);

#endif
