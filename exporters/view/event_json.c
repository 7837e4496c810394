/* SPDX-License-Identifier: Apache-2.0 */
#include "event_json.h"

#include "event_view.h"
#include "json.h"

#include <inttypes.h>

void event_time(struct buf *out, uint64_t wall_ns)
{
    size_t from = out->len;
    buf_time(out, wall_ns);
    if (out->len > from) buf_cut(out, out->len - 1);
    buf_printf(out, "%06" PRIu64 "Z", wall_ns % 1000000);
}

static void key_time(struct json *j, const char *key, uint64_t wall_ns)
{
    struct buf text = {0};
    event_time(&text, wall_ns);
    jsonw_key_str(j, key, buf_text(&text));
    buf_free(&text);
}

static void key_hex(struct json *j, const char *key, const unsigned char *id, size_t n)
{
    struct buf text = {0};
    event_hex(&text, id, n);
    if (event_is_id(id, n)) jsonw_key_str(j, key, buf_text(&text));
    buf_free(&text);
}

static void key_text(struct json *j, const char *key, const char *text)
{
    if (*text) jsonw_key_str(j, key, text);
}

static void field_value(struct json *j, const metrics_event_field_t *f)
{
    switch (f->type) {
    case METRICS_EVENT_INT: jsonw_i64(j, f->i); break;
    case METRICS_EVENT_DOUBLE: jsonw_f64(j, f->f); break;
    case METRICS_EVENT_BOOL: jsonw_bool(j, f->i); break;
    default: jsonw_str(j, f->text); break;
    }
}

static void put_tags(struct json *j, const metrics_event_t *e)
{
    jsonw_key(j, "tags");
    jsonw_object(j);
    for (size_t i = 0; i < e->tag_count; i++) jsonw_key_str(j, e->tags[i].key, e->tags[i].value);
    jsonw_object_end(j);
}

static void put_fields(struct json *j, const metrics_event_t *e)
{
    size_t n = 0;
    for (size_t i = 0; i < e->field_count; i++) {
        if (!event_field_is_tag(&e->fields[i])) continue;
        if (!n++) {
            jsonw_key(j, "fields");
            jsonw_object(j);
        }
        jsonw_key(j, e->fields[i].key);
        field_value(j, &e->fields[i]);
    }
    if (n) jsonw_object_end(j);
}

static void put_special(struct json *j, const metrics_event_t *e, const metrics_event_field_t *f)
{
    jsonw_object(j);
    if (f->type == METRICS_EVENT_LINK) {
        jsonw_key_str(j, "rel", f->key);
        jsonw_key_str(j, "href", f->text);
    } else if (f->type == METRICS_EVENT_MOMENT) {
        key_time(j, "time", e->wall_ns + f->after_ns);
        jsonw_key_str(j, "key", f->key);
        jsonw_key_str(j, "text", f->text);
    } else {
        key_hex(j, "trace", f->ids->trace_id, sizeof f->ids->trace_id);
        key_hex(j, "span", f->ids->span_id, sizeof f->ids->span_id);
    }
    jsonw_object_end(j);
}

/* The fields of a type that is not like a tag, as a list. */
static void put_list(struct json *j, const metrics_event_t *e, enum metrics_event_field_type type,
                     const char *key)
{
    size_t n = 0;
    for (size_t i = 0; i < e->field_count; i++) {
        if (e->fields[i].type != type) continue;
        if (!n++) {
            jsonw_key(j, key);
            jsonw_array(j);
        }
        put_special(j, e, &e->fields[i]);
    }
    if (n) jsonw_array_end(j);
}

static void put_span(struct json *j, const metrics_event_t *e)
{
    key_hex(j, "trace", e->ids.trace_id, sizeof e->ids.trace_id);
    key_hex(j, "span", e->ids.span_id, sizeof e->ids.span_id);
    key_hex(j, "parent", e->parent_id, sizeof e->parent_id);
    jsonw_key_f64(j, "duration", (double)e->duration_ns / 1e9);
    if (e->error) {
        jsonw_key(j, "error");
        jsonw_bool(j, true);
    }
    put_list(j, e, METRICS_EVENT_PARENT, "parents");
    put_list(j, e, METRICS_EVENT_FOLLOWS, "follows");
    put_list(j, e, METRICS_EVENT_MOMENT, "logs");
}

static void put_line(struct json *j, const metrics_event_t *e)
{
    jsonw_key_str(j, "level", event_level_name(e->level));
    jsonw_key_str(j, "message", e->message);
    if (e->cut) {
        jsonw_key(j, "cut");
        jsonw_bool(j, true);
    }
    if (!e->has_ids) return;
    key_hex(j, "trace", e->ids.trace_id, sizeof e->ids.trace_id);
    key_hex(j, "span", e->ids.span_id, sizeof e->ids.span_id);
}

static void put_annotation(struct json *j, const metrics_event_t *e)
{
    jsonw_key_str(j, "title", e->title);
    key_text(j, "description", e->description);
    key_text(j, "source", e->source);
    if (e->end_wall_ns) key_time(j, "end", e->end_wall_ns);
    put_list(j, e, METRICS_EVENT_LINK, "links");
}

void event_json(struct buf *out, const metrics_event_t *e)
{
    struct json j;
    jsonw_begin(&j, out);
    jsonw_object(&j);
    key_time(&j, "time", e->wall_ns);
    jsonw_key_str(&j, "signal", event_type_name((int)e->type));
    jsonw_key_str(&j, "name", e->name);
    put_tags(&j, e);
    if (e->type == METRICS_EVENT_SPAN) put_span(&j, e);
    if (e->type == METRICS_EVENT_LOG) put_line(&j, e);
    if (e->type == METRICS_EVENT_ANNOTATION) put_annotation(&j, e);
    if (e->type == METRICS_EVENT_POINT) {
        jsonw_key_str(&j, "type", e->point == 2 ? "counter" : "gauge");
        jsonw_key_f64(&j, "value", e->value);
    }
    put_fields(&j, e);
    jsonw_object_end(&j);
}
