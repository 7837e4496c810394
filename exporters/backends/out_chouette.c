/* SPDX-License-Identifier: Apache-2.0 */
/*
 * out_chouette.c - Chouette-IoT: raw records in Redis, which its collection agent aggregates every ten
 * seconds.
 *
 *     MULTI
 *     ZADD chouette:metrics:raw.keys 1700000000 MEMBER ...
 *     HSET chouette:metrics:raw.values MEMBER {"metric": "orders", "type": "count", "value": 12,
 *                                              "timestamp": 1700000009, "tags": {"city": "nyc"}} ...
 *     EXEC
 *
 * The agent merges only neighbours in the order (score, member). So all records of a window have its start as
 * score, and a member begins with a hash of its series: the records of a series are neighbours, in the order
 * of their times. The rest of a member identifies the record: one that is sent again replaces itself.
 *
 * docs/backends/chouette.md has the mapping, the options and the limits.
 */
#include "attribute.h"
#include "fnv.h"
#include "host.h"
#include "json.h"
#include "points_event.h"
#include "redis.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHOUETTE_POINTS = 1000 };

struct chouette_settings {
    struct redis_settings redis;
    char *queue, *log_queue, *instance;
    int64_t queue_limit;
    uint64_t window;
};

#define CHOUETTE(MEMBER) OPTION_FIELD(struct chouette_settings, MEMBER)
static const struct option chouette_options[] = {
    {.name = "queue",
     .type = OPTION_STRING,
     CHOUETTE(queue),
     .def = "chouette:metrics:raw",
     .help = "prefix of the names of the agent's sorted set (.keys) and hash (.values)"},
    {.name = "log_queue",
     .type = OPTION_STRING,
     CHOUETTE(log_queue),
     .def = "chouette:logs:wrapped",
     .help = "the same for log lines, which the agent ships as they are"},
    {.name = "queue_limit",
     .type = OPTION_INTEGER,
     CHOUETTE(queue_limit),
     .def = "1000000",
     .min = 1,
     .max = 1e12,
     .help = "add nothing while the queue holds this many records; without an agent nothing leaves it"},
    {.name = "instance",
     .type = OPTION_STRING,
     CHOUETTE(instance),
     .help = "distinguishes our records from those of other exporters; by default the host's name"},
    {.name = "window",
     .type = OPTION_DURATION,
     CHOUETTE(window),
     .def = "10s",
     .min = 1e9,
     .max = 3600e9,
     .help = "the agent's AGGREGATE_INTERVAL"},
    BACKEND_ATTRIBUTES("sum, min, max, mean, stddev, p50, p95, p99"),
    {.name = NULL},
};

/* --- Readings to points --- */

static void map_elements(struct points *out, struct point *p, const struct item *item)
{
    size_t n = 0;
    const uint64_t *hashes = item->now ? metrics_reading_elements(item->now, &n) : NULL;
    const char **texts = n ? region_alloc(&out->region, n * sizeof *texts) : NULL;
    if (!texts) return;
    for (size_t i = 0; i < n; i++) texts[i] = points_text(out, "%012" PRIx64, hashes[i]);
    p->type = POINT_SET;
    p->elements = texts;
    p->element_count = n;
}

/* The agent takes windows that are over. The interval that has just ended belongs to the second before. */
static void map_row(struct points *out, const struct view *view, const struct item *item,
                    const metrics_row_t *row, bool plain_count)
{
    struct point *p = points_of_row(out, view, item, row);
    p->time_ns = view->wall_ns > 1000000000 ? (view->wall_ns / 1000000000 - 1) * 1000000000 : view->wall_ns;
    if (row->attribute != METRICS_VALUE && !(plain_count && row->attribute == METRICS_COUNT))
        p->name = points_suffixed(out, p->name, ".", row);
    /* Per second already: the agent would divide again. */
    if (row->nature == METRICS_RATE) p->type = POINT_GAUGE;
    /* A number of distinct things: if it is small, with the elements, so that a count over several hosts is
     * right. */
    if (row->nature == METRICS_LEVEL && row->scope == METRICS_INTERVAL) map_elements(out, p, item);
}

