/* SPDX-License-Identifier: Apache-2.0 */
#include "decode.h"

#include <math.h>
#include <string.h>

#include "reading.h"
#include "text.h"

const char *metrics_event_type_name(uint32_t type)
{
    static const char *const names[METRICS_EVENT_TYPES] = {NULL, "annotation", "span", "log", "point"};
    return type < METRICS_EVENT_TYPES ? names[type] : NULL;
}
_Static_assert((int)METRICS_EVENT_ANNOTATION == (int)EVENT_ANNOTATION, "");
_Static_assert((int)METRICS_EVENT_SPAN == (int)EVENT_SPAN, "");
_Static_assert((int)METRICS_EVENT_LOG == (int)EVENT_LOG, "");
_Static_assert((int)METRICS_EVENT_POINT == (int)EVENT_POINT, "");
_Static_assert((int)METRICS_EVENT_TYPES == (int)EVENT_CLASSES, "");

bool metrics__kind_split(struct metrics__kind_texts *kind, const char *key, size_t n)
{
    static const char letters[] = METRICS__EVENT_LETTERS;
    const char *texts[2 * METRICS_TAGS_MAX + 1];
    if (n < 3 || n > METRICS__EVENT_KEY_MOST || key[n - 1]) return false;
    unsigned class = EVENT_CLASSES;
    while (--class && key[0] != letters[class]) continue;
    if (!class) return false;
    size_t count = metrics__key_split(key + 1, key + n, texts);
    if (!count) return false;
    kind->name = texts[0];
    kind->class = class;
    kind->tag_count = count / 2;
    for (size_t i = 0; i < kind->tag_count; i++)
        kind->tags[i] = (metrics_tag_t){texts[1 + 2 * i], texts[2 + 2 * i]};
    kind->key = key;
    kind->key_size = n;
    return true;
}

/* --- Fields --- */

/* One field of the record, not looked at yet. */
struct raw {
    unsigned what;
    char *key, *value;
    size_t key_n, value_n;
};

/* The field at *at, which must end before `end`; *at goes on behind it. */
static bool next_field(unsigned char **at, const unsigned char *end, struct raw *f)
{
    size_t left = (size_t)(end - *at);
    if (left < METRICS__FIELD_HEAD) return false;
    f->what = (*at)[0];
    f->key_n = (*at)[1];
    f->value_n = (size_t)(*at)[2] | (size_t)(*at)[3] << 8;
    if (f->key_n + f->value_n > left - METRICS__FIELD_HEAD) return false;
    f->key = (char *)*at + METRICS__FIELD_HEAD;
    f->value = f->key + f->key_n;
    *at += METRICS__FIELD_HEAD + f->key_n + f->value_n;
    return true;
}

/* A text of n bytes with its '\0', made UTF-8; NULL if it does not end where it should. */
static char *text_of(char *bytes, size_t n)
{
    if (!n || bytes[n - 1] || strlen(bytes) != n - 1) return NULL;
    metrics__text_repair(bytes, n - 1);
    return bytes;
}

