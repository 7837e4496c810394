/* SPDX-License-Identifier: Apache-2.0 */
/* reader.c - open a segment for reading; facts about it. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "atomic.h"
#include "error.h"
#include "restart.h"
#include "taking.h"

#define STALE_DEFAULT UINT64_C(30000000000)

static uint64_t clock_ns(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}
static uint64_t system_wall(void *arg)
{
    (void)arg;
    return clock_ns(CLOCK_REALTIME);
}
static uint64_t system_monotonic(void *arg)
{
    (void)arg;
    return clock_ns(CLOCK_MONOTONIC);
}

const char *metrics_default_path(void)
{
    static __thread char path[64];
    const char *env = secure_getenv("MTX_SEGMENT");
    if (env && *env) return env;
    snprintf(path, sizeof path, "/dev/shm/mtx-%u.seg", (unsigned)geteuid());
    return path;
}

static void read_options(struct metrics_reader *r, const metrics_reader_options_t *given)
{
    metrics_reader_options_t o = {0};
    if (given) memcpy(&o, given, given->size < sizeof o ? given->size : sizeof o);
    r->clock = o.clock;
    if (!r->clock.wall) r->clock.wall = system_wall;
    /* An injected clock counts from the initial time namespace, the system's from ours. */
    r->time_offset = r->clock.monotonic ? r->view.head.created_monotonic : view_time_offset(&r->view);
    if (!r->clock.monotonic) r->clock.monotonic = system_monotonic;
    r->stale_ns = o.stale_ns ? o.stale_ns : STALE_DEFAULT;
}

int metrics__reader_init(struct metrics_reader *r, const char *path, const metrics_reader_options_t *options,
                         bool write, metrics_error_t *error)
{
    metrics_reader_options_t o = {0};
    if (options) memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    memset(r, 0, sizeof *r);
    int rc = view_open(&r->view, path ? path : metrics_default_path(), o.world_writable != 0, write, error);
    if (rc) return rc;
    read_options(r, options);
    r->catalog = metrics__catalog_new();
    r->alive = calloc(r->view.head.slots, 1);
    r->polled = calloc(r->view.head.slots, sizeof *r->polled);
    r->living = calloc(r->view.head.slots, sizeof *r->living);
    if (r->catalog && r->alive && r->polled && r->living) return 0;
    return metrics__fail(error, METRICS_E_MEMORY, 0, "no memory to read %s", r->view.path);
}

void metrics__reader_end(struct metrics_reader *r)
{
    view_close(&r->view);
    metrics__catalog_release(&r->catalog);
    metrics__order_free(&r->order);
    metrics__window_free(&r->records);
    metrics__window_free(&r->families);
    metrics__window_free(&r->values);
    for (unsigned i = 0; i < sizeof r->scratch / sizeof *r->scratch; i++)
        metrics__scratch_free(&r->scratch[i]);
    free(r->group.first);
    free(r->alive);
    free(r->polled);
    free(r->living);
}

metrics_reader_t *metrics_reader_open(const char *path, const metrics_reader_options_t *options,
                                      metrics_error_t *error)
{
    metrics_error_t dummy;
    if (!error) error = &dummy;
    memset(error, 0, sizeof *error);
    struct metrics_reader *r = calloc(1, sizeof *r);
    if (!r) {
        metrics__fail(error, METRICS_E_MEMORY, 0, "no memory for a reader");
    } else if (metrics__reader_init(r, path, options, false, error)) {
        metrics__reader_end(r);
        free(r);
        r = NULL;
    }
    return r;
}

void metrics_reader_close(metrics_reader_t **reader)
{
    struct metrics_reader *r = *reader;
    *reader = NULL;
    if (!r) return;
    metrics__reader_end(r);
    free(r);
}

const char *metrics_reader_path(const metrics_reader_t *r)
{
    return r->view.path;
}

int metrics_reader_replaced(metrics_reader_t *r)
{
    return view_replaced(&r->view);
}

const char *metrics_loss_name(uint32_t reason)
{
    static const char *const names[] = {
#define LOSS_TEXT(ID, NAME) [ID] = NAME,
        SEGMENT_LOSS_REASONS(LOSS_TEXT)
#undef LOSS_TEXT
    };
    return reason < SEGMENT_LOSS_COUNT ? names[reason] : NULL;
}

static uint64_t now_of(const struct metrics_reader *r)
{
    uint64_t now = r->clock.monotonic(r->clock.arg);
    return metrics__segment_time(r, now);
}

/* --- Lanes: enum metrics_lanes is enum restart_choice --- */

_Static_assert((int)METRICS_LANES_TRUSTED == (int)RESTART_TRUSTED, "");
_Static_assert((int)METRICS_LANES_SWITCHED_OFF == (int)RESTART_SWITCHED_OFF, "");

static uint32_t lanes_of(const struct segment_header *h)
{
    struct restart_here here;
    restart_look(&here);
    return restart_choose(&here, &h->kernel);
}

