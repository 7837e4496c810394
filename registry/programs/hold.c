/* SPDX-License-Identifier: Apache-2.0 */
#include "hold.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "readonly.h"

#define PIDS (UINT64_C(1) << 32) /* more than any kernel has */

struct metrics_hold {
    view_t view; /* its descriptor has the locks */
};

static int read_slot(const view_t *v, const struct segment_header *h, uint32_t s, struct segment_slot *out)
{
    uint64_t block = h->slot_block[s / SEGMENT_SLOT_BLOCK];
    if (block < SEGMENT_ARENA) return -1;
    return view_read(v, block + s % SEGMENT_SLOT_BLOCK * sizeof *out, out, sizeof *out);
}

static int is_theirs(const struct segment_slot *slot, uint32_t pid, uint64_t since_ns)
{
    return slot->token && slot->pid == pid && slot->started >= since_ns;
}

/*
 * In a claimer's order (ORD-7): LOCK_CLAIM keeps claimers away, who would clear the slot; then the slot is
 * looked at again, and only then is it shown as alive.
 */
static int hold_slot(view_t *v, const struct segment_header *h, uint32_t s, uint32_t pid, uint64_t since_ns)
{
    struct segment_slot slot;
    if (read_slot(v, h, s, &slot) || !is_theirs(&slot, pid, since_ns)) return 0;
    if (view_lock(v, LOCK_CLAIM + s)) return 0;
    if (!read_slot(v, h, s, &slot) && is_theirs(&slot, pid, since_ns) && !view_lock(v, LOCK_ALIVE + s))
        return 1;
    view_unlock(v, LOCK_CLAIM + s, 1);
    return 0;
}

metrics_hold_t *metrics_hold_open(const char *path, metrics_error_t *error)
{
    metrics_error_t dummy;
    if (!error) error = &dummy;
    metrics_hold_t *hold = calloc(1, sizeof *hold);
    if (!hold) {
        metrics__fail(error, METRICS_E_MEMORY, 0, "no memory to hold the slots of a process");
        return NULL;
    }
    if (view_open(&hold->view, path ? path : metrics_default_path(), false, true, error)) {
        free(hold);
        return NULL;
    }
    view_share(&hold->view, LOCK_KEEP, PIDS);
    return hold;
}

void metrics_hold_process(metrics_hold_t *hold, uint32_t pid)
{
    if (!hold) return;
    if (pid) view_unlock(&hold->view, LOCK_KEEP, pid);
    view_unlock(&hold->view, LOCK_KEEP + pid + 1, PIDS - pid);
}

uint32_t metrics_hold_take(metrics_hold_t *hold, uint32_t pid, uint64_t since_ns)
{
    struct segment_header h;
    uint32_t n = 0;
    if (hold && !view_head(&hold->view, &h))
        for (uint32_t s = 1; s < h.slots; s++) n += (uint32_t)hold_slot(&hold->view, &h, s, pid, since_ns);
    return n;
}

uint64_t metrics_hold_interval(metrics_hold_t *hold)
{
    struct segment_header h;
    return hold && !view_head(&hold->view, &h) ? h.epoch : 0;
}

/* The leader moves the epoch before it reads, and says that it is logged after (ORD-10). */
bool metrics_hold_is_logged(metrics_hold_t *hold, uint64_t interval)
{
    struct segment_header h;
    return hold && !view_head(&hold->view, &h) && h.logged >= interval;
}

void metrics_hold_release(metrics_hold_t **hold)
{
    if (!*hold) return;
    view_close(&(*hold)->view);
    free(*hold);
    *hold = NULL;
}
