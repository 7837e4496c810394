/* SPDX-License-Identifier: Apache-2.0 */
/*
 * librato_generate.c - mtxctl librato generate: a file for apply, made from the metrics of a segment. The names are
 * those that the exporter's own encoder sends, with the settings of the backend: prefix, mode, attributes.
 */
#include "asking.h"
#include "input.h"
#include "librato.h"
#include "pattern.h"
#include "declared.h"

#include <string.h>

static const struct field generate_fields[] = {
    {.name = "space", .type = FIELD_TEXT, .most = LIBRATO_NAME, .help = "name of the space; by default mtx"},
    {.name = NULL},
};

/* The charts by title: each an object, the functions by the metric of a stream. */
struct generate {
    struct job *job;
    json_t *charts;
    bool tags; /* they have tags */
};

static bool generate_ends(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n > m && !strcmp(name + n - m, end);
}

/* Amounts are added up; of quantiles, the worst is shown. */
static const char *generate_function(const char *name, const json_t *entry, bool counter)
{
    static const char *const worst[] = {".p50", ".p75", ".p90", ".p95", ".p98", ".p99", ".p999", ".max"};
    if (counter || (json_object_get(entry, "sum") && !json_object_get(entry, "max"))) return "sum";
    for (size_t i = 0; i < sizeof worst / sizeof *worst; i++)
        if (generate_ends(name, worst[i])) return "max";
    return "average";
}

static void generate_entries(struct generate *g, json_t *chart, const json_t *entries, bool counter)
{
    json_t *one;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)entries, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "name"));
        if (json_object_get(one, "tags")) g->tags = true;
        if (name) json_object_set_new(chart, name, json_string(generate_function(name, one, counter)));
    }
}

static void generate_body(struct generate *g, json_t *chart, const json_t *body)
{
    generate_entries(g, chart, json_object_get(body, "measurements"), false);
    generate_entries(g, chart, json_object_get(body, "gauges"), false);
    generate_entries(g, chart, json_object_get(body, "counters"), true);
}

/* What is sent of one series: requests, in which the body begins a line. */
static void generate_payload(struct generate *g, json_t *chart, const char *text)
{
    for (size_t n; *text; text += n + (text[n] == '\n')) {
        json_error_t end = {.position = 0};
        json_t *body = *text == '{' ? json_loadb(text, strlen(text), JSON_DISABLE_EOF_CHECK, &end) : NULL;
        n = body ? (size_t)end.position : strcspn(text, "\n");
        generate_body(g, chart, body);
        json_decref(body);
    }
}

/* Without patterns, all but the exporter's own. */
static bool generate_wanted(const struct job *job, const char *name)
{
    for (int i = 0; i < job->n; i++)
        if (pattern_match(job->args[i], name)) return true;
    return !job->n && strncmp(name, "mtx.", 4) != 0;
}

static void generate_items(struct generate *g, struct asking *a)
{
    for (size_t i = 0; i < a->view.n; i++) {
        const char *name = a->view.items[i].name;
        struct buf payload = {0};
        if (!generate_wanted(g->job, name)) continue;
        json_t *chart = json_object_get(g->charts, name);
        if (!chart) {
            chart = json_object();
            json_object_set_new(g->charts, name, chart);
        }
        asking_sent(a, i, &payload);
        generate_payload(g, chart, buf_text(&payload));
        buf_free(&payload);
    }
}

/* --- The file --- */

static void generate_stream(const char *metric, const char *function, struct buf *out)
{
    buf_str(out, "          - metric: ");
    declared_text(out, metric);
    buf_printf(out, "\n            group_function: %s\n            summary_function: %s\n", function,
               function);
}

static void generate_print(const struct generate *g, struct buf *out)
{
    const char *title, *metric, *space = job_text(g->job, "space");
    json_t *chart, *function;
    buf_str(out, "spaces:\n  - name: ");
    declared_text(out, *space ? space : "mtx");
    if (g->tags) buf_str(out, "\n    tags: true");
    buf_str(out, "\n    charts:\n");
    json_object_foreach(g->charts, title, chart)
    {
        if (!json_object_size(chart)) continue;
        buf_str(out, "      - name: ");
        declared_text(out, title);
        buf_str(out, "\n        type: line\n        streams:\n");
        json_object_foreach(chart, metric, function)
            generate_stream(metric, json_string_value(function), out);
    }
}

static json_t *generate_streams(const json_t *chart)
{
    json_t *streams = json_array(), *function;
    const char *metric;
    json_object_foreach((json_t *)(uintptr_t)chart, metric, function)
        json_array_append_new(streams, json_pack("{s:s, s:O, s:O}", "metric", metric, "group_function",
                                                 function, "summary_function", function));
    return streams;
}

static void generate_json(struct generate *g)
{
    const char *title, *space = job_text(g->job, "space");
    json_t *chart, *charts = json_array();
    json_object_foreach(g->charts, title, chart) if (json_object_size(chart))
        json_array_append_new(charts, json_pack("{s:s, s:s, s:o}", "name", title, "type", "line", "streams",
                                                generate_streams(chart)));
    json_t *all = json_pack("{s:[{s:s, s:b, s:o}]}", "spaces", "name", *space ? space : "mtx", "tags",
                            g->tags, "charts", charts);
    talk_json(&g->job->talk, all);
    json_decref(all);
}

/* --- The call --- */

static int generate_ask(struct generate *g, const struct settings *s, const metrics_snapshot_t *now)
{
    struct backend type = *s->backend;
    const struct config_backend backend = {.type = &type, .settings = s->common};
    const struct option_tags none = {.n = 0};
    const struct asking_of of = {.now = now};
    struct asking a;
    struct buf why = {0};
    int code = CLI_OK;
    type.wants.sampled = METRICS_RECENT; /* also what no interval has closed on yet */
    if (asking_open(&a, &backend, s->config ? &s->config->tags : &none, &of, &why))
        generate_items(g, &a);
    else
        code = cli_fail(g->job->cli, CLI_FAILED, "%s", why.len ? buf_text(&why) : "out of memory");
    asking_close(&a);
    buf_free(&why);
    if (code == CLI_OK && !json_object_size(g->charts))
        code = cli_fail(g->job->cli, CLI_NO, "no metric of the segment matches");
    return code;
}

static int generate_run(struct job *job)
{
    static const char *const optional[] = {"token", NULL}; /* nothing is sent */
    const struct settings_wants wants = {.optional = optional};
    struct generate g = {.job = job, .charts = json_object()};
    struct settings settings;
    metrics_snapshot_t *now = NULL;
    int code = settings_choose(&settings, job->cli, "librato", false);
    if (code == CLI_OK) code = settings_fill(&settings, &wants);
    if (code == CLI_OK) code = input_take(job->cli, NULL, &now);
    if (code == CLI_OK) code = generate_ask(&g, &settings, now);
    if (code == CLI_OK && job->cli->json)
        generate_json(&g);
    else if (code == CLI_OK)
        generate_print(&g, &job->cli->out);
    metrics_snapshot_release(&now);
    settings_close(&settings);
    json_decref(g.charts);
    return code;
}

const struct call librato_generate_calls[] = {
    {.words = "generate",
     .args = "[GLOB...]",
     .most = 16,
     .fields = generate_fields,
     .offline = true,
     .run = generate_run,
     .help = "print a file for apply, made from the metrics of the segment"},
    {.words = NULL},
};
