/* SPDX-License-Identifier: Apache-2.0 */
/* annotation.c - annotations: something happened, with a title. */
#include <string.h>

#include "event.h"

static void own_fields(struct metrics__out *o, const void *arg)
{
    const metrics_annotation_t *a = arg;
    metrics__out_text(o, FIELD_TITLE, NULL, a->title);
    if (a->description) metrics__out_text(o, FIELD_DESCRIPTION, NULL, a->description);
    if (a->source) metrics__out_text(o, FIELD_SOURCE, NULL, a->source);
}

void metrics_annotate(metrics_annotations_t *stream, const metrics_annotation_t *given)
{
    metrics_annotation_t a;
    memset(&a, 0, sizeof a);
    memcpy(&a, given, given->size < sizeof a ? given->size : sizeof a);
    struct metrics__event_annotation part = {a.start_wall_ns, a.end_wall_ns};
    metrics__event_put(&(struct metrics__event){.kind = &stream->kind,
                                                .time = metrics__event_time(&stream->kind, metrics_now()),
                                                .part = &part,
                                                .own = own_fields,
                                                .arg = &a,
                                                .fields = a.fields,
                                                .count = a.field_count});
}

void metrics_annotate_title(metrics_annotations_t *stream, const char *title)
{
    metrics_annotate(stream, &(metrics_annotation_t){.size = sizeof(metrics_annotation_t), .title = title});
}

METRICS__EVENT_FRONT_END(annotations, EVENT_ANNOTATION)
METRICS__EVENT_SITE(annotations, EVENT_ANNOTATION)
