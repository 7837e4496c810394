/* SPDX-License-Identifier: Apache-2.0 */
/* librato_annotations.c - mtxctl librato annotations: streams, and the events in them. */
#include "librato.h"

#include <string.h>

static const struct column stream_columns[] = {
    {"STREAM", "name", COLUMN_VALUE}, {"DISPLAY NAME", "display_name", COLUMN_VALUE}, {.title = NULL}};

/* A stream's name is a part of a path. */
static bool stream_sound(const struct job *job, struct buf *why)
{
    if (strchr(job->args[0], '/'))
        buf_printf(why, "a stream's name has no /, but \"%.100s\" has", job->args[0]);
    else
        field_text("the stream's name", job->args[0], LIBRATO_NAME, why);
    return !why->len;
}

/* --- Events --- */

static const struct field show_fields[] = {
    {.name = "start",
     .key = "start_time",
     .type = FIELD_TIME,
     .help = "show events, from this time on, such as -1d"},
    {.name = "end", .key = "end_time", .type = FIELD_TIME, .help = "the last time"},
    {.name = "source", .key = "sources", .type = FIELD_WORDS, .help = "only events of these sources"},
    {.name = NULL},
};

static const struct column event_columns[] = {{"ID", "id", COLUMN_NUMBER},
                                              {"SOURCE", "source", COLUMN_VALUE},
                                              {"START", "start_time", COLUMN_TIME},
                                              {"END", "end_time", COLUMN_TIME},
                                              {"TITLE", "title", COLUMN_VALUE},
                                              {"DESCRIPTION", "description", COLUMN_VALUE},
                                              {.title = NULL}};

/* The events of an answer are lists by source, in objects one by one or together. */
static void event_gather(const json_t *events, const char *source, json_t *rows)
{
    json_t *one;
    size_t i;
    const char *name;
    json_array_foreach((json_t *)(uintptr_t)events, i, one)
    {
        if (json_object_get(one, "title")) {
            json_object_set_new(one, "source", json_string(source));
            json_array_append(rows, one);
        } else {
            event_gather(one, source, rows);
        }
    }
    json_object_foreach((json_t *)(uintptr_t)events, name, one) event_gather(one, name, rows);
}

static int show_run(struct job *job)
{
    struct payload request = {.points = 0};
    json_t *answer, *rows = json_array();
    job_request(job, &request);
    int code = talk_do(&job->talk, &request, &answer);
    if (answer && !job->cli->json && job_field(job, "start")) {
        event_gather(json_object_get(answer, "events"), "", rows);
        job_print(job, rows, event_columns);
    } else if (answer) {
        job_print(job, answer, NULL);
    }
    json_decref(rows);
    json_decref(answer);
    return code;
}

static bool show_sound(const struct job *job, struct buf *why)
{
    if (!stream_sound(job, why)) return false;
    if (!job_field(job, "start") && (job_field(job, "end") || job_field(job, "source")))
        buf_str(why, "end and source choose among events: give start=..., too");
    return !why->len;
}

/* --- Posting --- */

/* "REL,URL[,LABEL]". */
static json_t *post_link(const char *text, struct buf *why)
{
    size_t rel = strcspn(text, ",");
    const char *url = text + rel + (text[rel] == ',');
    size_t n = strcspn(url, ",");
    if (!rel || !n || !strstr(url, "://")) {
        buf_printf(why, "link is REL,URL or REL,URL,LABEL, not \"%.100s\"", text);
        return NULL;
    }
    json_t *link = json_pack("{s:s%, s:s%}", "rel", text, rel, "href", url, n);
    if (link && url[n]) json_object_set_new(link, "label", json_string(url + n + 1));
    if (!link) buf_str(why, "link is not UTF-8");
    return link;
}

static const struct field post_fields[] = {
    {.name = "title", .type = FIELD_TEXT, .most = 255, .required = true, .help = "what happened"},
    {.name = "source", .type = FIELD_TEXT, .most = 255, .help = "where it happened"},
    {.name = "description", .type = FIELD_TEXT, .help = "more about it"},
    {.name = "start",
     .key = "start_time",
     .type = FIELD_TIME,
     .help = "when it began; by default when it arrives"},
    {.name = "end", .key = "end_time", .type = FIELD_TIME, .help = "when it ended"},
    {.name = "link",
     .key = "links",
     .type = FIELD_OWN,
     .read = post_link,
     .arg = "REL,URL[,LABEL]",
     .help = "a link; may be given again"},
    {.name = NULL},
};

static bool post_sound(const struct job *job, struct buf *why)
{
    const json_t *start = job_field(job, "start"), *end = job_field(job, "end");
    if (start && end && json_integer_value(end) < json_integer_value(start))
        buf_str(why, "end is before start");
    return !why->len && stream_sound(job, why);
}

/* --- Streams --- */

static const struct field update_fields[] = {
    {.name = "name", .type = FIELD_TEXT, .most = 255, .help = "a new name"},
    {.name = "display_name", .type = FIELD_TEXT, .most = 255, .help = "the name that charts show"},
    {.name = NULL},
};

static bool update_sound(const struct job *job, struct buf *why)
{
    if (!json_object_size(job->given))
        buf_str(why, "nothing to change was given: name=... or display_name=...");
    if (strchr(job_text(job, "name"), '/')) buf_str(why, "a stream's name has no /");
    return !why->len && stream_sound(job, why);
}

/* Both members are always there, as the service's own client sends them. */
static int update_run(struct job *job)
{
    struct payload request = {.method = "PUT"};
    json_t *body = json_pack("{s:n, s:n}", "name", "display_name");
    fields_put(update_fields, job->given, body);
    talk_path(&request, job->call->path, (const char *const *)job->args);
    talk_body(&request, body);
    json_decref(body);
    return job_do(job, &request);
}

#define STREAM "/v1/annotations/{}"
const struct call librato_annotations_calls[] = {
    {.words = "annotations list",
     .args = "[GLOB...]",
     .most = 16,
     .method = "GET",
     .path = "/v1/annotations",
     .columns = stream_columns,
     .run = librato_run_list,
     .help = "list the streams of annotations"},
    {.words = "annotations show",
     .args = "STREAM",
     .least = 1,
     .most = 1,
     .fields = show_fields,
     .sound = show_sound,
     .method = "GET",
     .path = STREAM,
     .run = show_run,
     .help = "show a stream, with start=... its events"},
    {.words = "annotations event",
     .args = "STREAM ID",
     .least = 2,
     .most = 2,
     .sound = stream_sound,
     .method = "GET",
     .path = STREAM "/{}",
     .help = "show one event of a stream"},
    {.words = "annotations post",
     .args = "STREAM",
     .least = 1,
     .most = 1,
     .fields = post_fields,
     .sound = post_sound,
     .method = "POST",
     .path = STREAM,
     .help = "add an event to a stream, which is made if it is new"},
    {.words = "annotations update",
     .args = "STREAM",
     .least = 1,
     .most = 1,
     .fields = update_fields,
     .sound = update_sound,
     .method = "PUT",
     .path = STREAM,
     .run = update_run,
     .help = "rename a stream"},
    {.words = "annotations delete",
     .args = "STREAM",
     .least = 1,
     .most = 1,
     .sound = stream_sound,
     .method = "DELETE",
     .path = STREAM,
     .help = "delete a stream with all its events"},
    {.words = NULL},
};
