/* SPDX-License-Identifier: Apache-2.0 */
/*
 * out_anodot30.c - Anodot, protocol 3.0: a sample has all numbers of a series, and a schema that says what
 * they are. There is one schema for each name; it is looked up, or made, before its first sample.
 *
 *     POST /api/v1/metrics?token=...&protocol=anodot30
 *     [{"schemaId": "S1", "timestamp": 1700000000, "dimensions": {"dc": "eu_1"},
 *       "measurements": {"hits": 12.0}}]
 */
#include "anodot30.h"
#include "points_event.h"
#include "attribute.h"
#include "fnv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const policies[] = {"fill", "fail", "ignore", NULL};

#define ANODOT30(MEMBER) OPTION_FIELD(struct anodot30_settings, MEMBER)
static const struct option anodot30_options[] = {
    ANODOT_OPTIONS,
    {.name = "access_key",
     .type = OPTION_SECRET,
     ANODOT30(access_key),
     .env = "ANODOT_ACCESS_KEY",
     .required = true,
     .help = "the access key, needed for schemas"},
    {.name = "missing_dimension",
     .type = OPTION_CHOICE,
     ANODOT30(missing),
     .def = "fill",
     .choices = policies,
     .help = "what the service does with a sample that lacks a dimension of its schema"},
    {.name = "fill",
     .type = OPTION_STRING,
     ANODOT30(fill),
     .def = "unknown",
     .help = "text to fill in for a missing dimension"},
    {.name = "watermark",
     .type = OPTION_BOOL,
     ANODOT30(watermark),
     .def = "true",
     .help = "after each interval, send a watermark: everything before it has been sent"},
    {.name = NULL},
};

/* --- What the registry needs --- */

/* What a series needs of its schema: the keys of its tags and its statistics. Nearly all series of a family
 * need the same, so each need is checked once. */
enum { NEEDS = 64 };
struct needs {
    uint64_t seen[NEEDS];
    size_t n;
};

static bool is_new_need(struct needs *needs, const struct item *item, const struct rows *rows)
{
    uint64_t hash = FNV_BEGIN;
    for (size_t i = 0; i < item->tag_count; i++)
        hash = fnv(hash, item->tags[i].key, strlen(item->tags[i].key) + 1);
    for (size_t i = 0; i < rows->n; i++) {
        const metrics_row_t *row = &rows->at[i];
        const uint32_t what[] = {row->attribute, row->nature, row->worker >= 0, item->rebased};
        hash = fnv(hash, what, sizeof what);
        hash = fnv(hash, &row->parameter, sizeof row->parameter);
    }
    for (size_t i = 0; i < needs->n; i++)
        if (needs->seen[i] == hash) return false;
    if (needs->n < NEEDS) needs->seen[needs->n++] = hash;
    return true;
}

static void need_dimensions(const struct anodot_settings *s, const metrics_tag_t *tags, size_t n,
                            json_t *dimensions)
{
    for (size_t i = 0; i < n; i++) {
        struct buf key = {0};
        anodot_text(s, tags[i].key, &key);
        if (!anodot30_has_dimension(dimensions, buf_text(&key)))
            json_array_append_new(dimensions, json_string(buf_text(&key)));
        buf_free(&key);
    }
}

static void need_measurements(const struct anodot_settings *s, const struct view *view,
                              const struct item *item, const struct rows *rows, json_t *dimensions,
                              json_t *measurements)
{
    struct points points = {0};
    anodot_map(&points, view, item, rows, s, NULL);
    for (size_t i = 0; i < points.n; i++) {
        const struct point *p = &points.at[i];
        struct buf name = {0};
        anodot_text(s, p->name, &name);
        json_t *m = json_pack("{s:s, s:s}", "aggregation", p->type == POINT_DELTA ? "sum" : "average",
                              "countBy", "none");
        if (p->unit && *p->unit) json_object_set_new(m, "units", json_string(p->unit));
        json_object_set_new(measurements, buf_text(&name), m);
        need_dimensions(s, p->tags, p->tag_count, dimensions); /* a level's worker may be among them */
        buf_free(&name);
    }
    points_free(&points);
}

