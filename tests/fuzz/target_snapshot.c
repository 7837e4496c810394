/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a reader takes snapshots of a hostile segment, which may
 * change or shrink between any two of its reads, without harm. */
#include <string.h>

#include "fuzz.h"
#include "seam.h"
#include "walk.h"

static uint64_t wall(void *arg)
{
    (void)arg;
    return UINT64_C(1700000060000000000);
}
static uint64_t monotonic(void *arg)
{
    (void)arg;
    return BASE_NOW;
}

static void told(void *arg, uint64_t seq, const char *reason, const char *name)
{
    FUZZ_HOLDS(seq && reason, "a refusal has a number and a reason");
    *(size_t *)arg += strlen(name);
}
static void seen(void *arg, const metrics_process_t *p)
{
    *(size_t *)arg += strnlen(p->name, sizeof p->name);
}

static void read_all(metrics_reader_t *r, unsigned flags)
{
    metrics_error_t error;
    metrics_segment_info_t info;
    size_t length = 0;
    metrics_snapshot_t *first = metrics_snapshot_take(r, &error), *second;
    if (first) {
        walk_snapshot(first, NULL);
        if ((flags & (EDIT_BYTES_TOO | EDIT_NO_BYTES)) == EDIT_BYTES_TOO) walk_bytes(first);
    }
    if ((second = metrics_snapshot_take(r, &error))) walk_snapshot(second, first);
    if (flags & EDIT_FACTS_TOO) {
        metrics_reader_refusals(r, told, &length);
        metrics_reader_processes(r, seen, &length);
        metrics_reader_info(r, &info, &error);
    }
    metrics_snapshot_release(&first);
    metrics_snapshot_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct program p;
    struct hostile *h = seam_file();
    metrics_error_t error;
    program_read(&p, data, n);
    program_start(&p, h);
    seam_watch(&p);
    metrics_reader_t *r =
        metrics_reader_open(base_path(),
                            &(metrics_reader_options_t){.size = sizeof(metrics_reader_options_t),
                                                        .clock = {wall, monotonic, NULL}},
                            &error);
    if (r) read_all(r, p.flags);
    metrics_reader_close(&r);
    seam_watch(NULL);
    return 0;
}