int metrics_lanes_restartable(uint32_t lanes)
{
    return restart_uses_cpus((enum restart_choice)lanes);
}

const char *metrics_lanes_why(uint32_t lanes)
{
    static const char *const words[] = {"trusted",    "proved", "forced",
                                        "not_proved", "failed", "switched_off"};
    return lanes < sizeof words / sizeof *words ? words[lanes] : NULL;
}

int metrics_reader_info(metrics_reader_t *r, metrics_segment_info_t *info, metrics_error_t *error)
{
    struct segment_header h;
    metrics_error_t dummy;
    if (!error) error = &dummy;
    memset(info, 0, sizeof *info);
    if (view_head(&r->view, &h))
        return metrics__fail(error, METRICS_E_DAMAGED, 0, "%s can no longer be read: was it truncated?",
                             r->view.path);
    info->major = h.major;
    info->minor = h.newest > h.minor && h.newest <= UINT16_MAX ? (uint16_t)h.newest : h.minor;
    info->cpu_lanes = h.lanes_cpu;
    info->atomic_lanes = h.lanes_atomic;
    info->incarnation = h.incarnation;
    info->created_wall_ns = h.created_wall;
    info->age_ns = now_of(r);
    info->bytes_limit = h.size;
    info->bytes_used = h.arena_next < h.size ? h.arena_next : h.size;
    info->bytes_resident = view_resident(&r->view);
    info->series = h.records;
    info->slots_limit = h.slots - 1;
    info->writers = view_alive(&r->view, r->alive, h.slots);
    info->attached = view_locked(&r->view, LOCK_ATTACHED) == 1;
    /* The kernel does not report a lock to the descriptor that holds it. */
    info->leader = r->view.map || view_owned(&r->view, LOCK_LEADER) == 1;
    info->epoch = h.epoch ? h.epoch - 1 : 0;
    info->folds = h.fold;
    memcpy(info->losses, h.loss, sizeof info->losses);
    info->loss_count = SEGMENT_LOSS_COUNT;
    info->lanes = lanes_of(&h);
    /* Index entries are families and series; only a look at the catalog tells them apart. */
    metrics_snapshot_t *s = metrics__take(r, METRICS__TAKE_TOTALS, 0, 0, error);
    if (!s) return error->code;
    info->series = metrics_snapshot_count(s);
    info->families = r->catalog->family_count;
    metrics_snapshot_release(&s);
    return 0;
}

void metrics_reader_refusals(metrics_reader_t *r, metrics_refusal_fn *fn, void *arg)
{
    struct segment_refusal ring[SEGMENT_REFUSAL_COUNT], again[SEGMENT_REFUSAL_COUNT];
    struct segment_header h;
    if (view_head(&r->view, &h) || view_read(&r->view, SEGMENT_REFUSALS, ring, sizeof ring)) return;
    mem_fence_acquire(); /* ORD-13 */
    if (view_read(&r->view, SEGMENT_REFUSALS, again, sizeof again)) return;
    uint64_t first = h.refusals > SEGMENT_REFUSAL_COUNT ? h.refusals - SEGMENT_REFUSAL_COUNT : 0;
    for (uint64_t n = first; n < h.refusals; n++) {
        const struct segment_refusal *e = &ring[n % SEGMENT_REFUSAL_COUNT];
        char name[sizeof e->name + 1] = "";
        /* ORD-13: whole if its number is what it should be before and after the text was copied. */
        if (e->seq != n + 1 || again[n % SEGMENT_REFUSAL_COUNT].seq != n + 1) continue;
        memcpy(name, e->name, e->length < sizeof e->name ? e->length : sizeof e->name);
        const char *reason = metrics_loss_name(e->reason);
        fn(arg, n + 1, reason ? reason : "unknown", name);
    }
}

void metrics_reader_processes(metrics_reader_t *r, metrics_process_fn *fn, void *arg)
{
    struct segment_header h;
    struct segment_slot block[SEGMENT_SLOT_BLOCK];
    if (view_head(&r->view, &h)) return;
    view_alive(&r->view, r->alive, h.slots);
    for (uint32_t s = 1; s < h.slots; s++) {
        uint32_t i = s % SEGMENT_SLOT_BLOCK;
        if (i == 0 || s == 1) {
            uint64_t at = h.slot_block[s / SEGMENT_SLOT_BLOCK];
            if (!at || at < SEGMENT_ARENA || view_read(&r->view, at, block, sizeof block))
                memset(block, 0, sizeof block);
        }
        if (!block[i].token && !r->alive[s]) continue;
        metrics_process_t p = {.slot = s,
                               .pid = block[i].pid,
                               .alive = r->alive[s],
                               .weak = block[i].weak != 0,
                               .started_wall_ns = h.created_wall + block[i].started};
        memcpy(p.name, block[i].name, sizeof p.name - 1);
        fn(arg, &p);
    }
}
