/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wavefront_events.c - mtxctl wavefront event, span, span-log, source-tag, source-description: one of each, from the
 * command line. An event is JSON for the service itself and a line for a proxy; all others are lines.
 */
#include "clock.h"
#include "wavefront.h"
#include "wavefront_line.h"
#include "wavefront_objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- A line --- */

static void put_pair(struct buf *line, const char *key, const char *value)
{
    buf_char(line, ' ');
    wavefront_quote(line, key);
    buf_char(line, '=');
    wavefront_quote(line, value);
}

/* Everything that a receiver would refuse is refused here. */
static bool line_sound(const struct buf *line, enum wavefront_format format, struct buf *why)
{
    const struct wavefront_check check = {format, &wavefront_tenant, clock_wall(&clock_system)};
    struct wavefront_fault fault;
    bool good = true;
    for (const char *at = buf_text(line), *end; good && *at; at = end + 1) {
        end = strchr(at, '\n');
        good = wavefront_line(&check, at, (size_t)(end - at), &fault);
        if (!good) buf_printf(why, "WF-%d: %s", fault.code, buf_text(&fault.why));
        buf_free(&fault.why);
    }
    return good;
}

static int line_send(struct job *job, const char *format, struct buf *line)
{
    json_t *answer;
    int code = wavefront_send(job, format, line, &answer);
    if (code == CLI_OK) job_done(job, "sent");
    json_decref(answer);
    buf_free(line);
    return code;
}

/* --- Events --- */

static const struct field event_fields[] = {
    {.name = "start", .type = FIELD_MILLIS, .help = "when it began; now if not given"},
    {.name = "end", .type = FIELD_MILLIS, .help = "when it ended; at once if not given"},
    {.name = "severity", .type = FIELD_TEXT, .most = 255, .help = "info, warn, severe"},
    {.name = "type", .type = FIELD_TEXT, .most = 255, .help = "which kind of event"},
    {.name = "details", .type = FIELD_TEXT, .most = 8000, .help = "more about it"},
    {.name = "annotations", .type = FIELD_MAP, .most = 8000, .help = "any other annotation"},
    {.name = "hosts", .type = FIELD_WORDS, .help = "sources that it is about"},
    {.name = "tags", .type = FIELD_WORDS, .help = "tags of the event"},
    {.name = NULL},
};

/* The event as the service's API takes it. Without an end it lasts one unit of its time. */
static json_t *event_json(const struct job *job)
{
    static const char *const annotations[] = {"severity", "type", "details"};
    const json_t *start = job_field(job, "start"), *end = job_field(job, "end");
    json_int_t from = start ? json_integer_value(start) : (json_int_t)(clock_wall(&clock_system) / 1000000);
    const json_t *given = job_field(job, "annotations"), *hosts = job_field(job, "hosts"),
                 *tags = job_field(job, "tags");
    json_t *map = given ? json_deep_copy(given) : json_object();
    for (size_t i = 0; i < sizeof annotations / sizeof *annotations; i++)
        if (job_field(job, annotations[i]))
            json_object_set(map, annotations[i], (json_t *)(uintptr_t)job_field(job, annotations[i]));
    json_t *event = json_pack("{s:s, s:o, s:o, s:I, s:I}", "name", job->args[0], "annotations", map, "hosts",
                              hosts ? json_deep_copy(hosts) : json_array(), "startTime", from, "endTime",
                              end ? json_integer_value(end) : from + 1);
    if (tags) json_object_set_new(event, "tags", json_deep_copy(tags));
    return event;
}

static void event_words(struct buf *line, const char *key, const json_t *words)
{
    json_t *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)words, i, one)
    {
        buf_printf(line, " %s=", key);
        wavefront_quote(line, json_string_value(one));
    }
}

static void event_line(const json_t *event, struct buf *line)
{
    const char *key;
    json_t *value;
    buf_printf(line, "@Event %lld %lld ", (long long)json_integer_value(json_object_get(event, "startTime")),
               (long long)json_integer_value(json_object_get(event, "endTime")));
    wavefront_quote(line, json_string_value(json_object_get(event, "name")));
    json_object_foreach(json_object_get(event, "annotations"), key, value)
    {
        buf_printf(line, " %s=", key);
        wavefront_quote(line, json_string_value(value));
    }
    event_words(line, "host", json_object_get(event, "hosts"));
    event_words(line, "tag", json_object_get(event, "tags"));
    buf_char(line, '\n');
}

