/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtxctl explain - what each configured backend makes of a series.
 *
 * The backend's own encoder is asked, once per series, so what is printed is what would go over the wire; and
 * once with all series together, for what only shows then: series that have to be left out of a page.
 */
#include "clock.h"
#include "config.h"
#include "pattern.h"
#include "input.h"
#include "match.h"
#include "show.h"
#include "view.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *explain_config;
static uint64_t explain_over;

static const struct cli_option explain_options[] = {
    {.name = "config",
     .letter = 'c',
     .type = CLI_TEXT,
     .value = &explain_config,
     .arg = "FILE",
     .help = "the configuration of mtx-exporter; $MTX_EXPORTER_CONFIG, or else its defaults, unless given"},
    {.name = "over",
     .letter = 'o',
     .type = CLI_DURATION,
     .value = &explain_over,
     .arg = "TIME",
     .max = 3600e9,
     .help = "watch for so long and explain what that interval would send; without it, what is sent of an "
             "interval is shown as if the whole life of the series were one"},
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

/* One backend while it is asked. */
struct asking {
    struct explain *explain;
    const struct config_backend *backend;
    struct selection selection;
    void *session;
    struct view view; /* everything that passes its filter */
    size_t at;        /* the next item of the view */
    struct buf notes;
};

/* --- Which series, which filter --------------------------------------------------------------------------
 */

/* Appends why the name does not pass: the pattern, as it stands in the configuration. */
static void explain_hidden(const struct backend_common *settings, const char *name, struct buf *why)
{
    const struct option_list *out = &settings->exclude;
    for (size_t i = 0; i < out->n; i++)
        if (pattern_match(out->items[i], name)) {
            buf_printf(why, "exclude: %s", out->items[i]);
            return;
        }
    buf_str(why, "include:");
    for (size_t i = 0; i < settings->include.n; i++)
        buf_printf(why, "%s %s", i ? "," : "", settings->include.items[i]);
    buf_str(why, " does not match");
}

/* Without an earlier snapshot nothing is known to have been sent: then an interval is the series' whole life.
 */
static bool asking_view(struct asking *a)
{
    const metrics_snapshot_header_t *now = metrics_snapshot_header(a->explain->now);
    const metrics_snapshot_header_t *base =
        a->explain->base ? metrics_snapshot_header(a->explain->base) : NULL;
    uint64_t life = now->wall_ns > now->created_wall_ns ? now->wall_ns - now->created_wall_ns : 1;
    view_begin(&a->view, &a->selection, now->wall_ns, base ? now->monotonic_ns - base->monotonic_ns : life);
    if (!view_add(&a->view, a->explain->now, a->explain->base)) return false;
    for (size_t i = 0; !base && i < a->view.n; i++) {
        a->view.items[i].base = NULL;
        a->view.items[i].rebased = false;
    }
    return true;
}

/* --- What is sent ----------------------------------------------------------------------------------------
 */

static struct batch asking_batch(const struct asking *a, size_t from, size_t to)
{
    return (struct batch){
        .view = &a->view, .from = from, .to = to, .settings = a->backend->settings, .session = a->session};
}

/* Texts are shown line by line; other forms only counted, their content is in the values. */
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
        buf_printf(out, "    | %zu bytes that are no text\n", body->len);
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

static void asking_sent(struct asking *a, size_t at)
{
    struct explain *e = a->explain;
    const struct item *item = &a->view.items[at];
    struct batch batch = asking_batch(a, at, at + 1);
    struct payload payload = {.body = {0}};
    struct rows rows = {0};
    a->backend->type->encode(&batch, &payload);
    if (!item_rows(&a->view, item, a->backend->type->wants.totals, &rows) || !buf_ok(&payload.body))
        e->cli->out.failed = true;
    else if (e->cli->json)
        explain_sent_json(e, item, &rows, &payload.body);
    else
        explain_sent_text(e, item, &rows, &payload.body);
    e->sent++;
    rows_free(&rows);
    buf_free(&payload.body);
}

/* --- One series, one backend -----------------------------------------------------------------------------
 */

static void asking_reading(struct asking *a, const metrics_reading_t *reading)
{
    struct explain *e = a->explain;
    struct buf why = {0};
    /* The view has the readings that pass, in the order of the snapshot. */
    bool passes = a->at < a->view.n && a->view.items[a->at].now == reading;
    size_t at = a->at;
    a->at += passes;
    if (!match_reading(&e->match, reading)) return;
    if (!passes) explain_hidden(a->backend->settings, metrics_reading_name(reading), &why);
    if (e->cli->json) {
        jsonw_object(&e->json);
        show_json_series(&e->json, reading);
        if (!passes) jsonw_key_str(&e->json, "hidden", buf_text(&why));
    } else {
        buf_str(&e->cli->out, "  ");
        show_series(&e->cli->out, reading, -1);
        if (!passes) buf_printf(&e->cli->out, "\n    hidden by %s", buf_text(&why));
        buf_char(&e->cli->out, '\n');
    }
    if (passes) asking_sent(a, at);
    if (e->cli->json) jsonw_object_end(&e->json);
    buf_free(&why);
    cli_flow(e->cli);
}

/* Notes begin with the name of the series that they are about. */
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

static void asking_notes(struct asking *a)
{
    struct explain *e = a->explain;
    struct batch batch = asking_batch(a, 0, a->view.n);
    struct payload payload = {.body = {0}};
    batch.notes = &a->notes;
    a->backend->type->encode(&batch, &payload);
    buf_free(&payload.body);
    if (e->cli->json) {
        jsonw_key(&e->json, "notes");
        jsonw_array(&e->json);
    }
    for (char *rest = a->notes.data, *note; (note = strsep(&rest, "\n"));) {
        if (!explain_is_about(e, note)) continue;
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

static void asking_head(struct asking *a)
{
    struct explain *e = a->explain;
    const char *name = a->backend->settings->name, *type = a->backend->type->name;
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

static void asking_all(struct asking *a)
{
    struct explain *e = a->explain;
    asking_head(a);
    for (size_t i = 0; i < metrics_snapshot_count(e->now); i++)
        asking_reading(a, metrics_snapshot_reading(e->now, i));
    if (e->cli->json) jsonw_array_end(&e->json);
    asking_notes(a);
    if (e->cli->json) jsonw_object_end(&e->json);
}

static int explain_backend(struct explain *e, const struct config_backend *backend)
{
    const struct backend_session *session = backend->type->session;
    struct asking a = {.explain = e, .backend = backend};
    struct buf why = {0};
    int code = CLI_OK;
    if (session && !(a.session = session->open(backend->settings, &why)))
        code = cli_fail(e->cli, CLI_FAILED, "backend %s: %s", backend->settings->name, buf_text(&why));
    else if (!selection_compile(&a.selection, backend->type, backend->settings, &e->config->tags) ||
             !asking_view(&a))
        code = cli_fail(e->cli, CLI_FAILED, "out of memory");
    else
        asking_all(&a);
    view_free(&a.view);
    selection_free(&a.selection);
    if (a.session) session->close(&a.session);
    buf_free(&a.notes);
    buf_free(&why);
    return code;
}

/* --- Configuration and snapshots -------------------------------------------------------------------------
 */

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

/* The segment of the command line, else the configuration's, else the default one: as the exporter does. */
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
    .summary = "what each configured backend makes of a series",
    .text =
        "For every backend of mtx-exporter's configuration, and every series that matches: the name and tags "
        "under which it goes there, its values, and the very lines that are sent (marked |), or the filter "
        "that hides it. Series that a backend has to leave out because of others are named with the reason.\n"
        "\n"
        "Nothing is sent, and no mtx-exporter has to run; but a backend that has to log in before it knows "
        "what to send does so.\n"
        "\n" MATCH_TEXT,
    .examples = "mtxctl explain http.request.time route=/cart\n"
                "mtxctl explain --config /etc/mtx/exporter.yaml --over 10s 'http.*'\n",
    .options = explain_options,
    .exits = {[CLI_NO] = "no series matches, or no backend sends any of them",
              [CLI_USAGE] = "the command line makes no sense, or the configuration has mistakes"},
    .least = 1,
    .most = -1,
    .run = explain_run,
};