static void chouette_map(struct points *out, const struct view *view, const struct item *item,
                         const struct rows *rows, const void *settings, const void *session)
{
    bool distribution = item_is_distribution(item);
    (void)settings, (void)session;
    for (size_t i = 0; i < rows->n; i++) {
        const metrics_row_t *row = &rows->at[i];
        bool total = row->nature == METRICS_TOTAL;
        if (row->nature == METRICS_BUCKET || row->nature == METRICS_DISTRIBUTION) continue;
        if (total && (item->rebased || metrics_row_number(row) == 0)) continue; /* nothing was added */
        map_row(out, view, item, row, !distribution);
    }
}

/* --- Points to records --- */

static const char *const type_names[POINT_TYPES] = {
    [POINT_GAUGE] = "gauge", [POINT_TOTAL] = "count",      [POINT_DELTA] = "count",
    [POINT_RATE] = "rate",   [POINT_SAMPLE] = "histogram", [POINT_SET] = "set"};

/* A text's hash after that of others, with a mark for its end. If two series collide, the agent makes
 * one point more of them; no number is wrong. */
static uint64_t mix(uint64_t hash, const char *text)
{
    return fnv(fnv(hash, text, strlen(text)), "\x1f", 1);
}

static uint64_t series_hash(const struct point *p, const char *type)
{
    uint64_t hash = mix(mix(FNV_BEGIN, type), p->name);
    for (size_t i = 0; i < p->tag_count; i++) hash = mix(mix(hash, p->tags[i].key), p->tags[i].value);
    return hash;
}

/* By hand the elements keep their types: 1 and "1" are two. */
static void put_elements(struct json *j, const struct point *p)
{
    const json_t *given = p->extra ? json_object_get(p->extra, "value") : NULL;
    jsonw_array(j);
    for (size_t i = 0; i < p->element_count; i++) {
        const json_t *one = json_array_get(given, i);
        if (json_is_integer(one))
            jsonw_i64(j, json_integer_value(one));
        else if (json_is_real(one))
            jsonw_f64(j, json_real_value(one));
        else if (json_is_boolean(one))
            jsonw_bool(j, json_is_true(one));
        else
            jsonw_str(j, p->elements[i]);
    }
    jsonw_array_end(j);
}

static void put_value(struct json *j, const struct point *p)
{
    jsonw_key(j, "value");
    if (p->type == POINT_SET)
        put_elements(j, p);
    else
        point_json_value(p, j);
}

static void put_record(struct buf *out, const struct point *p, const char *type)
{
    struct json j;
    jsonw_begin(&j, out);
    jsonw_object(&j);
    jsonw_key_str(&j, "metric", p->name);
    jsonw_key_str(&j, "type", type);
    put_value(&j, p);
    jsonw_key(&j, "timestamp");
    if (p->time_ns % 1000000000)
        jsonw_f64(&j, (double)(p->time_ns / 1000000000) + (double)(p->time_ns % 1000000000) / 1e9);
    else
        jsonw_u64(&j, p->time_ns / 1000000000);
    jsonw_key(&j, "tags");
    jsonw_object(&j);
    for (size_t i = 0; i < p->tag_count; i++) jsonw_key_str(&j, p->tags[i].key, p->tags[i].value);
    jsonw_object_end(&j);
    jsonw_object_end(&j);
}

struct chouette {
    uint64_t host; /* hash of its name: records of other hosts differ */
};

/* Three numbers of 16 digits and one of as many as it takes, hexadecimal. */
static void put_member(struct buf *out, const uint64_t numbers[3], uint64_t last)
{
    static const char hex[] = "0123456789abcdef";
    char text[3 * 17 + 16], *at = text;
    for (int i = 0; i < 3; i++, *at++ = '-')
        for (int shift = 60; shift >= 0; shift -= 4) *at++ = hex[numbers[i] >> shift & 15];
    int shift = 60;
    while (shift && !(last >> shift)) shift -= 4;
    for (; shift >= 0; shift -= 4) *at++ = hex[last >> shift & 15];
    buf_mem(out, text, (size_t)(at - text));
}

