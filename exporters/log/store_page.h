/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_page.h - the pages and records of a database file that SQLite no longer reads, by the description of
 * its format (https://sqlite.org/fileformat2.html): leaf pages of tables, records, overflow pages, and the
 * write-ahead log up to its last commit.
 *
 * Whatever the bytes are: no more memory than one record (at most as long as the file), every loop ends.
 * Not thread-safe.
 */
#ifndef EXPORTERS_STORE_PAGE_H
#define EXPORTERS_STORE_PAGE_H

#include "buf.h"

enum { PAGE_SIZE = 16384, PAGE_COLUMNS = 8 };

struct page_frame {
    uint32_t number;
    uint64_t at;
};

struct page_file {
    int file, wal;             /* -1: none */
    uint32_t pages;            /* of both */
    struct page_frame *frames; /* in the write-ahead log */
    size_t n;
};

/* Opens the file, and the write-ahead log beside it. False if the file cannot be opened. Closed by
 * page_file_close(), in either case. */
bool page_file_open(struct page_file *f, const char *path);
void page_file_close(struct page_file *f);

/* The last committed version of page `number`, from 1 on. False if it cannot be read whole. */
bool page_read(const struct page_file *f, uint32_t number, unsigned char page[PAGE_SIZE]);

/* One value of a record. */
struct page_column {
    enum { PAGE_NULL, PAGE_INTEGER, PAGE_BLOB, PAGE_TEXT, PAGE_REAL } type;
    size_t at, n; /* where it is in the record */
};

/* A record that may begin, with its length, at some place of a leaf page. */
struct page_cell {
    uint64_t key; /* its rowid */
    size_t at;    /* where its first bytes are in the page */
    size_t length, local;
    size_t columns;
    struct page_column column[PAGE_COLUMNS];
};

/* True if the bytes at that place look like a record of at most PAGE_COLUMNS columns. */
bool page_cell_at(const unsigned char page[PAGE_SIZE], size_t at, struct page_cell *cell);

/* True if a table of that page leads to the place: it is not what an earlier record left. */
bool page_leads_to(const unsigned char page[PAGE_SIZE], size_t at);

/* Puts the whole record into `out`, with what is on overflow pages. False if that is impossible. */
bool page_record(const struct page_file *f, const unsigned char page[PAGE_SIZE], const struct page_cell *cell,
                 struct buf *out);

/* The value of an integer column of a record. */
uint64_t page_integer(const unsigned char *record, const struct page_column *column);

#endif
