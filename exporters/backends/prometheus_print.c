/* SPDX-License-Identifier: Apache-2.0 */
#include "prometheus_print.h"

#include "digits.h"
#include "prometheus_name.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Counts and rates have no unit. */
static const struct prometheus_unit prometheus_plain = {"", 1, 1};

enum printing_stage { PRINTING_FAMILY, PRINTING_MEMBERS, PRINTING_EOF, PRINTING_DONE };

struct prometheus_printer {
    const struct prometheus_page *page;
    const struct page_values *values;
    int64_t bucket_limit;
    bool openmetrics, with_created, failed;
    enum printing_stage stage;
    const struct prometheus_family *family;
    uint32_t member; /* the next one of the family */
    char *at, *end;  /* where the piece goes on, and ends */
    struct buf line; /* what does not fit in there in one go, or is made in steps */
    size_t taken;    /* bytes of the line that were written */
    struct rows rows;
    uint32_t expanded; /* the item of these rows */
    size_t points;
};

/* --- Numbers --- */

/* The rows of a member, from its first on, and how many the item has from there; NULL if they are gone. */
static const metrics_row_t *printing_rows(struct prometheus_printer *p, const struct prometheus_member *m,
                                          size_t *n)
{
    if (p->expanded != m->item) {
        p->expanded = UINT32_MAX;
        if (!page_values_rows(p->values, m->item, &p->rows)) {
            p->failed = true;
            return NULL;
        }
        p->expanded = m->item;
    }
    if (m->row >= p->rows.n) return NULL;
    *n = p->rows.n - m->row;
    return p->rows.at + m->row;
}

/* --- Bytes --- */

/* Room for `most` bytes in one stretch: in the piece, or, at its end, in the line. NULL without memory. */
static char *printing_room(struct prometheus_printer *p, size_t most)
{
    if ((size_t)(p->end - p->at) >= most) return p->at;
    char *room = buf_room(&p->line, most);
    if (!room) p->failed = true;
    return room;
}

static void printing_wrote(struct prometheus_printer *p, const char *room, char *end)
{
    if (room == p->at)
        p->at = end;
    else
        p->line.len += (size_t)(end - room);
}

/* Writes what is left of the line. True if nothing is left of it. */
static bool printing_flush(struct prometheus_printer *p)
{
    size_t left = p->line.len - p->taken, room = (size_t)(p->end - p->at), n = left < room ? left : room;
    if (!left) return true;
    memcpy(p->at, p->line.data + p->taken, n);
    p->at += n;
    p->taken += n;
    if (n < left) return false;
    p->line.len = p->taken = 0;
    return true;
}

/* Copies a piece of the plan's text, PROMETHEUS_SLACK bytes at a time: both sides have that much room after
 * it. */
static inline char *put(char *to, const struct prometheus_page *page, struct prometheus_text text)
{
    const char *from = prometheus_at(page, text);
    for (size_t i = 0; i < text.n; i += PROMETHEUS_SLACK) memcpy(to + i, from + i, PROMETHEUS_SLACK);
    return to + text.n;
}

static inline char *put_bytes(char *to, const char *bytes, size_t n)
{
    memcpy(to, bytes, n);
    return to + n;
}
#define PUT(TO, WORDS) put_bytes(TO, WORDS, sizeof(WORDS) - 1)

static char *put_number(char *to, const metrics_row_t *row, struct prometheus_unit unit)
{
    if (unit.times != unit.per || row->type == METRICS_F64) {
        double v = metrics_row_number(row) * unit.times / unit.per;
        if (row->attribute == METRICS_SUM_SQUARES) v = v * unit.times / unit.per;
        to = digits_f64(to, v);
    } else if (row->type == METRICS_I64) {
        if (row->value.i < 0) *to++ = '-';
        to = digits_u64(to, row->value.i < 0 ? 0 - row->value.u : row->value.u);
    } else {
        to = digits_u64(to, row->value.u);
    }
    *to++ = '\n';
    return to;
}

/* --- Samples of distributions, made in the line --- */

static void printing_text(struct prometheus_printer *p, struct prometheus_text text)
{
    buf_mem(&p->line, prometheus_at(p->page, text), text.n);
}

/* name suffix {labels, key="number"} and a blank. */
static void printing_head(struct prometheus_printer *p, const struct prometheus_family *f,
                          const struct prometheus_member *m, const char *suffix, const char *key,
                          double number)
{
    struct buf *out = &p->line;
    struct prometheus_text labels = {m->labels.at + 1, m->labels.n - 3};
    printing_text(p, f->name);
    buf_str(out, suffix);
    if (labels.n || key) {
        buf_char(out, '{');
        printing_text(p, labels);
        if (key) {
            if (labels.n) buf_char(out, ',');
            buf_str(out, key);
            buf_mem(out, "=\"", 2);
            prometheus_number(number, out);
            buf_char(out, '"');
        }
        buf_char(out, '}');
    }
    buf_char(out, ' ');
    p->points++;
}