/* Score, member and record are kept in the scratch until the end, each ended by a NUL. */
static bool chouette_add(struct payload *payloads, const struct point *p, const void *settings,
                         const void *session, struct buf *why)
{
    const struct chouette_settings *s = settings;
    const struct chouette *c = session;
    struct buf *out = &payloads[0].scratch;
    const char *type = type_names[p->type];
    if (!type) {
        buf_str(why, "Chouette has no such type");
        return false;
    }
    uint64_t score = (p->time_ns - p->time_ns % s->window) / 1000000000;
    buf_u64(out, score);
    buf_char(out, '\0');
    put_member(out, (uint64_t[]){series_hash(p, type), p->time_ns, c->host}, p->item);
    buf_char(out, '\0');
    put_record(out, p, type);
    buf_char(out, '\0');
    payloads[0].points++;
    return true;
}

static void put_words(struct buf *out, const char *const *words, size_t n)
{
    redis_command(out, n, words, NULL);
}

/* Makes the body of what is in the scratch: MULTI, ZADD, HSET, EXEC. */
static void put_commands(struct payload *out, const char *queue)
{
    size_t n = out->points;
    const char **zadd = calloc(2 * n + 2, sizeof *zadd), **hset = calloc(2 * n + 2, sizeof *hset);
    struct buf keys = {0}, values = {0};
    buf_printf(&keys, "%s.keys", queue);
    buf_printf(&values, "%s.values", queue);
    if (!zadd || !hset) out->body.failed = true;
    if (n && zadd && hset) {
        const char *at = out->scratch.data;
        zadd[0] = "ZADD", zadd[1] = buf_text(&keys);
        hset[0] = "HSET", hset[1] = buf_text(&values);
        for (size_t i = 0; i < n; i++) {
            zadd[2 + 2 * i] = at;
            at += strlen(at) + 1;
            zadd[3 + 2 * i] = hset[2 + 2 * i] = at;
            at += strlen(at) + 1;
            hset[3 + 2 * i] = at;
            at += strlen(at) + 1;
        }
        put_words(&out->body, (const char *[]){"MULTI"}, 1);
        put_words(&out->body, zadd, 2 * n + 2);
        put_words(&out->body, hset, 2 * n + 2);
        put_words(&out->body, (const char *[]){"EXEC"}, 1);
    }
    free(zadd);
    free(hset);
    buf_free(&keys);
    buf_free(&values);
}

static void chouette_end(struct payload *payloads, const void *settings, const void *session)
{
    const struct chouette_settings *s = settings;
    (void)session;
    put_commands(&payloads[0], s->queue);
}

/* --- Log lines --- */

enum { CHANNEL_METRICS, CHANNEL_LOGS }; /* which queue */

/* Python's levels, which the agent's users know. */
static const char *level_of(const metrics_event_t *e)
{
    return e->level < 9    ? "DEBUG"
           : e->level < 13 ? "INFO"
           : e->level < 17 ? "WARNING"
           : e->level < 18 ? "ERROR"
                           : "CRITICAL";
}

static void key_date(struct json *j, uint64_t wall_ns)
{
    struct buf text = {0};
    buf_time(&text, wall_ns);
    if (text.len) buf_cut(&text, text.len - 1);
    buf_printf(&text, "%03u+00:00", (unsigned)(wall_ns / 1000 % 1000)); /* the agent insists on a fraction */
    jsonw_key_str(j, "date", buf_text(&text));
    buf_free(&text);
}

static void put_log_tags(struct json *j, const metrics_event_t *e)
{
    struct buf text = {0};
    jsonw_key(j, "ddtags");
    jsonw_array(j);
    for (size_t i = 0; i < e->tag_count; i++) {
        buf_reset(&text);
        buf_printf(&text, "%s:%s", e->tags[i].key, e->tags[i].value);
        jsonw_str(j, buf_text(&text));
    }
    jsonw_array_end(j);
    buf_free(&text);
}

/* Members of a record that are its own; a field of such a name gets another one. */
static bool is_member(const char *key)
{
    static const char *const members[] = {"date",    "ddsource", "ddtags",   "level",   "message",
                                          "service", "host",     "trace_id", "span_id", NULL};
    size_t i = 0;
    while (members[i] && strcmp(members[i], key)) i++;
    return members[i] != NULL;
}

static void put_log_field(struct json *j, const metrics_event_field_t *f)
{
    struct buf key = {0};
    buf_printf(&key, "%s%s", f->key, is_member(f->key) ? "_" : "");
    jsonw_key(j, buf_text(&key));
    switch (f->type) {
    case METRICS_EVENT_INT: jsonw_i64(j, f->i); break;
    case METRICS_EVENT_DOUBLE: jsonw_f64(j, f->f); break;
    case METRICS_EVENT_BOOL: jsonw_bool(j, f->i); break;
    default: jsonw_str(j, f->text); break;
    }
    buf_free(&key);
}

