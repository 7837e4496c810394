/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_salvage.c - what can still be read in a damaged file, page by page. An entry is known by its checksum,
 * wherever it is, so neither the tree nor the head of its page is needed. One that was removed or replaced does
 * no harm: snapshots are cumulative, and a cursor says where to go on. For cursors and accounts only what a
 * page's own table leads to counts: an old position would send again what was sent.
 */
#include "store_inside.h"
#include "store_page.h"

#include <stdlib.h>
#include <string.h>

/* Where an entry was found. */
struct place {
    uint64_t seq;
    uint32_t page;
    uint16_t at;
    bool live;
};

struct cursor_found {
    char *name;
    bool any, sealed; /* a position was found; one that is certain */
    struct store_cursor cursor;
};

struct salvage {
    struct page_file file;
    struct buf record; /* the one that is looked at */
    struct place *places;
    size_t n, room;
    struct cursor_found cursors[LEDGER_BACKENDS];
    size_t cursors_n;
    bool failed; /* without memory */
};

static const unsigned char *bytes_of(const struct salvage *s, const struct page_column *c)
{
    return (const unsigned char *)buf_text(&s->record) + c->at;
}

static uint64_t number_of(const struct salvage *s, const struct page_column *c)
{
    return page_integer((const unsigned char *)buf_text(&s->record), c);
}

/* --- Entries --- */

static bool is_entry(const struct page_cell *cell)
{
    const struct page_column *c = cell->column;
    bool is = cell->columns == STORE_ENTRY_COLUMNS && c[0].type == PAGE_NULL && c[6].type == PAGE_BLOB;
    for (int i = 1; i < 6; i++) is = is && c[i].type == PAGE_INTEGER;
    return is;
}

static struct store_entry entry_of(const struct salvage *s, const struct page_cell *cell)
{
    const struct page_column *c = cell->column;
    struct store_entry e = {.seq = cell->key,
                            .epoch = number_of(s, &c[1]),
                            .wall_ns = number_of(s, &c[2]),
                            .interval_ns = number_of(s, &c[3]),
                            .bytes = bytes_of(s, &c[6]),
                            .n = c[6].n};
    store_entry_flags(&e, number_of(s, &c[4]));
    return e;
}

static bool load(struct salvage *s, const unsigned char page[PAGE_SIZE], const struct page_cell *cell)
{
    buf_reset(&s->record);
    return page_record(&s->file, page, cell, &s->record);
}

static void note_entry(struct salvage *s, uint32_t number, const unsigned char page[PAGE_SIZE], size_t at,
                       const struct page_cell *cell)
{
    if (!load(s, page, cell)) return;
    struct store_entry e = entry_of(s, cell);
    if (number_of(s, &cell->column[5]) != store_checksum(e.seq, e.bytes, e.n)) return;
    if (s->n == s->room) {
        size_t room = s->room ? s->room * 2 : 64;
        struct place *more = realloc(s->places, room * sizeof *more);
        if (!more) return (void)(s->failed = true);
        s->places = more;
        s->room = room;
    }
    s->places[s->n++] = (struct place){e.seq, number, (uint16_t)at, page_leads_to(page, at)};
}

static int in_order(const void *a, const void *b)
{
    const struct place *p = a, *q = b;
    if (p->seq != q->seq) return p->seq < q->seq ? -1 : 1;
    return q->live - p->live;
}

static void hand_over_entries(struct salvage *s, const struct store_finder *finder)
{
    unsigned char page[PAGE_SIZE];
    struct page_cell cell;
    if (s->n) qsort(s->places, s->n, sizeof *s->places, in_order);
    for (size_t i = 0; i < s->n; i++) {
        const struct place *p = &s->places[i];
        if (i && p->seq == p[-1].seq) continue;
        if (!page_read(&s->file, p->page, page) || !page_cell_at(page, p->at, &cell) || !load(s, page, &cell))
            continue;
        struct store_entry e = entry_of(s, &cell);
        finder->entry(finder->arg, &e);
    }
}

/* --- Cursors --- */