static bool event_sound(const struct job *job, struct buf *why)
{
    const json_t *start = job_field(job, "start"), *end = job_field(job, "end");
    struct buf line = {0};
    json_t *event = event_json(job);
    if (start && end && json_integer_value(end) < json_integer_value(start))
        buf_str(why, "end is before start");
    event_line(event, &line);
    if (!why->len) line_sound(&line, WAVEFRONT_EVENT, why);
    json_decref(event);
    buf_free(&line);
    return !why->len;
}

/* The service takes one event in a request, and not compressed. */
static int event_direct(struct job *job, const json_t *event)
{
    struct payload request = {.points = 0};
    struct http_settings *http = (void *)job->talk.settings.common;
    http->compression = HTTP_PLAIN;
    buf_str(&request.path, "/api/v2/event");
    talk_body(&request, event);
    return job_do(job, &request);
}

static int event_run(struct job *job)
{
    struct buf line = {0};
    json_t *event = event_json(job);
    int code;
    if (wavefront_is_proxy(job)) {
        event_line(event, &line);
        code = line_send(job, "event", &line);
    } else {
        code = event_direct(job, event);
    }
    json_decref(event);
    return code;
}

/* --- Spans --- */

static json_t *span_tag(const char *text, struct buf *why)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || !equals[1]) {
        buf_printf(why, "a tag is KEY=VALUE, not \"%.100s\"", text);
        return NULL;
    }
    json_t *pair = json_pack("[s%, s]", text, (size_t)(equals - text), equals + 1);
    if (!pair) buf_str(why, "a tag is not UTF-8");
    return pair;
}

static const struct field span_fields[] = {
    {.name = "trace", .type = FIELD_UUID, .required = true, .help = "id of the trace"},
    {.name = "span", .type = FIELD_UUID, .required = true, .help = "id of the span"},
    {.name = "start", .type = FIELD_MILLIS, .required = true, .help = "when it began"},
    {.name = "duration",
     .type = FIELD_INTEGER,
     .least = 0,
     .top = 1000000000000,
     .required = true,
     .help = "milliseconds"},
    {.name = "source",
     .type = FIELD_TEXT,
     .most = 128,
     .help = "where it ran; this host's name if not given"},
    {.name = "parents", .type = FIELD_UUIDS, .help = "spans that it is a part of"},
    {.name = "follows", .type = FIELD_UUIDS, .help = "spans that it follows from"},
    {.name = "tag",
     .type = FIELD_OWN,
     .read = span_tag,
     .arg = "KEY=VALUE",
     .help =
         "application=... and service=... are needed for RED metrics; may be given again, also with the same key"},
    {.name = "logs", .type = FIELD_BOOL, .help = "true: the span has logs (see span-log)"},
    {.name = NULL},
};

static void span_references(struct buf *line, const char *key, const json_t *ids)
{
    json_t *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)ids, i, one)
        buf_printf(line, " %s=%s", key, json_string_value(one));
}

/* An identical pair is sent once. */
static void span_tags(struct buf *line, const json_t *tags)
{
    json_t *one, *earlier;
    size_t i, k;
    json_array_foreach((json_t *)(uintptr_t)tags, i, one)
    {
        bool again = false;
        json_array_foreach((json_t *)(uintptr_t)tags, k, earlier) again =
            again || (k < i && json_equal(one, earlier));
        if (!again)
            put_pair(line, json_string_value(json_array_get(one, 0)),
                     json_string_value(json_array_get(one, 1)));
    }
}

static void span_line(const struct job *job, const char *source, struct buf *line)
{
    char host[HOST_NAME];
    host_name(host);
    wavefront_quote(line, job->args[0]);
    buf_str(line, " source=");
    wavefront_quote(line, *source ? source : host);
    buf_printf(line, " traceId=%s spanId=%s", job_text(job, "trace"), job_text(job, "span"));
    span_references(line, "parent", job_field(job, "parents"));
    span_references(line, "followsFrom", job_field(job, "follows"));
    span_tags(line, job_field(job, "tag"));
    if (json_is_true(job_field(job, "logs"))) put_pair(line, "_spanLogs", "true");
    buf_printf(line, " %lld %lld\n", (long long)json_integer_value(job_field(job, "start")),
               (long long)json_integer_value(job_field(job, "duration")));
}

static bool span_sound(const struct job *job, struct buf *why)
{
    struct buf line = {0};
    span_line(job, job_text(job, "source"), &line);
    bool good = line_sound(&line, WAVEFRONT_TRACE, why);
    buf_free(&line);
    return good;
}