static void key_id(struct json *j, const char *key, const unsigned char *id, size_t n)
{
    struct buf text = {0};
    event_hex(&text, id, n);
    jsonw_key_str(j, key, buf_text(&text));
    buf_free(&text);
}

static void put_log_record(struct buf *out, const metrics_event_t *e)
{
    struct json j;
    jsonw_begin(&j, out);
    jsonw_object(&j);
    key_date(&j, e->wall_ns);
    jsonw_key_str(&j, "ddsource", e->name);
    put_log_tags(&j, e);
    jsonw_key_str(&j, "level", level_of(e));
    jsonw_key(&j, "message");
    jsonw_object(&j);
    jsonw_key_str(&j, "msg", e->message);
    jsonw_object_end(&j);
    jsonw_key_str(&j, "service", e->name);
    if (e->has_ids) key_id(&j, "trace_id", e->ids.trace_id, sizeof e->ids.trace_id);
    if (e->has_ids) key_id(&j, "span_id", e->ids.span_id, sizeof e->ids.span_id);
    for (size_t i = 0; i < e->field_count; i++)
        if (event_field_is_tag(&e->fields[i])) put_log_field(&j, &e->fields[i]);
    jsonw_object_end(&j);
}

/* A member is the record's hash, its time, our host, and its number: one that is sent again replaces itself. */
static void put_log(struct buf *out, const metrics_event_t *e, uint64_t host, size_t number)
{
    struct buf record = {0};
    put_log_record(&record, e);
    buf_u64(out, e->wall_ns / 1000000000);
    buf_char(out, '\0');
    put_member(out, (uint64_t[]){mix(FNV_BEGIN, buf_text(&record)), e->wall_ns, host}, number);
    buf_char(out, '\0');
    buf_mem(out, buf_text(&record), record.len + 1);
    if (!buf_ok(&record)) out->failed = true;
    buf_free(&record);
}

static size_t encode_logs(const struct event_batch *batch, struct payload *out)
{
    const struct chouette *c = batch->session;
    const struct chouette_settings *s = batch->settings;
    for (size_t i = batch->from; i < batch->to; i++)
        put_log(&out->scratch, event_view_get(batch->view, i), c->host, batch->view->numbers[i]);
    out->points = batch->to - batch->from;
    out->channel = CHANNEL_LOGS;
    if (buf_ok(&out->scratch)) put_commands(out, s->log_queue);
    return out->points;
}

static size_t chouette_encode_events(const struct event_batch *batch, struct payload *payloads)
{
    return batch->type == METRICS_EVENT_LOG ? encode_logs(batch, payloads)
                                            : points_encode_events(batch, payloads);
}

/* The agent takes records away: one that is sent again after that counts twice. */
static const struct backend_events chouette_events = {
    .types = EVENT_BIT(METRICS_EVENT_LOG) | EVENT_BIT(METRICS_EVENT_POINT),
    .additive = EVENT_BIT(METRICS_EVENT_LOG) | EVENT_BIT(METRICS_EVENT_POINT),
    .most_items = CHOUETTE_POINTS,
    .encode = chouette_encode_events};

/* --- The way there --- */

struct link {
    const struct chouette_settings *settings;
    struct redis *redis;
};

static void link_close(void **arg)
{
    struct link *l = *arg;
    if (!l) return;
    redis_free(&l->redis);
    free(l);
    *arg = NULL;
}

static void *link_open(const void *settings, struct buf *why)
{
    void *arg = backend_alloc(sizeof(struct link), why);
    struct link *l = arg;
    if (!l) return NULL;
    l->settings = settings;
    l->redis = redis_new(settings);
    if (l->redis) return l;
    buf_str(why, "out of memory");
    link_close(&arg);
    return NULL;
}