static struct cursor_found *cursor_named(struct salvage *s, const struct page_column *name)
{
    const char *text = (const char *)bytes_of(s, name);
    if (!name->n || memchr(text, '\0', name->n)) return NULL;
    for (size_t i = 0; i < s->cursors_n; i++)
        if (strlen(s->cursors[i].name) == name->n && !memcmp(s->cursors[i].name, text, name->n))
            return &s->cursors[i];
    if (s->cursors_n == LEDGER_BACKENDS) return NULL;
    struct cursor_found *c = &s->cursors[s->cursors_n];
    if (!(c->name = strndup(text, name->n))) return NULL;
    s->cursors_n++;
    c->cursor = (struct store_cursor){.name = c->name, .base = STORE_NO_BASE};
    return c;
}

static bool is_cursor(const struct page_cell *cell)
{
    bool is = cell->columns == 6 && cell->column[0].type == PAGE_TEXT;
    for (int i = 1; i < 6; i++) is = is && cell->column[i].type == PAGE_INTEGER;
    return is;
}

static void note_cursor(struct salvage *s, const struct page_cell *cell)
{
    const struct page_column *c = cell->column;
    struct cursor_found *found = cursor_named(s, &c[0]);
    if (!found || found->sealed) return;
    found->any = true;
    found->cursor.at = number_of(s, &c[1]);
    found->cursor.position = number_of(s, &c[2]);
    found->cursor.of = number_of(s, &c[3]);
    found->cursor.base = number_of(s, &c[4]);
    found->cursor.last_stamp = number_of(s, &c[5]);
}

static bool is_account(const struct page_cell *cell)
{
    const struct page_column *c = cell->column;
    return cell->columns == 3 && c[0].type == PAGE_TEXT && c[1].type == PAGE_TEXT && c[1].n < 64 &&
           (c[2].type == PAGE_INTEGER || c[2].type == PAGE_BLOB);
}

static void note_account(struct salvage *s, const struct page_cell *cell)
{
    const struct page_column *c = cell->column;
    char what[64] = "";
    struct cursor_found *found = cursor_named(s, &c[0]);
    if (!found) return;
    memcpy(what, bytes_of(s, &c[1]), c[1].n);
    if (c[2].type == PAGE_INTEGER) {
        uint64_t *field = store_account_field(&found->cursor, what);
        if (field) *field = number_of(s, &c[2]);
    } else if (store_unseal(&found->cursor, bytes_of(s, &c[2]), c[2].n)) {
        found->any = found->sealed = true;
    }
}

/* --- All of them --- */

static void look_at_page(struct salvage *s, uint32_t number)
{
    unsigned char page[PAGE_SIZE];
    struct page_cell cell;
    if (!page_read(&s->file, number, page)) return;
    for (size_t at = 0; at < PAGE_SIZE; at++) {
        if (!page_cell_at(page, at, &cell)) continue;
        bool entry = is_entry(&cell), cursor = is_cursor(&cell), account = is_account(&cell);
        if (entry) note_entry(s, number, page, at, &cell);
        if (!(cursor || account) || !page_leads_to(page, at) || !load(s, page, &cell)) continue;
        if (cursor) note_cursor(s, &cell);
        if (account) note_account(s, &cell);
    }
}

static void salvage_free(struct salvage *s)
{
    page_file_close(&s->file);
    buf_free(&s->record);
    free(s->places);
    for (size_t i = 0; i < s->cursors_n; i++) free(s->cursors[i].name);
    free(s);
}

int store_salvage(struct store *store, const struct store_finder *finder)
{
    struct salvage *s = calloc(1, sizeof *s);
    if (!s) return SQLITE_NOMEM;
    if (page_file_open(&s->file, store->kept))
        for (uint32_t number = 1; number <= s->file.pages; number++) look_at_page(s, number);
    hand_over_entries(s, finder);
    finder->damaged(finder->arg, STORE_UNKNOWN);
    for (size_t i = 0; i < s->cursors_n; i++)
        if (s->cursors[i].any) finder->cursor(finder->arg, &s->cursors[i].cursor);
    int code = s->failed ? SQLITE_NOMEM : SQLITE_OK;
    salvage_free(s);
    return code;
}
