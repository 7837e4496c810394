/* SPDX-License-Identifier: Apache-2.0 */
#include "store_page.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WAL_HEADER = 32,
    WAL_FRAME = 24,
    LEAF = 0x0d, /* the type of a page: a leaf of a table */
    LEAF_HEADER = 8,
    LARGEST_LOCAL = PAGE_SIZE - 35,
    LEAST_LOCAL = (PAGE_SIZE - 12) * 32 / 255 - 23,
    OVERFLOW_ROOM = PAGE_SIZE - 4
};

static uint64_t big_endian(const unsigned char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v = v << 8 | p[i];
    return v;
}

/* --- Files --- */

static off_t size_of(int fd)
{
    struct stat st;
    return fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) ? st.st_size : 0;
}

/* Frames after the last commit do not count, nor those of an earlier round of the log. */
static void read_frames(struct page_file *f)
{
    unsigned char head[WAL_HEADER], frame[WAL_FRAME];
    off_t size = size_of(f->wal);
    size_t most = size > WAL_HEADER ? (size_t)(size - WAL_HEADER) / (WAL_FRAME + PAGE_SIZE) : 0,
           committed = 0;
    if (!most || pread(f->wal, head, sizeof head, 0) != sizeof head) return;
    if (big_endian(head + 8, 4) != PAGE_SIZE || !(f->frames = calloc(most, sizeof *f->frames))) return;
    for (size_t i = 0; i < most; i++) {
        uint64_t at = WAL_HEADER + i * (uint64_t)(WAL_FRAME + PAGE_SIZE);
        if (pread(f->wal, frame, sizeof frame, (off_t)at) != sizeof frame || memcmp(frame + 8, head + 16, 8))
            break;
        f->frames[i] = (struct page_frame){(uint32_t)big_endian(frame, 4), at + WAL_FRAME};
        if (big_endian(frame + 4, 4)) committed = i + 1;
    }
    f->n = committed;
}

bool page_file_open(struct page_file *f, const char *path)
{
    const int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    struct buf wal = {0};
    buf_printf(&wal, "%s-wal", path);
    *f = (struct page_file){.file = open(path, flags), .wal = open(buf_text(&wal), flags)};
    buf_free(&wal);
    read_frames(f);
    f->pages = (uint32_t)(size_of(f->file) / PAGE_SIZE);
    for (size_t i = 0; i < f->n; i++)
        if (f->frames[i].number > f->pages) f->pages = f->frames[i].number;
    uint32_t most = (uint32_t)(size_of(f->file) / PAGE_SIZE + (off_t)f->n);
    if (f->pages > most) f->pages = most;
    return f->file >= 0;
}

void page_file_close(struct page_file *f)
{
    if (f->file >= 0) close(f->file);
    if (f->wal >= 0) close(f->wal);
    free(f->frames);
    *f = (struct page_file){.file = -1, .wal = -1};
}

bool page_read(const struct page_file *f, uint32_t number, unsigned char page[PAGE_SIZE])
{
    if (!number) return false;
    for (size_t i = f->n; i--;)
        if (f->frames[i].number == number)
            return pread(f->wal, page, PAGE_SIZE, (off_t)f->frames[i].at) == PAGE_SIZE;
    return pread(f->file, page, PAGE_SIZE, (off_t)(number - 1) * PAGE_SIZE) == PAGE_SIZE;
}

/* --- Records --- */

/* A number of 1 to 9 bytes; false if the page ends before it does. */
static bool varint(const unsigned char page[PAGE_SIZE], size_t *at, uint64_t *v)
{
    *v = 0;
    for (int i = 0; i < 9 && *at < PAGE_SIZE; i++) {
        unsigned char byte = page[(*at)++];
        *v = i < 8 ? *v << 7 | (byte & 0x7f) : *v << 8 | byte;
        if (i == 8 || byte < 0x80) return true;
    }
    return false;
}

static bool column_of(uint64_t type, struct page_column *c)
{
    static const unsigned char integers[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};
    if (type == 10 || type == 11 || type > UINT32_MAX) return false;
    c->type = !type       ? PAGE_NULL
              : type == 7 ? PAGE_REAL
              : type < 10 ? PAGE_INTEGER
              : type & 1  ? PAGE_TEXT
                          : PAGE_BLOB;
    c->n = type < 10 ? integers[type] : (size_t)(type - 12) / 2;
    if (type == 9) c->at = 1; /* the integer 1, in no bytes; 8 is 0 */
    return true;
}

/* The columns; false if their lengths do not add up to the record's. */
static bool read_header(const unsigned char page[PAGE_SIZE], struct page_cell *cell)
{
    uint64_t header, type;
    size_t at = cell->at;
    if (!varint(page, &at, &header) || header < 2 || header > 64 || header > cell->local) return false;
    size_t end = cell->at + header, value = header;
    for (cell->columns = 0; at < end; cell->columns++) {
        struct page_column c = {.at = 0};
        if (cell->columns == PAGE_COLUMNS || !varint(page, &at, &type) || !column_of(type, &c)) return false;
        if (c.n) c.at = value;
        value += c.n;
        cell->column[cell->columns] = c;
    }
    return at == end && value == cell->length;
}

bool page_cell_at(const unsigned char page[PAGE_SIZE], size_t at, struct page_cell *cell)
{
    uint64_t length;
    if (!varint(page, &at, &length) || length < 2 || length > INT32_MAX || !varint(page, &at, &cell->key))
        return false;
    size_t local = LEAST_LOCAL + (size_t)(length - LEAST_LOCAL) % OVERFLOW_ROOM;
    if (length <= LARGEST_LOCAL)
        local = (size_t)length;
    else if (local > LARGEST_LOCAL)
        local = LEAST_LOCAL;
    cell->at = at;
    cell->length = (size_t)length;
    cell->local = local;
    return at + local + (local < length ? 4 : 0) <= PAGE_SIZE && read_header(page, cell);
}

bool page_leads_to(const unsigned char page[PAGE_SIZE], size_t at)
{
    size_t n = (size_t)big_endian(page + 3, 2);
    if (page[0] != LEAF || n > (PAGE_SIZE - LEAF_HEADER) / 2) return false;
    for (size_t i = 0; i < n; i++)
        if (big_endian(page + LEAF_HEADER + 2 * i, 2) == at) return true;
    return false;
}

bool page_record(const struct page_file *f, const unsigned char page[PAGE_SIZE], const struct page_cell *cell,
                 struct buf *out)
{
    unsigned char more[PAGE_SIZE];
    if (cell->length / PAGE_SIZE > f->pages) return false;
    buf_mem(out, (const char *)page + cell->at, cell->local);
    size_t left = cell->length - cell->local;
    uint32_t next = left ? (uint32_t)big_endian(page + cell->at + cell->local, 4) : 0;
    while (left) {
        size_t n = left < OVERFLOW_ROOM ? left : OVERFLOW_ROOM;
        if (!page_read(f, next, more)) return false;
        buf_mem(out, (const char *)more + 4, n);
        next = (uint32_t)big_endian(more, 4);
        left -= n;
    }
    return buf_ok(out);
}

uint64_t page_integer(const unsigned char *record, const struct page_column *column)
{
    if (!column->n) return column->at; /* 0 or 1 */
    uint64_t v = big_endian(record + column->at, column->n);
    unsigned shift = 64 - 8 * (unsigned)column->n;
    return (uint64_t)((int64_t)(v << shift) >> shift);
}
