/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl status - how the exporter is doing, by the metrics that it writes about itself into the segment. */
#include "grid.h"
#include "input.h"
#include "show.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A column: one value of one series, summed over a backend's signals and reasons. */
static const struct status_column {
    const char *head, *name; /* name: mtx.exporter.<name> */
    enum metrics_attribute attribute;
    double quantile;
} status_columns[] = {
    {"taken", "taken", METRICS_COUNT, 0},
    {"delivered", "send.successful", METRICS_COUNT, 0},
    {"failed", "send.failed", METRICS_COUNT, 0},
    {"merged", "merged", METRICS_COUNT, 0},
    {"dropped", "dropped", METRICS_COUNT, 0},
    {"queued", "queue", METRICS_VALUE, 0},
    {"kept", "kept", METRICS_VALUE, 0},
    {"lag", "lag", METRICS_VALUE, 0},
    {"retries", "send.retries", METRICS_COUNT, 0},
    {"points", "send.points", METRICS_COUNT, 0},
    {"send p50", "send.time", METRICS_PERCENTILE, 0.5},
    {"send p99", "send.time", METRICS_PERCENTILE, 0.99},
    {"scrapes", "scrape.time", METRICS_COUNT, 0},
};
enum { STATUS_COLUMNS = sizeof status_columns / sizeof *status_columns, STATUS_BACKENDS = 64 };
static const char status_prefix[] = "mtx.exporter.";

struct status_backend {
    const char *name;
    double cells[STATUS_COLUMNS]; /* NaN = not known */
};

struct status {
    struct cli *cli;
    metrics_snapshot_t *snapshot;
    metrics_segment_info_t facts;
    struct status_backend backends[STATUS_BACKENDS];
    size_t n;
    size_t seen; /* series that the exporter wrote about itself */
};

/* --- Collecting --- */

static const char *status_tag(const metrics_reading_t *reading, const char *key)
{
    size_t n;
    const metrics_tag_t *tags = metrics_reading_tags(reading, &n);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(tags[i].key, key)) return tags[i].value;
    return NULL;
}

static struct status_backend *status_backend(struct status *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (!strcmp(s->backends[i].name, name)) return &s->backends[i];
    if (s->n == STATUS_BACKENDS) return NULL;
    struct status_backend *b = &s->backends[s->n++];
    b->name = name;
    for (size_t i = 0; i < STATUS_COLUMNS; i++) b->cells[i] = NAN;
    return b;
}

/* The value of a reading that a column shows; NaN if it has none. */
static double status_value(const metrics_reading_t *reading, enum metrics_attribute attribute,
                           double quantile)
{
    metrics_row_t row;
    metrics_row_options_t options = {.size = sizeof options, .attributes = METRICS_ATTR(attribute)};
    if (attribute == METRICS_PERCENTILE) {
        options.quantiles = &quantile;
        options.quantile_count = 1;
    }
    return metrics_reading_rows(reading, NULL, &options, &row, 1) ? metrics_row_number(&row) : NAN;
}

static void status_collect(struct status *s, const metrics_reading_t *reading)
{
    const char *name = metrics_reading_name(reading), *backend = status_tag(reading, "backend");
    size_t prefix = sizeof status_prefix - 1;
    if (strncmp(name, status_prefix, prefix)) return;
    s->seen++;
    struct status_backend *b = backend ? status_backend(s, backend) : NULL;
    for (size_t i = 0; b && i < STATUS_COLUMNS; i++) {
        const struct status_column *c = &status_columns[i];
        if (strcmp(name + prefix, c->name)) continue;
        double v = status_value(reading, c->attribute, c->quantile);
        if (!isnan(v)) b->cells[i] = isnan(b->cells[i]) ? v : b->cells[i] + v;
    }
}

/* --- Text --- */

static void status_table(struct status *s)
{
    struct grid grid = {.columns = 1 + STATUS_COLUMNS, .right = ~UINT32_C(1)};
    grid_cell(&grid, "backend");
    for (size_t i = 0; i < STATUS_COLUMNS; i++) grid_cell(&grid, status_columns[i].head);
    for (size_t b = 0; b < s->n; b++) {
        show_text(&grid.text, s->backends[b].name);
        grid_end_cell(&grid);
        for (size_t i = 0; i < STATUS_COLUMNS; i++) {
            double v = s->backends[b].cells[i];
            bool time =
                status_columns[i].attribute == METRICS_PERCENTILE || !strcmp(status_columns[i].name, "lag");
            if (isnan(v))
                buf_char(&grid.text, '-');
            else if (time)
                buf_f64_short(&grid.text, v, 3), buf_str(&grid.text, " s");
            else
                buf_f64(&grid.text, v);
            grid_end_cell(&grid);
        }
    }
    grid_print(&grid, 0, &s->cli->out);
}

/* Everything else of the exporter that is not 0: reasons of losses, times, the segment's own state. */
static bool status_is_extra(const metrics_reading_t *reading)
{
    const char *name = metrics_reading_name(reading);
    bool reason = status_tag(reading, "reason") != NULL;
    if (!strncmp(name, "mtx.segment.", 12)) return !reason || status_value(reading, METRICS_VALUE, 0) > 0;
    return !strncmp(name, status_prefix, sizeof status_prefix - 1) &&
           (reason || !status_tag(reading, "backend"));
}

