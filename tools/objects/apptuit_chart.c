/* SPDX-License-Identifier: Apache-2.0 */
#include "apptuit_chart.h"

#include "table.h"

#include <math.h>
#include <stdlib.h>

enum { CHART_ROWS = 10, CHART_EIGHTHS = 8, CHART_LABEL = 11, CHART_MOST = 400 };

struct chart {
    size_t width;
    double sum[CHART_MOST];
    size_t n[CHART_MOST];
    double least, greatest;
};

static void chart_point(struct chart *c, const json_t *point, double start, double end)
{
    const json_t *value = json_array_get(point, 1);
    double time = json_number_value(json_array_get(point, 0)), v = json_number_value(value);
    if (!json_is_number(value) || time < start || time > end) return;
    size_t at = end > start ? (size_t)((time - start) / (end - start) * (double)c->width) : 0;
    if (at >= c->width) at = c->width - 1;
    c->sum[at] += v;
    c->n[at]++;
}

/* The range of the columns, 0 included: a chart that does not begin at 0 misleads. */
static size_t chart_range(struct chart *c)
{
    size_t columns = 0;
    for (size_t i = 0; i < c->width; i++) {
        if (!c->n[i]) continue;
        c->sum[i] /= (double)c->n[i];
        c->least = fmin(c->least, c->sum[i]);
        c->greatest = fmax(c->greatest, c->sum[i]);
        columns++;
    }
    return columns;
}

static void chart_label(double v, struct buf *out)
{
    struct buf text = {0};
    buf_f64_short(&text, v, 4);
    if (text.len < CHART_LABEL - 2) buf_fill(out, ' ', CHART_LABEL - 2 - text.len);
    buf_printf(out, "%s |", buf_text(&text));
    buf_free(&text);
}

/* One row, from the top (CHART_ROWS - 1) to 0. */
static void chart_row(const struct chart *c, int row, struct buf *out)
{
    static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double range = c->greatest - c->least;
    if (row == CHART_ROWS - 1)
        chart_label(c->greatest, out);
    else if (row == 0)
        chart_label(c->least, out);
    else
        buf_printf(out, "%*s|", CHART_LABEL - 1, "");
    for (size_t i = 0; i < c->width; i++) {
        double height = range > 0 ? (c->sum[i] - c->least) / range * CHART_ROWS * CHART_EIGHTHS : 0;
        int eighths = c->n[i] ? (int)lround(height) - row * CHART_EIGHTHS : 0;
        if (c->n[i] && row == 0 && eighths < 1) eighths = 1; /* there is a value */
        buf_str(out, blocks[eighths < 0 ? 0 : eighths > CHART_EIGHTHS ? CHART_EIGHTHS : eighths]);
    }
    while (out->len && out->data[out->len - 1] == ' ') buf_cut(out, out->len - 1);
    buf_char(out, '\n');
}

static void chart_axis(const struct chart *c, double start, double end, struct buf *out)
{
    struct buf from = {0}, to = {0};
    table_time(start, &from);
    table_time(end, &to);
    buf_printf(out, "%*s+", CHART_LABEL - 1, "");
    buf_fill(out, '-', c->width);
    buf_printf(out, "\n%*s%s", CHART_LABEL, "", buf_text(&from));
    if (from.len + to.len < c->width) buf_fill(out, ' ', c->width - from.len - to.len);
    buf_printf(out, "%s%s\n", from.len + to.len < c->width ? "" : " ", buf_text(&to));
    buf_free(&from);
    buf_free(&to);
}

void apptuit_chart(const json_t *points, double start, double end, size_t width, struct buf *out)
{
    struct chart *c = calloc(1, sizeof *c);
    json_t *one;
    size_t i, room = width > CHART_LABEL + 10 ? width - CHART_LABEL : 10;
    if (!c) {
        out->failed = true;
        return;
    }
    c->width = room < CHART_MOST ? room : CHART_MOST;
    json_array_foreach((json_t *)(uintptr_t)points, i, one) chart_point(c, one, start, end);
    if (chart_range(c)) {
        for (int row = CHART_ROWS - 1; row >= 0; row--) chart_row(c, row, out);
        chart_axis(c, start, end, out);
    } else {
        buf_str(out, "  no values\n");
    }
    free(c);
}
