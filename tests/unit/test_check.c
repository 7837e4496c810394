/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: each damage of a segment is described, and the undamaged rest is read. */
#include "unit.h"

#include <fcntl.h>
#include <sys/wait.h>

#include <mtx/events.h>

#include "layout.h"
#include "reading.h"
#include "readonly.h"
#include "reservoir.h"
#include "testing.h"

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

/* --- Structures besides the records of series --- */

static void fetch(uint64_t offset, void *bytes, size_t n)
{
    int fd = open(test_path, O_RDONLY);
    if (fd < 0 || pread(fd, bytes, n, (off_t)offset) != (ssize_t)n) abort();
    close(fd);
}

static uint64_t word_at(uint64_t offset)
{
    uint64_t word;
    fetch(offset, &word, sizeof word);
    return word;
}

#define HEAD(FIELD)   offsetof(struct segment_header, FIELD)
#define RECORD(FIELD) offsetof(struct segment_record, FIELD)

/* Series of every kind and way to keep a distribution, and a family with help. */
static void fill_all(void)
{
    static const double bounds[] = {1, 10};
    metrics_registry_t *r = test_open(NULL);
    metrics_family_t f = {.size = sizeof f, .unit = "bytes", .help = "what it is", .samples = 10};
    metrics_describe(r, "few", &f, NULL);
    f = (metrics_family_t){
        .size = sizeof f, .reservoir = METRICS_BUCKETS, .bounds = bounds, .bound_count = 2};
    metrics_describe(r, "b", &f, NULL);
    f = (metrics_family_t){.size = sizeof f, .reservoir = METRICS_BUCKETS_EXPONENTIAL, .scale = 4};
    metrics_describe(r, "e", &f, NULL);
    f = (metrics_family_t){.size = sizeof f, .reservoir = METRICS_RESERVOIR_SLIDING, .samples = 9};
    metrics_describe(r, "w", &f, NULL);
    f = (metrics_family_t){.size = sizeof f, .reservoir = METRICS_RESERVOIR_SLIDING_TIME, .samples = 100};
    metrics_describe(r, "wt", &f, NULL);
    for (int i = 0; i < 500; i++) {
        metrics_histogram_update(metrics_histogram(r, "few"), i);
        metrics_histogram_update(metrics_histogram(r, "b"), i);
        metrics_histogram_update(metrics_histogram(r, "w"), i);
        metrics_histogram_update(metrics_histogram(r, "wt"), i);
        metrics_timer_update(metrics_timer(r, "e"), (uint64_t)i);
    }
    for (int i = 0; i < 20; i++) {
        char text[16];
        snprintf(text, sizeof text, "g%d", i);
        metrics_gauge_set(metrics_gauge(r, text), i);
    }
    metrics_meter_mark(metrics_meter(r, "m"), 3);
    metrics_updown_dec(metrics_updown(r, "u"));
    metrics_set_add(metrics_set(r, "set"), "a", 1);
    metrics_info(r, "i", "a", "b");
    metrics_counter_inc(metrics_counter(r, "c", "k1", "v", "k2", "w"));
    metrics_counter_inc(metrics_counter(r, "abcdefghijk"));
}

/* Poke a word, expect this damage at that offset, and put the word back. */
static void expect(uint64_t where, uint64_t value, uint64_t told_at, const char *says)
{
    char want[96];
    uint64_t before = word_at(where);
    snprintf(want, sizeof want, "%llu ", (unsigned long long)told_at);
    poke(where, &value, 8);
    int n = check();
    char *line = strstr(found, says);
    while (line && line > found && line[-1] != '\n') line--;
    if (n <= 0 || !line || strncmp(line, want, strlen(want)))
        UNIT_FAIL("%s:%d: word %llu: expected \"%s... %s\", got %d: %s\n", UNIT_AT, (unsigned long long)where,
                  want, says, n, found);
    poke(where, &before, 8);
}

/* Breaks if some kind of series, as it should be, is called damaged. */
UNIT(check, every_kind_is_whole)
{
    fill_all();
    CHECK_EQ_I64(check(), 0);
    CHECK_STR(found, "");
}

