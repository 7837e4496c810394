/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anodot30_hand.c - Anodot, protocol 3.0, points by hand: what their lines may say, the schemas that they
 * need, the watermarks that are due after them.
 */
#include "anodot30.h"

#include <stdlib.h>
#include <string.h>

/* The newest time that was sent of a schema. */
struct anodot30_mark {
    struct anodot30_mark *next;
    char *id;
    uint64_t time_ns;
};

/* "units": "req" for all of a line's measurements, or {"hits": "req"}. */
static const char *units_of(const struct point *p, const char *field)
{
    const json_t *units = p->extra ? json_object_get(p->extra, "units") : NULL;
    return json_is_object(units) ? json_string_value(json_object_get(units, field))
                                 : json_string_value(units);
}

/* What a point needs of its schema. */
static void need_point(const struct anodot_settings *s, const struct point *p, json_t *dimensions,
                       json_t *measurements)
{
    struct point_field one;
    size_t n;
    const struct point_field *fields = anodot30_fields_of(p, &one, &n);
    struct buf name = {0};
    for (size_t i = 0; i < p->tag_count; i++) {
        buf_reset(&name);
        anodot_text(s, p->tags[i].key, &name);
        if (!anodot30_has_dimension(dimensions, buf_text(&name)))
            json_array_append_new(dimensions, json_string(buf_text(&name)));
    }
    for (size_t i = 0; i < n; i++) {
        const char *units = units_of(p, fields[i].name);
        json_t *m =
            json_pack("{s:s, s:s}", "aggregation", fields[i].delta ? "sum" : "average", "countBy", "none");
        buf_reset(&name);
        anodot_text(s, fields[i].name, &name);
        if (units) json_object_set_new(m, "units", json_string(units));
        json_object_set_new(measurements, buf_text(&name), m);
    }
    buf_free(&name);
}

/* The schema of at[0]'s name, found or made for all points of that name. */
static bool prepare_name(const struct anodot30_talk *t, const struct point *at, size_t n)
{
    json_t *dimensions = json_array(), *measurements = json_object();
    for (size_t i = 0; i < n; i++)
        if (!anodot30_given_id(&at[i]) && !strcmp(at[i].name, at->name))
            need_point(&t->settings->anodot, &at[i], dimensions, measurements);
    struct anodot30_schema *s = anodot30_find(t->session, at->name);
    bool there = s && anodot30_covers(s, dimensions, measurements);
    if (!there)
        there = anodot30_create(t, at->name, s ? s->version + 1 : t->settings->anodot.version, dimensions,
                                measurements);
    json_decref(dimensions);
    json_decref(measurements);
    return there;
}

static bool is_earlier(const struct point *at, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (!anodot30_given_id(&at[k]) && !strcmp(at[k].name, at[i].name)) return true;
    return false;
}

static void note_mark(struct anodot30 *a, const char *id, uint64_t time_ns)
{
    struct anodot30_mark *m = a->marks;
    while (m && strcmp(m->id, id)) m = m->next;
    char *copy = m ? NULL : strdup(id);
    if (copy && (m = calloc(1, sizeof *m))) {
        *m = (struct anodot30_mark){.next = a->marks, .id = copy};
        a->marks = m;
    } else {
        free(copy);
    }
    if (m && time_ns > m->time_ns) m->time_ns = time_ns;
}

void anodot30_forget_marks(struct anodot30 *a)
{
    for (struct anodot30_mark *m = a->marks, *next; m; m = next) {
        next = m->next;
        free(m->id);
        free(m);
    }
    a->marks = NULL;
}

/* Points that name their schema need no login: the data collection key is enough for them. */
static void prepare_by_hand(void *session, const void *settings, void *link, const struct point *at, size_t n,
                            struct answer *answer)
{
    const struct anodot30_talk talk = {session, settings, link, answer};
    bool good = true;
    answer->outcome = OUTCOME_SENT;
    for (size_t i = 0; i < n && good; i++) {
        if (anodot30_given_id(&at[i]) || is_earlier(at, i)) continue;
        if (!backend_given(talk.settings->access_key)) {
            buf_str(&answer->why, "access_key is missing: it is needed to find or make the schema of a point "
                                  "that has no schemaId");
            answer->outcome = OUTCOME_DROP;
            return;
        }
        answer_free(answer);
        good = anodot30_know(&talk);
        if (!good) return;
        answer_free(answer);
        good = prepare_name(&talk, &at[i], n - i);
    }
    for (size_t i = 0; i < n && good; i++)
        note_mark(session, anodot30_schema_id(&at[i], session), at[i].time_ns);
    if (!good) return;
    answer_free(answer);
    answer->outcome = OUTCOME_SENT;
}

static void done_by_hand(void *session, const void *settings, void *link, struct answer *answer)
{
    const struct anodot30_talk talk = {session, settings, link, answer};
    const struct anodot30_mark *m = talk.settings->watermark ? talk.session->marks : NULL;
    answer->outcome = OUTCOME_SENT;
    for (; m && answer->outcome == OUTCOME_SENT; m = m->next)
        anodot30_send_watermark(&talk, m->id, m->time_ns);
}

const struct point_word anodot30_words[] = {
    {"sample", POINT_FIELDS, 0, POINT_NUMBER, "measurements",
     "several numbers of one time, or one number under the name of its schema"},
    {"gauge", POINT_GAUGE, 0, POINT_NUMBER, NULL, "one number, aggregated by average"},
    {"counter", POINT_DELTA, 0, POINT_NUMBER, NULL, "one number, aggregated by sum"},
    {.word = NULL}};
static const char *const aggregations[] = {"average", "sum", NULL};
const struct point_own anodot30_own[] = {
    {"measurements", POINT_NUMBER_MAP, NULL, "sample", "the numbers"},
    {"schemaId", POINT_TEXT, NULL, NULL,
     "id of the schema; without it, the schema of the point's name, which is made if there is none"},
    {"aggregation", POINT_TEXT_OR_MAP, aggregations, "sample",
     "for the schema, if one is made; average by default"},
    {"units", POINT_TEXT_OR_MAP, NULL, NULL, "for the schema, if one is made"},
    {"labels", POINT_LISTS_MAP, NULL, NULL, "Anodot's own tags, not part of the identity"},
    {.name = NULL}};
/* A watermark says that nothing older will follow, which is not known of points by hand. */
static const char *const anodot30_always[] = {"watermark=false", NULL};
const struct points_by_hand anodot30_hand = {.always = anodot30_always,
                                             .optional = "access_key",
                                             .nameless = "schemaId",
                                             .timed = true,
                                             .ascending = true,
                                             .constants = anodot_constants,
                                             .prepare = prepare_by_hand,
                                             .done = done_by_hand,
                                             .blame = anodot_blame};
