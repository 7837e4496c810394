/* SPDX-License-Identifier: Apache-2.0 */
/* event_line.c - an event as a line for people: time, what it is, name, what it says, {tags and fields}. */
#include "event_json.h"
#include "event_view.h"
#include "printable.h"

#define LINE_RED    "\033[31m"
#define LINE_YELLOW "\033[33m"
#define LINE_DIM    "\033[2m"
#define LINE_PLAIN  "\033[0m"

static void text(struct buf *out, const char *s)
{
    printable(out, s, strlen(s));
}

static void put_time(struct buf *out, uint64_t wall_ns)
{
    size_t from = out->len;
    buf_time(out, wall_ns);
    if (out->len - from == 24) { /* 2026-11-21T01:20:30.123Z: people read a blank better */
        out->data[from + 10] = ' ';
        buf_cut(out, from + 23);
    }
}

static const char *word(const metrics_event_t *e)
{
    static const char *const words[] = {"", "ANNOTATION", "SPAN", "", "POINT"};
    return e->type == METRICS_EVENT_LOG ? event_level_name(e->level) : words[e->type];
}

static const char *colour_of(const metrics_event_t *e)
{
    bool bad = e->type == METRICS_EVENT_SPAN && e->error;
    if (bad || (e->type == METRICS_EVENT_LOG && e->level >= 17)) return LINE_RED;
    return e->type == METRICS_EVENT_LOG && e->level >= 13 ? LINE_YELLOW : "";
}

static void put_what(struct buf *out, const metrics_event_t *e)
{
    switch (e->type) {
    case METRICS_EVENT_SPAN:
        buf_char(out, ' ');
        buf_duration(out, e->duration_ns);
        if (e->error) buf_str(out, " failed");
        break;
    case METRICS_EVENT_LOG:
        buf_str(out, ": ");
        text(out, e->message);
        if (e->cut) buf_str(out, "...");
        break;
    case METRICS_EVENT_ANNOTATION:
        buf_str(out, ": ");
        text(out, e->title);
        if (*e->description) buf_str(out, " - ");
        text(out, e->description);
        break;
    default:
        buf_char(out, ' ');
        buf_f64(out, e->value);
        break;
    }
}

static void put_pair(struct buf *out, size_t *n, const char *key, const char *value)
{
    buf_str(out, (*n)++ ? "," : " {");
    text(out, key);
    buf_char(out, '=');
    text(out, value);
}

static void put_field(struct buf *out, size_t *n, const metrics_event_field_t *f)
{
    struct buf value = {0};
    if (!event_field_is_tag(f)) return;
    event_field_value(&value, f);
    put_pair(out, n, f->key, buf_text(&value));
    buf_free(&value);
}

static void put_pairs(struct buf *out, const metrics_event_t *e)
{
    size_t n = 0;
    if (*e->source) put_pair(out, &n, "source", e->source);
    for (size_t i = 0; i < e->tag_count; i++) put_pair(out, &n, e->tags[i].key, e->tags[i].value);
    for (size_t i = 0; i < e->field_count; i++) put_field(out, &n, &e->fields[i]);
    if (n) buf_char(out, '}');
}

static void put_trace(struct buf *out, const metrics_event_t *e, bool colour)
{
    if (!e->has_ids) return;
    buf_printf(out, " %s", colour ? LINE_DIM : "");
    event_hex(out, e->ids.trace_id, sizeof e->ids.trace_id);
    buf_char(out, '/');
    event_hex(out, e->ids.span_id, sizeof e->ids.span_id);
    if (colour) buf_str(out, LINE_PLAIN);
}

void event_line(struct buf *out, const metrics_event_t *e, bool colour)
{
    const char *paint = colour ? colour_of(e) : "";
    put_time(out, e->wall_ns);
    buf_printf(out, " %s%-8s%s ", paint, word(e), *paint ? LINE_PLAIN : "");
    text(out, e->name);
    put_what(out, e);
    put_pairs(out, e);
    put_trace(out, e, colour);
}
