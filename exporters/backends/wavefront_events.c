/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wavefront_events.c - spans, span logs, events, and points with times of their own, for Wavefront.
 *
 *     "GET /cart" source="web-7" traceId=0af76519-... spanId=00000000-... "application"="shop" 1700000000000000 1234
 *     {"traceId":"0af76519-...","spanId":"00000000-...","logs":[{"timestamp":...,"fields":{"event":"miss"}}],"span":"..."}
 *     @Event 1700000000000 1700000060000 "2.1 is live" severity="info" host="web-7" tag="city: nyc"
 *
 * To the service itself an event is a request of its own, in JSON; through a proxy it is a line. Times of spans are in
 * microseconds: receivers see the unit from the number of digits.
 */
#include "event_view.h"
#include "points_event.h"
#include "wavefront.h"

#include <stdlib.h>
#include <string.h>

enum { SPANS, SPAN_LOGS }; /* which payload */
enum { SPAN_NAME = 128, SPAN_TAGS = 20, SPAN_LOGS_MOST = 32768 };

static const char *source_of(const metrics_event_t *e, const struct event_batch *batch)
{
    const struct wavefront_settings *s = batch->settings;
    const struct wavefront *w = batch->session;
    const char *own = *e->source ? e->source : event_tag(e, "source");
    return own && !wavefront_is_blank(own)               ? own
           : s->source && !wavefront_is_blank(s->source) ? s->source
                                                         : w->host;
}

/* --- Spans --- */

struct line {
    struct buf *out;
    size_t tags;
};

/* A blank value would be refused. */
static void put_tag(struct line *line, const char *key, const char *value)
{
    if (!value || wavefront_is_blank(value)) return;
    buf_char(line->out, ' ');
    wavefront_put_name(line->out, strcmp(key, "source") ? key : "_source", false);
    buf_char(line->out, '=');
    wavefront_put_text(line->out, value, SIZE_MAX);
    line->tags++;
}

static void put_default(struct line *line, const metrics_event_t *e, const char *key, const char *value)
{
    if (!event_tag(e, key)) put_tag(line, key, value);
}

static void put_id(struct buf *out, const char *key, const unsigned char *id, size_t n)
{
    buf_printf(out, " %s=", key);
    event_uuid(out, id, n);
}

static void put_relations(struct buf *out, const metrics_event_t *e)
{
    if (event_is_id(e->parent_id, sizeof e->parent_id))
        put_id(out, "parent", e->parent_id, sizeof e->parent_id);
    for (size_t i = 0; i < e->field_count; i++) {
        const metrics_event_field_t *f = &e->fields[i];
        if (f->type == METRICS_EVENT_PARENT) put_id(out, "parent", f->ids->span_id, sizeof f->ids->span_id);
        if (f->type == METRICS_EVENT_FOLLOWS)
            put_id(out, "followsFrom", f->ids->span_id, sizeof f->ids->span_id);
    }
}

static void put_field_tag(struct line *line, const metrics_event_field_t *f)
{
    struct buf value = {0};
    if (!event_field_is_tag(f)) return;
    event_field_value(&value, f);
    put_tag(line, f->key, buf_text(&value));
    buf_free(&value);
}

static bool has_logs(const metrics_event_t *e)
{
    for (size_t i = 0; i < e->field_count; i++)
        if (e->fields[i].type == METRICS_EVENT_MOMENT) return true;
    return false;
}

static size_t put_tags(struct buf *out, const metrics_event_t *e, const struct wavefront_settings *s)
{
    struct line line = {out, 0};
    bool named = backend_given(s->application);
    for (size_t i = 0; i < e->tag_count; i++) put_tag(&line, e->tags[i].key, e->tags[i].value);
    for (size_t i = 0; i < e->field_count; i++) put_field_tag(&line, &e->fields[i]);
    put_default(&line, e, "application", s->application);
    put_default(&line, e, "service", s->service);
    if (named) put_default(&line, e, "cluster", s->cluster);
    if (named) put_default(&line, e, "shard", s->shard);
    if (e->error) put_default(&line, e, "error", "true");
    if (has_logs(e)) put_tag(&line, "_spanLogs", "true");
    return line.tags;
}

