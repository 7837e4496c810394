/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "../fixture.h"
#include "meta.h"
#include "meta_family.h"

/* An exporter's ledger and meta-metrics, with one backend "b". The segment outlives them. */
struct rig {
    struct fixture f;
    struct ledger *ledger;
    struct meta *meta;
    int b;
};

/* Begins to be an exporter that finds this account in its log's file. */
static void rig_start(struct rig *r, const struct ledger_account *restored)
{
    struct buf why = {0};
    r->ledger = ledger_new();
    r->meta = meta_new();
    r->b = ledger_open(r->ledger, "b");
    ledger_restore(r->ledger, r->b, LEDGER_METRICS, restored);
    if (!meta_attach(r->meta, r->f.path, &why)) UNIT_FAIL("%s\n", buf_text(&why));
    metrics_snapshot_t *s = fixture_sample(&r->f, 1);
    meta_recall(r->meta, r->ledger, s);
    metrics_snapshot_release(&s);
    buf_free(&why);
}

/* Ends without a word, as an exporter that is killed. */
static void rig_stop(struct rig *r)
{
    meta_free(&r->meta);
    ledger_free(&r->ledger);
}

static void rig_open(struct rig *r, const struct ledger_account *restored)
{
    memset(r, 0, sizeof *r);
    fixture_open(&r->f);
    rig_start(r, restored);
}

static void rig_close(struct rig *r)
{
    rig_stop(r);
    fixture_close(&r->f);
}

/* n readings are taken; most are delivered, `refused` of them are not. */
static void rig_deliver(struct rig *r, uint64_t n, uint64_t refused)
{
    ledger_take(r->ledger, r->b, LEDGER_METRICS, n);
    ledger_deliver(r->ledger, r->b, LEDGER_METRICS, n - refused, 3 * (n - refused));
    ledger_drop(r->ledger, r->b, LEDGER_METRICS, LEDGER_REFUSED, refused);
}

static bool has_tag(const metrics_reading_t *reading, const char *key, const char *value)
{
    size_t n;
    const metrics_tag_t *tags = metrics_reading_tags(reading, &n);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(tags[i].key, key)) return !strcmp(tags[i].value, value);
    return false;
}

/* Is there one value of mtx.segment.lanes, with these tags? */
static bool lanes_are(const metrics_snapshot_t *s, const char *kind, const char *why, double n)
{
    metrics_row_t row;
    int rows = 0;
    bool right = false;
    for (size_t i = 0; i < metrics_snapshot_count(s); i++) {
        const metrics_reading_t *reading = metrics_snapshot_reading(s, i);
        if (strcmp(metrics_reading_name(reading), meta_families[META_LANES].name)) continue;
        if (!metrics_reading_rows(reading, NULL, NULL, &row, 1)) continue;
        rows++;
        right =
            has_tag(reading, "kind", kind) && has_tag(reading, "why", why) && metrics_row_number(&row) == n;
    }
    return rows == 1 && right;
}

/* The value of a counter of the backend; a reason or NULL. -1 without the series. */
static double counter(const metrics_snapshot_t *s, enum meta_family_id family, const char *reason)
{
    metrics_row_options_t options = {.size = sizeof options, .attributes = METRICS_ATTR(METRICS_COUNT)};
    metrics_row_t row;
    for (size_t i = 0; i < metrics_snapshot_count(s); i++) {
        const metrics_reading_t *reading = metrics_snapshot_reading(s, i);
        if (strcmp(metrics_reading_name(reading), meta_families[family].name)) continue;
        if (!has_tag(reading, "backend", "b") || (reason && !has_tag(reading, "reason", reason))) continue;
        if (metrics_reading_rows(reading, NULL, &options, &row, 1)) return metrics_row_number(&row);
    }
    return -1;
}

/* Reports, and compares the segment's counters with what all exporters together have done. */
static void check_counters(struct rig *r, double taken, double delivered, double refused)
{
    meta_ledger(r->meta, r->ledger);
    metrics_snapshot_t *s = fixture_sample(&r->f, 1);
    CHECK_NEAR(counter(s, META_TAKEN, NULL), taken, 0);
    CHECK_NEAR(counter(s, META_SEND_SUCCESSFUL, NULL), delivered, 0);
    CHECK_NEAR(counter(s, META_SEND_POINTS, NULL), 3 * delivered, 0);
    CHECK_NEAR(counter(s, META_SEND_TOTAL, NULL), delivered + refused, 0);
    CHECK_NEAR(counter(s, META_SEND_FAILED, "refused"), refused, 0);
    CHECK_NEAR(counter(s, META_DROPPED, "refused"), refused, 0);
    metrics_snapshot_release(&s);
}