static void status_extra(struct status *s)
{
    struct grid grid = {.columns = 3, .right = 2};
    for (size_t i = 0; i < metrics_snapshot_count(s->snapshot); i++) {
        const metrics_reading_t *reading = metrics_snapshot_reading(s->snapshot, i);
        if (!status_is_extra(reading)) continue;
        double v = status_value(reading, METRICS_VALUE, 0);
        bool timed = isnan(v) && !isnan(status_value(reading, METRICS_MEAN, 0));
        if (timed) v = status_value(reading, METRICS_PERCENTILE, 0.99);
        if (isnan(v)) v = status_value(reading, METRICS_COUNT, 0);
        show_series(&grid.text, reading, -1);
        if (timed) buf_str(&grid.text, " (p99)");
        grid_end_cell(&grid);
        if (isnan(v))
            buf_char(&grid.text, '-');
        else
            buf_f64_short(&grid.text, v, 6);
        grid_end_cell(&grid);
        grid_cell(&grid, metrics_reading_unit(reading));
    }
    if (grid.cells) buf_char(&s->cli->out, '\n');
    grid_print(&grid, 0, &s->cli->out);
}

static void status_text(struct status *s)
{
    buf_str(&s->cli->out, s->facts.leader
                              ? "An exporter leads the segment.\n\n"
                              : "No exporter leads the segment now; this is what the last one left.\n\n");
    if (s->n) status_table(s);
    status_extra(s);
}

/* --- JSON --- */

static void status_json_key(struct json *j, const struct status_column *c)
{
    char key[32];
    snprintf(key, sizeof key, "%s", c->head);
    for (char *at = key; *at; at++)
        if (*at == ' ') *at = '_';
    jsonw_key(j, key);
}

static void status_json(struct status *s)
{
    struct json json, *j = &json;
    jsonw_begin(j, &s->cli->out);
    jsonw_object(j);
    show_json_snapshot(j, metrics_snapshot_header(s->snapshot));
    jsonw_key(j, "exporter");
    jsonw_bool(j, s->facts.leader);
    jsonw_key(j, "backends");
    jsonw_array(j);
    for (size_t b = 0; b < s->n; b++) {
        jsonw_object(j);
        jsonw_key_str(j, "backend", s->backends[b].name);
        for (size_t i = 0; i < STATUS_COLUMNS; i++) {
            status_json_key(j, &status_columns[i]);
            jsonw_f64(j, s->backends[b].cells[i]);
        }
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
    jsonw_object_end(j);
    buf_char(&s->cli->out, '\n');
}

static int status_take(struct status *s)
{
    metrics_error_t error = {0};
    metrics_reader_t *reader;
    int code = input_open(s->cli, &reader);
    if (code != CLI_OK) return code;
    if (metrics_reader_info(reader, &s->facts, &error) ||
        !(s->snapshot = metrics_snapshot_take(reader, &error)))
        code = input_fail(s->cli, input_path(s->cli), &error);
    metrics_reader_close(&reader);
    return code;
}

static int status_run(struct cli *cli)
{
    struct status s = {.cli = cli};
    int code = status_take(&s);
    if (code != CLI_OK) return code;
    for (size_t i = 0; i < metrics_snapshot_count(s.snapshot); i++)
        status_collect(&s, metrics_snapshot_reading(s.snapshot, i));
    if (cli->json)
        status_json(&s);
    else if (s.seen)
        status_text(&s);
    if (!s.seen)
        code =
            cli_fail(cli, CLI_NO, "no mtx-exporter has written to this segment%s",
                     s.facts.leader ? " yet, although one leads it: try again after its first interval" : "");
    metrics_snapshot_release(&s.snapshot);
    return code;
}

const struct command command_status = {
    .name = "status",
    .args = "",
    .summary = "show what mtx-exporter sent, lost and queued, per backend",
    .text = "mtx-exporter writes metrics about itself (mtx.exporter.*, mtx.segment.*) into the segment; "
            "this shows them as a table, one line per backend. All columns but the times count readings "
            "(one series in one interval):\n"
            "  taken      handed to the backend: delivered + merged + queued + dropped\n"
            "  delivered  accepted by it\n"
            "  failed     refused for good (also counted as dropped)\n"
            "  merged     combined with a later interval; their totals arrive\n"
            "  dropped    lost, for whatever reason\n"
            "  queued     waiting\n"
            "  kept       snapshots that wait for a backend that is not configured\n"
            "  lag        how far the backend is behind the newest snapshot\n"
            "  retries    payloads sent again\n"
            "  points     what went over the wire\n"
            "  send p50   half of the payloads took at most this long\n"
            "  send p99   99 in 100 payloads took at most this long\n"
            "  scrapes    answered, for backends that are scraped\n"
            "Below the table: losses by reason, the time that a snapshot takes, the state of the segment. "
            "Queue and lag are gauges of the running exporter and show - when it is gone.",
    .examples = "mtxctl status\n"
                "mtxctl status --json | jq '.backends[] | select(.dropped > 0)'\n",
    .exits = {[CLI_NO] = "no mtx-exporter has written to the segment"},
    .most = 0,
    .run = status_run,
};
