/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle.h - the writer's side of a registry: handles, how they are found, and what a kind must provide.
 *
 * A handle is process-private memory that leads to a series' storage. Handles are never freed: user code, its
 * children and its signal handlers may hold them for ever, also after metrics_close().
 */
#ifndef METRICS_REGISTRY_HANDLE_H
#define METRICS_REGISTRY_HANDLE_H

#include <pthread.h>
#include <stdbool.h>

#include <mtx/metrics.h>

#include "format.h"
#include "plan.h"
#include "process.h"
#include "ring.h"
#include "segment.h"

/* What every handle begins with: one cache line. seg is NULL in a no-op handle. */
struct metrics__handle {
    struct metrics__cells cells;
    segment_t *seg;
    metrics_registry_t *registry;
    uint8_t kind;
};
_Static_assert(sizeof(struct metrics__handle) <= 64, "a handle's head is one cache line");

/* Everything that a kind needs to make a handle of a series. */
struct metrics__series {
    segment_t *seg;
    uint64_t offset; /* of the record */
    struct segment_record *record;
    const struct metrics__family_record *family;
    const struct metrics__settings *settings; /* private, checked copy */
    const double *bounds;                     /* the same */
    struct metrics__plan plan;
};

/* The writer's side of a kind. One const object at the end of <kind>.c; kinds.def lists them. */
struct metrics__kind {
    unsigned number; /* KIND_<name>: the format's */
    const char *name;
    size_t handle_size;
    bool overflows; /* refused series are counted in the family's overflow series */
    void *noop;     /* the handle of those that cannot be */
    /*
     * Give the series its storage if it has none (ORD-3) and fill in the handle, which is zeroed but for its
     * registry and kind. Returns a loss to count, or -1 if all went well. The caller holds the registry's
     * lock.
     */
    int (*bind)(struct metrics__handle *h, const struct metrics__series *s);
};
#define KIND(NUMBER, NAME) extern const struct metrics__kind metrics__kind_##NAME;
#include "kinds.def"
#undef KIND

/* --- Storage (storage.c) --- */

/*
 * A place of plan.cells cells at storage[0] for the series; binds h->cells. For kinds that keep cells.
 * Returns a loss or -1, as bind() does.
 */
int metrics__bind_cells(struct metrics__handle *h, const struct metrics__series *s);
/* A block at storage[i]: part of the segment. NULL when full or damaged; *loss says which, or is -1. */
void *metrics__bind_block(const struct metrics__series *s, int i, uint64_t bytes, int *loss);

/* --- Registry --- */

struct metrics__table; /* name -> handle, in this process (table.h) */

struct metrics_registry {
    segment_t *seg;       /* NULL: a no-op registry */
    pthread_mutex_t lock; /* creation of series and handles, callbacks; not taken by updates or hot finds */
    struct metrics__table *table;    /* changed under lock, read without (ORD-15) */
    metrics_error_t status;          /* why it is a no-op */
    metrics_error_t refusal;         /* the last one; under lock */
    uint64_t refused;                /* how many, in this process */
    struct metrics_gauge *callbacks; /* list of gauges that have one; under lock */
    uint64_t event_bytes;            /* what a CPU's ring should have; 0 = the default */
    struct rings rings;              /* opened with the first kind of event; under lock until then */
    struct metrics_registry *next;   /* all registries, for the fork handlers */
};

/*
 * r->lock, for as short as it is held undisturbed by signals and cancellation: a handler may fork, or leave by
 * siglongjmp(), whatever it interrupts.
 */
void metrics__lock(metrics_registry_t *r, struct process_undisturbed *before);
void metrics__unlock(metrics_registry_t *r, const struct process_undisturbed *before);

/* Count and remember a refusal. name may be NULL. The caller holds r->lock. */
void metrics__refuse(metrics_registry_t *r, enum segment_loss loss, int code, const char *name,
                     const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* --- Finding (find.c) --- */

/*
 * The handle of {name, key, value...}; the kind's no-op if there cannot be one. Never NULL; never freed.
 * Takes r->lock unless this process knows the series already.
 */
void *metrics__find(metrics_registry_t *r, const struct metrics__kind *kind, const char *const *name_tags,
                    size_t n);

/* The public ways to a handle of a kind. */
#define METRICS__FRONT_END(KIND_NAME)                                                                       \
    metrics_##KIND_NAME##_t *metrics_##KIND_NAME##_v(metrics_registry_t *r, const char *const *l, size_t n) \
    {                                                                                                       \
        return metrics__find(r, &metrics__kind_##KIND_NAME, l, n);                                          \
    }
#define METRICS__SITE_RESOLVER(KIND_NAME)                                                               \
    void *metrics__site_resolve_##KIND_NAME(struct metrics__site *site, const char *const *l, size_t n) \
    {                                                                                                   \
        return metrics__site_resolve(site, &metrics__kind_##KIND_NAME, l, n);                           \
    }
void *metrics__site_resolve(struct metrics__site *site, const struct metrics__kind *kind,
                            const char *const *l, size_t n);

/* --- Families (family.c) --- */

/* Offset of the family's record, made with these settings if missing, or 0. The caller holds r->lock. */
uint64_t metrics__family(metrics_registry_t *r, const char *name, const struct metrics__settings *settings,
                         const double *bounds);
/* Its record, checked, or NULL; *settings and *bounds (METRICS__BOUNDS_MAX) get private copies. */
struct metrics__family_record *metrics__family_at(segment_t *seg, uint64_t offset,
                                                  struct metrics__settings *settings, double *bounds);
/* The settings of a family that was not described. */
struct metrics__settings metrics__default_settings(void);

/* --- Names (name.c) --- */

enum { METRICS__KEY_MAX = 4096 };

struct metrics__key {
    size_t length;
    unsigned char bytes[METRICS__KEY_MAX];
};

/* first, then name '\0' key '\0' value '\0' ... in the given order, unchecked. False if it is too long. */
bool metrics__key_raw(struct metrics__key *key, unsigned char first, const char *const *name_tags, size_t n);

/* The series key of format.h, checked and sorted by tag. NULL, or what is wrong: a constant text. */
const char *metrics__key_series(struct metrics__key *key, const char *const *name_tags, size_t n);

/*
 * The strings of a series key, into list (room for 2 * METRICS_TAGS_MAX + 1): how many; 0 if the bytes are
 * not a key. They belong to the key.
 */
size_t metrics__key_list(const struct metrics__key *key, const char **list);

/* The key of the family's overflow series: the same with every tag value replaced. */
void metrics__key_overflow(struct metrics__key *key, const struct metrics__key *series);

/* The family key. NULL, or what is wrong, as above. */
const char *metrics__key_family(struct metrics__key *key, const char *name);

/* For messages: name{key=value,...} of a raw list, cut to n bytes. */
void metrics__name_text(char *out, size_t n, const char *const *name_tags, size_t count);

#endif
