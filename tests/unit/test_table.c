/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a call finds the handle of its words, and no other. */
#include "unit.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "table.h"

enum { LONGEST = 40 };

/* text, at the given distance from an aligned word, with garbage before and behind. */
static const char *place(char *room, size_t distance, const char *text)
{
    memset(room, 'x', LONGEST + 32);
    return strcpy(room + distance, text);
}

static bool same(const struct metrics__words *a, const struct metrics__words *b)
{
    return a->hash == b->hash && a->count == b->count && !memcmp(a->word, b->word, a->count * 8);
}

/* Breaks if where a string lies, or what lies around it, changes what it is. */
UNIT(table, words_depend_on_text_alone)
{
    _Alignas(8) char room[LONGEST + 32];
    char text[LONGEST + 1];
    for (size_t n = 0; n <= LONGEST; n++) {
        for (size_t i = 0; i < n; i++) text[i] = (char)(i % 3 ? 0x80 + i : 1 + i);
        text[n] = 0;
        for (size_t distance = 0; distance < 16; distance++) {
            struct metrics__words w;
            const char *list[] = {place(room, distance, text)};
            REQUIRE(metrics__words(&w, 7, list, 1));
            CHECK_EQ_U64(w.count, 1 + n / 8 + 1);
            CHECK_EQ_U64(w.word[0], 7);
            char padded[LONGEST + 16] = "";
            memcpy(padded, text, n);
            CHECK(!memcmp(w.word + 1, padded, (w.count - 1) * 8));
        }
    }
}

/* Breaks if two different calls could be taken for one another. */
UNIT(table, words_tell_calls_apart)
{
    const char *lists[][3] = {
        {"a", "b", "c"}, {"ab", "", "c"}, {"a", "bc", ""}, {"", "a", "bc"}, {"a", "c", "b"}};
    struct metrics__words w[sizeof lists / sizeof *lists], more;
    enum { N = sizeof lists / sizeof *lists };
    for (size_t i = 0; i < N; i++) REQUIRE(metrics__words(&w[i], 1, lists[i], 3));
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) CHECK_EQ_I64(same(&w[i], &w[j]), i == j);
    REQUIRE(metrics__words(&more, 2, lists[0], 3));
    CHECK(!same(&more, &w[0]));
    REQUIRE(metrics__words(&more, 1, lists[0], 2));
    CHECK(!same(&more, &w[0]));
}

/* Breaks if a string at the end of a page is read beyond it: a crash of the host. */
UNIT(table, words_stay_on_the_page)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *room = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(room != MAP_FAILED);
    REQUIRE(!mprotect(room + page, page, PROT_NONE));
    memset(room, 'x', page - 1);
    for (size_t n = 0; n < LONGEST; n++) {
        struct metrics__words w;
        const char *list[] = {room + page - 1 - n};
        REQUIRE(metrics__words(&w, 1, list, 1));
        CHECK_EQ_U64(w.count, 1 + n / 8 + 1);
    }
    munmap(room, 2 * page);
}

/* Breaks if a call that is too long, or has a NULL, is cut
 * instead of refused; or a damaged key is followed. */
UNIT(table, words_refuse)
{
    static char longest[METRICS__KEY_MAX + 1];
    static struct metrics__words w;
    const char *list[] = {longest, "b"}, *null[] = {"a", NULL};
    memset(longest, 'x', METRICS__KEY_MAX - 8 - 1);
    CHECK(metrics__words(&w, 1, list, 1));
    CHECK(!metrics__words(&w, 1, list, 2));
    longest[METRICS__KEY_MAX - 8 - 1] = 'x';
    CHECK(!metrics__words(&w, 1, list, 1));
    memset(longest, 'x', METRICS__KEY_MAX);
    CHECK(!metrics__words(&w, 1, list, 1));
    CHECK(!metrics__words(&w, 1, null, 2));

    struct metrics__key key = {.length = 4, .bytes = "Sab"};
    CHECK(metrics__words_of_key(&w, 1, &key));
    key.bytes[3] = 'c';
    CHECK(!metrics__words_of_key(&w, 1, &key));
    key.length = 0;
    CHECK(!metrics__words_of_key(&w, 1, &key));
}

/* Breaks if the table loses a handle when it grows, or finds one that was forgotten. */
UNIT(table, learns_and_forgets)
{
    enum { N = 1000 };
    static metrics_registry_t r;
    static struct metrics__words w;
    static int handles[N];
    char name[16];
    const char *list[] = {name};
    for (int i = 0; i < 2 * N; i++) {
        snprintf(name, sizeof name, "name %d", i);
        REQUIRE(metrics__words(&w, 1, list, 1));
        CHECK(metrics__table_find(r.table, &w) == NULL);
        if (i < N) metrics__table_add(&r, &w, &handles[i], NULL);
    }
    for (int i = 0; i < N; i += 2) {
        snprintf(name, sizeof name, "name %d", i);
        REQUIRE(metrics__words(&w, 1, list, 1));
        metrics__table_forget(&r, &w);
    }
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "name %d", i);
        REQUIRE(metrics__words(&w, 1, list, 1));
        CHECK(metrics__table_find(r.table, &w) == (i % 2 ? &handles[i] : NULL));
    }
}

/* Breaks if a handle is forgotten or recalled under some of its names only, or if another one is. */
UNIT(table, a_handle_has_many_names)
{
    enum { NAMES = 20, FORGOTTEN = 3 };
    static metrics_registry_t r;
    static struct metrics__words w[2 * NAMES];
    static int handle, other;
    char name[16];
    const char *list[] = {name};
    for (int i = 0; i < 2 * NAMES; i++) {
        snprintf(name, sizeof name, "name %d", i);
        REQUIRE(metrics__words(&w[i], 1, list, 1));
        metrics__table_add(&r, &w[i], i < NAMES ? &handle : &other,
                           i % NAMES ? &w[i < NAMES ? 0 : NAMES] : NULL);
    }
    CHECK(metrics__table_recall(&r, &w[FORGOTTEN]) == NULL);
    for (int round = 0; round < 3; round++) {
        metrics__table_forget(&r, &w[FORGOTTEN + round]);
        metrics__table_forget(&r, &w[FORGOTTEN]);
        for (int i = 0; i < 2 * NAMES; i++)
            CHECK(metrics__table_find(r.table, &w[i]) == (i < NAMES ? NULL : &other));
        CHECK(metrics__table_recall(&r, &w[round]) == &handle);
        for (int i = 0; i < 2 * NAMES; i++)
            CHECK(metrics__table_find(r.table, &w[i]) == (i < NAMES ? &handle : &other));
    }
}