/* Breaks if a word of the header that leads astray is not named. */
UNIT(check, header_words)
{
    fill_all();
    uint64_t size = word_at(HEAD(size)), next = word_at(HEAD(arena_next));
    expect(HEAD(arena_next), size + 64, HEAD(arena_next), "the arena ends");
    expect(HEAD(arena_next), next + 1, HEAD(arena_next), "the arena ends");
    expect(HEAD(populated), next - 4096, HEAD(populated), "the memory ends");
    expect(HEAD(level), 4096, HEAD(level), "index level 0");
    expect(HEAD(level) + 8, next - 64, HEAD(level) + 8, "index level 1");
    expect(HEAD(cell_cursor), next >> 6 << 20 | 1, HEAD(cell_cursor), "points outside");
    expect(HEAD(cell_cursor) + 8, word_at(HEAD(cell_cursor) + 8) | 0xfffff, HEAD(cell_cursor) + 8,
           "used cells of a block");
    expect(HEAD(group_cursor), size, HEAD(group_cursor), "is outside the arena");
    expect(HEAD(group_cursor), word_at(HEAD(group_cursor)) | 63, HEAD(group_cursor),
           "used gauges of a group");
    expect(HEAD(slot_block), size, HEAD(slot_block), "slot block 0");
    expect(HEAD(epoch), 99, HEAD(epoch), "interval 99");
    CHECK_EQ_I64(check(), 0); /* all was put back */
}

/* Breaks if gauge groups that loop or lead astray are not named, or hang the check. */
UNIT(check, gauge_groups)
{
    fill_all();
    uint64_t group = layout_gauge_group(word_at(HEAD(group_cursor)));
    uint64_t older = group + offsetof(struct segment_group, older),
             block = group + offsetof(struct segment_group, block);
    expect(older, group, older, "loops");
    expect(older, group - 1, older, "is outside the arena");
    expect(older, 64, older, "is outside the arena");
    expect(block, word_at(HEAD(size)) - 64, block, "values of slot block 0");
    expect(block, word_at(block) + 8, block, "values of slot block 0");
}

/* Breaks if an entry that leads astray, is at the wrong place, or follows a gap is not named. */
UNIT(check, index_entries)
{
    fill_all();
    uint64_t at = 0, empty = 0;
    for (uint64_t i = SEGMENT_INDEX0; i < SEGMENT_ARENA; i += 64) {
        if (word_at(i) && !at) at = i;
        if (!word_at(i)) empty = i;
    }
    REQUIRE(at && empty && !word_at(at + 56));
    uint64_t entry = word_at(at), tag = entry >> 48 << 48, record = entry - tag;
    expect(at + 56, entry, at + 56, "gap");
    expect(empty, entry, empty, "is in line");
    expect(at, entry ^ UINT64_C(1) << 50, record, "hash");
    expect(at, tag | word_at(HEAD(arena_next)), at, "no whole record");
    expect(at, tag | (record + 8), at, "no whole record");
    expect(at, tag | 64, at, "no whole record");
}

/* Breaks if damaged settings, help or overflow of a family are not named. */
UNIT(check, families)
{
    fill_all();
    uint64_t series = record_of("few"), family = word_at(series + RECORD(link));
    uint32_t payload;
    fetch(family + RECORD(payload), &payload, 4);
    uint64_t f = family + payload, settings = f + offsetof(struct metrics__family_record, settings);
    uint64_t text = f + offsetof(struct metrics__family_record, text);
    uint64_t overflow = f + offsetof(struct metrics__family_record, overflow);
    expect(f, word_at(f) - KIND_histogram + 99, f, "kind 99, which");
    expect(f, word_at(f) - KIND_histogram + KIND_timer, series + RECORD(kind), "but its family of kind 6");
    expect(text, series, text, "unit and help");
    expect(text, 64, text, "unit and help");
    expect(overflow, family, overflow, "overflow series");
    expect(settings, 0xff0000, settings, "are invalid");
    uint64_t bounds = settings + 40; /* bound_count, series_limit */
    expect(bounds, 100000, family + RECORD(payload), "are not whole");
}

/* Breaks if a malformed key passes because its hash is right. */
UNIT(check, malformed_key)
{
    fill_all();
    uint64_t at = record_of("abcdefghijk"); /* a key of 13 bytes */
    REQUIRE(at != 0);
    static const char *const wrong[] = {"Sc\0k2\0v\0k1\0w", "Sc\0k1\0v\0kx2w", "Fc\0k1\0v\0k2\0w",
                                        "Sc\0k1\0v\0\0k\0w"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint64_t hash = view_hash(wrong[i], 13);
        poke(at + RECORD_KEY, wrong[i], 13);
        poke(at + RECORD(hash), &hash, 8);
        /* Where the key belongs: the line is found by the hash. */
        uint64_t line = SEGMENT_INDEX0 + hash % (SEGMENT_INDEX0_ENTRIES / 8) * 64;
        while (word_at(line)) line += 8;
        expect(line, hash >> 48 << 48 | at, at + RECORD_KEY, "malformed");
    }
}

