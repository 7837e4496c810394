/* SPDX-License-Identifier: Apache-2.0 */
/* registry.c - open, close, default; what a process does once. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "atomic.h"
#include "clock.h"
#include "error.h"
#include "handle.h"
#include "process.h"

enum { DEFAULT_BYTES = 32 << 20, DEFAULT_SLOTS = 4096, DEFAULT_FAMILY_SERIES = 10000 };

uint32_t metrics__generation = 1;

/* --- Forks: no child may inherit a lock that a thread of its parent held --- */

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static metrics_registry_t *all;

static void fork_prepare(void)
{
    pthread_mutex_lock(&list_lock);
    for (metrics_registry_t *r = all; r; r = r->next) pthread_mutex_lock(&r->lock);
}
/* In both: the child goes on as the thread that took the locks. */
static void fork_done(void)
{
    for (metrics_registry_t *r = all; r; r = r->next) pthread_mutex_unlock(&r->lock);
    pthread_mutex_unlock(&list_lock);
}
__attribute__((constructor)) static void fork_hooks(void)
{
    process_on_fork(&(struct process_fork_hooks){fork_prepare, fork_done, fork_done});
}

void metrics__lock(metrics_registry_t *r, struct process_undisturbed *before)
{
    process_undisturbed_begin(before);
    pthread_mutex_lock(&r->lock);
}

void metrics__unlock(metrics_registry_t *r, const struct process_undisturbed *before)
{
    pthread_mutex_unlock(&r->lock);
    process_undisturbed_end(before);
}

/* --- Opening --- */

static const char *default_path(char *buf, size_t n)
{
    const char *path = secure_getenv("MTX_SEGMENT");
    if (path && *path) return path;
    snprintf(buf, n, "/dev/shm/mtx-%u.seg", (unsigned)geteuid());
    return buf;
}

static int read_group(const char *name, struct segment_options *o, metrics_error_t *error)
{
    char buf[4096];
    struct group g, *found;
    int rc = getgrnam_r(name, &g, buf, sizeof buf, &found);
    if (!found) return metrics__fail(error, METRICS_E_ARGUMENT, rc, "there is no group named %s", name);
    o->group_given = true;
    o->group = g.gr_gid;
    return 0;
}

static int read_owner(const char *name, struct segment_options *o, metrics_error_t *error)
{
    char buf[4096];
    struct passwd p, *found;
    int rc = getpwnam_r(name, &p, buf, sizeof buf, &found);
    if (!found) return metrics__fail(error, METRICS_E_ARGUMENT, rc, "there is no user named %s", name);
    o->owner_given = true;
    o->owner = p.pw_uid;
    return 0;
}

static int read_options(const metrics_options_t *given, struct segment_options *o, uint64_t *event_bytes,
                        metrics_error_t *error)
{
    metrics_options_t m = {0};
    if (given && given->size < sizeof(size_t))
        return metrics__fail(error, METRICS_E_ARGUMENT, 0, "metrics_open: set .size of metrics_options_t");
    if (given) memcpy(&m, given, given->size < sizeof m ? given->size : sizeof m);
    *o = (struct segment_options){
        .path = m.path,
        .size = layout_round_up(m.segment_bytes ? m.segment_bytes : DEFAULT_BYTES, SEGMENT_PAGE),
        .existing = m.attach == METRICS_EXISTING,
        .reset = m.attach == METRICS_RESET,
        .mode = m.mode    ? m.mode
                : m.group ? 0660
                          : 0600,
        .slots = m.slots ? m.slots + 1 : DEFAULT_SLOTS,
        .family_series = m.family_series ? m.family_series : DEFAULT_FAMILY_SERIES,
        .lanes = m.lanes,
        .preallocate = m.preallocate != 0,
        .world_writable = m.world_writable != 0,
    };
    *event_bytes = m.event_bytes;
    if (m.event_bytes && (m.event_bytes < SEGMENT_RING_LEAST || m.event_bytes > SEGMENT_RING_MOST))
        return metrics__fail(error, METRICS_E_ARGUMENT, 0, "event_bytes must be 4 KiB to 64 MiB");
    if (o->size < SEGMENT_SIZE_MIN || o->size > SEGMENT_SIZE_MAX)
        return metrics__fail(error, METRICS_E_ARGUMENT, 0, "segment_bytes must be 64 KiB to 1 TiB");
    if (o->slots > DEFAULT_SLOTS) o->slots = DEFAULT_SLOTS;
    if (o->lanes > SEGMENT_LANES_MAX)
        return metrics__fail(error, METRICS_E_ARGUMENT, 0, "lanes must be at most %d", SEGMENT_LANES_MAX);
    if (o->mode > 07777 || ((o->mode & 02) && !o->world_writable))
        return metrics__fail(error, METRICS_E_ARGUMENT, 0,
                             "mode %04o lets everybody write: set world_writable, too, if that is intended",
                             o->mode);
    int rc = m.group ? read_group(m.group, o, error) : 0;
    return rc || !m.owner ? rc : read_owner(m.owner, o, error);
}

