/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: a writer attaches to a hostile segment of the right owner and mode, registers and updates series
 * of every kind. Whatever is in the segment, and however it changes between two calls (with FUZZ_STORM: at
 * any moment), numbers may be wrong, but nothing outside the mapping is touched and every call returns.
 */
#include <stdlib.h>
#include <string.h>

#include <mtx/metrics.h>

#include "fuzz.h"
#include "handle.h"
#include "seam.h"
#include "storm.h"

static const char *const taken[] = {"plain",   "requests", "in.flight", "marks",       "uniform", "decaying",
                                    "sliding", "window",   "explicit",  "exponential", "time",    "users",
                                    "last",    "sum",      "each",      "kept"};
static const char *const fresh[] = {"a", "b", "other.name", "c"};
enum { TAKEN = sizeof taken / sizeof *taken };

static const char *name_of(uint8_t op)
{
    unsigned i = op >> 4;
    return i < TAKEN ? taken[i] : fresh[i % 4];
}

static double ask(void *arg)
{
    (void)arg;
    return 42;
}

static void describe(metrics_registry_t *r, const char *name, unsigned how)
{
    static const double bounds[] = {1, 2, 3};
    metrics_family_t f = {.size = sizeof f,
                          .unit = "things",
                          .help = "What it is.",
                          .reservoir = (enum metrics_reservoir)(how % 6),
                          .samples = 8,
                          .bounds = bounds,
                          .bound_count = 3};
    metrics_describe(r, name, &f, NULL);
}

/* A name that nobody but the input has thought of. */
static void any_name(metrics_registry_t *r, const uint8_t *script, size_t n)
{
    char name[65] = "";
    memcpy(name, script, n < 64 ? n : 64);
    metrics_counter_inc(metrics_counter(r, name));
    metrics_counter_inc(metrics_counter(r, "any", name, name));
}

static void distribution(metrics_registry_t *r, const char *name, unsigned op)
{
    for (int i = 0; i < 20; i++) metrics_histogram_update(metrics_histogram(r, name), op * 0.25 + i);
    metrics_histogram_update(metrics_histogram(r, name), 0.0 / 0.0);
}

static void act(metrics_registry_t *r, uint8_t op, const uint8_t *rest, size_t n)
{
    const char *name = name_of(op), *tag = fresh[op >> 6];
    switch (op & 15) {
    case 0: metrics_counter_inc(metrics_counter(r, name)); break;
    case 1: metrics_counter_add(metrics_counter(r, "requests", "route", tag, "code", "200"), 3); break;
    case 2: metrics_updown_dec(metrics_updown(r, "in.flight", "worker", tag)); break;
    case 3: metrics_meter_mark(metrics_meter(r, name), 2); break;
    case 4: metrics_gauge_set(metrics_gauge(r, taken[12 + (op >> 6)]), op); break;
    case 5: metrics_gauge_add(metrics_gauge(r, name), 1.5); break;
    case 6: distribution(r, name, op); break;
    case 7: metrics_timer_update(metrics_timer(r, "time", "op", tag), op * UINT64_C(1000)); break;
    case 8:
        for (unsigned i = 0; i < 300; i++) metrics_set_add(metrics_set(r, "users"), &i, sizeof i);
        break;
    case 9: metrics_info(r, name, "version", tag); break;
    case 10: describe(r, name, op >> 4); break;
    case 11: metrics_retire(r, &name, 1); break;
    case 12: metrics_poll(r); break;
    case 13: metrics_prepare(r); break;
    case 14: metrics_gauge_callback(metrics_gauge(r, name), op >> 7 ? ask : NULL, NULL); break;
    default: any_name(r, rest, n); break;
    }
}

/* Every kind and some new ones, for inputs that say nothing. */
static const uint8_t everything[] = {0x00, 0x01, 0x02, 0x33, 0x04, 0x44, 0x84, 0xc4, 0x05,
                                     0x46, 0x56, 0x66, 0x76, 0x86, 0x96, 0x07, 0x47, 0x08,
                                     0x19, 0x0a, 0x0b, 0xce, 0x0c, 0x0d, 0x00, 0x41};

static void write_all(metrics_registry_t *r, const struct program *p, struct hostile *h)
{
    const uint8_t *script = p->script_length ? p->script : everything;
    size_t n = p->script_length ? p->script_length : sizeof everything;
    for (size_t i = 0; i < n && i < 64; i++) {
        act(r, script[i], script + i + 1, n - i - 1);
        program_step(p, h);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct program p;
    struct hostile *h = seam_program(&p, data, n);
    metrics_error_t error;
    if (!h) return 0;
    seam_begin();
    storm_begin(&p, h);
    metrics_registry_t *r = metrics_open(&(metrics_options_t){.size = sizeof(metrics_options_t),
                                                              .path = base_path(),
                                                              .attach = METRICS_EXISTING},
                                         &error),
                       *closed = r;
    write_all(r, &p, h);
    metrics_status(r, &error);
    metrics_close(&closed);
    storm_end();
    if (r->seg) free(r->seg->path);
    seam_end();
    return 0;
}
