/* SPDX-License-Identifier: Apache-2.0 */
#include "asking.h"

#include "pattern.h"

#include <stdlib.h>
#include <string.h>

/* --- The encoder --- */

static void asking_encode(struct asking *a, size_t from, size_t to, struct buf *notes, struct buf *out)
{
    struct payload payloads[PAYLOADS] = {{.points = 0}};
    const struct batch batch = {.view = &a->view,
                                .from = from,
                                .to = to,
                                .settings = a->backend->settings,
                                .session = a->session,
                                .notes = notes};
    a->backend->type->encode(&batch, payloads);
    for (int i = 0; i < PAYLOADS; i++) {
        if (payloads[i].body.len) payload_print(&payloads[i], out);
        if (!payload_ok(&payloads[i])) out->failed = true;
        payload_free(&payloads[i]);
    }
}

bool asking_rows(struct asking *a, size_t at, struct rows *rows)
{
    return item_rows(&a->view, &a->view.items[at], a->backend->type->wants.totals, rows);
}

/* --- A page is one whole --- */

static int asking_line_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t asking_count_lines(const char *text)
{
    size_t n = 0;
    for (; *text; text++) n += *text == '\n';
    return n + 1;
}

/* Sorts the lines of the page for asking_has_line(). */
static bool asking_index(struct asking *a)
{
    a->line_text = strdup(buf_text(&a->page));
    a->lines = calloc(asking_count_lines(buf_text(&a->page)), sizeof *a->lines);
    if (!a->line_text || !a->lines) return false;
    for (char *rest = a->line_text, *line; (line = strsep(&rest, "\n"));) a->lines[a->line_count++] = line;
    qsort(a->lines, a->line_count, sizeof *a->lines, asking_line_order);
    return true;
}

static bool asking_has_line(const struct asking *a, const char *line, size_t n)
{
    char *key = strndup(line, n);
    bool found = key && bsearch(&key, a->lines, a->line_count, sizeof *a->lines, asking_line_order);
    free(key);
    return found;
}

/* True if every line is in the page (except comments, which the series of a family share). */
static bool asking_is_in_page(const struct asking *a, const char *text)
{
    for (size_t n; *text; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        if (n && *text != '#' && !asking_has_line(a, text, n)) return false;
    }
    return true;
}

/* Appends the lines of the page that differ in `changed`, which has as many. */
static void asking_changed_lines(const char *page, const char *changed, struct buf *out)
{
    while (*page && *changed) {
        size_t n = strcspn(page, "\n"), m = strcspn(changed, "\n");
        if (n != m || memcmp(page, changed, n)) {
            buf_mem(out, page, n);
            buf_char(out, '\n');
        }
        page += n + (page[n] == '\n');
        changed += m + (changed[m] == '\n');
    }
}

/* Another number, so that each line of the item changes. */
static void asking_alter(metrics_row_t *row)
{
    double v = metrics_row_number(row);
    row->type = METRICS_F64;
    row->value.f = v == 1 ? 2 : 1;
}

/* The lines of the item are those that change when its values change. */
static void asking_find_lines(struct asking *a, size_t at, struct buf *out)
{
    struct rows rows = {0};
    struct buf changed = {0};
    struct item *item = &a->view.items[at], saved = *item;
    if (!asking_rows(a, at, &rows)) out->failed = true;
    for (size_t i = 0; i < rows.n; i++) asking_alter(&rows.at[i]);
    item->now = item->base = NULL;
    item->fixed = rows.at;
    item->fixed_count = rows.n;
    asking_encode(a, 0, a->view.n, NULL, &changed);
    *item = saved;
    if (changed.failed) out->failed = true;
    if (asking_count_lines(buf_text(&changed)) == asking_count_lines(buf_text(&a->page)))
        asking_changed_lines(buf_text(&a->page), buf_text(&changed), out);
    buf_free(&changed);
    rows_free(&rows);
}

void asking_sent(struct asking *a, size_t at, struct buf *payload)
{
    size_t before = payload->len;
    asking_encode(a, at, at + 1, a->lines ? NULL : &a->notes, payload);
    if (!a->lines || asking_is_in_page(a, buf_text(payload) + before)) return;
    buf_cut(payload, before);
    asking_find_lines(a, at, payload);
}

/* --- Begin and end --- */

/* Without an earlier snapshot, the interval is the whole life of the series. */
static bool asking_view(struct asking *a, const struct asking_of *of)
{
    const metrics_snapshot_header_t *n = metrics_snapshot_header(of->now);
    const metrics_snapshot_header_t *b = of->base ? metrics_snapshot_header(of->base) : NULL;
    uint64_t life = n->wall_ns > n->created_wall_ns ? n->wall_ns - n->created_wall_ns : 1;
    view_begin(&a->view, &a->selection, n->wall_ns, b ? n->monotonic_ns - b->monotonic_ns : life);
    if (!view_segment(&a->view, of->segment) || !view_add(&a->view, of->now, of->base)) return false;
    for (size_t i = 0; !of->base && i < a->view.n; i++) {
        a->view.items[i].base = NULL;
        a->view.items[i].rebased = false;
    }
    return true;
}

bool asking_open(struct asking *a, const struct config_backend *backend, const struct option_tags *tags,
                 const struct asking_of *of, struct buf *why)
{
    const struct backend_session *session = backend->type->session;
    *a = (struct asking){.backend = backend};
    if (session && !(a->session = session->open(backend->settings, why))) return false;
    if (!selection_compile(&a->selection, backend->type, backend->settings, tags)) return false;
    if (!asking_view(a, of)) return false;
    if (!backend_is_scraped(backend->type)) return true;
    asking_encode(a, 0, a->view.n, &a->notes, &a->page);
    return buf_ok(&a->page) && buf_ok(&a->notes) && asking_index(a);
}

void asking_close(struct asking *a)
{
    view_free(&a->view);
    selection_free(&a->selection);
    if (a->session) a->backend->type->session->close(&a->session);
    buf_free(&a->notes);
    buf_free(&a->page);
    free(a->lines);
    free(a->line_text);
    *a = (struct asking){.backend = NULL};
}

void asking_hidden(const struct asking *a, const char *name, struct buf *why)
{
    const struct option_list *in = &a->backend->settings->include, *out = &a->backend->settings->exclude;
    for (size_t i = 0; i < out->n; i++)
        if (pattern_match(out->items[i], name)) {
            buf_printf(why, "exclude: %s", out->items[i]);
            return;
        }
    buf_str(why, "include:");
    for (size_t i = 0; i < in->n; i++) buf_printf(why, "%s %s", i ? "," : "", in->items[i]);
    buf_str(why, " does not match");
}
