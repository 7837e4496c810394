/* SPDX-License-Identifier: Apache-2.0 */
#include "glance.h"

#include "source_log.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

/* --- Segments --- */

static bool glance_has(const struct glance *g, const char *path)
{
    for (size_t i = 0; i < g->n; i++)
        if (!strcmp(g->at[i].path, path)) return true;
    return false;
}

static bool glance_add(struct glance *g, enum segment_tag tag, const char *path)
{
    if (glance_has(g, path) || source_is_log(path)) return true;
    struct glimpse *at = realloc(g->at, (g->n + 1) * sizeof *at), *new;
    if (!at) return false;
    g->at = at;
    new = &at[g->n];
    *new = (struct glimpse){.path = strdup(path)};
    if (!new->path) return false;
    g->n++;
    new->tag = segment_tag_value(tag, new->path);
    new->reader = metrics_reader_open(path, NULL, &new->error);
    if (new->reader) new->snapshot = metrics_snapshot_take(new->reader, &new->error);
    return true;
}

static bool glance_match(struct glance *g, enum segment_tag tag, const char *pattern)
{
    glob_t paths;
    int result = glob(pattern, GLOB_NOMAGIC, NULL, &paths);
    bool good = result == 0 || result == GLOB_NOMATCH;
    for (size_t i = 0; good && i < paths.gl_pathc; i++) good = glance_add(g, tag, paths.gl_pathv[i]);
    globfree(&paths);
    return good;
}

bool glance_take(const struct option_list *segments, struct glance *g)
{
    enum segment_tag tag = segment_tag(segments);
    bool good = true;
    *g = (struct glance){0};
    if (!segments->n) return glance_add(g, tag, metrics_default_path());
    for (size_t i = 0; good && i < segments->n; i++) good = glance_match(g, tag, segments->items[i]);
    return good;
}

void glance_free(struct glance *g)
{
    for (size_t i = 0; i < g->n; i++) {
        metrics_snapshot_release(&g->at[i].snapshot);
        if (g->at[i].reader) metrics_reader_close(&g->at[i].reader);
        free(g->at[i].path);
    }
    free(g->at);
    *g = (struct glance){0};
}

/* --- Series that several segments have --- */

struct common {
    const metrics_reading_t *reading;
    size_t segment;
};

static int common_compare(const struct common *x, const struct common *y)
{
    size_t n, m;
    int order = strcmp(metrics_reading_name(x->reading), metrics_reading_name(y->reading));
    const metrics_tag_t *a = metrics_reading_tags(x->reading, &n), *b = metrics_reading_tags(y->reading, &m);
    for (size_t i = 0; !order && i < n && i < m; i++) {
        order = strcmp(a[i].key, b[i].key);
        if (!order) order = strcmp(a[i].value, b[i].value);
    }
    return order ? order : (n > m) - (n < m);
}

static int common_order(const void *a, const void *b)
{
    const struct common *x = a, *y = b;
    int order = common_compare(x, y);
    return order ? order : (x->segment > y->segment) - (x->segment < y->segment);
}

/* All readings of all segments, sorted, so that equal series are neighbours. NULL without memory. */
static struct common *common_list(const struct glance *g, size_t *n)
{
    size_t all = 0;
    for (size_t s = 0; s < g->n; s++)
        all += g->at[s].snapshot ? metrics_snapshot_count(g->at[s].snapshot) : 0;
    struct common *list = calloc(all + 1, sizeof *list);
    *n = 0;
    for (size_t s = 0; list && s < g->n; s++)
        for (size_t i = 0; g->at[s].snapshot && i < metrics_snapshot_count(g->at[s].snapshot); i++)
            list[(*n)++] = (struct common){metrics_snapshot_reading(g->at[s].snapshot, i), s};
    if (list) qsort(list, *n, sizeof *list, common_order);
    return list;
}

/* The readings [from, to) have one name. Those that are not the first of their series are in a second segment. */
static void common_print(const struct glance *g, const struct common *list, size_t from, size_t to, bool *in,
                         struct buf *out)
{
    size_t series = 0, printed = 0;
    memset(in, 0, g->n * sizeof *in);
    for (size_t i = from + 1; i < to; i++) {
        if (common_compare(&list[i - 1], &list[i])) continue;
        in[list[i - 1].segment] = in[list[i].segment] = true;
        series += i - 1 == from || common_compare(&list[i - 2], &list[i]);
    }
    if (!series) return;
    buf_printf(out, "#   %s", metrics_reading_name(list[from].reading));
    for (size_t s = 0; s < g->n; s++)
        if (in[s]) buf_printf(out, "%s%s", printed++ ? ", " : ": in ", g->at[s].tag);
    if (series > 1) buf_printf(out, " (%zu series)", series);
    buf_char(out, '\n');
}

void glance_print_common(const struct glance *g, struct buf *out)
{
    size_t n;
    struct common *list = common_list(g, &n);
    bool *in = calloc(g->n + 1, sizeof *in);
    for (size_t from = 0, to; list && in && from < n; from = to) {
        const char *name = metrics_reading_name(list[from].reading);
        for (to = from + 1; to < n && !strcmp(metrics_reading_name(list[to].reading), name);) to++;
        common_print(g, list, from, to, in, out);
    }
    if (!list || !in) out->failed = true;
    free(list);
    free(in);
}