/* The schema for items [from, to), which have one name: found or made. */
static bool prepare_family(const struct anodot30_talk *t, const struct view *view, size_t from, size_t to)
{
    const char *name = view->items[from].name;
    json_t *dimensions = json_array(), *measurements = json_object();
    struct needs needs = {.n = 0};
    struct rows rows = {0};
    for (size_t i = from; i < to; i++) {
        const struct item *item = &view->items[i];
        if (!item_rows(view, item, METRICS_INTERVAL, &rows) || !is_new_need(&needs, item, &rows)) continue;
        need_dimensions(&t->settings->anodot, item->tags, item->tag_count, dimensions);
        need_measurements(&t->settings->anodot, view, item, &rows, dimensions, measurements);
    }
    rows_free(&rows);
    struct anodot30_schema *s = anodot30_find(t->session, name);
    bool there = !json_object_size(measurements) || (s && anodot30_covers(s, dimensions, measurements));
    if (!there)
        there = anodot30_create(t, name, s ? s->version + 1 : t->settings->anodot.version, dimensions,
                                measurements);
    json_decref(dimensions);
    json_decref(measurements);
    return there;
}

static size_t family_end(const struct view *view, size_t from)
{
    size_t to = from + 1;
    while (to < view->n && !strcmp(view->items[to].name, view->items[from].name)) to++;
    return to;
}

static void prepare_session(void *session, const void *settings, void *link, const struct view *view,
                            struct answer *answer)
{
    const struct anodot30_talk talk = {session, settings, link, answer};
    if (!anodot30_know(&talk)) return;
    for (size_t from = 0, to; from < view->n; from = to) {
        to = family_end(view, from);
        answer_free(answer);
        if (!prepare_family(&talk, view, from, to)) return;
    }
    answer_free(answer);
    answer->outcome = OUTCOME_SENT;
}

static void send_watermarks(void *session, const void *settings, void *link, const struct view *view,
                            struct answer *answer)
{
    const struct anodot30_talk talk = {session, settings, link, answer};
    answer->outcome = OUTCOME_SENT;
    for (size_t from = 0; from < view->n && talk.settings->watermark; from = family_end(view, from)) {
        const struct anodot30_schema *s = anodot30_find(session, view->items[from].name);
        if (!s) continue;
        anodot30_send_watermark(&talk, s->id, view->wall_ns);
        if (answer->outcome != OUTCOME_SENT) break;
    }
    if (answer->outcome == OUTCOME_BAD || answer->outcome == OUTCOME_SPLIT) answer->outcome = OUTCOME_DROP;
}

static void *open_session(const void *settings, struct buf *why)
{
    (void)settings;
    return backend_alloc(sizeof(struct anodot30), why);
}

static void expire_session(void *session)
{
    struct anodot30 *a = session;
    free(a->bearer);
    a->bearer = NULL;
    anodot30_forget(a); /* one may have been deleted */
}

static void close_session(void **session)
{
    struct anodot30 *a = *session;
    anodot30_forget_marks(a);
    expire_session(*session);
    backend_free(session);
}

/* --- Samples --- */

/* One point with all its numbers; a level that is not merged makes one for each worker. */
static void anodot30_map(struct points *out, const struct view *view, const struct item *item,
                         const struct rows *rows, const void *settings, const void *session)
{
    struct points numbers = {0};
    struct point *sample = NULL;
    struct point_field *fields = NULL;
    anodot_map(&numbers, view, item, rows, settings, session);
    for (size_t i = 0; i < numbers.n; i++) {
        const struct point *p = &numbers.at[i];
        bool worker = p->tag_count > item->tag_count;
        if (!sample || worker) {
            sample = points_of_row(out, view, item, &rows->at[worker ? i : 0]);
            sample->type = POINT_FIELDS;
            fields = region_alloc(&out->region, numbers.n * sizeof *fields);
            sample->fields = fields;
            if (!fields) break;
        }
        fields[sample->field_count++] =
            (struct point_field){points_text(out, "%s", p->name), point_number(p), p->type == POINT_DELTA};
    }
    if (numbers.failed) out->failed = true;
    points_free(&numbers);
}

