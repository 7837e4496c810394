/* SPDX-License-Identifier: Apache-2.0 */
/* event_text.c - parts of events as text. */
#include "event_view.h"

enum { UUID_BYTES = 16 };

void event_hex(struct buf *out, const unsigned char *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        buf_char(out, digits[bytes[i] >> 4]);
        buf_char(out, digits[bytes[i] & 15]);
    }
}

void event_uuid(struct buf *out, const unsigned char *bytes, size_t n)
{
    unsigned char all[UUID_BYTES] = {0};
    memcpy(all + sizeof all - n, bytes, n);
    for (size_t i = 0; i < sizeof all; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) buf_char(out, '-');
        event_hex(out, &all[i], 1);
    }
}

bool event_is_id(const unsigned char *bytes, size_t n)
{
    unsigned any = 0;
    for (size_t i = 0; i < n; i++) any |= bytes[i];
    return any != 0;
}

void event_field_value(struct buf *out, const metrics_event_field_t *f)
{
    switch (f->type) {
    case METRICS_EVENT_INT: buf_i64(out, f->i); break;
    case METRICS_EVENT_DOUBLE: buf_f64(out, f->f); break;
    case METRICS_EVENT_BOOL: buf_str(out, f->i ? "true" : "false"); break;
    default: buf_str(out, f->text); break;
    }
}

bool event_field_is_tag(const metrics_event_field_t *f)
{
    return f->type == METRICS_EVENT_TEXT || f->type == METRICS_EVENT_INT || f->type == METRICS_EVENT_DOUBLE ||
           f->type == METRICS_EVENT_BOOL;
}

/* OpenTelemetry's severity numbers are ranges of four. */
const char *event_level_name(uint32_t level)
{
    return level < 5    ? "TRACE"
           : level < 9  ? "DEBUG"
           : level < 10 ? "INFO"
           : level < 13 ? "NOTICE"
           : level < 17 ? "WARNING"
           : level < 18 ? "ERROR"
           : level < 21 ? "CRITICAL"
                        : "FATAL";
}

const char *event_tag(const metrics_event_t *e, const char *key)
{
    for (size_t i = 0; i < e->field_count; i++)
        if (e->fields[i].type == METRICS_EVENT_TEXT && !strcmp(e->fields[i].key, key))
            return e->fields[i].text;
    for (size_t i = 0; i < e->tag_count; i++)
        if (!strcmp(e->tags[i].key, key)) return e->tags[i].value;
    return NULL;
}