/* Breaks if storage that is not aligned, or a sample or a rate that is not a number, is not named. */
UNIT(check, storage)
{
    fill_all();
    static const char *const aligned[] = {"set", "e", "g3"};
    for (int i = 0; i < 3; i++) {
        uint64_t storage = record_of(aligned[i]) + RECORD(storage);
        expect(storage, word_at(storage) + 32, storage, "not aligned");
    }
    uint64_t nan = 0x7ff8000000000000, m = record_of("m"), few = record_of("few");
    uint64_t rates = word_at(m + RECORD(storage) + 8), block = word_at(few + RECORD(storage) + 8);
    REQUIRE(rates && block);
    expect(rates + 16, nan, rates, "a rate");
    expect(rates + 64 + 16, UINT64_C(1) << 63 | 1, rates, "a rate");
    metrics__reservoir_params_t p = {.kind = METRICS_RESERVOIR_DECAYING, .slots = 10, .alpha = 0.015};
    uint64_t slots = block + metrics__reservoir_size(&p) - 192; /* 10 of 16 bytes, rounded up to 64 */
    for (uint64_t i = 0; i < 10; i++) {
        expect(slots + i * 16 + 8, nan, slots + i * 16, "sample's value");
        expect(slots + i * 16, UINT64_C(0x7fc00000) << 32 | 1, slots + i * 16, "sample's noise");
    }
}

/* Breaks if a gauge that nobody has set yet, in a segment where no other was set, is called damaged. */
UNIT(check, gauge_without_value)
{
    metrics_gauge(test_open(NULL), "depth");
    CHECK_EQ_I64(check(), 0);
}

/* Breaks if a segment that is being filled is called damaged. */
UNIT(check, while_written)
{
    metrics_options_t o = {.size = sizeof o, .segment_bytes = 64 << 20, .family_series = 1000000};
    metrics_registry_t *r = test_open(&o);
    pid_t writer = fork();
    for (int i = 0; writer == 0 && i < 20000; i++) {
        char text[24];
        snprintf(text, sizeof text, "name%d", i);
        if (i % 3 == 0) metrics_gauge_set(metrics_gauge(r, text), 1);
        if (i % 3 == 1) metrics_meter_mark(metrics_meter(r, text), 1);
        if (i % 3 == 2) metrics_counter_inc(metrics_counter(r, "tagged", "k", text));
    }
    if (writer == 0) _exit(0);
    int checks = 0;
    for (; waitpid(writer, NULL, WNOHANG) == 0; checks++) {
        int n = check();
        if (n) UNIT_FAIL("%s:%d: expected no damage, got %d: %s\n", UNIT_AT, n, found);
    }
    CHECK_EQ_I64(check(), 0);
    CHECK(checks > 0);
}

/* Breaks if damage of the rings of events is not named, or whole ones are called damaged. */
UNIT(check, rings_of_events)
{
    static const struct {
        uint64_t place; /* in the block of the rings */
        uint64_t value;
        const char *says;
    } damages[] = {
        {offsetof(struct segment_events, ring_bytes), 5000, "sizes"},
        {offsetof(struct segment_events, cells), 100000, "sizes"},
        {sizeof(struct segment_events) + offsetof(struct segment_ring, tail), 1 << 20, "reaches from"},
        {sizeof(struct segment_events) + sizeof(struct segment_ring), 17, "length"},
    };
    metrics_registry_t *r = test_open(&(metrics_options_t){.size = sizeof(metrics_options_t), .lanes = 1});
    metrics_points_t *points = metrics_points(r, "depth", "k", "v");
    for (int i = 0; i < 10; i++) metrics_point(points, i);
    CHECK_EQ_I64(check(), 0);
    CHECK_STR(found, "");
    struct segment_header head;
    view_t v;
    REQUIRE(!view_open(&v, test_path, false, false, &(metrics_error_t){0}) && !view_head(&v, &head) &&
            head.events);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        uint64_t was;
        REQUIRE(!view_read(&v, head.events + damages[i].place, &was, sizeof was));
        poke(head.events + damages[i].place, &damages[i].value, sizeof was);
        /* A ring without a record, as this CPU is another, has no length to be wrong. */
        if (check() < 1 && (was || i < 3)) UNIT_FAIL("%s:%d: %s is not found\n", UNIT_AT, damages[i].says);
        if (found[0] && !strstr(found, damages[i].says)) UNIT_FAIL("%s:%d: %s\n", UNIT_AT, found);
        poke(head.events + damages[i].place, &was, sizeof was);
    }
    CHECK_EQ_I64(check(), 0);
    poke(offsetof(struct segment_header, events), &(uint64_t){SEGMENT_ARENA + 64}, 8);
    CHECK(check() > 0);
    poke(offsetof(struct segment_header, events), &(uint64_t){UINT64_C(1) << 50}, 8);
    CHECK(check() > 0);
    CHECK(strstr(found, "outside"));
    view_close(&v);
}
