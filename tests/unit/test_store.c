/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "say.h"
#include "store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ENTRIES = 40, BYTES = 5000, PAGE = 16384, PER_PAGE = PAGE / BYTES, TABLES = 10 };
static const uint64_t patience = UINT64_C(60) * 1000000000;

/* What a store finds in its file. */
struct found {
    size_t n, damaged;
    uint64_t seqs[ENTRIES];
    struct store_entry last; /* without its bytes */
    size_t cursors;
    struct store_cursor cursor; /* the one called b, without its name */
    char name[32];
};

static unsigned char content(uint64_t seq, size_t i)
{
    return (unsigned char)(seq * 31 + i * 7 + i / 256);
}

static void find_entry(void *arg, const struct store_entry *e)
{
    struct found *f = arg;
    const unsigned char *bytes = e->bytes;
    for (size_t i = 0; i < e->n; i++)
        if (bytes[i] != content(e->seq, i)) UNIT_FAIL("entry %" PRIu64 " has other bytes\n", e->seq);
    REQUIRE(f->n < ENTRIES);
    f->seqs[f->n++] = e->seq;
    f->last = *e;
}
static void find_damaged(void *arg, uint64_t seq)
{
    (void)seq;
    ((struct found *)arg)->damaged++;
}
static void find_cursor(void *arg, const struct store_cursor *c)
{
    struct found *f = arg;
    f->cursors++;
    if (strcmp(c->name, "b")) return;
    f->cursor = *c;
    snprintf(f->name, sizeof f->name, "%s", c->name);
}

static void quiet(const char *line, size_t n)
{
    (void)line, (void)n;
}

struct rig {
    char path[64], aside[80];
    struct store *store;
    struct found found;
};

static void rig_start(struct rig *r)
{
    struct buf why = {0};
    r->found = (struct found){0};
    const struct store_finder finder = {
        .entry = find_entry, .damaged = find_damaged, .cursor = find_cursor, .arg = &r->found};
    if (store_open(r->path, false, &finder, &r->store, &why) != STORE_OK) UNIT_FAIL("%s\n", buf_text(&why));
    REQUIRE(r->store);
    buf_free(&why);
}

static void rig_open(struct rig *r)
{
    say_to(quiet);
    memset(r, 0, sizeof *r);
    snprintf(r->path, sizeof r->path, "/dev/shm/mtx-test-%d.log", (int)getpid());
    snprintf(r->aside, sizeof r->aside, "%s.damaged", r->path);
    unlink(r->path);
    unlink(r->aside);
    rig_start(r);
}

static void rig_restart(struct rig *r)
{
    store_close(&r->store, false);
    rig_start(r);
}

static void rig_close(struct rig *r)
{
    store_close(&r->store, true);
    CHECK(access(r->path, F_OK) != 0);
    unlink(r->aside);
    say_to(NULL);
}

static void rig_put(struct rig *r, uint64_t seq, bool queued)
{
    static unsigned char bytes[BYTES];
    for (size_t i = 0; i < BYTES; i++) bytes[i] = content(seq, i);
    store_put(r->store,
              &(struct store_entry){.seq = seq,
                                    .epoch = seq + 1,
                                    .wall_ns = UINT64_MAX - seq, /* more than SQLite's integers hold */
                                    .interval_ns = 10,
                                    .queued = queued,
                                    .replaced = seq % 2,
                                    .bytes = bytes,
                                    .n = BYTES});
}

static void rig_commit(struct rig *r)
{
    uint64_t ticket = store_commit(r->store);
    CHECK(ticket > 0);
    CHECK(store_wait(r->store, ticket, patience));
}

