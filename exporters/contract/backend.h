/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend.h - what a backend is: one const struct at the end of one file, and one line in backends.def.
 *
 * A backend turns readings into bytes and says by which transport they go. Everything else is common:
 * filters, prefix, tags, deltas, batches, retries, the cursor, the ledger. It branches on the nature of a row
 * (running total, level, rate, statistic, quantile, bucket, distribution, fact) and never on the kind of
 * metric that the row came from.
 *
 * The functions of this header are thread-safe. The hooks of a backend that take a session or a link are
 * called by one thread at a time for each session; those that take neither may be called by several threads
 * at once.
 */
#ifndef EXPORTERS_BACKEND_H
#define EXPORTERS_BACKEND_H

#include "event_type.h"
#include "option.h"
#include "transport.h"

#include <mtx/snapshot.h>

struct batch;
struct view;
struct event_batch;
struct event_view;
struct backend_points;
struct backend_pages;

enum backend_empty { BACKEND_EMPTY_ABSENT, BACKEND_EMPTY_ZERO };
enum backend_time_unit { BACKEND_SECONDS, BACKEND_MILLISECONDS, BACKEND_MICROSECONDS, BACKEND_NANOSECONDS };
/* After a request whose answer never came; only where a second one would count twice. */
enum backend_ambiguous { BACKEND_AMBIGUOUS_RESEND, BACKEND_AMBIGUOUS_DROP };

/* The options that every backend has. Its own settings struct begins with this one. */
struct backend_common {
    char *name;                       /* in log lines and meta-metrics; the type's name unless given */
    struct option_list include;       /* names to send; empty = all */
    struct option_list exclude;       /* names not to send; stronger than include */
    char *prefix;                     /* put in front of every name */
    struct option_tags tags;          /* added to every series; a series' own tag with that key wins */
    struct option_list attributes;    /* see attribute.h */
    int empty;                        /* enum backend_empty */
    int time_unit;                    /* enum backend_time_unit: durations are converted to it */
    uint64_t max_lag;                 /* ns; older intervals are merged into one */
    uint64_t queue_bytes;             /* of snapshots that wait for it; 0 = no limit of its own */
    uint64_t retry_least, retry_most; /* ns; the pause after a failure */
    int on_ambiguous;                 /* enum backend_ambiguous */
    char *path;                       /* scraped backends: path of the page */
    struct option_list events; /* backends that take events: which of them; empty = all that it takes */
};

/* The rows that a backend wants to see, and how much of them at once. */
struct backend_wants {
    enum metrics_scope totals;  /* METRICS_LIFETIME or METRICS_INTERVAL: count, sum, buckets */
    enum metrics_scope sampled; /* METRICS_RECENT or METRICS_INTERVAL: min, max, mean, quantiles */
    uint32_t natures;           /* METRICS_ATTR() bits beside `attributes`: buckets, whole distributions */
    size_t most_items;          /* readings in one payload; 0 = all of an interval */
    size_t most_bytes;          /* of one payload; 0 = any */
    uint64_t resolution_ns;     /* of its times: no two intervals get the same one; 0 = nanoseconds */
    bool rounded;               /* to that resolution, halves to the even one; else the rest is cut off */
    bool additive;              /* the other side adds up what is sent: a repeated payload counts twice */
    const char *const *media;   /* scraped: the media types offered, the default first; ends with NULL */
};

/*
 * The type of a session's prepare() and done(): they talk to the other side through the backend's link, for a
 * bounded time, and fill in *answer as a transport does. Anything but OUTCOME_SENT is treated like a payload
 * with that answer (OUTCOME_RETRY: again after a pause; OUTCOME_DROP: reported, and the interval goes on
 * without). `settings` is the backend's whole settings struct, the one that open() was given.
 */
typedef void backend_talk_fn(void *session, const void *settings, void *link, const struct view *view,
                             struct answer *answer);

/* State that outlives one payload: a login, a schema, whether there is a terminal. encode() only reads it. */
struct backend_session {
    /* Makes a session, which close() gives back. NULL with the reason. The settings outlive it. */
    void *(*open)(const void *settings, struct buf *why);
    /* Before an interval's first payload, and after expire(); NULL = nothing to do. */
    backend_talk_fn *prepare;
    /* After an interval's last payload; NULL = nothing to do. */
    backend_talk_fn *done;
    /* After OUTCOME_LOGIN: forgets the login. NULL = nothing to do. */
    void (*expire)(void *session);
    /* Frees the session; *session becomes NULL. */
    void (*close)(void **session);
};