static int span_run(struct job *job)
{
    struct buf line = {0};
    const char *source = job_text(job, "source");
    span_line(job, *source ? source : settings_text(&job->talk.settings, "source"), &line);
    return line_send(job, "trace", &line);
}

/* --- Logs of spans --- */

static const struct field log_fields[] = {
    {.name = "time", .type = FIELD_TEXT, .most = 64, .help = "when it was; now if not given"},
    {.name = "fields",
     .type = FIELD_MAP,
     .most = 8000,
     .required = true,
     .help = "such as fields.event=error"},
    {.name = NULL},
};

static bool log_line(const struct job *job, struct buf *line, struct buf *why)
{
    uint64_t ns = clock_wall(&clock_system);
    if (*job_text(job, "time") && !field_time(job_text(job, "time"), &ns, why)) return false;
    if (!field_uuid(job->args[0], why) || !field_uuid(job->args[1], why)) return false;
    json_t *log = json_pack("{s:s, s:s, s:[{s:I, s:O}]}", "traceId", job->args[0], "spanId", job->args[1],
                            "logs", "timestamp", (json_int_t)(ns / 1000), "fields", job_field(job, "fields"));
    char *text = json_dumps(log, JSON_ENSURE_ASCII);
    buf_printf(line, "%s\n", text ? text : "");
    free(text);
    json_decref(log);
    return line_sound(line, WAVEFRONT_SPAN_LOGS, why);
}

static bool log_sound(const struct job *job, struct buf *why)
{
    struct buf line = {0};
    bool good = log_line(job, &line, why);
    buf_free(&line);
    return good;
}

static int log_run(struct job *job)
{
    struct buf line = {0}, why = {0};
    log_line(job, &line, &why);
    buf_free(&why);
    return line_send(job, "spanLogs", &line);
}

/* --- Tags and descriptions of sources --- */

static const char *const tag_actions[] = {"add", "save", "delete", NULL};
static const char *const description_actions[] = {"save", "delete", NULL};

static void source_line(const struct job *job, const char *begin, struct buf *line)
{
    buf_printf(line, "%s action=%s source=", begin, job->args[0]);
    wavefront_quote(line, job->args[1]);
    for (int i = 2; i < job->n; i++) {
        buf_char(line, ' ');
        wavefront_quote(line, job->args[i]);
    }
    buf_char(line, '\n');
}

static const char *source_begin(const struct job *job)
{
    return strcmp(job->call->words, "source-tag") ? "@SourceDescription" : "@SourceTag";
}

static bool source_sound(const struct job *job, struct buf *why)
{
    struct buf line = {0};
    bool tag = !strcmp(job->call->words, "source-tag");
    source_line(job, source_begin(job), &line);
    bool good = field_choice("the action", job->args[0], tag ? tag_actions : description_actions, why) &&
                line_sound(&line, WAVEFRONT_SOURCE_TAG, why);
    buf_free(&line);
    return good;
}

static int source_run(struct job *job)
{
    struct buf line = {0};
    if (!wavefront_is_proxy(job))
        return cli_usage(job->cli, "tags and descriptions of sources go through a proxy: --set mode=proxy");
    source_line(job, source_begin(job), &line);
    return line_send(job, "event", &line);
}

const struct call wavefront_events_calls[] = {
    {.words = "event",
     .args = "NAME",
     .least = 1,
     .most = 1,
     .fields = event_fields,
     .sound = event_sound,
     .run = event_run,
     .help = "send an event"},
    {.words = "span",
     .args = "NAME",
     .least = 1,
     .most = 1,
     .fields = span_fields,
     .sound = span_sound,
     .run = span_run,
     .help = "send a span"},
    {.words = "span-log",
     .args = "TRACE SPAN",
     .least = 2,
     .most = 2,
     .fields = log_fields,
     .sound = log_sound,
     .run = log_run,
     .help = "send a log of a span; both are ids"},
    {.words = "source-tag",
     .args = "add|save|delete SOURCE TAG...",
     .least = 3,
     .most = -1,
     .sound = source_sound,
     .run = source_run,
     .help = "add tags to a source, replace all of them, or delete some (through a proxy)"},
    {.words = "source-description",
     .args = "save|delete SOURCE [TEXT]",
     .least = 2,
     .most = 3,
     .sound = source_sound,
     .run = source_run,
     .help = "describe a source (through a proxy)"},
    {.words = NULL},
};