static void printing_value(struct prometheus_printer *p, const metrics_row_t *row,
                           struct prometheus_unit unit)
{
    char *to = buf_room(&p->line, DIGITS_MOST);
    if (to) p->line.len += (size_t)(put_number(to, row, unit) - to);
}

static void printing_created(struct prometheus_printer *p, const struct prometheus_family *f,
                             const struct prometheus_member *m)
{
    if (!p->with_created) return;
    uint64_t start = page_values_start(p->values, m->item);
    if (!start) return;
    printing_head(p, f, m, "_created", NULL, 0);
    buf_f64(&p->line, (double)(start / 1000000) / 1e3);
    buf_char(&p->line, '\n');
}

/* By what was declared, not by how the bounds look: only exponential buckets have a scale. */
static bool printing_is_exponential(const metrics_row_t *row)
{
    metrics_distribution_t d = {.scale = -1};
    if (row->reading) metrics_reading_distribution(row->reading, NULL, NULL, 0, &d);
    return d.scale >= 0;
}

/* How many bounds there are for each one that is shown. More than 1 only for exponential buckets, because every
 * 2nd, 4th... of them is a coarser scale of the same kind. Declared bounds are always shown. */
static unsigned printing_stride(const metrics_row_t *rows, size_t n, int64_t limit)
{
    if (!n || !printing_is_exponential(rows)) return 1;
    double last = 0, ratio = 0;
    int64_t bounds = 0;
    unsigned stride = 1;
    for (size_t i = 0; i < n; i++) {
        if (rows[i].nature != METRICS_BUCKET || isinf(rows[i].parameter)) continue;
        double bound = rows[i].parameter;
        if (bounds == 1) ratio = bound / last;
        if (bound <= 0 || (bounds > 1 && fabs(bound / last - ratio) > ratio * 1e-9)) return 1;
        last = bound;
        bounds++;
    }
    while (bounds / stride > limit) stride *= 2;
    return stride;
}

/* The number of the first bound, counted in steps from 1; each of the following is one step further. */
static long long printing_first_bound(const metrics_row_t *rows, size_t n)
{
    double first = 0;
    for (size_t i = 0; i < n; i++) {
        if (rows[i].nature != METRICS_BUCKET || isinf(rows[i].parameter)) continue;
        if (first) return llround(log2(first) / log2(rows[i].parameter / first));
        first = rows[i].parameter;
    }
    return 0;
}

static void printing_buckets(struct prometheus_printer *p, const struct prometheus_family *f,
                             const struct prometheus_member *m, const metrics_row_t *rows, size_t n,
                             struct prometheus_unit unit)
{
    unsigned stride = printing_stride(rows, n, p->bucket_limit);
    long long bound = stride > 1 ? printing_first_bound(rows, n) : 0;
    for (size_t i = 0; i < n; i++) {
        const metrics_row_t *row = &rows[i];
        if (row->nature != METRICS_BUCKET) continue;
        if (bound++ % (long long)stride && !isinf(row->parameter)) continue;
        printing_head(p, f, m, "_bucket", "le", row->parameter * unit.times / unit.per);
        printing_value(p, row, prometheus_plain);
    }
}

/* OpenMetrics has no sum, and then no count, if values may be negative: a rate of it would be meaningless. */
static bool printing_has_sum(const struct prometheus_printer *p, const metrics_row_t *rows, size_t n)
{
    for (size_t i = 0; p->openmetrics && i < n; i++) {
        if (rows[i].nature == METRICS_BUCKET && rows[i].parameter < 0) return false;
        if (rows[i].attribute == METRICS_SUM && metrics_row_number(&rows[i]) < 0) return false;
    }
    return true;
}

/* Nor has it negative quantiles: a strict reader refuses the whole page for one of them. */
static void printing_quantiles(struct prometheus_printer *p, const struct prometheus_family *f,
                               const struct prometheus_member *m, const metrics_row_t *rows, size_t n,
                               struct prometheus_unit unit)
{
    for (size_t i = 0; i < n; i++) {
        if (rows[i].nature != METRICS_QUANTILE || (p->openmetrics && metrics_row_number(&rows[i]) < 0))
            continue;
        printing_head(p, f, m, "", "quantile", rows[i].parameter);
        printing_value(p, &rows[i], unit);
    }
}