static metrics_registry_t *new_registry(void)
{
    metrics_registry_t *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    pthread_mutex_init(&r->lock, NULL);
    pthread_mutex_lock(&list_lock);
    r->next = all;
    all = r;
    pthread_mutex_unlock(&list_lock);
    return r;
}

/* Used when there is not even memory for a registry. */
static metrics_registry_t nothing = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                     .status = {METRICS_E_MEMORY, ENOMEM, "no memory for a registry"}};

static metrics_registry_t *open_registry(const metrics_options_t *options, metrics_error_t *error)
{
    char path[64];
    struct segment_options o;
    process_init();
    metrics__clock_init();
    metrics_registry_t *r = new_registry();
    if (!r) {
        *error = nothing.status;
        return &nothing;
    }
    int rc = read_options(options, &o, &r->event_bytes, error);
    if (!rc && !o.path) o.path = default_path(path, sizeof path);
    if (!rc) rc = segment_open(&r->seg, &o, error);
    if (rc) r->status = *error;
    return r;
}

/* open() and close() are cancellation points: a thread cancelled there would never release what it holds. */
metrics_registry_t *metrics_open(const metrics_options_t *options, metrics_error_t *error)
{
    struct process_undisturbed before;
    metrics_error_t dummy;
    if (!error) error = &dummy;
    memset(error, 0, sizeof *error);
    process_undisturbed_begin(&before);
    metrics_registry_t *r = open_registry(options, error);
    process_undisturbed_end(&before);
    return r;
}

static metrics_registry_t *the_default = &nothing;
static bool default_opened;

static void open_default(void)
{
    metrics_error_t error;
    const char *quiet = getenv("MTX_QUIET");
    the_default = metrics_open(NULL, &error);
    mem_publish_flag(&default_opened, true); /* ORD-15 */
    const char *trouble = error.code ? error.text : the_default->seg ? the_default->seg->warning : "";
    if (*trouble && !(quiet && !strcmp(quiet, "1")))
        fprintf(stderr, "mtx: %s%s\n", trouble, error.code ? "; metrics are not recorded" : "");
}

/* A handler that left pthread_once() by siglongjmp() would let all others wait in it for ever. */
static void open_default_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct process_undisturbed before;
    int saved = errno;
    process_undisturbed_begin(&before);
    pthread_once(&once, open_default);
    process_undisturbed_end(&before);
    errno = saved;
}

metrics_registry_t *metrics_default(void)
{
    if (__builtin_expect(!mem_load_flag_acquire(&default_opened), 0)) open_default_once(); /* ORD-15 */
    return the_default;
}

void metrics_close(metrics_registry_t **registry)
{
    metrics_registry_t *r = *registry;
    *registry = NULL;
    if (!r || r == &nothing || r == the_default || !r->seg) return;
    struct process_undisturbed before;
    metrics__lock(r, &before);
    segment_close(r->seg);
    metrics__fail(&r->status, METRICS_E_CLOSED, 0, "the registry was closed");
    metrics__unlock(r, &before);
}

/* --- Status --- */

void metrics__refuse(metrics_registry_t *r, enum segment_loss loss, int code, const char *name,
                     const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    metrics__fail_list(&r->refusal, code, 0, fmt, ap);
    va_end(ap);
    r->refused++;
    segment_lose(r->seg, loss, name, name ? strlen(name) : 0);
}

int metrics_status(metrics_registry_t *r, metrics_error_t *error)
{
    metrics_error_t dummy;
    if (!error) error = &dummy;
    memset(error, 0, sizeof *error);
    if (!r) {
        metrics__fail(error, METRICS_E_ARGUMENT, 0, "there is no registry");
        return -METRICS_E_ARGUMENT;
    }
    struct process_undisturbed before;
    metrics__lock(r, &before);
    int n = r->refused > INT32_MAX ? INT32_MAX : (int)r->refused;
    if (!r->seg || segment_closed(r->seg)) {
        *error = r->status;
        n = -r->status.code;
    } else if (n) {
        *error = r->refusal;
    } else if (r->seg->warning[0]) {
        metrics__fail(error, METRICS_OK, 0, "%s", r->seg->warning);
    }
    metrics__unlock(r, &before);
    return n;
}
