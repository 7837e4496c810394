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
     .help = "whether the table is coloured; auto = on a terminal, unless NO_COLOR is set"},
    {.name = NULL},
};

/* --- Cells --- */

enum { CONSOLE_SERIES, CONSOLE_VALUE, CONSOLE_CHANGE, CONSOLE_RATE, CONSOLE_DETAIL, CONSOLE_COLUMNS };
static const char *const console_heads[] = {"SERIES", "VALUE", "CHANGE", "PER SECOND", ""};

struct console_line {
    struct buf cells[CONSOLE_COLUMNS];
};
struct console_table {
    struct console_line *lines;
    size_t n, room;
    size_t width[CONSOLE_COLUMNS];
    bool failed;
};

/* Columns that a text takes on a terminal, counting one per character. */
static size_t console_width(const struct buf *text)
{
    size_t n = 0;
    for (size_t i = 0; i < text->len; i++) n += (text->data[i] & 0xc0) != 0x80;
    return n;
}

static struct console_line *console_line(struct console_table *t)
{
    if (t->n == t->room) {
        size_t room = t->room ? t->room * 2 : 64;
        struct console_line *lines = realloc(t->lines, room * sizeof *lines);
        if (!lines) {
            t->failed = true;
            return NULL;
        }
        t->lines = lines;
        t->room = room;
    }
    return memset(&t->lines[t->n++], 0, sizeof *t->lines);
}

/* Text from a segment must not steer the terminal: control characters (also the two-byte ones) become '?'. */
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