static void printing_distribution(struct prometheus_printer *p, const struct prometheus_family *f,
                                  const struct prometheus_member *m, const metrics_row_t *rows, size_t n)
{
    const struct prometheus_unit unit = prometheus_unit_numbered((unsigned char)m->unit);
    bool with_sum = printing_has_sum(p, rows, n), histogram = f->type == PROMETHEUS_HISTOGRAM;
    if (histogram)
        printing_buckets(p, f, m, rows, n, unit);
    else
        printing_quantiles(p, f, m, rows, n, unit);
    for (size_t i = 0; i < n; i++)
        if (rows[i].attribute == METRICS_SUM && with_sum) {
            printing_head(p, f, m, "_sum", NULL, 0);
            printing_value(p, &rows[i], unit);
        }
    for (size_t i = 0; i < n; i++)
        if (rows[i].attribute == METRICS_COUNT && (with_sum || !histogram)) {
            printing_head(p, f, m, "_count", NULL, 0);
            printing_value(p, &rows[i], prometheus_plain);
        }
    printing_created(p, f, m);
}

/* --- Samples --- */

/* One line, for a series that is only a count. */
static void printing_count(struct prometheus_printer *p, const struct prometheus_family *f,
                           const struct prometheus_member *m)
{
    const metrics_reading_t *reading = page_values_reading(p->values, m->item);
    struct prometheus_text labels = m->labels;
    char *room = printing_room(p, (size_t)f->head.n + labels.n + DIGITS_MOST + 2 * PROMETHEUS_SLACK),
         *to = room;
    if (!room || !reading) return;
    if (labels.n == 3) labels = (struct prometheus_text){labels.at + 2, 1};
    to = put(put(to, p->page, f->head), p->page, labels);
    to = digits_u64(to, metrics_reading_count(reading));
    *to++ = '\n';
    printing_wrote(p, room, to);
    p->points++;
}

/* One line. */
static void printing_single(struct prometheus_printer *p, const struct prometheus_family *f,
                            const struct prometheus_member *m, const metrics_row_t *row)
{
    struct prometheus_text labels = m->labels;
    char *room = printing_room(p, (size_t)f->head.n + labels.n + DIGITS_MOST + 2 * PROMETHEUS_SLACK),
         *to = room;
    if (!room) return;
    if (f->type == PROMETHEUS_COUNTER && row->nature != METRICS_TOTAL) return; /* not what was planned */
    if (labels.n == 3) labels = (struct prometheus_text){labels.at + 2, 1};
    to = put(put(to, p->page, f->head), p->page, labels);
    if (f->type == PROMETHEUS_INFO)
        to = PUT(to, "1\n");
    else if (row->nature == METRICS_RATE)
        to = put_number(to, row, prometheus_plain);
    else
        to = put_number(to, row, prometheus_unit_numbered((unsigned char)m->unit));
    printing_wrote(p, room, to);
    p->points++;
    if (f->type == PROMETHEUS_COUNTER && p->with_created) printing_created(p, f, m);
}

static void printing_member(struct prometheus_printer *p, const struct prometheus_family *f,
                            const struct prometheus_member *m)
{
    size_t n;
    if (m->counted && !p->with_created) {
        printing_count(p, f, m);
        return;
    }
    const metrics_row_t *rows = printing_rows(p, m, &n);
    if (!rows) return;
    if (f->type != PROMETHEUS_HISTOGRAM && f->type != PROMETHEUS_SUMMARY) {
        printing_single(p, f, m, rows);
        return;
    }
    size_t own = 1;
    while (own < n && rows[own].worker == rows[0].worker) own++;
    printing_distribution(p, f, m, rows, own);
}

/* --- Families --- */

/* A help text that has to be escaped. */
static void printing_help(struct prometheus_printer *p, const struct prometheus_family *f)
{
    struct buf help = {0};
    if (f->help.n)
        buf_mem(&help, prometheus_at(p->page, f->help), f->help.n);
    else
        buf_printf(&help, "The series %.*s, as the program that records it calls it.", (int)f->own_name.n,
                   prometheus_at(p->page, f->own_name));
    prometheus_help(buf_text(&help), p->openmetrics, &p->line);
    if (!buf_ok(&help)) p->failed = true;
    buf_free(&help);
}

static char *put_help(char *to, const struct prometheus_page *page, const struct prometheus_family *f)
{
    if (f->help.n) return put(to, page, f->help);
    to = PUT(to, "The series ");
    to = put(to, page, f->own_name);
    return PUT(to, ", as the program that records it calls it.");
}

static char *put_word(char *to, const char *word)
{
    return put_bytes(to, word, strlen(word));
}

/* # HELP name text, # TYPE name type: the old form, whose metadata carry the name of the sample. */
static char *put_metadata(char *to, const struct prometheus_page *page, const struct prometheus_family *f)
{
    to = put(PUT(to, "# HELP "), page, f->head);
    to = put_help(PUT(to, " "), page, f);
    to = put(PUT(to, "\n# TYPE "), page, f->head);
    *to++ = ' ';
    to = put_word(to, f->type == PROMETHEUS_INFO ? "gauge" : prometheus_type_name(f->type));
    return PUT(to, "\n");
}

