/* SPDX-License-Identifier: Apache-2.0 */
#include "show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Not special to any shell, at any place of a word. */
static bool show_is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80 ||
           strchr("._-/:@%+,", c);
}

/* The bytes of the control character at `c`, 0 if it is not one. U+0080 to U+009F take two bytes in UTF-8. */
static size_t show_control(const char *c)
{
    unsigned char a = (unsigned char)c[0], b = (unsigned char)c[1];
    if (a == 0xc2 && b >= 0x80 && b < 0xa0) return 2;
    return a < 0x20 || a == 0x7f;
}

static const char *show_escape(struct buf *out, const char *c, size_t n)
{
    while (n--) buf_printf(out, "\\x%02x", (unsigned char)*c++);
    return c;
}

void show_word(struct buf *out, const char *word)
{
    bool plain = *word != '\0', control = false;
    for (const char *c = word; *c; c++) {
        plain = plain && show_is_plain((unsigned char)*c);
        control = control || show_control(c);
    }
    if (plain && !control) {
        buf_str(out, word);
        return;
    }
    buf_str(out, control ? "$'" : "'");
    for (const char *c = word; *c;) {
        size_t n = show_control(c);
        if (n) {
            c = show_escape(out, c, n);
            continue;
        }
        if (*c == '\'')
            buf_str(out, control ? "\\'" : "'\\''");
        else if (*c == '\\' && control)
            buf_str(out, "\\\\");
        else
            buf_char(out, *c);
        c++;
    }
    buf_char(out, '\'');
}

void show_text(struct buf *out, const char *text)
{
    while (*text) {
        size_t n = show_control(text);
        if (n)
            text = show_escape(out, text, n);
        else
            buf_char(out, *text++);
    }
}

void show_series(struct buf *out, const metrics_reading_t *reading, int64_t worker)
{
    size_t n;
    const metrics_tag_t *tags = metrics_reading_tags(reading, &n);
    show_word(out, metrics_reading_name(reading));
    for (size_t i = 0; i < n; i++) {
        buf_char(out, ' ');
        show_word(out, tags[i].key);
        buf_char(out, '=');
        if (*tags[i].value) show_word(out, tags[i].value);
    }
    if (worker >= 0) {
        char room[SPARE_KEY];
        buf_printf(out, " %s=%" PRId64, spare_key("worker", tags, n, room), worker);
    }
}

void show_attribute(struct buf *out, const metrics_row_t *row)
{
    char suffix[32];
    buf_str(out, metrics_row_suffix(row, suffix, sizeof suffix));
    if (row->nature != METRICS_BUCKET) return;
    buf_str(out, " le=");
    buf_f64(out, row->parameter);
}

void show_value(struct buf *out, const metrics_row_t *row)
{
    if (row->nature == METRICS_DISTRIBUTION && row->distribution)
        buf_u64(out, row->distribution->count);
    else if (row->type == METRICS_U64)
        buf_u64(out, row->value.u);
    else if (row->type == METRICS_I64)
        buf_i64(out, row->value.i);
    else
        buf_f64_short(out, row->value.f, 15);
}

void show_value_short(struct buf *out, const metrics_row_t *row)
{
    if (row->type == METRICS_F64)
        buf_f64_short(out, row->value.f, 6);
    else
        show_value(out, row);
}

const char *show_nature(enum metrics_nature nature)
{
    static const char *const words[] = {
        [METRICS_TOTAL] = "total",
        [METRICS_LEVEL] = "level",
        [METRICS_RATE] = "rate",
        [METRICS_STATISTIC] = "statistic",
        [METRICS_QUANTILE] = "quantile",
        [METRICS_BUCKET] = "bucket",
        [METRICS_DISTRIBUTION] = "distribution",
        [METRICS_FACT] = "fact",
    };
    return nature < sizeof words / sizeof *words ? words[nature] : "unknown";
}

const char *show_scope(enum metrics_scope scope)
{
    return scope == METRICS_LIFETIME ? "lifetime" : scope == METRICS_INTERVAL ? "interval" : "recent";
}

