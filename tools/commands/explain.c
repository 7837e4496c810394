/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtxctl explain - how each configured backend names and sends a series.
 *
 * The backend's own encoder is called (asking.h), so what is printed is what would go over the wire.
 */
#include "asking.h"
#include "clock.h"
#include "config_load.h"
#include "input.h"
#include "match.h"
#include "show.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *explain_config;
static uint64_t explain_over;

static const struct cmd_option explain_options[] = {
    {.name = "config",
     .letter = 'c',
     .type = CMD_TEXT,
     .value = &explain_config,
     .arg = "FILE",
     .help = "the configuration of mtx-exporter (default $MTX_EXPORTER_CONFIG, else the built-in "
             "defaults)"},
    {.name = "over",
     .letter = 'o',
     .type = CMD_DURATION,
     .value = &explain_over,
     .arg = "TIME",
     .max = 3600e9,
     .help = "watch for this long and explain what would be sent for that interval; without it, the whole "
             "life of a series is shown as one interval"},
    {.name = NULL},
};

struct explain {
    struct cli *cli;
    struct config *config;
    struct match match;
    metrics_snapshot_t *base, *now; /* base NULL without --over */
    struct json json;
    size_t matched, sent;
};

/* --- What is sent --- */

/* Text is shown line by line; of other payloads only the size, as the values are listed anyway. */
static bool explain_is_text(const struct buf *body)
{
    for (size_t i = 0; i < body->len; i++) {
        unsigned char c = (unsigned char)body->data[i];
        if (c == 0 || (c < 0x20 && c != '\n' && c != '\r' && c != '\t')) return false;
    }
    return true;
}

static void explain_lines(struct buf *out, const struct buf *body)
{
    const char *line = buf_text(body);
    if (!explain_is_text(body)) {
        buf_printf(out, "    | %zu bytes that are not text\n", body->len);
        return;
    }
    while (*line) {
        size_t n = strcspn(line, "\n");
        char *copy = n ? strndup(line, n) : NULL;
        if (copy) {
            buf_str(out, "    | ");
            show_text(out, copy);
            buf_char(out, '\n');
        }
        free(copy);
        line += n + (line[n] == '\n');
    }
}

static void explain_item_name(struct buf *out, const struct item *item)
{
    show_word(out, item->name);
    for (size_t i = 0; i < item->tag_count; i++) {
        buf_char(out, ' ');
        show_word(out, item->tags[i].key);
        buf_char(out, '=');
        if (*item->tags[i].value) show_word(out, item->tags[i].value);
    }
}

static void explain_values_text(struct buf *out, const struct rows *rows)
{
    buf_str(out, "    values:");
    for (size_t i = 0; i < rows->n; i++) {
        if (rows->at[i].nature == METRICS_BUCKET || rows->at[i].nature == METRICS_DISTRIBUTION) continue;
        buf_char(out, ' ');
        show_attribute(out, &rows->at[i]);
        buf_char(out, '=');
        show_value_short(out, &rows->at[i]);
    }
    if (!rows->n) buf_str(out, " none now");
    buf_char(out, '\n');
}

static void explain_sent_text(struct explain *e, const struct item *item, const struct rows *rows,
                              const struct buf *body)
{
    struct buf *out = &e->cli->out;
    buf_str(out, "    as ");
    explain_item_name(out, item);
    buf_char(out, '\n');
    explain_values_text(out, rows);
    explain_lines(out, body);
}

