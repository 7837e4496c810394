/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a leader maps a hostile segment and writes into it: it folds rates and closes intervals, and gives back all
 * its memory. */
#include "../../registry/programs/leader.h"

#include "fuzz.h"
#include "seam.h"
#include "walk.h"

static uint64_t now;
static uint64_t wall(void *arg)
{
    (void)arg;
    return UINT64_C(1700000000000000000) + now;
}
static uint64_t monotonic(void *arg)
{
    (void)arg;
    return now;
}

static void lead(metrics_leader_t *l, const struct program *p, struct hostile *h)
{
    metrics_error_t error;
    metrics_snapshot_t *before = NULL;
    for (int round = 0; round < 3; round++) {
        now += UINT64_C(6000000000);
        metrics_leader_tick(l);
        program_step(p, h);
        metrics_snapshot_t *s = metrics_leader_sample(l, &error);
        if (s) {
            walk_snapshot(s, before);
            metrics_leader_logged(l, s);
        }
        metrics_snapshot_release(&before);
        before = s;
    }
    metrics_snapshot_release(&before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct program p;
    struct hostile *h = seam_program(&p, data, n);
    metrics_error_t error;
    if (!h) return 0;
    now = BASE_NOW;
    seam_begin();
    metrics_leader_t *l =
        metrics_leader_acquire(base_path(),
                               &(metrics_reader_options_t){.size = sizeof(metrics_reader_options_t),
                                                           .clock = {wall, monotonic, NULL}},
                               &error);
    if (l) lead(l, &p, h);
    metrics_leader_release(&l);
    FUZZ_HOLDS(seam_end() == 0, "a leader that is released leaves no memory behind");
    return 0;
}