static const struct ledger_account nothing;

/* Breaks if a counter of the segment is not the ledger's number, or adds something a second time. */
UNIT(meta, counters_are_the_ledger)
{
    struct rig r;
    rig_open(&r, &nothing);
    rig_deliver(&r, 10, 2);
    check_counters(&r, 10, 8, 2);
    check_counters(&r, 10, 8, 2);
    rig_deliver(&r, 5, 0);
    check_counters(&r, 15, 13, 2);
    rig_close(&r);
}

/* Breaks if what is in the segment's counters and was not yet in the file of a killed exporter counts
 * twice when it happens again. */
UNIT(meta, what_happens_again_counts_once)
{
    struct rig r;
    rig_open(&r, &nothing);
    rig_deliver(&r, 10, 2);
    check_counters(&r, 10, 8, 2);
    rig_stop(&r);
    rig_start(&r, &(struct ledger_account){.taken = 10, .delivered = 4, .queued = 6, .points = 12});
    check_counters(&r, 10, 8, 2);
    ledger_deliver(r.ledger, r.b, LEDGER_METRICS, 4, 12);
    ledger_drop(r.ledger, r.b, LEDGER_METRICS, LEDGER_REFUSED, 2);
    check_counters(&r, 10, 8, 2);
    rig_deliver(&r, 3, 1);
    check_counters(&r, 13, 10, 3);
    rig_close(&r);
}

/* Breaks if what is in the file of a killed exporter and was not yet in the segment's counters is missing
 * for ever. */
UNIT(meta, what_was_not_reported_is_reported)
{
    struct rig r;
    rig_open(&r, &nothing);
    rig_deliver(&r, 10, 2);
    check_counters(&r, 10, 8, 2);
    rig_stop(&r);
    rig_start(&r, &(struct ledger_account){
                      .taken = 16, .delivered = 13, .points = 39, .dropped = {[LEDGER_REFUSED] = 3}});
    check_counters(&r, 16, 13, 3);
    rig_close(&r);
}

/* Breaks if counters that hold more than this log, since the exporter had other segments, are taken for a
 * part of it. */
UNIT(meta, counters_of_other_logs_stay)
{
    struct rig r;
    rig_open(&r, &nothing);
    rig_deliver(&r, 100, 2);
    check_counters(&r, 100, 98, 2);
    rig_stop(&r);
    rig_start(&r, &(struct ledger_account){.taken = 10, .delivered = 10, .points = 30});
    rig_deliver(&r, 5, 0);
    check_counters(&r, 105, 103, 2);
    rig_close(&r);
}

/* Breaks if a family is without a name, a unit or a help text. */
UNIT(meta, families_are_described)
{
    for (int i = 0; i < META_FAMILY_COUNT; i++) {
        const struct meta_family *f = &meta_families[i];
        CHECK(f->name && !strncmp(f->name, "mtx.", 4));
        CHECK(f->unit && f->help && f->help[strlen(f->help) - 1] == '.');
    }
}

/* Promise: the segment says which lanes are used, and why, in one series; a change of mind leaves no second one. */
UNIT(meta, lanes)
{
    struct rig r;
    const struct ledger_account none = {0};
    rig_open(&r, &none);
    metrics_segment_info_t info = {.cpu_lanes = 16, .atomic_lanes = 4, .lanes = METRICS_LANES_NOT_PROVED};
    const metrics_snapshot_header_t header = {0};
    meta_segment(r.meta, &info, &header, (struct log_size){0});
    metrics_snapshot_t *s = fixture_sample(&r.f, 2);
    CHECK(lanes_are(s, "atomic", "not_proved", 4));
    metrics_snapshot_release(&s);
    info.lanes = METRICS_LANES_PROVED;
    meta_segment(r.meta, &info, &header, (struct log_size){0});
    s = fixture_sample(&r.f, 3);
    CHECK(lanes_are(s, "cpu", "proved", 16));
    metrics_snapshot_release(&s);
    rig_close(&r);
}