/* False, with the reason, for what receivers refuse. What is merely too long, they cut. */
static bool put_span(struct buf *out, const metrics_event_t *e, const struct event_batch *batch,
                     struct buf *why)
{
    const struct lines_settings *way = batch->settings;
    if (lines_is_tcp(way) && !backend_given(way->tcp[WAVEFRONT_TRACES])) {
        buf_str(why, "tcp_traces is not set: a port of metrics takes no spans");
        return false;
    }
    if (wavefront_is_blank(e->name) || strlen(e->name) > SPAN_NAME) {
        buf_printf(why, "its name is blank, or longer than %d characters", SPAN_NAME);
        return false;
    }
    wavefront_put_text(out, e->name, SIZE_MAX);
    buf_str(out, " source=");
    wavefront_put_text(out, source_of(e, batch), SIZE_MAX);
    put_id(out, "traceId", e->ids.trace_id, sizeof e->ids.trace_id);
    put_id(out, "spanId", e->ids.span_id, sizeof e->ids.span_id);
    put_relations(out, e);
    size_t tags = put_tags(out, e, batch->settings);
    buf_printf(out, " %llu %llu\n", (unsigned long long)(e->wall_ns / 1000),
               (unsigned long long)(e->duration_ns / 1000));
    if (tags <= SPAN_TAGS) return true;
    buf_printf(why, "it has %zu tags; the other side accepts %d", tags, SPAN_TAGS);
    return false;
}

static void key_uuid(struct json *j, const char *key, const unsigned char *id, size_t n)
{
    struct buf text = {0};
    event_uuid(&text, id, n);
    jsonw_key_str(j, key, buf_text(&text));
    buf_free(&text);
}

static void put_moment(struct json *j, const metrics_event_t *e, const metrics_event_field_t *f)
{
    jsonw_object(j);
    jsonw_key_u64(j, "timestamp", (e->wall_ns + f->after_ns) / 1000);
    jsonw_key(j, "fields");
    jsonw_object(j);
    jsonw_key_str(j, f->key, f->text);
    jsonw_object_end(j);
    jsonw_object_end(j);
}

/* `line`: the span's own, for receivers that keep only some spans. */
static void put_logs(struct buf *out, const metrics_event_t *e, const char *line)
{
    struct json j;
    size_t from = out->len;
    jsonw_begin(&j, out);
    jsonw_object(&j);
    key_uuid(&j, "traceId", e->ids.trace_id, sizeof e->ids.trace_id);
    key_uuid(&j, "spanId", e->ids.span_id, sizeof e->ids.span_id);
    jsonw_key(&j, "logs");
    jsonw_array(&j);
    for (size_t i = 0; i < e->field_count; i++)
        if (e->fields[i].type == METRICS_EVENT_MOMENT) put_moment(&j, e, &e->fields[i]);
    jsonw_array_end(&j);
    jsonw_key_str(&j, "span", line);
    jsonw_object_end(&j);
    buf_char(out, '\n');
    if (out->len - from > SPAN_LOGS_MOST) buf_cut(out, from); /* it would be refused; the span arrives */
}

static void note(const struct event_batch *batch, const metrics_event_t *e, const struct buf *why)
{
    if (batch->notes) buf_printf(batch->notes, "%s: %s\n", e->name, buf_text(why));
}

static void finish(struct payload *p, const struct event_batch *batch, const char *path, int channel)
{
    if (!p->body.len) return;
    buf_str(&p->path, path);
    p->channel = channel;
    p->content_type = "application/octet-stream";
    wavefront_auth(p, batch->settings, batch->session);
}

static size_t encode_spans(const struct event_batch *batch, struct payload *payloads)
{
    struct buf why = {0};
    size_t left_out = 0;
    for (size_t i = batch->from; i < batch->to; i++) {
        const metrics_event_t *e = event_view_get(batch->view, i);
        struct buf *out = &payloads[SPANS].body;
        size_t from = out->len;
        buf_reset(&why);
        if (!put_span(out, e, batch, &why)) {
            buf_cut(out, from);
            note(batch, e, &why);
            left_out++;
        } else if (has_logs(e) && buf_ok(out)) {
            put_logs(&payloads[SPAN_LOGS].body, e, out->data + from);
        }
    }
    finish(&payloads[SPANS], batch, "/report?f=trace", WAVEFRONT_TRACES);
    finish(&payloads[SPAN_LOGS], batch, "/report?f=spanLogs", WAVEFRONT_TRACES);
    payloads[0].left_out = left_out;
    buf_free(&why);
    return batch->to - batch->from - left_out;
}

/* --- Events --- */

/* An event without an end lasts a millisecond. */
static uint64_t end_of(const metrics_event_t *e)
{
    uint64_t start = e->wall_ns / 1000000, end = e->end_wall_ns / 1000000;
    return end > start ? end : start + 1;
}

/* The address of a link, under its relation; not under a key that is there already. */
static void link_annotation(const metrics_event_field_t *f,
                            void (*fn)(void *arg, const char *key, const char *value), void *arg)
{
    struct buf key = {0};
    bool taken = !strcmp(f->key, "type") || !strcmp(f->key, "details") || !strcmp(f->key, "severity");
    buf_printf(&key, "%s%s", f->key, taken ? "_url" : "");
    fn(arg, buf_text(&key), f->text);
    buf_free(&key);
}

