/* SPDX-License-Identifier: Apache-2.0 */
/*
 * out_console.c - a table for people on standard output, once per interval.
 *
 *     backends:
 *       - type: console
 *         include: ["http.*"]
 *
 *     2026-11-21 01:20:30 UTC, interval 10s, 2 series
 *     SERIES                          VALUE  CHANGE  PER SECOND
 *     http.requests{status=200}        1203    +100          10
 *     http.request.time{route=/cart}   1203    +100          10  mean 1.2ms  p50 1.1ms  p99 4.03ms
 *
 * VALUE is the total or the level now; CHANGE and PER SECOND are of the interval. Colour on a terminal only.
 */
#include "descriptor.h"
#include "event_json.h"
#include "event_view.h"
#include "grid.h"
#include "view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum console_colour { CONSOLE_AUTO, CONSOLE_ALWAYS, CONSOLE_NEVER };
static const char *const console_colours[] = {"auto", "always", "never", NULL};

struct console_settings {
    struct backend_common common;
    int colour;
};

static const struct option console_options[] = {
    BACKEND_ATTRIBUTES("mean, min, max, p50, p95, p99"),
    {.name = "colour",
     .type = OPTION_CHOICE,
     OPTION_FIELD(struct console_settings, colour),
     .def = "auto",
     .choices = console_colours,
     .help = "when to use colours; auto = on a terminal, unless NO_COLOR is set"},
    {.name = NULL},
};

/* --- Cells --- */

enum { CONSOLE_SERIES, CONSOLE_VALUE, CONSOLE_CHANGE, CONSOLE_RATE, CONSOLE_DETAIL, CONSOLE_COLUMNS };
static const char *const console_heads[] = {"SERIES", "VALUE", "CHANGE", "PER SECOND", ""};

/* The table, and its line in work. */
struct console_table {
    struct grid grid;
    struct buf cells[CONSOLE_COLUMNS];
    bool colour, failed;
};

/* A cell; on a terminal in a colour, unless it is empty. */
static void console_cell(struct console_table *t, const char *text, const char *colour)
{
    bool lit = t->colour && *colour && *text;
    buf_printf(&t->grid.text, "%s%s%s", lit ? colour : "", text, lit ? "\033[0m" : "");
    grid_end_cell(&t->grid);
}

static void console_heads_out(struct console_table *t)
{
    for (int c = 0; c < CONSOLE_COLUMNS; c++) console_cell(t, console_heads[c], "\033[2m");
}

/* Ends the line in work, if there is one. */
static void console_line_out(struct console_table *t)
{
    static const char green[] = "\033[32m";
    if (!t->cells[CONSOLE_SERIES].len) return;
    for (int c = 0; c < CONSOLE_COLUMNS; c++) {
        console_cell(t, buf_text(&t->cells[c]), c == CONSOLE_CHANGE || c == CONSOLE_RATE ? green : "");
        t->failed |= !buf_ok(&t->cells[c]);
        buf_reset(&t->cells[c]);
    }
}

/* Text from a segment must not control the terminal: control characters (also those of two bytes) become
 * '?'. */
static void console_text(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text, d = (unsigned char)text[1];
        bool two = c == 0xc2 && d >= 0x80 && d < 0xa0;
        buf_char(out, c < 0x20 || c == 0x7f || two ? '?' : *text);
        text += two;
    }
}

static void console_seconds(struct buf *out, double v)
{
    static const struct {
        double least, factor;
        const char *unit;
    } units[] = {{1, 1, "s"}, {1e-3, 1e3, "ms"}, {1e-6, 1e6, "us"}, {0, 1e9, "ns"}};
    size_t u = 0;
    while (fabs(v) < units[u].least && v != 0) u++;
    buf_f64_short(out, v * units[u].factor, 3);
    buf_str(out, units[u].unit);
}

static void console_bytes(struct buf *out, double v)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t u = 0;
    for (; fabs(v) >= 1024 && u < 5; u++) v /= 1024;
    buf_f64_short(out, v, 4);
    buf_str(out, units[u]);
}

/* A number as a person wants to read it. */
static void console_number(struct buf *out, const metrics_row_t *row, double v)
{
    if (row->attribute != METRICS_SUM_SQUARES && !strcmp(row->unit, "seconds"))
        console_seconds(out, v);
    else if (row->attribute != METRICS_SUM_SQUARES && !strcmp(row->unit, "bytes"))
        console_bytes(out, v);
    else if (row->type == METRICS_U64)
        buf_u64(out, row->value.u);
    else if (row->type == METRICS_I64)
        buf_i64(out, row->value.i);
    else
        buf_f64_short(out, v, 6);
}

static void console_series(struct console_table *t, const struct item *item, const metrics_row_t *row)
{
    struct buf *out = &t->cells[CONSOLE_SERIES];
    struct tags tags = {0};
    console_text(out, item->name);
    if (!item_tags(item, row, &tags)) t->failed = true;
    for (size_t i = 0; i < tags.n; i++) {
        buf_char(out, i ? ',' : '{');
        console_text(out, tags.at[i].key);
        buf_char(out, '=');
        console_text(out, tags.at[i].value);
    }
    if (tags.n) buf_char(out, '}');
    tags_free(&tags);
}

/* --- One series --- */

/* What was added in the interval, and that per second. */
static void console_delta(struct console_table *t, const metrics_row_t *delta, uint64_t interval_ns)
{
    double v = metrics_row_number(delta);
    struct buf *change = &t->cells[CONSOLE_CHANGE];
    if (v >= 0) buf_char(change, '+');
    console_number(change, delta, v);
    if (interval_ns) buf_f64_short(&t->cells[CONSOLE_RATE], v * 1e9 / (double)interval_ns, 4);
}