static size_t put_measurements(struct json *j, const struct point *p, const struct anodot_settings *s,
                               struct buf *scratch)
{
    struct point_field one;
    size_t n = 0, count;
    const struct point_field *fields = anodot30_fields_of(p, &one, &count);
    jsonw_key(j, "measurements");
    jsonw_object(j);
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(fields[i].value)) continue;
        buf_reset(scratch);
        anodot_text(s, fields[i].name, scratch);
        jsonw_key(j, buf_text(scratch));
        jsonw_float(j, fields[i].value);
        n++;
    }
    jsonw_object_end(j);
    return n;
}

static bool anodot30_add(struct payload *payloads, const struct point *p, const void *settings,
                         const void *session, struct buf *why)
{
    static const char *const none[] = {NULL};
    const struct anodot30_settings *s = settings;
    struct buf *body = &payloads[0].body;
    const char *id = anodot30_schema_id(p, session);
    struct json j;
    if (!id) {
        buf_str(why, "there is no schema for it");
        return false;
    }
    buf_str(body, payloads[0].points ? ",\n" : "[");
    jsonw_begin(&j, body);
    jsonw_object(&j);
    jsonw_key_str(&j, "schemaId", id);
    if (p->time_ns) jsonw_key_u64(&j, "timestamp", p->time_ns / 1000000000);
    jsonw_key(&j, "dimensions");
    jsonw_object(&j);
    bool good = anodot_dimensions(&j, p, &s->anodot, none, ANODOT_PROPERTIES, &payloads[0].scratch, why);
    jsonw_object_end(&j);
    if (!put_measurements(&j, p, &s->anodot, &payloads[0].scratch) && good) {
        buf_str(why, "it has no finite number");
        good = false;
    }
    anodot_labels(&j, p, &s->anodot);
    jsonw_object_end(&j);
    payloads[0].points += good;
    return good;
}

static void anodot30_end(struct payload *payloads, const void *settings, const void *session)
{
    (void)session;
    anodot_samples_end(&payloads[0], settings, "anodot30");
}

static const struct backend_points anodot30_points = {.map = anodot30_map,
                                                      .add = anodot30_add,
                                                      .end = anodot30_end,
                                                      .most = ANODOT_POINTS,
                                                      .words = anodot30_words,
                                                      .own = anodot30_own,
                                                      .hand = &anodot30_hand};

/* --- Events --- */

/* Schemas for the points of a chunk, as for those by hand. */
static void prepare_events(void *session, const void *settings, void *link, struct event_view *view,
                           struct answer *answer)
{
    struct points points = {0};
    for (size_t i = 0; i < view->n; i++)
        if (event_view_type(view, i) == METRICS_EVENT_POINT)
            points_of_event(&points, &anodot30_points, event_view_get(view, i), view->numbers[i]);
    anodot30_hand.prepare(session, settings, link, points.at, points.n, answer);
    points_free(&points);
}

static const struct backend_events anodot30_events = {.types = EVENT_BIT(METRICS_EVENT_POINT),
                                                      .additive = EVENT_BIT(METRICS_EVENT_POINT),
                                                      .encode = points_encode_events,
                                                      .prepare = prepare_events};

static const struct backend_session anodot30_session = {.open = open_session,
                                                        .prepare = prepare_session,
                                                        .done = send_watermarks,
                                                        .expire = expire_session,
                                                        .close = close_session};

const struct backend backend_anodot30 = {
    .name = "anodot30",
    .summary = "Anodot, protocol 3.0: samples with schemas",
    .options = anodot30_options,
    .settings_size = sizeof(struct anodot30_settings),
    .wants = {.resolution_ns = 1000000000,
              .totals = METRICS_INTERVAL,
              .sampled = METRICS_RECENT,
              .additive = true},
    .transport = &transport_http,
    .session = &anodot30_session,
    .judge = anodot_judge,
    .encode = points_encode,
    .points = &anodot30_points,
    .events = &anodot30_events,
};