/* Calls fn for each annotation that the event has: key and value. */
static void each_annotation(const metrics_event_t *e,
                            void (*fn)(void *arg, const char *key, const char *value), void *arg)
{
    fn(arg, "type", e->name);
    if (*e->description) fn(arg, "details", e->description);
    for (size_t i = 0; i < e->field_count; i++) {
        const metrics_event_field_t *f = &e->fields[i];
        if (f->type == METRICS_EVENT_LINK) link_annotation(f, fn, arg);
        if (f->type == METRICS_EVENT_TEXT && !strcmp(f->key, "severity")) fn(arg, f->key, f->text);
    }
}

/* Calls fn for each tag, as one text. */
static void each_tag(const metrics_event_t *e, void (*fn)(void *arg, const char *text), void *arg)
{
    struct buf text = {0};
    for (size_t i = 0; i < e->tag_count; i++) {
        buf_reset(&text);
        buf_printf(&text, "%s: %s", e->tags[i].key, e->tags[i].value);
        fn(arg, buf_text(&text));
    }
    for (size_t i = 0; i < e->field_count; i++) {
        const metrics_event_field_t *f = &e->fields[i];
        if (!event_field_is_tag(f) || !strcmp(f->key, "severity")) continue;
        buf_reset(&text);
        buf_printf(&text, "%s: ", f->key);
        event_field_value(&text, f);
        fn(arg, buf_text(&text));
    }
    buf_free(&text);
}

static void json_annotation(void *arg, const char *key, const char *value)
{
    jsonw_key_str(arg, key, value);
}

static void json_tag(void *arg, const char *text)
{
    jsonw_str(arg, text);
}

static void put_event_json(struct buf *out, const metrics_event_t *e, const struct event_batch *batch)
{
    struct json j;
    jsonw_begin(&j, out);
    jsonw_object(&j);
    jsonw_key_str(&j, "name", e->title);
    jsonw_key(&j, "annotations");
    jsonw_object(&j);
    each_annotation(e, json_annotation, &j);
    jsonw_object_end(&j);
    jsonw_key(&j, "hosts");
    jsonw_array(&j);
    jsonw_str(&j, source_of(e, batch));
    jsonw_array_end(&j);
    jsonw_key_u64(&j, "startTime", e->wall_ns / 1000000);
    jsonw_key_u64(&j, "endTime", end_of(e));
    jsonw_key(&j, "tags");
    jsonw_array(&j);
    each_tag(e, json_tag, &j);
    jsonw_array_end(&j);
    jsonw_object_end(&j);
}

/* Keys are not in quotes here. */
static void line_annotation(void *arg, const char *key, const char *value)
{
    struct buf *out = arg;
    if (wavefront_is_blank(value)) return;
    buf_char(out, ' ');
    for (const char *c = key; *c; c++)
        buf_char(out,
                 strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", *c) ? *c : '_');
    buf_char(out, '=');
    wavefront_put_text(out, value, SIZE_MAX);
}

static void line_tag(void *arg, const char *text)
{
    line_annotation(arg, "tag", text);
}

static void put_event_line(struct buf *out, const metrics_event_t *e, const struct event_batch *batch)
{
    buf_printf(out, "@Event %llu %llu ", (unsigned long long)(e->wall_ns / 1000000),
               (unsigned long long)end_of(e));
    wavefront_put_text(out, e->title, SIZE_MAX);
    each_annotation(e, line_annotation, out);
    line_annotation(out, "host", source_of(e, batch));
    each_tag(e, line_tag, out);
    buf_char(out, '\n');
}

static size_t encode_event(const struct event_batch *batch, struct payload *out)
{
    const metrics_event_t *e = event_view_get(batch->view, batch->from);
    const struct wavefront_settings *s = batch->settings;
    struct buf why = {0};
    out->items = 1;
    if (wavefront_is_blank(e->title)) {
        buf_str(&why, "its title is blank");
        note(batch, e, &why);
        buf_free(&why);
        out->left_out = 1;
        return 0;
    }
    if (s->mode == WAVEFRONT_DIRECT) {
        put_event_json(&out->body, e, batch);
        finish(out, batch, "/api/v2/event", 0);
        out->content_type = "application/json";
    } else {
        put_event_line(&out->body, e, batch);
        finish(out, batch, "/report?f=event", 0);
    }
    return 1;
}

static size_t encode_events(const struct event_batch *batch, struct payload *payloads)
{
    if (batch->type == METRICS_EVENT_SPAN) return encode_spans(batch, payloads);
    if (batch->type == METRICS_EVENT_ANNOTATION) return encode_event(batch, payloads);
    return points_encode_events(batch, payloads);
}

const struct backend_events wavefront_events = {.types = EVENT_BIT(METRICS_EVENT_ANNOTATION) |
                                                         EVENT_BIT(METRICS_EVENT_SPAN) |
                                                         EVENT_BIT(METRICS_EVENT_POINT),
                                                .additive = EVENT_BIT(METRICS_EVENT_ANNOTATION),
                                                .most_items = 1000,
                                                .encode = encode_events};