static bool console_leads(const metrics_row_t *row)
{
    return row->attribute == METRICS_VALUE || row->attribute == METRICS_COUNT;
}

static void console_row(struct console_table *t, const struct view *view, const struct item *item,
                        const metrics_row_t *row, const struct rows *interval)
{
    struct buf *value = &t->cells[CONSOLE_VALUE], *detail = &t->cells[CONSOLE_DETAIL];
    char suffix[24];
    if (console_leads(row) && !value->len) {
        const metrics_row_t *delta =
            row->nature == METRICS_TOTAL ? rows_find(interval, row->attribute) : NULL;
        if (row->nature != METRICS_FACT) console_number(value, row, metrics_row_number(row));
        if (delta && !item->rebased) console_delta(t, delta, view->interval_ns);
    } else if (row->nature != METRICS_BUCKET && row->nature != METRICS_DISTRIBUTION) {
        buf_printf(detail, "%s%s ", detail->len ? "  " : "", metrics_row_suffix(row, suffix, sizeof suffix));
        console_number(detail, row, metrics_row_number(row));
    }
}

/* A line, or one for each worker. Returns how many. */
static size_t console_item(struct console_table *t, const struct view *view, const struct item *item,
                           const struct rows *rows, const struct rows *interval)
{
    size_t lines = 0;
    for (size_t i = 0; i < rows->n; i++) {
        const metrics_row_t *row = &rows->at[i];
        if (!i || row->worker != rows->at[i - 1].worker) {
            console_line_out(t);
            console_series(t, item, row);
            lines++;
        }
        console_row(t, view, item, row, interval);
    }
    console_line_out(t);
    return lines;
}

/* --- The table --- */

struct console_session {
    bool colour;
};

static void console_title(const struct view *view, size_t n, bool colour, struct buf *out)
{
    size_t from;
    buf_str(out, colour ? "\033[1m" : "");
    from = out->len;
    buf_time(out, view->wall_ns);
    /* 2026-11-21T01:20:30.123Z: people read a blank better, and no milliseconds. */
    if (out->len - from == 24) {
        out->data[from + 10] = ' ';
        buf_cut(out, from + 19);
    }
    buf_str(out, " UTC, ");
    if (view->interval_ns) {
        buf_str(out, "interval ");
        /* To the tenth of a second: sampling is a few microseconds early or late. */
        buf_duration(out, (view->interval_ns + 50000000) / 100000000 * 100000000);
        buf_str(out, ", ");
    }
    buf_printf(out, "%zu series%s\n", n, colour ? "\033[0m" : "");
}

static size_t console_encode(const struct batch *batch, struct payload *payload)
{
    const struct console_session *session = batch->session;
    struct console_table t = {.grid = {.columns = CONSOLE_COLUMNS,
                                       .right = 1 << CONSOLE_VALUE | 1 << CONSOLE_CHANGE | 1 << CONSOLE_RATE},
                              .colour = session->colour};
    struct rows rows = {0}, interval = {0};
    size_t n = 0;
    console_heads_out(&t);
    for (size_t i = batch->from; i < batch->to && !t.failed; i++) {
        const struct item *item = &batch->view->items[i];
        t.failed = !item_rows(batch->view, item, METRICS_LIFETIME, &rows) ||
                   !item_rows(batch->view, item, METRICS_INTERVAL, &interval);
        if (!t.failed) n += console_item(&t, batch->view, item, &rows, &interval);
    }
    console_title(batch->view, batch->to - batch->from, t.colour, &payload->body);
    grid_print(&t.grid, 0, &payload->body);
    buf_char(&payload->body, '\n');
    if (t.failed) payload->body.failed = true;
    for (int c = 0; c < CONSOLE_COLUMNS; c++) buf_free(&t.cells[c]);
    rows_free(&rows);
    rows_free(&interval);
    return n;
}

/* --- Events --- */

static size_t console_encode_events(const struct event_batch *batch, struct payload *payload)
{
    const struct console_session *session = batch->session;
    for (size_t i = batch->from; i < batch->to; i++) {
        event_line(&payload->body, event_view_get(batch->view, i), session->colour);
        buf_char(&payload->body, '\n');
    }
    return batch->to - batch->from;
}

static const struct backend_events console_events = {.types = EVENT_ALL, .encode = console_encode_events};

/* --- Standard output --- */

static void *console_session_open(const void *arg, struct buf *why)
{
    const struct console_settings *settings = arg;
    struct console_session *session = backend_alloc(sizeof *session, why);
    if (!session) return NULL;
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
    bool terminal = isatty(STDOUT_FILENO) && !(term && !strcmp(term, "dumb")) && !(no && *no);
    session->colour = settings->colour == CONSOLE_ALWAYS || (settings->colour == CONSOLE_AUTO && terminal);
    return session;
}

/* The link means nothing: there is one standard output, and it is never closed. */
static void *console_open(const void *settings, struct buf *why)
{
    static int link;
    (void)settings, (void)why;
    return &link;
}

static void console_send(void *link, const struct payload *payload, struct answer *answer)
{
    (void)link;
    descriptor_send(STDOUT_FILENO, payload, answer);
}

static void console_close(void **link)
{
    *link = NULL;
}

static const struct transport console_transport = {
    .name = "standard output", .open = console_open, .send = console_send, .close = console_close};
static const struct backend_session console_session = {.open = console_session_open, .close = backend_free};

const struct backend backend_console = {
    .name = "console",
    .summary = "an aligned table on standard output, with the changes of each interval",
    .options = console_options,
    .settings_size = sizeof(struct console_settings),
    .wants = {.totals = METRICS_LIFETIME, .sampled = METRICS_RECENT},
    .transport = &console_transport,
    .session = &console_session,
    .encode = console_encode,
    .events = &console_events,
};
