/* SPDX-License-Identifier: Apache-2.0 */
/*
 * out_anodot20.c - Anodot, protocol 2.0: one sample for each number.
 *
 *     POST /api/v1/metrics?token=...&protocol=anodot20
 *     [{"value": 7.0, "timestamp": 1700000000,
 *       "properties": {"what": "queue_depth", "ver": 1, "target_type": "gauge", "dc": "eu_1"}}]
 */
#include "anodot.h"
#include "points_event.h"
#include "attribute.h"

#include <jansson.h>
#include <string.h>

static const struct option anodot20_options[] = {ANODOT_OPTIONS, {.name = NULL}};

static bool is_counter(const struct point *p)
{
    const char *given = p->extra ? json_string_value(json_object_get(p->extra, "target_type")) : NULL;
    return given ? !strcmp(given, "counter") : p->type == POINT_DELTA || p->type == POINT_TOTAL;
}

static bool put_properties(struct json *j, const struct point *p, const struct anodot_settings *s,
                           struct buf *scratch, struct buf *why)
{
    static const char *const reserved[] = {"what", "ver", "target_type", NULL};
    const json_t *version = p->extra ? json_object_get(p->extra, "version") : NULL;
    buf_reset(scratch);
    anodot_text(s, p->name, scratch);
    jsonw_key(j, "properties");
    jsonw_object(j);
    jsonw_key_str(j, "what", buf_text(scratch));
    jsonw_key(j, "ver");
    jsonw_i64(j, json_is_integer(version) ? json_integer_value(version) : s->version);
    jsonw_key_str(j, "target_type", is_counter(p) ? "counter" : "gauge");
    bool good = scratch->len <= ANODOT_VALUE;
    if (!good) buf_printf(why, "its name is longer than %d characters", ANODOT_VALUE);
    good = good && anodot_dimensions(j, p, s, reserved, ANODOT_PROPERTIES - 3, scratch, why);
    jsonw_object_end(j);
    return good;
}

static bool anodot20_add(struct payload *payloads, const struct point *p, const void *settings,
                         const void *session, struct buf *why)
{
    const struct anodot_settings *s = settings;
    struct buf *body = &payloads[0].body;
    struct json j;
    (void)session;
    buf_str(body, payloads[0].points ? ",\n" : "[");
    jsonw_begin(&j, body);
    jsonw_object(&j);
    jsonw_key(&j, "value");
    jsonw_float(&j, point_number(p));
    if (p->time_ns) jsonw_key_u64(&j, "timestamp", p->time_ns / 1000000000);
    bool good = put_properties(&j, p, s, &payloads[0].scratch, why);
    anodot_labels(&j, p, s);
    jsonw_object_end(&j);
    payloads[0].points += good;
    return good;
}

static void anodot20_end(struct payload *payloads, const void *settings, const void *session)
{
    (void)session;
    anodot_samples_end(&payloads[0], settings, "anodot20");
}

static const struct point_word anodot20_words[] = {
    {"gauge", POINT_GAUGE, 0, POINT_NUMBER, NULL, "a level; the service aggregates by average"},
    {"counter", POINT_DELTA, 0, POINT_NUMBER, NULL, "what was added; the service aggregates by sum"},
    {.word = NULL}};
static const char *const target_types[] = {"gauge", "counter", NULL};
static const struct point_own anodot20_own[] = {
    {"target_type", POINT_TEXT, target_types, NULL, "in place of what the type says"},
    {"version", POINT_WHOLE, NULL, NULL, "of this metric, in place of the option"},
    {"labels", POINT_LISTS_MAP, NULL, NULL, "Anodot's own tags, not part of the identity"},
    {.name = NULL}};
static const struct points_by_hand anodot20_hand = {
    .timed = true, .ascending = true, .constants = anodot_constants, .blame = anodot_blame};

static const struct backend_points anodot20_points = {.map = anodot_map,
                                                      .add = anodot20_add,
                                                      .end = anodot20_end,
                                                      .most = ANODOT_POINTS,
                                                      .words = anodot20_words,
                                                      .own = anodot20_own,
                                                      .hand = &anodot20_hand};

static const struct backend_events anodot20_events = {.types = EVENT_BIT(METRICS_EVENT_POINT),
                                                      .additive = EVENT_BIT(METRICS_EVENT_POINT),
                                                      .encode = points_encode_events};

const struct backend backend_anodot20 = {
    .name = "anodot20",
    .summary = "Anodot, protocol 2.0: one sample for each number",
    .options = anodot20_options,
    .settings_size = sizeof(struct anodot_settings),
    .wants = {.resolution_ns = 1000000000,
              .totals = METRICS_INTERVAL,
              .sampled = METRICS_RECENT,
              .additive = true},
    .transport = &transport_http,
    .judge = anodot_judge,
    .encode = points_encode,
    .points = &anodot20_points,
    .events = &anodot20_events,
};
