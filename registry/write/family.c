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

enum { UNIT_MOST = 63, HELP_MOST = 1023 };
struct texts {
    char unit[UNIT_MOST + 1], help[HELP_MOST + 1];
};

static void take_text(char *to, const char *from, size_t most)
{
    size_t n = from ? metrics__text_cut(from, most) : 0;
    memcpy(to, from ? from : "", n);
    to[n] = 0;
}

/* What the record at this offset says; nothing if it is not whole. A private copy: it may change. */
static struct texts texts_at(segment_t *seg, uint64_t offset)
{
    struct texts t = {"", ""};
    char copy[sizeof t];
    struct segment_record *record = offset ? record_at(seg, offset) : NULL;
    uint32_t n = record ? mem_load32(&record->payload_length) : 0; /* ORD-16 */
    const char *from = n >= 2 && n <= sizeof copy ? record_payload(seg, record, n) : NULL;
    if (!from) return t;
    memcpy(copy, from, n);
    copy[n - 1] = 0;
    size_t unit = strlen(copy) + 1;
    take_text(t.unit, copy, UNIT_MOST);
    if (unit < n) take_text(t.help, copy + unit, HELP_MOST);
    return t;
}

static uint64_t new_texts(segment_t *seg, const struct texts *t, uint64_t *length)
{
    size_t unit_n = strlen(t->unit) + 1, help_n = strlen(t->help) + 1;
    uint64_t offset = record_new(seg, RECORD_TEXT, 0, "", 0, unit_n + help_n);
    struct segment_record *record = offset ? record_at(seg, offset) : NULL;
    char *to = record ? record_payload(seg, record, unit_n + help_n) : NULL;
    if (!to) return 0;
    memcpy(to, t->unit, unit_n);
    memcpy(to + unit_n, t->help, help_n);
    *length = record->length;
    return offset;
}

/* 0 = nothing to add, 1 = `into` has more now, -1 = it has another one already. */
static int add_part(char *into, const char *part)
{
    if (!*part || !strcmp(into, part)) return 0;
    if (*into) return -1;
    strcpy(into, part);
    return 1;
}

/*
 * Unit and help are in a record of their own. Each may be added once; with the second one comes a new record, which
 * has both. 0, METRICS_E_SETTINGS if there is another one already, METRICS_E_FULL.
 */
static int add_texts(metrics_registry_t *r, struct metrics__family_record *f, const metrics_family_t *from)
{
    struct texts wish;
    take_text(wish.unit, from->unit, UNIT_MOST);
    take_text(wish.help, from->help, HELP_MOST);
    uint64_t old = mem_load_acquire(&f->text), fresh, length; /* ORD-2 */
    do {
        struct texts t = texts_at(r->seg, old);
        int unit = add_part(t.unit, wish.unit), help = add_part(t.help, wish.help);
        if (unit < 0 || help < 0) return METRICS_E_SETTINGS;
        if (!unit && !help) return 0;
        if (!(fresh = new_texts(r->seg, &t, &length))) return METRICS_E_FULL;
        if (mem_cas(&f->text, &old, fresh)) break; /* ORD-2 */
        arena_return(r->seg, fresh, length);
    } while (true);
    mem_add(&r->seg->head->records, 1); /* ORD-2: readers look again */
    return 0;
}

static void refuse_texts(metrics_registry_t *r, const char *name, int code)
{
    if (code == METRICS_E_FULL)
        metrics__refuse(r, LOSS_SEGMENT_FULL, code, name, "no room for the help text of %s", name);
    else
        metrics__refuse(
            r, LOSS_SETTINGS, code, name,
            "%s exists with another unit or help text, which stays: describe it with the same ones everywhere",
            name);
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
    } else {
        int code = add_texts(r, f, from);
        if (!code) return 0;
        refuse_texts(r, name, code);
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