static void console_series(struct buf *out, const struct item *item, const metrics_row_t *row,
                           struct console_table *t)
{
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
static void console_delta(struct console_line *line, const metrics_row_t *delta, uint64_t interval_ns)
{
    double v = metrics_row_number(delta);
    struct buf *change = &line->cells[CONSOLE_CHANGE];
    if (v >= 0) buf_char(change, '+');
    console_number(change, delta, v);
    if (interval_ns) buf_f64_short(&line->cells[CONSOLE_RATE], v * 1e9 / (double)interval_ns, 4);
}

static bool console_leads(const metrics_row_t *row)
{
    return row->attribute == METRICS_VALUE || row->attribute == METRICS_COUNT;
}

static void console_row(struct console_table *t, struct console_line *line, const struct view *view,
                        const struct item *item, const metrics_row_t *row, const struct rows *interval)
{
    struct buf *detail = &line->cells[CONSOLE_DETAIL];
    char suffix[24];
    if (console_leads(row) && !line->cells[CONSOLE_VALUE].len) {
        const metrics_row_t *delta =
            row->nature == METRICS_TOTAL ? rows_find(interval, row->attribute) : NULL;
        console_series(&line->cells[CONSOLE_SERIES], item, row, t);
        if (row->nature != METRICS_FACT)
            console_number(&line->cells[CONSOLE_VALUE], row, metrics_row_number(row));
        if (delta && !item->rebased) console_delta(line, delta, view->interval_ns);
    } else if (row->nature != METRICS_BUCKET && row->nature != METRICS_DISTRIBUTION) {
        buf_printf(detail, "%s%s ", detail->len ? "  " : "", metrics_row_suffix(row, suffix, sizeof suffix));
        console_number(detail, row, metrics_row_number(row));
    }
}

static void console_item(struct console_table *t, const struct view *view, const struct item *item,
                         const struct rows *rows, const struct rows *interval)
{
    struct console_line *line = NULL;
    for (size_t i = 0; i < rows->n; i++) {
        const metrics_row_t *row = &rows->at[i];
        if (!line || row->worker != rows->at[i - 1].worker) line = console_line(t);
        if (!line) return;
        console_row(t, line, view, item, row, interval);
        if (!line->cells[CONSOLE_SERIES].len) console_series(&line->cells[CONSOLE_SERIES], item, row, t);
    }
}

/* --- The table --- */

struct console_session {
    bool colour;
};

static void console_cell(struct buf *out, const char *text, size_t n, size_t pad, bool right)
{
    if (right) buf_fill(out, ' ', pad);
    buf_mem(out, text, n);
    if (!right) buf_fill(out, ' ', pad);
}

static void console_print(const struct console_table *t, bool colour, struct buf *out)
{
    buf_str(out, colour ? "\033[2m" : "");
    for (int c = 0; c < CONSOLE_DETAIL; c++) {
        size_t n = strlen(console_heads[c]);
        buf_str(out, c ? "  " : "");
        console_cell(out, console_heads[c], n, t->width[c] - n, c > 0);
    }
    buf_str(out, colour ? "\033[0m\n" : "\n");
    for (size_t i = 0; i < t->n; i++) {
        const struct buf *cells = t->lines[i].cells;
        size_t last = CONSOLE_COLUMNS - 1;
        while (last && !cells[last].len) last--;
        for (size_t c = 0; c <= last; c++) {
            bool lit = colour && (c == CONSOLE_CHANGE || c == CONSOLE_RATE) && cells[c].len;
            size_t pad =
                c == CONSOLE_DETAIL || (c == last && !c) ? 0 : t->width[c] - console_width(&cells[c]);
            buf_str(out, c ? "  " : "");
            buf_str(out, lit ? "\033[32m" : "");
            console_cell(out, buf_text(&cells[c]), cells[c].len, pad, c > 0);
            buf_str(out, lit ? "\033[0m" : "");
        }
        buf_char(out, '\n');
    }
    buf_char(out, '\n');
}

static void console_title(const struct view *view, size_t n, bool colour, struct buf *out)
{
    size_t from;
    buf_str(out, colour ? "\033[1m" : "");
    from = out->len;
    buf_time(out, view->wall_ns);
    if (out->len - from ==
        24) { /* 2026-11-21T01:20:30.123Z: people read a blank better, and no milliseconds */
        out->data[from + 10] = ' ';
        buf_cut(out, from + 19);
    }
    buf_str(out, " UTC, ");
    if (view->interval_ns) {
        buf_str(out, "interval ");
        /* To the tenth of a second: the moment of a sample wavers by a few microseconds. */
        buf_duration(out, (view->interval_ns + 50000000) / 100000000 * 100000000);
        buf_str(out, ", ");
    }
    buf_printf(out, "%zu series%s\n", n, colour ? "\033[0m" : "");
}

static size_t console_encode(const struct batch *batch, struct payload *payload)
{
    const struct console_session *session = batch->session;
    struct console_table t = {0};
    struct rows rows = {0}, interval = {0};
    for (size_t i = batch->from; i < batch->to && !t.failed; i++) {
        const struct item *item = &batch->view->items[i];
        t.failed = !item_rows(batch->view, item, METRICS_LIFETIME, &rows) ||
                   !item_rows(batch->view, item, METRICS_INTERVAL, &interval);
        if (!t.failed) console_item(&t, batch->view, item, &rows, &interval);
    }
    for (int c = 0; c < CONSOLE_COLUMNS; c++) t.width[c] = strlen(console_heads[c]);
    for (size_t i = 0; i < t.n; i++)
        for (int c = 0; c < CONSOLE_COLUMNS; c++) {
            size_t width = console_width(&t.lines[i].cells[c]);
            if (width > t.width[c]) t.width[c] = width;
            t.failed |= t.lines[i].cells[c].failed;
        }
    console_title(batch->view, batch->to - batch->from, session->colour, &payload->body);
    console_print(&t, session->colour, &payload->body);
    if (t.failed) payload->body.failed = true;
    for (size_t i = 0; i < t.n; i++)
        for (int c = 0; c < CONSOLE_COLUMNS; c++) buf_free(&t.lines[i].cells[c]);
    size_t n = t.n;
    free(t.lines);
    rows_free(&rows);
    rows_free(&interval);
    return n;
}

/* --- Standard output --- */

static void *console_session_open(const void *arg, struct buf *why)
{
    const struct console_settings *settings = arg;
    struct console_session *session = calloc(1, sizeof *session);
    if (!session) {
        buf_str(why, "out of memory");
        return NULL;
    }
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
    bool terminal = isatty(STDOUT_FILENO) && !(term && !strcmp(term, "dumb")) && !(no && *no);
    session->colour = settings->colour == CONSOLE_ALWAYS || (settings->colour == CONSOLE_AUTO && terminal);
    return session;
}

static void console_session_close(void **session)
{
    free(*session);
    *session = NULL;
}

/* The link is a word of its own: there is one standard output, and it is never closed. */
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
static const struct backend_session console_session = {.open = console_session_open,
                                                       .close = console_session_close};

const struct backend backend_console = {
    .name = "console",
    .summary = "an aligned table on standard output, with the changes of each interval",
    .options = console_options,
    .settings_size = sizeof(struct console_settings),
    .wants = {.totals = METRICS_LIFETIME, .sampled = METRICS_RECENT},
    .transport = &console_transport,
    .session = &console_session,
    .encode = console_encode,
};