/* Breaks if a successor finds something else than what was written, or in another order. */
UNIT(store, finds_what_was_written)
{
    struct rig r;
    struct ledger_account account = {.taken = 9, .delivered = 5, .queued = 4, .points = 15};
    rig_open(&r);
    CHECK_EQ_U64(store_commit(r.store), 0); /* nothing was gathered */
    rig_put(&r, 3, true);
    rig_put(&r, 2, true);
    rig_put(&r, 1, true);
    store_put_cursor(
        r.store,
        &(struct store_cursor){
            .name = "b", .at = 2, .position = 1, .of = 7, .base = 1, .last_stamp = 1000, .account = account});
    store_put_cursor(r.store,
                     &(struct store_cursor){.name = "gone", .base = STORE_NO_BASE, .account = account});
    rig_commit(&r);
    store_unqueue(r.store, 3);
    store_remove(r.store, 2);
    store_remove_cursor(r.store, "gone");
    rig_commit(&r);
    rig_put(&r, 7, true);
    store_abandon(r.store);
    rig_restart(&r);
    CHECK_EQ_U64(r.found.n, 2);
    CHECK_EQ_U64(r.found.seqs[0], 1);
    CHECK_EQ_U64(r.found.last.seq, 3);
    CHECK_EQ_U64(r.found.last.epoch, 4);
    CHECK_EQ_U64(r.found.last.wall_ns, UINT64_MAX - 3);
    CHECK_EQ_U64(r.found.last.n, BYTES);
    CHECK(!r.found.last.queued);
    CHECK_EQ_U64(r.found.cursors, 1);
    CHECK_STR(r.found.name, "b");
    CHECK_EQ_U64(r.found.cursor.at, 2);
    CHECK_EQ_U64(r.found.cursor.position, 1);
    CHECK_EQ_U64(r.found.cursor.of, 7);
    CHECK_EQ_U64(r.found.cursor.base, 1);
    CHECK_EQ_U64(r.found.cursor.last_stamp, 1000);
    CHECK(!memcmp(&r.found.cursor.account, &account, sizeof account));
    store_clear(r.store);
    rig_commit(&r);
    rig_restart(&r);
    CHECK_EQ_U64(r.found.n + r.found.cursors, 0);
    rig_close(&r);
}

