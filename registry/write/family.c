/* SPDX-License-Identifier: Apache-2.0 */
/* family.c - the settings that all series of one name share. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "error.h"
#include "handle.h"
#include "text.h"

struct metrics__settings metrics__default_settings(void)
{
    return (struct metrics__settings){.reservoir = METRICS_RESERVOIR_DECAYING,
                                      .samples = METRICS_SAMPLES_DEFAULT,
                                      .alpha = 0.015,
                                      .window_s = 60};
}

struct metrics__family_record *metrics__family_at(segment_t *seg, uint64_t offset,
                                                  struct metrics__settings *settings, double *bounds)
{
    struct segment_record *r = record_at(seg, offset);
    struct metrics__family_record *f;
    uint32_t length = r ? mem_load32(&r->payload_length) : 0; /* ORD-16 */
    if (!r || r->type != RECORD_FAMILY || length < sizeof *f || !(f = record_payload(seg, r, length)))
        return NULL;
    *settings = f->settings;
    if (settings->bound_count > METRICS__BOUNDS_MAX ||
        length < sizeof *f + settings->bound_count * sizeof(double))
        return NULL;
    memcpy(bounds, f->bounds, settings->bound_count * sizeof(double));
    return f;
}

uint64_t metrics__family(metrics_registry_t *r, const char *name, const struct metrics__settings *settings,
                         const double *bounds)
{
    struct metrics__key key;
    if (metrics__key_family(&key, name)) return 0;
    uint64_t found = index_find(r->seg, key.bytes, key.length, index_hash(key.bytes, key.length));
    if (found) return found;
    size_t bytes = sizeof(struct metrics__family_record) + settings->bound_count * sizeof(double);
    uint64_t mine = record_new(r->seg, RECORD_FAMILY, 0, key.bytes, key.length, bytes);
    if (!mine) return 0;
    struct segment_record *record = record_at(r->seg, mine);
    struct metrics__family_record *f = record ? record_payload(r->seg, record, bytes) : NULL;
    if (!f) return 0;
    f->settings = *settings;
    memcpy(f->bounds, bounds, settings->bound_count * sizeof(double));
    uint64_t length = record->length, winner = index_insert(r->seg, mine);
    if (winner != mine) arena_return(r->seg, mine, length);
    return winner;
}

/* --- metrics_describe() --- */

static const char *check_bounds(const metrics_family_t *f)
{
    if (!f->bounds || !f->bound_count) return "explicit buckets need bounds";
    if (f->bound_count > METRICS__BOUNDS_MAX) return "there are more than 512 bounds";
    for (uint32_t i = 0; i < f->bound_count; i++)
        if (!isfinite(f->bounds[i]) || (i && f->bounds[i] <= f->bounds[i - 1]))
            return "bounds must be finite and ascending";
    return NULL;
}

/* NULL, or what is wrong. */
static const char *read_settings(const metrics_family_t *f, struct metrics__settings *s)
{
    *s = metrics__default_settings();
    if (!metrics__is_utf8(f->unit ? f->unit : "", f->unit ? strlen(f->unit) : 0))
        return "the unit is not valid UTF-8";
    if (!metrics__is_utf8(f->help ? f->help : "", f->help ? strlen(f->help) : 0))
        return "the help is not valid UTF-8";
    if (f->merge > METRICS_MERGE_ALL) return "merge is not one of METRICS_MERGE_*";
    if (f->reservoir > METRICS_BUCKETS_EXPONENTIAL)
        return "reservoir is not one of METRICS_RESERVOIR_*, METRICS_BUCKETS*";
    s->merge = (uint8_t)f->merge;
    s->persistent = f->persistent != 0;
    s->reservoir = (uint8_t)f->reservoir;
    s->series_limit = f->series_limit;
    if (f->samples) s->samples = f->samples;
    if (f->alpha != 0) s->alpha = f->alpha;
    if (f->window_s != 0) s->window_s = f->window_s;
    if (s->samples < 8 || s->samples > 65536) return "samples must be 8 to 65536";
    if (!(s->alpha > 0 && s->alpha <= 100)) return "alpha must be above 0 and at most 100 per second";
    if (!(s->window_s >= 1 && s->window_s <= 1e8)) return "window_s must be 1 s to 1e8 s";
    if (f->reservoir == METRICS_BUCKETS) {
        const char *wrong = check_bounds(f);
        if (wrong) return wrong;
        s->bound_count = f->bound_count;
    } else if (f->reservoir == METRICS_BUCKETS_EXPONENTIAL) {
        if (f->scale < 0 || f->scale > 5) return "scale must be 0 to 5";
        if ((f->low != 0 || f->high != 0) && !(isfinite(f->high) && f->low > 0 && f->high > f->low))
            return "low and high must be finite with 0 < low < high";
        s->scale = (int8_t)f->scale;
        s->low = f->low;
        s->high = f->high;
    }
    return NULL;
}