void show_json_series(struct json *j, const metrics_reading_t *reading)
{
    size_t n;
    const metrics_tag_t *tags = metrics_reading_tags(reading, &n);
    jsonw_key_str(j, "name", metrics_reading_name(reading));
    jsonw_key(j, "tags");
    jsonw_object(j);
    for (size_t i = 0; i < n; i++) jsonw_key_str(j, tags[i].key, tags[i].value);
    jsonw_object_end(j);
    jsonw_key_str(j, "kind", metrics_reading_kind(reading));
    jsonw_key_str(j, "unit", metrics_reading_unit(reading));
    jsonw_key_u64(j, "start_ns", metrics_reading_start(reading));
}

static void show_json_pair(struct json *j, double a, double b)
{
    jsonw_array(j);
    jsonw_f64(j, a);
    jsonw_f64(j, b);
    jsonw_array_end(j);
}

/* {"count", "sum", "centroids": [[mean, weight]...]} or {..., "buckets": [[lower, upper, count]...]}. The
 * open ends of the outermost buckets are null, since JSON has no infinity. */
static void show_json_distribution(struct json *j, const metrics_distribution_t *d)
{
    jsonw_object(j);
    jsonw_key_u64(j, "count", d->count);
    jsonw_key_f64(j, "sum", d->sum);
    jsonw_key(j, d->buckets ? "buckets" : "centroids");
    jsonw_array(j);
    for (size_t i = 0; !d->buckets && i < d->centroid_count; i++)
        show_json_pair(j, d->centroids[i].mean, d->centroids[i].weight);
    for (size_t i = 0; d->buckets && i < d->bucket_count; i++) {
        jsonw_array(j);
        jsonw_f64(j, d->buckets[i].lower);
        jsonw_f64(j, d->buckets[i].upper);
        jsonw_u64(j, d->buckets[i].count);
        jsonw_array_end(j);
    }
    jsonw_array_end(j);
    jsonw_object_end(j);
}

/* A bucket's bound: a number, or the text "+Inf". */
static void show_json_bound(struct json *j, double bound)
{
    if (bound > 1.7976931348623157e308)
        jsonw_str(j, "+Inf");
    else
        jsonw_f64(j, bound);
}

void show_json_row_open(struct json *j, const metrics_row_t *row)
{
    char suffix[32];
    jsonw_object(j);
    jsonw_key_str(j, "attribute", metrics_row_suffix(row, suffix, sizeof suffix));
    jsonw_key(j, "value");
    if (row->nature == METRICS_DISTRIBUTION && row->distribution)
        show_json_distribution(j, row->distribution);
    else
        row_json_value(row, j);
    jsonw_key_str(j, "nature", show_nature(row->nature));
    jsonw_key_str(j, "scope", show_scope(row->scope));
    jsonw_key_str(j, "unit", row->unit ? row->unit : "");
    if (row->nature == METRICS_QUANTILE) jsonw_key_f64(j, "quantile", row->parameter);
    if (row->nature == METRICS_BUCKET) {
        jsonw_key(j, "le");
        show_json_bound(j, row->parameter);
    }
    if (row->worker >= 0) jsonw_key_u64(j, "worker", (uint64_t)row->worker);
}

void show_json_reading(struct json *j, const metrics_reading_t *reading, const struct rows *rows)
{
    jsonw_object(j);
    show_json_series(j, reading);
    jsonw_key_str(j, "help", metrics_reading_help(reading));
    jsonw_key(j, "values");
    jsonw_array(j);
    for (size_t i = 0; i < rows->n; i++) {
        show_json_row_open(j, &rows->at[i]);
        jsonw_object_end(j);
    }
    jsonw_array_end(j);
    jsonw_object_end(j);
}

void show_json_snapshot(struct json *j, const metrics_snapshot_header_t *header)
{
    char text[24];
    show_json_time(j, header->wall_ns);
    snprintf(text, sizeof text, "%016" PRIx64, header->incarnation);
    jsonw_key_str(j, "incarnation", text);
    jsonw_key_u64(j, "created_ns", header->created_wall_ns);
    jsonw_key_u64(j, "series_damaged", header->series_damaged);
}

void show_json_time(struct json *j, uint64_t wall_ns)
{
    struct buf text = {0};
    buf_time(&text, wall_ns);
    jsonw_key_str(j, "time", buf_text(&text));
    jsonw_key_u64(j, "wall_ns", wall_ns);
    buf_free(&text);
}