static char *key_of(const struct raw *f)
{
    char *key = text_of(f->key, f->key_n);
    for (char *c = key; c && *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
    return key && *key ? key : NULL;
}

static bool take_ids(metrics_event_ids_t *ids, const struct raw *f)
{
    _Static_assert(sizeof *ids == METRICS__FIELD_IDS, "");
    if (f->value_n != sizeof *ids) return false;
    memcpy(ids, f->value, sizeof *ids);
    return true;
}

/* A text that the event itself has; of two the last counts. */
static bool take_own(metrics_event_t *e, const struct raw *f)
{
    const char **where = f->what == FIELD_MESSAGE       ? &e->message
                         : f->what == FIELD_TITLE       ? &e->title
                         : f->what == FIELD_DESCRIPTION ? &e->description
                                                        : &e->source;
    const char *text = text_of(f->value, f->value_n);
    if (text) *where = text;
    return text != NULL;
}

static bool take_number(metrics_event_field_t *to, const struct raw *f)
{
    uint8_t flag;
    to->type = f->what == FIELD_INT    ? METRICS_EVENT_INT
               : f->what == FIELD_BOOL ? METRICS_EVENT_BOOL
                                       : METRICS_EVENT_DOUBLE;
    if (f->value_n != (f->what == FIELD_BOOL ? sizeof flag : 8)) return false;
    if (f->what == FIELD_INT) memcpy(&to->i, f->value, sizeof to->i);
    if (f->what == FIELD_DOUBLE) memcpy(&to->f, f->value, sizeof to->f);
    if (f->what == FIELD_BOOL) to->i = f->value[0] != 0;
    return true;
}

static bool take_moment(metrics_event_field_t *to, const struct raw *f)
{
    to->type = METRICS_EVENT_MOMENT;
    if (f->value_n < sizeof to->after_ns) return false;
    memcpy(&to->after_ns, f->value, sizeof to->after_ns);
    to->text = text_of(f->value + sizeof to->after_ns, f->value_n - sizeof to->after_ns);
    return to->text != NULL;
}

/* A field with a key. */
static bool take_keyed(metrics_event_field_t *to, const struct raw *f)
{
    to->key = key_of(f);
    if (!to->key) return false;
    if (f->what == FIELD_MOMENT) return take_moment(to, f);
    if (f->what != FIELD_TEXT && f->what != FIELD_LINK) return take_number(to, f);
    to->type = f->what == FIELD_TEXT ? METRICS_EVENT_TEXT : METRICS_EVENT_LINK;
    to->text = text_of(f->value, f->value_n);
    return to->text != NULL;
}

static bool take_other_span(struct metrics__event_room *room, metrics_event_field_t *to, const struct raw *f)
{
    metrics_event_ids_t *ids = &room->ids[room->event.field_count];
    to->type = f->what == FIELD_PARENT ? METRICS_EVENT_PARENT : METRICS_EVENT_FOLLOWS;
    to->ids = ids;
    return take_ids(ids, f);
}

/* What is not understood is left out; a field is never half there. */
static void take_field(struct metrics__event_room *room, const struct raw *f)
{
    metrics_event_t *e = &room->event;
    metrics_event_field_t *to = &room->fields[e->field_count];
    *to = (metrics_event_field_t){.key = "", .text = ""};
    switch (f->what) {
    case FIELD_MESSAGE:
    case FIELD_TITLE:
    case FIELD_DESCRIPTION:
    case FIELD_SOURCE: take_own(e, f); break;
    case FIELD_TRACE:
        if (take_ids(&e->ids, f)) e->has_ids = 1;
        break;
    case FIELD_PARENT:
    case FIELD_FOLLOWS: e->field_count += take_other_span(room, to, f); break;
    case FIELD_TEXT:
    case FIELD_INT:
    case FIELD_DOUBLE:
    case FIELD_BOOL:
    case FIELD_LINK:
    case FIELD_MOMENT: e->field_count += take_keyed(to, f); break;
    default: break; /* of a later version */
    }
}

/* --- What a class has --- */

static bool take_part(metrics_event_t *e, const unsigned char *part, const struct metrics__event_body *body)
{
    struct metrics__event_span span;
    struct metrics__event_annotation annotation;
    struct metrics__event_point point;
    switch (e->type) {
    case METRICS_EVENT_SPAN:
        memcpy(&span, part, sizeof span);
        memcpy(&e->ids, span.trace_id, sizeof e->ids);
        memcpy(e->parent_id, span.parent_id, sizeof e->parent_id);
        e->has_ids = 1;
        e->duration_ns = span.duration;
        e->error = body->small & 1;
        return true;
    case METRICS_EVENT_ANNOTATION:
        memcpy(&annotation, part, sizeof annotation);
        if (annotation.start) e->wall_ns = annotation.start;
        e->end_wall_ns = annotation.end;
        return true;
    case METRICS_EVENT_POINT:
        memcpy(&point, part, sizeof point);
        if (point.wall) e->wall_ns = point.wall;
        e->value = point.value;
        e->point = body->small;
        return isfinite(point.value) && body->small >= METRICS_POINT_GAUGE &&
               body->small <= METRICS_POINT_COUNTER;
    default:
        e->level = body->small;
        e->cut = body->flags & METRICS__EVENT_CUT;
        return body->small >= 1 && body->small <= 24;
    }
}

const metrics_event_t *metrics__event_of(struct metrics__event_room *room,
                                         const struct metrics__kind_texts *kind, unsigned char *record,
                                         size_t n, uint64_t created_wall)
{
    struct segment_event head;
    struct metrics__event_body body;
    struct raw f;
    size_t part = metrics__event_part(kind->class), fixed = sizeof head + sizeof body + part;
    if (n < fixed) return NULL;
    memcpy(&head, record, sizeof head);
    memcpy(&body, record + sizeof head, sizeof body);
    if (head.length != n || body.fields > METRICS_FIELDS_MAX + 8 || body.bytes > n - fixed) return NULL;
    metrics_event_t *e = &room->event;
    *e = (metrics_event_t){.type = (enum metrics_event_type)kind->class,
                           .name = kind->name,
                           .tags = kind->tags,
                           .tag_count = kind->tag_count,
                           .fields = room->fields,
                           .wall_ns = created_wall + head.time,
                           .monotonic_ns = head.time,
                           .message = "",
                           .title = "",
                           .description = "",
                           .source = "",
                           .key = kind->key,
                           .key_size = kind->key_size,
                           .record = record,
                           .record_size = n,
                           .created_wall_ns = created_wall};
    if (!take_part(e, record + sizeof head + sizeof body, &body)) return NULL;
    unsigned char *at = record + fixed;
    for (unsigned i = 0; i < body.fields && e->field_count < METRICS_FIELDS_MAX; i++) {
        if (!next_field(&at, record + fixed + body.bytes, &f)) return NULL;
        take_field(room, &f);
    }
    return e;
}