static void run_sql(const struct rig *r, const char *sql)
{
    sqlite3 *db;
    REQUIRE(sqlite3_open(r->path, &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
}

/* Breaks if a number of an account that this version does not know stops it, or a number that became zero
 * stays. */
UNIT(store, accounts_of_other_versions)
{
    struct rig r;
    rig_open(&r);
    store_put_cursor(r.store, &(struct store_cursor){.name = "b", .account = {.taken = 9, .queued = 9}});
    rig_commit(&r);
    store_put_cursor(r.store, &(struct store_cursor){.name = "b", .account = {.taken = 9, .delivered = 9}});
    rig_commit(&r);
    store_close(&r.store, false);
    run_sql(&r, "INSERT INTO accounts VALUES('b', 'dropped.unheard_of', 3), ('b', 'dropped.refused', 2)");
    rig_start(&r);
    CHECK_EQ_U64(r.found.cursor.account.taken, 9);
    CHECK_EQ_U64(r.found.cursor.account.queued, 0);
    CHECK_EQ_U64(r.found.cursor.account.dropped[LEDGER_REFUSED], 2);
    rig_close(&r);
}

/* The file's bytes, as a test can put them back. */
struct image {
    long n;
    char *bytes;
};

/* A file with ENTRIES entries, closed. */
static struct image rig_fill(struct rig *r)
{
    struct image image = {0};
    for (uint64_t seq = 0; seq < ENTRIES; seq++) rig_put(r, seq, true);
    rig_commit(r);
    store_close(&r->store, false);
    FILE *file = fopen(r->path, "r");
    REQUIRE(file && fseek(file, 0, SEEK_END) == 0);
    image.n = ftell(file);
    REQUIRE(image.n > ENTRIES * BYTES && (image.bytes = malloc((size_t)image.n)));
    rewind(file);
    REQUIRE(fread(image.bytes, (size_t)image.n, 1, file) == 1);
    fclose(file);
    return image;
}

/* Writes so many bytes of the image and opens the store. True if the file was set aside. */
static bool rig_find(struct rig *r, const struct image *image, long n)
{
    FILE *file = fopen(r->path, "w");
    REQUIRE(file && (!n || fwrite(image->bytes, (size_t)n, 1, file) == 1) && fclose(file) == 0);
    unlink(r->aside);
    rig_start(r);
    store_close(&r->store, false);
    bool aside = access(r->aside, F_OK) == 0;
    if (aside) CHECK(r->found.damaged > 0);
    return aside;
}

/* Breaks if a file that was cut stops an exporter from starting, is taken for a smaller one that is sound, or
 * if what is still there is not found. */
UNIT(store, cut_anywhere)
{
    struct rig r;
    rig_open(&r);
    struct image image = rig_fill(&r);
    for (long n = image.n - 1; n > 0; n -= 17011)
        if (!rig_find(&r, &image, n) && r.found.n + r.found.damaged < ENTRIES)
            UNIT_FAIL("cut to %ld of %ld bytes, and not set aside\n", n, image.n);
        else if ((long)r.found.n < (n / PAGE - TABLES) * PER_PAGE)
            UNIT_FAIL("cut to %ld of %ld bytes, and only %zu found\n", n, image.n, r.found.n);
    CHECK(!rig_find(&r, &image, 0)); /* an empty file is a new one */
    CHECK_EQ_U64(r.found.n, 0);
    CHECK(!rig_find(&r, &image, image.n));
    CHECK_EQ_U64(r.found.n, ENTRIES);
    free(image.bytes);
    rig_start(&r);
    rig_close(&r);
}

/* All of a page's head, where the tree is, and some of the rest, most of which is bytes of entries. */
static long next_place(long at)
{
    long in_page = at % PAGE;
    return in_page < 32 ? at + 1 : in_page + 1511 < PAGE ? at + 1511 : at - in_page + PAGE;
}

/* Breaks if a wrong byte stops an exporter from starting, is passed on as an entry, or costs more than one. */
UNIT(store, wrong_byte_anywhere)
{
    struct rig r;
    size_t records = 0, files = 0;
    rig_open(&r);
    struct image image = rig_fill(&r);
    for (long at = 0; at < image.n; at = next_place(at)) {
        image.bytes[at] ^= 0x55;
        files += rig_find(&r, &image, image.n);
        records += r.found.damaged;
        if (r.found.n < ENTRIES - 1) UNIT_FAIL("a wrong byte at %ld: %zu are found\n", at, r.found.n);
        image.bytes[at] ^= 0x55;
    }
    CHECK(records > 50);
    CHECK(files > 5);
    free(image.bytes);
    rig_start(&r);
    rig_close(&r);
}

static void put_cursors(struct rig *r)
{
    struct ledger_account account = {.taken = 9, .delivered = 5, .queued = 4};
    store_put_cursor(
        r->store,
        &(struct store_cursor){
            .name = "a", .at = 5, .position = 2, .of = 7, .base = 4, .last_stamp = 500, .account = account});
    store_put_cursor(
        r->store,
        &(struct store_cursor){
            .name = "b", .at = 2, .position = 1, .of = 7, .base = 1, .last_stamp = 1000, .account = account});
}

/* Breaks if more is lost than what a damaged page held: a position is on two pages. */
UNIT(store, wrong_page_anywhere)
{
    struct rig r;
    rig_open(&r);
    put_cursors(&r);
    struct image image = rig_fill(&r);
    for (long at = 0; at < image.n; at += PAGE) {
        char page[PAGE];
        memcpy(page, image.bytes + at, PAGE);
        for (long n = 4096; n <= PAGE; n += PAGE - 4096) {
            memset(image.bytes + at, 0xff, (size_t)n);
            rig_find(&r, &image, image.n);
            if (r.found.n < ENTRIES - PER_PAGE) UNIT_FAIL("page at %ld: %zu are found\n", at, r.found.n);
            if (r.found.cursors != 2 || r.found.cursor.last_stamp != 1000 || r.found.cursor.base != 1)
                UNIT_FAIL("page at %ld: %zu cursors are found\n", at, r.found.cursors);
            rig_start(&r); /* what was saved is not in the new file until it is written */
            CHECK_EQ_U64(r.found.n, 0);
            store_close(&r.store, false);
        }
        memcpy(image.bytes + at, page, PAGE);
    }
    free(image.bytes);
    rig_start(&r);
    rig_close(&r);
}

/* Breaks if a wrong position, which no check of SQLite's sees, is believed. */
UNIT(store, wrong_position)
{
    struct rig r;
    rig_open(&r);
    put_cursors(&r);
    rig_commit(&r);
    store_close(&r.store, false);
    run_sql(&r, "UPDATE cursors SET at = at + 1, base = base + 1");
    rig_start(&r);
    CHECK_EQ_U64(r.found.cursor.at, 2);
    CHECK_EQ_U64(r.found.cursor.base, 1);
    rig_close(&r);
}

static void copy_file(const char *from, const char *to)
{
    char command[256];
    snprintf(command, sizeof command, "cp %s %s", from, to);
    REQUIRE(system(command) == 0);
}

/* Breaks if what is only in the write-ahead log is lost with the file's first page. */
UNIT(store, damaged_before_a_checkpoint)
{
    struct rig r, copy;
    char from[96], to[96];
    rig_open(&r);
    memset(&copy, 0, sizeof copy);
    strcat(strcpy(copy.path, r.path), "-copy");
    for (uint64_t seq = 0; seq < ENTRIES; seq++) rig_put(&r, seq, true);
    put_cursors(&r);
    rig_commit(&r);
    snprintf(from, sizeof from, "%s-wal", r.path);
    snprintf(to, sizeof to, "%s-wal", copy.path);
    copy_file(from, to);
    FILE *file = fopen(copy.path, "w");
    REQUIRE(file && fwrite(to, sizeof to, 1, file) == 1 && fclose(file) == 0);
    rig_start(&copy);
    CHECK_EQ_U64(copy.found.n, ENTRIES);
    CHECK_EQ_U64(copy.found.cursors, 2);
    store_close(&copy.store, true);
    snprintf(to, sizeof to, "rm -f %s*", copy.path);
    CHECK(system(to) == 0);
    rig_close(&r);
}

/* Breaks if an exporter goes on writing to a file that nobody will find. */
UNIT(store, removed_while_in_use)
{
    static const char *const tails[] = {"", "-wal"};
    for (int i = 0; i < 2; i++) {
        struct rig r;
        char name[96];
        rig_open(&r);
        rig_put(&r, 1, true);
        rig_commit(&r);
        snprintf(name, sizeof name, "%s%s", r.path, tails[i]);
        CHECK(unlink(name) == 0);
        rig_put(&r, 2, true);
        CHECK(!store_wait(r.store, store_commit(r.store), patience));
        CHECK(store_broken(r.store));
        store_clear(r.store);
        rig_put(&r, 1, true);
        rig_put(&r, 2, true);
        rig_commit(&r);
        CHECK(!store_broken(r.store));
        rig_restart(&r);
        CHECK_EQ_U64(r.found.n, 2);
        rig_close(&r);
    }
}

/* Breaks if something else than a plain file of this user alone is taken for the log, or for its write-ahead
 * log; with one in the way of the latter, another name serves. */
UNIT(store, planted)
{
    struct rig r;
    char name[96], other[96];
    struct buf why = {0};
    rig_open(&r);
    rig_put(&r, 1, true);
    rig_commit(&r);
    store_close(&r.store, false);
    snprintf(name, sizeof name, "%s-wal", r.path);
    snprintf(other, sizeof other, "%s-other", r.path);
    CHECK(symlink("/dev/null", name) == 0);
    rig_start(&r);
    CHECK_EQ_U64(r.found.n, 1);
    rig_put(&r, 2, true);
    rig_commit(&r);
    rig_restart(&r);
    CHECK_EQ_U64(r.found.n, 2);
    store_close(&r.store, false);
    CHECK(unlink(name) == 0);
    CHECK(link(r.path, other) == 0);
    const struct store_finder finder = {
        .entry = find_entry, .damaged = find_damaged, .cursor = find_cursor, .arg = &r.found};
    CHECK(store_open(r.path, false, &finder, &r.store, &why) == STORE_FAILED);
    CHECK(strstr(buf_text(&why), "has another name") != NULL);
    CHECK(unlink(other) == 0);
    buf_free(&why);
    rig_start(&r);
    rig_close(&r);
}
