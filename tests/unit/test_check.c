/* SPDX-License-Identifier: Apache-2.0 */
/* A damaged segment is described, and read as far as it is whole. */
#include "unit.h"

#include <fcntl.h>

#include "layout.h"
#include "segment.h"

static char found[4096];

static void note(void *arg, uint64_t offset, const char *what)
{
    (void)arg;
    size_t n = strlen(found);
    snprintf(found + n, sizeof found - n, "%llu %s\n", (unsigned long long)offset, what);
}

static int check(void)
{
    metrics_error_t error;
    found[0] = 0;
    return metrics_segment_check(test_path, note, NULL, &error);
}

static void poke(uint64_t offset, const void *bytes, size_t n)
{
    int fd = open(test_path, O_WRONLY);
    if (fd < 0 || pwrite(fd, bytes, n, (off_t)offset) != (ssize_t)n) abort();
    close(fd);
}

static void fill(void)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_counter_inc(metrics_counter(r, "whole"));
    metrics_gauge_set(metrics_gauge(r, "gauge"), 1);
    metrics_timer_update(metrics_timer(r, "victim"), 5);
    metrics_set_add(metrics_set(r, "set"), "a", 1);
}

/* The offset of the record whose key contains that name. */
static uint64_t record_of(const char *name)
{
    static unsigned char image[1 << 20];
    int fd = open(test_path, O_RDONLY);
    ssize_t n = pread(fd, image, sizeof image, 0);
    close(fd);
    char key[64];
    int len = snprintf(key, sizeof key, "S%s", name) + 1;
    unsigned char *at = memmem(image + SEGMENT_ARENA, (size_t)n - SEGMENT_ARENA, key, (size_t)len);
    return at ? (uint64_t)(at - image) - RECORD_KEY : 0;
}

/* Breaks if a whole segment is called damaged. */
UNIT(check, a_whole_segment)
{
    fill();
    CHECK_EQ_I64(check(), 0);
    CHECK_STR(found, "");
}

/* Breaks if a damage is not named at its place, or spoils the series beside it. */
UNIT(check, each_damage_is_named)
{
    static const struct {
        uint64_t field;
        uint64_t value;
        const char *says;
    } damages[] = {
        {offsetof(struct segment_record, kind), 99, "kind"},
        {offsetof(struct segment_record, link), 64, "family"},
        {offsetof(struct segment_record, storage), UINT64_C(0xffffffffff8), "storage"},
        {offsetof(struct segment_record, storage) + 8, UINT64_C(0xfffffffffc0), "storage"},
        {offsetof(struct segment_record, hash), 1, "hash"},
        {offsetof(struct segment_record, length), 7, "no whole record"},
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        fill();
        uint64_t at = record_of("victim");
        REQUIRE(at != 0);
        poke(at + damages[i].field, &damages[i].value,
             damages[i].field == 5   ? 1
             : damages[i].field == 0 ? 4
                                     : 8);
        CHECK(check() > 0);
        CHECK(strstr(found, damages[i].says) != NULL);
        if (!strstr(found, damages[i].says)) fprintf(stderr, "case %zu said: %s", i, found);
        metrics_snapshot_t *s = test_take();
        REQUIRE(s != NULL);
        CHECK_NEAR(test_number(test_find(s, "whole", NULL), NULL, NULL, "count"), 1, 0);
        CHECK_NEAR(test_number(test_find(s, "gauge", NULL), NULL, NULL, "value"), 1, 0);
        metrics_snapshot_release(&s);
    }
}

/* Breaks if random bytes anywhere in a segment crash or hang a reader or the check. */
UNIT(check, random_bytes)
{
    uint64_t seed = 12345;
    for (int round = 0; round < 300; round++) {
        fill();
        for (int i = 0; i < 20; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            uint64_t value = seed >> 13, where = SEGMENT_INDEX0 + (seed >> 33) % 150000;
            if (i < 4) where = 128 + (seed >> 33) % 1100; /* live words of the header */
            poke(where & ~UINT64_C(7), &value, 8);
        }
        check();
        metrics_error_t error;
        metrics_reader_t *reader = metrics_reader_open(test_path, NULL, &error);
        metrics_snapshot_t *s = reader ? metrics_snapshot_take(reader, &error) : NULL;
        for (size_t i = 0; s && i < metrics_snapshot_count(s); i++) {
            metrics_row_t rows[64];
            metrics_reading_rows(metrics_snapshot_reading(s, i), NULL, NULL, rows, 64);
        }
        if (s) metrics_snapshot_release(&s);
        metrics_reader_close(&reader);
    }
    CHECK(true);
}

/* Breaks if a file that ends early is more than an error. */
UNIT(check, truncated)
{
    fill();
    metrics_error_t error;
    metrics_reader_t *reader = metrics_reader_open(test_path, NULL, &error);
    REQUIRE(reader != NULL);
    /* A name of its own for the writer's mapping to survive: only the reader looks at the short file. */
    REQUIRE(truncate(test_path, SEGMENT_ARENA + 100) == 0);
    CHECK(metrics_snapshot_take(reader, &error) == NULL);
    CHECK(strstr(error.text, test_path) != NULL);
    metrics_reader_close(&reader);
    CHECK(metrics_reader_open(test_path, NULL, &error) == NULL);
    CHECK_EQ_I64(error.code, METRICS_E_DAMAGED);
}