/* Redis holds everything in memory, and without an agent nothing ever leaves the queue. */
static bool has_room(struct link *l, const char *queue, struct answer *answer)
{
    struct buf key = {0}, commands = {0};
    int64_t length = -1;
    buf_printf(&key, "%s.keys", queue);
    put_words(&commands, (const char *[]){"ZCARD", buf_text(&key)}, 2);
    redis_exchange(l->redis, &commands, 1, &length, 1, answer);
    buf_free(&key);
    buf_free(&commands);
    if (answer->outcome != OUTCOME_SENT) {
        answer->ambiguous = false; /* a question */
        return false;
    }
    if (length < l->settings->queue_limit) return true;
    answer->outcome = OUTCOME_RETRY;
    buf_printf(&answer->why, "the queue %s.keys holds %lld records already: is the agent running?", queue,
               (long long)length);
    return false;
}

static void link_send(void *arg, const struct payload *payload, struct answer *answer)
{
    struct link *l = arg;
    int64_t added[2] = {-1, -1};
    bool logs = payload->channel == CHANNEL_LOGS;
    if (!has_room(l, logs ? l->settings->log_queue : l->settings->queue, answer)) return;
    redis_exchange(l->redis, &payload->body, 4, added, 2, answer);
    if (answer->outcome != OUTCOME_SENT || (added[0] >= 0 && added[1] >= 0)) return;
    answer->outcome = OUTCOME_RETRY;
    answer->ambiguous = true;
    buf_str(&answer->why, "Redis did not confirm the transaction");
}

static const struct transport transport_chouette = {.name = "redis",
                                                    .options = redis_options,
                                                    .open = link_open,
                                                    .send = link_send,
                                                    .describe = redis_describe,
                                                    .check = redis_check,
                                                    .close = link_close};

static void *open_session(const void *settings, struct buf *why)
{
    struct chouette *c = backend_alloc(sizeof *c, why);
    const struct chouette_settings *s = settings;
    char host[HOST_NAME];
    host_name(host);
    if (c) c->host = mix(FNV_BEGIN, backend_given(s->instance) ? s->instance : host);
    return c;
}

/* --- By hand --- */

static const struct point_word chouette_words[] = {
    {"count", POINT_DELTA, 0, POINT_NUMBER, NULL, "what was added"},
    {"increment", POINT_DELTA, 0, POINT_NUMBER, NULL, "another word for count"},
    {"decrement", POINT_DELTA, -1, POINT_NUMBER, NULL, "what was taken away"},
    {"gauge", POINT_GAUGE, 0, POINT_NUMBER, NULL, "a value; the agent keeps the latest"},
    {"rate", POINT_RATE, 0, POINT_NUMBER, NULL, "what was added, which the agent makes a rate of"},
    {"histogram", POINT_SAMPLE, 0, POINT_NUMBER | POINT_NUMBERS, NULL, "a value, or some: a record for each"},
    {"set", POINT_SET, 0, POINT_ELEMENTS, NULL, "elements; the agent counts the distinct ones"},
    {.word = NULL}};
/* The errors of a login; https://redis.io/docs/management/security/acl/ */
static bool chouette_denies(const struct answer *answer)
{
    static const char *const words[] = {"NOAUTH", "WRONGPASS", "NOPERM", "ERR AUTH", "ERR invalid password"};
    const char *why = buf_text(&answer->why);
    bool denied = false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        denied = denied || !strncmp(why, words[i], strlen(words[i]));
    return denied;
}

/* As the agent itself would write them. */
static const char *const chouette_constants[] = {"True", "False", "None"};
static const struct points_by_hand chouette_hand = {
    .timed = true, .constants = chouette_constants, .duration = "histogram", .denies = chouette_denies};

static const struct backend_points chouette_points = {.map = chouette_map,
                                                      .add = chouette_add,
                                                      .end = chouette_end,
                                                      .most = CHOUETTE_POINTS,
                                                      .words = chouette_words,
                                                      .hand = &chouette_hand};

static const struct backend_session chouette_session = {.open = open_session, .close = backend_free};

const struct backend backend_chouette = {
    .name = "chouette",
    .summary = "Chouette-IoT's collection agent, through Redis",
    .options = chouette_options,
    .settings_size = sizeof(struct chouette_settings),
    .wants = {.resolution_ns = 1000000000,
              .totals = METRICS_INTERVAL,
              .sampled = METRICS_RECENT,
              .additive = true},
    .transport = &transport_chouette,
    .session = &chouette_session,
    .encode = points_encode,
    .points = &chouette_points,
    .events = &chouette_events,
};