static bool same_settings(const struct metrics__family_record *f, const struct metrics__settings *s,
                          const double *bounds)
{
    return !memcmp(&f->settings, s, sizeof *s) && !memcmp(f->bounds, bounds, s->bound_count * sizeof *bounds);
}

/* Unit and help go into a record of their own, once. */
static bool add_text(metrics_registry_t *r, struct metrics__family_record *f, const metrics_family_t *from)
{
    const char *unit = from->unit ? from->unit : "", *help = from->help ? from->help : "";
    size_t unit_n = metrics__text_cut(unit, 63) + 1, help_n = metrics__text_cut(help, 1023) + 1;
    if ((unit_n == 1 && help_n == 1) || mem_load_acquire(&f->text)) return true; /* ORD-2 */
    uint64_t offset = record_new(r->seg, RECORD_TEXT, 0, "", 0, unit_n + help_n);
    if (!offset) return false;
    struct segment_record *record = record_at(r->seg, offset);
    char *text = record ? record_payload(r->seg, record, unit_n + help_n) : NULL;
    if (!text) return false;
    memcpy(text, unit, unit_n - 1);
    memcpy(text + unit_n, help, help_n - 1);
    uint64_t none = 0, length = record->length;
    if (!mem_cas(&f->text, &none, offset)) arena_return(r->seg, offset, length); /* ORD-2 */
    mem_add(&r->seg->head->records, 1);                                          /* readers look again */
    return true;
}

static int describe(metrics_registry_t *r, const char *name, const metrics_family_t *from,
                    const struct metrics__settings *settings, metrics_error_t *error)
{
    double bounds[METRICS__BOUNDS_MAX];
    struct metrics__settings now;
    uint64_t offset = metrics__family(r, name, settings, from->bounds);
    struct metrics__family_record *f = offset ? metrics__family_at(r->seg, offset, &now, bounds) : NULL;
    if (!offset) {
        metrics__refuse(r, LOSS_SEGMENT_FULL, METRICS_E_FULL, name, "no room for the settings of %s", name);
    } else if (!f) {
        metrics__refuse(r, LOSS_DAMAGE, METRICS_E_DAMAGED, name,
                        "the settings of %s in the segment are damaged", name);
    } else if (!same_settings(f, settings, from->bounds)) {
        metrics__refuse(
            r, LOSS_SETTINGS, METRICS_E_SETTINGS, name,
            "%s exists with other settings, which stay: describe a family before its first series, and "
            "with the same settings everywhere",
            name);
    } else if (add_text(r, f, from)) {
        return 0;
    } else {
        metrics__refuse(r, LOSS_SEGMENT_FULL, METRICS_E_FULL, name, "no room for the help text of %s", name);
    }
    *error = r->refusal;
    return r->refusal.code;
}

int metrics_describe(metrics_registry_t *r, const char *name, const metrics_family_t *from,
                     metrics_error_t *error)
{
    metrics_family_t f = {0};
    struct metrics__key key;
    struct metrics__settings settings;
    metrics_error_t dummy;
    if (!error) error = &dummy;
    memset(error, 0, sizeof *error);
    struct process_undisturbed before;
    if (!r || !from || from->size < sizeof(size_t))
        return metrics__fail(error, METRICS_E_ARGUMENT, 0, "metrics_describe: set .size of metrics_family_t");
    memcpy(&f, from, from->size < sizeof f ? from->size : sizeof f);
    const char *wrong = metrics__key_family(&key, name);
    if (wrong) return metrics__fail(error, METRICS_E_NAME, 0, "metrics_describe: %s", wrong);
    if ((wrong = read_settings(&f, &settings)))
        return metrics__fail(error, METRICS_E_ARGUMENT, 0, "settings of %s: %s", name, wrong);
    if (!r->seg || segment_closed(r->seg))
        return metrics__fail(error, METRICS_E_CLOSED, 0, "the registry is a no-op");
    if (f.reservoir != METRICS_BUCKETS) f.bounds = NULL;
    static const double no_bounds[1];
    if (!f.bounds) f.bounds = no_bounds;
    metrics__lock(r, &before);
    int rc = describe(r, name, &f, &settings, error);
    metrics__unlock(r, &before);
    return rc;
}