static void explain_sent_json(struct explain *e, const struct item *item, const struct rows *rows,
                              const struct buf *body)
{
    struct json *j = &e->json;
    jsonw_key(j, "as");
    jsonw_object(j);
    jsonw_key_str(j, "name", item->name);
    jsonw_key(j, "tags");
    jsonw_object(j);
    for (size_t i = 0; i < item->tag_count; i++) jsonw_key_str(j, item->tags[i].key, item->tags[i].value);
    jsonw_object_end(j);
    jsonw_key(j, "values");
    jsonw_array(j);
    for (size_t i = 0; i < rows->n; i++) {
        show_json_row_open(j, &rows->at[i]);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
    jsonw_object_end(j);
    jsonw_key(j, "payload");
    if (explain_is_text(body))
        jsonw_mem(j, buf_text(body), body->len);
    else
        jsonw_null(j);
}

/* It has no value, or its name is taken; a note says by which series. */
static void explain_left_out(struct explain *e, bool valued)
{
    if (e->cli->json) {
        jsonw_key(&e->json, "left_out");
        jsonw_bool(&e->json, true);
        jsonw_key_str(&e->json, "payload", "");
    } else {
        buf_str(&e->cli->out,
                valued ? "    not on the page\n" : "    not on the page: it has no values now\n");
    }
}

static void explain_sent(struct explain *e, struct asking *a, size_t at)
{
    const struct item *item = &a->view.items[at];
    struct buf payload = {0};
    struct rows rows = {0};
    asking_sent(a, at, &payload);
    if (!asking_rows(a, at, &rows) || !buf_ok(&payload))
        e->cli->out.failed = true;
    else if (!payload.len && backend_is_scraped(a->backend->type))
        explain_left_out(e, rows.n > 0);
    else if (e->cli->json)
        explain_sent_json(e, item, &rows, &payload);
    else
        explain_sent_text(e, item, &rows, &payload);
    e->sent++;
    rows_free(&rows);
    buf_free(&payload);
}

/* --- One series, one backend --- */

static void explain_hidden(struct explain *e, struct asking *a, const metrics_reading_t *reading)
{
    struct buf why = {0};
    asking_hidden(a, metrics_reading_name(reading), &why);
    if (e->cli->json)
        jsonw_key_str(&e->json, "hidden", buf_text(&why));
    else
        buf_printf(&e->cli->out, "    hidden by %s\n", buf_text(&why));
    buf_free(&why);
}

/* passes: the reading passes the filter; then `at` is its item in the view. */
static void explain_reading(struct explain *e, struct asking *a, const metrics_reading_t *reading,
                            bool passes, size_t at)
{
    if (e->cli->json) {
        jsonw_object(&e->json);
        show_json_series(&e->json, reading);
    } else {
        buf_str(&e->cli->out, "  ");
        show_series(&e->cli->out, reading, -1);
        buf_char(&e->cli->out, '\n');
    }
    if (passes)
        explain_sent(e, a, at);
    else
        explain_hidden(e, a, reading);
    if (e->cli->json) jsonw_object_end(&e->json);
    cli_flow(e->cli);
}

/* The view has the readings that pass, in the order of the snapshot. */
static void explain_readings(struct explain *e, struct asking *a)
{
    size_t at = 0;
    for (size_t i = 0; i < metrics_snapshot_count(e->now); i++) {
        const metrics_reading_t *reading = metrics_snapshot_reading(e->now, i);
        bool passes = at < a->view.n && a->view.items[at].now == reading;
        if (match_reading(&e->match, reading)) explain_reading(e, a, reading, passes, at);
        at += passes;
    }
}

/* A note begins with the name of its series. */
static bool explain_is_about(const struct explain *e, const char *note)
{
    for (size_t i = 0; i < metrics_snapshot_count(e->now); i++) {
        const metrics_reading_t *reading = metrics_snapshot_reading(e->now, i);
        const char *name = metrics_reading_name(reading);
        size_t n = strlen(name);
        if (match_reading(&e->match, reading) && !strncmp(note, name, n) && note[n] == ' ') return true;
    }
    return false;
}

static void explain_notes(struct explain *e, struct asking *a)
{
    if (e->cli->json) {
        jsonw_key(&e->json, "notes");
        jsonw_array(&e->json);
    }
    for (char *rest = a->notes.data, *note; (note = strsep(&rest, "\n"));) {
        /* A page is made whole, points were asked for one by one. */
        if (backend_is_scraped(a->backend->type) ? !explain_is_about(e, note) : !*note) continue;
        if (e->cli->json)
            jsonw_str(&e->json, note);
        else {
            buf_str(&e->cli->out, "  but ");
            show_text(&e->cli->out, note);
            buf_char(&e->cli->out, '\n');
        }
    }
    if (e->cli->json) jsonw_array_end(&e->json);
}

static void explain_head(struct explain *e, const struct config_backend *backend)
{
    const char *name = backend->settings->name, *type = backend->type->name;
    if (e->cli->json) {
        jsonw_object(&e->json);
        jsonw_key_str(&e->json, "backend", name);
        jsonw_key_str(&e->json, "type", type);
        jsonw_key(&e->json, "series");
        jsonw_array(&e->json);
    } else if (strcmp(name, type))
        buf_printf(&e->cli->out, "%s (%s)\n", name, type);
    else
        buf_printf(&e->cli->out, "%s\n", name);
}

/* Where the exporter follows several segments, each series has a tag that says which. */
static const char *explain_tag(const struct explain *e)
{
    const char *path = e->cli->segment ? e->cli->segment : metrics_default_path();
    return segment_tag_value(segment_tag(&e->config->segments), path);
}

static int explain_backend(struct explain *e, const struct config_backend *backend)
{
    struct asking a;
    struct buf why = {0};
    int code = CLI_OK;
    const struct asking_of of = {e->now, e->base, explain_tag(e)};
    if (!asking_open(&a, backend, &e->config->tags, &of, &why))
        code = cli_fail(e->cli, CLI_FAILED, "backend %s: %s", backend->settings->name,
                        why.len ? buf_text(&why) : "out of memory");
    else {
        explain_head(e, backend);
        explain_readings(e, &a);
        if (e->cli->json) jsonw_array_end(&e->json);
        explain_notes(e, &a);
        if (e->cli->json) jsonw_object_end(&e->json);
    }
    asking_close(&a);
    buf_free(&why);
    return code;
}

/* --- Configuration and snapshots --- */

static const char *explain_env(const char *name)
{
    return getenv(name);
}

static int explain_load(struct explain *e)
{
    struct buf mistakes = {0};
    const char *env = getenv("MTX_EXPORTER_CONFIG");
    const char *path = explain_config ? explain_config : env && *env ? env : NULL;
    e->config = path ? config_load(path, explain_env, &mistakes) : config_default(explain_env, &mistakes);
    int code = CLI_OK;
    if (!e->config)
        code = cli_fail(e->cli, CLI_USAGE, "the configuration has mistakes:\n%s", buf_text(&mistakes));
    buf_free(&mistakes);
    return code;
}

/* As the exporter: the segment of the command line, else of the configuration, else the default one. */
static int explain_segment(struct explain *e)
{
    const struct option_list *named = &e->config->segments;
    if (e->cli->segment || !named->n) return CLI_OK;
    if (named->n > 1 || strpbrk(named->items[0], "*?["))
        return cli_usage(e->cli, "the configuration names several segments; choose one with --segment");
    e->cli->segment = named->items[0];
    return CLI_OK;
}

static int explain_take(struct explain *e)
{
    int code = CLI_OK;
    if (explain_over) {
        struct timespec t = {(time_t)(explain_over / CLOCK_SECOND), (long)(explain_over % CLOCK_SECOND)};
        code = input_take(e->cli, NULL, &e->base);
        if (code == CLI_OK) nanosleep(&t, NULL);
    }
    if (code == CLI_OK) code = input_take(e->cli, NULL, &e->now);
    for (size_t i = 0; code == CLI_OK && i < metrics_snapshot_count(e->now); i++)
        e->matched += match_reading(&e->match, metrics_snapshot_reading(e->now, i));
    return code == CLI_OK && !e->matched ? match_none(e->cli, &e->match, e->now) : code;
}

static int explain_all(struct explain *e)
{
    struct json *j = &e->json;
    int code = CLI_OK;
    jsonw_begin(j, &e->cli->out);
    if (e->cli->json) {
        jsonw_object(j);
        show_json_snapshot(j, metrics_snapshot_header(e->now));
        jsonw_key(j, "backends");
        jsonw_array(j);
    }
    for (const struct config_backend *b = e->config->backends; b && code == CLI_OK; b = b->next)
        code = explain_backend(e, b);
    if (e->cli->json && code == CLI_OK) {
        jsonw_array_end(j);
        jsonw_object_end(j);
        buf_char(&e->cli->out, '\n');
    }
    return code == CLI_OK && !e->sent ? CLI_NO : code;
}

static int explain_run(struct cli *cli)
{
    struct explain e = {.cli = cli};
    int code = match_parse(cli, 0, &e.match);
    if (code == CLI_OK) code = explain_load(&e);
    if (code == CLI_OK) code = explain_segment(&e);
    if (code == CLI_OK) code = explain_take(&e);
    if (code == CLI_OK) code = explain_all(&e);
    if (e.base) metrics_snapshot_release(&e.base);
    if (e.now) metrics_snapshot_release(&e.now);
    config_free(&e.config);
    return code;
}

const struct command command_explain = {
    .name = "explain",
    .args = "GLOB... [KEY=VALUE...]",
    .summary = "show how each backend will name and send a series",
    .text = "For every backend in mtx-exporter's configuration and every matching series: the name and tags "
            "that the backend receives, the values, and the exact lines that are sent (marked |), or the "
            "filter that hides the series. If a backend has to leave out a series because of others, the "
            "reason is given.\n"
            "\n"
            "Nothing is sent, and mtx-exporter need not be running; but a backend that has to log in before "
            "it knows what to send does log in.\n"
            "\n" MATCH_TEXT,
    .examples = "mtxctl explain http.request.time route=/cart\n"
                "mtxctl explain --config /etc/mtx/exporter.yaml --over 10s 'http.*'\n",
    .options = explain_options,
    .exits = {[CLI_NO] = "no series matches, or no backend sends any of them",
              [CLI_USAGE] = "invalid command line or configuration; nothing was done"},
    .least = 1,
    .most = -1,
    .run = explain_run,
};