/* Events that a backend sends. Transport, judge() and answers are those of its readings; the items of a payload
 * are events. */
struct backend_events {
    uint32_t types;    /* EVENT_BIT(): those that it takes; others are not queued for it */
    uint32_t additive; /* EVENT_BIT(): those of which a repeated payload counts twice */
    size_t most_items; /* events in one payload; 0 = all of a chunk */
    size_t most_bytes; /* of one payload; 0 = any */
    /* Writes a batch, whose events are all of one type, into PAYLOADS payloads, which are reset. Returns the number
     * of things written that the other side counts. The rest is as for encode() below: payload->items, left_out,
     * failed buffers. Pure: the same batch gives the same bytes. */
    size_t (*encode)(const struct event_batch *batch, struct payload *payloads);
    /* In place of the session's prepare(), before a chunk's first payload. NULL = that one, with an empty view. */
    void (*prepare)(void *session, const void *settings, void *link, struct event_view *view,
                    struct answer *answer);
};

struct backend {
    const char *name;             /* the word after `type:` */
    const char *summary;          /* one line */
    const struct option *options; /* rows of its own settings struct; they may shadow common ones */
    size_t settings_size;         /* of that struct, which begins with struct backend_common */
    struct backend_wants wants;
    const struct transport *transport;
    const struct backend_session *session; /* NULL = needs none */
    /* Whether settings fit together, beyond what each row says; false with the reason. Pure. NULL = they
     * do. */
    bool (*sound)(const void *settings, struct buf *why);
    /* What the other side's answer means, where the transport's own table does not know better: corrects the
     * answer, whose response it may read. `payload` is what was sent. Pure. NULL = the table is right. */
    void (*judge)(const struct payload *payload, struct answer *answer);
    /* Writes a batch into PAYLOADS payloads, which are reset; most backends use the first alone. Returns the
     * number of points written. Without memory a buffer of a payload is marked as failed. Pure: no clock, no
     * I/O, the same batch gives the same bytes. */
    size_t (*encode)(const struct batch *batch, struct payload *payloads);
    /* Backends that send points: encode is points_encode() then, and `mtxctl send` writes by the same
     * functions. See points.h. NULL for others. */
    const struct backend_points *points;
    /* Scraped backends: how a page is made piece by piece. See page_values.h. NULL for others. */
    const struct backend_pages *pages;
    /* Backends that send events. NULL for others. */
    const struct backend_events *events;
};

/* For sessions and links: n zeroed bytes, which backend_free() or free() gives back; NULL with the reason. */
void *backend_alloc(size_t n, struct buf *why);

/* Frees a session or link that is one block of memory; *memory becomes NULL. */
void backend_free(void **memory);

/* The row for `attributes`, whose default differs by backend: first in each backend's own rows. */
#define BACKEND_ATTRIBUTES(DEFAULT)                                                                 \
    {                                                                                               \
        .name = "attributes", .type = OPTION_LIST, OPTION_FIELD(struct backend_common, attributes), \
        .def = (DEFAULT), .check = attribute_check,                                                 \
        .help = "statistics to send for each series, besides its value and count"                   \
    }
/* The row for `time_unit`, for backends that leave the choice. */
#define BACKEND_TIME_UNIT(DEFAULT)                                                                  \
    {                                                                                               \
        .name = "time_unit", .type = OPTION_CHOICE, OPTION_FIELD(struct backend_common, time_unit), \
        .def = (DEFAULT), .choices = backend_time_units, .help = "unit of durations"                \
    }
extern const char *const backend_time_units[];

/* True if an option that is a text was given, and is not empty. */
static inline bool backend_given(const char *text)
{
    return text && *text;
}

/* All backends in the order of backends.def; ends with NULL. */
extern const struct backend *const backends[];

/* The backend of that type, or NULL. */
const struct backend *backend_find(const char *type);

/* EVENT_BIT(): the types of events that a backend with these settings takes. */
uint32_t backend_events(const struct backend *backend, const struct backend_common *settings);

/* All rows of a backend, its own first, then the transport's and the common ones, in one table that is never
 * freed. */
const struct option *backend_options(const struct backend *backend);

/* True if it is scraped: it is asked, sends nothing and has no queue. */
static inline bool backend_is_scraped(const struct backend *backend)
{
    return backend->transport == &transport_scrape;
}

#endif