/* The new form, with the name of the family; all but the help. */
static char *put_openmetrics(char *to, const struct prometheus_page *page, const struct prometheus_family *f)
{
    to = put(PUT(to, "# TYPE "), page, f->name);
    *to++ = ' ';
    to = put_word(to, prometheus_type_name(f->type));
    if (*f->unit) {
        to = put(PUT(to, "\n# UNIT "), page, f->name);
        *to++ = ' ';
        to = put_word(to, f->unit);
    }
    to = put(PUT(to, "\n# HELP "), page, f->name);
    return PUT(to, " ");
}

/* The same metadata as put_metadata() and put_openmetrics() with a help that needs escapes. */
static void printing_awkward(struct prometheus_printer *p, const struct prometheus_family *f)
{
    struct buf *out = &p->line;
    if (p->openmetrics) {
        char *room = buf_room(out, (size_t)f->name.n * 3 + 160);
        if (room) out->len += (size_t)(put_openmetrics(room, p->page, f) - room);
        printing_help(p, f);
        buf_char(out, '\n');
        return;
    }
    buf_str(out, "# HELP ");
    printing_text(p, f->head);
    buf_char(out, ' ');
    printing_help(p, f);
    buf_str(out, "\n# TYPE ");
    printing_text(p, f->head);
    buf_printf(out, " %s\n", f->type == PROMETHEUS_INFO ? "gauge" : prometheus_type_name(f->type));
}

static void printing_family(struct prometheus_printer *p, const struct prometheus_family *f)
{
    if (!f->plain) {
        printing_awkward(p, f);
        return;
    }
    char *room = printing_room(p, (size_t)f->head.n * 3 + f->help.n + f->own_name.n + 240), *to = room;
    if (!room) return;
    if (p->openmetrics)
        to = PUT(put_help(put_openmetrics(to, p->page, f), p->page, f), "\n");
    else
        to = put_metadata(to, p->page, f);
    printing_wrote(p, room, to);
}

/* --- The page --- */

/* One family's metadata or one of its members. False at the end of the page. */
static bool printing_step(struct prometheus_printer *p)
{
    switch (p->stage) {
    case PRINTING_FAMILY:
        if (p->family) {
            printing_family(p, p->family);
            p->member = p->family->first;
        }
        p->stage = p->family ? PRINTING_MEMBERS : PRINTING_EOF;
        return true;
    case PRINTING_MEMBERS:
        if (p->member) {
            const struct prometheus_member *m = &p->page->members[p->member];
            printing_member(p, p->family, m);
            p->member = m->next;
        } else {
            p->family = p->family->next;
            p->stage = PRINTING_FAMILY;
        }
        return true;
    case PRINTING_EOF:
        if (p->openmetrics) buf_str(&p->line, "# EOF\n");
        p->stage = PRINTING_DONE;
        return true;
    default: return false;
    }
}

size_t prometheus_print(struct prometheus_printer *p, char *to, size_t n)
{
    p->at = to;
    p->end = to + n;
    while (printing_flush(p) && p->at < p->end && !p->failed && printing_step(p))
        if (!buf_ok(&p->line)) p->failed = true;
    return p->failed ? PAGES_BROKEN : (size_t)(p->at - to);
}

size_t prometheus_printed(const struct prometheus_printer *p)
{
    return p->points;
}

struct prometheus_printer *prometheus_printer_new(const struct prometheus_page *page,
                                                  const struct page_values *values,
                                                  const struct prometheus_settings *settings,
                                                  bool openmetrics)
{
    struct prometheus_printer *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    *p = (struct prometheus_printer){.page = page,
                                     .values = values,
                                     .bucket_limit = settings->bucket_limit,
                                     .openmetrics = openmetrics,
                                     .with_created = openmetrics && settings->created,
                                     .family = page->first,
                                     .expanded = UINT32_MAX};
    return p;
}

void prometheus_printer_free(struct prometheus_printer **printer)
{
    struct prometheus_printer *p = *printer;
    if (!p) return;
    buf_free(&p->line);
    rows_free(&p->rows);
    free(p);
    *printer = NULL;
}

bool prometheus_page_fits(const struct prometheus_page *page, const struct page_values *values)
{
    struct rows rows = {0};
    bool fits = true;
    for (uint32_t i = 0; fits && i < page->shape_count; i++)
        fits = page_values_rows(values, page->shapes[i].item, &rows) &&
               prometheus_shape_hash(rows.at, rows.n) == page->shapes[i].hash;
    rows_free(&rows);
    return fits;
}
