/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: the check of a hostile segment ends, names a place for each damage, calls a valid segment valid,
 * and finds something wherever a reader leaves a series out.
 */
#include "fuzz.h"
#include "seam.h"
#include "walk.h"

struct heard {
    int damages;
};

static void hear(void *arg, uint64_t offset, const char *what)
{
    struct heard *h = arg;
    (void)offset;
    FUZZ_HOLDS(what[0], "a damage is described");
    h->damages++;
}

static uint64_t readers_miss(void)
{
    metrics_error_t error;
    metrics_reader_t *r = metrics_reader_open(base_path(), NULL, &error);
    metrics_snapshot_t *s = r ? metrics_snapshot_take(r, &error) : NULL;
    uint64_t missed = s ? metrics_snapshot_header(s)->series_damaged : 0;
    metrics_snapshot_release(&s);
    metrics_reader_close(&r);
    return missed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct program p;
    struct hostile *h = seam_file();
    struct heard heard = {0};
    metrics_error_t error;
    program_read(&p, data, n);
    program_start(&p, h);
    seam_watch(&p);
    int found = metrics_segment_check(base_path(), hear, &heard, &error);
    FUZZ_HOLDS(found < 0 || h->next < p.count || found <= heard.damages + 1 || h->phase > 3,
               "what is counted is reported");
    FUZZ_HOLDS(p.count || found == 0, "a sound segment is called sound");
    if (found == 0 && h->next == p.count && h->phase < 100) {
        bool still = true;
        for (size_t i = 0; i < p.count; i++) still &= p.edits[i * EDIT_BYTES] % 16 != 15;
        if (still) FUZZ_HOLDS(!readers_miss(), "the check finds what readers leave out");
    }
    seam_watch(NULL);
    return 0;
}
