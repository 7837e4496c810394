/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: each damage of a segment is reported at its place and costs only the series that it hits. Damages
 * a valid segment in every way that has a name, one at a time.
 *
 *     test_damage                 try them all: the check names each at its place, and a snapshot still has
 *                                 every series but the one that was hit
 *     test_damage make FILE       makes the valid segment, with series of every kind
 *     test_damage list FILE       one line per damage: number, offset, last offset, victims, what it is
 *     test_damage apply FILE N    do it, for scripts
 *
 * The check must find the damage between the offsets. One of the victims, which are series, may be lost; "-"
 * = none, "refused" = nothing can be read, "sound" = it is not a damage, "level1" = what only index level 1
 * leads to.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mtx/metrics.h>
#include <mtx/snapshot.h>

#include "format.h"

static unsigned char *file;
static uint64_t size;

/* --- The sound one --- */

static void describe(metrics_registry_t *r, const char *name, metrics_family_t f)
{
    f.size = sizeof f;
    f.help = "What it is.";
    f.samples = 8;
    if (metrics_describe(r, name, &f, NULL)) exit(1);
}

static void fill(metrics_registry_t *r)
{
    static const double bounds[] = {1, 10, 100};
    describe(r, "decaying", (metrics_family_t){.unit = "bytes"});
    describe(r, "buckets",
             (metrics_family_t){.reservoir = METRICS_BUCKETS, .bounds = bounds, .bound_count = 3});
    describe(r, "exponential", (metrics_family_t){.reservoir = METRICS_BUCKETS_EXPONENTIAL, .scale = 2});
    for (int i = 1; i <= 20; i++) {
        metrics_histogram_update(metrics_histogram(r, "decaying"), i);
        metrics_histogram_update(metrics_histogram(r, "buckets"), i);
        metrics_histogram_update(metrics_histogram(r, "exponential"), i);
        metrics_timer_update(metrics_timer(r, "timer"), (uint64_t)i * 1000);
        metrics_set_add(metrics_set(r, "set"), &i, sizeof i);
    }
    metrics_meter_mark(metrics_meter(r, "meter"), 3);
    metrics_gauge_set(metrics_gauge(r, "gauge"), 1.5);
    metrics_gauge_set(metrics_gauge(r, "other"), 2.5);
    metrics_updown_dec(metrics_updown(r, "updown"));
    metrics_info(r, "info", "version", "1");
    metrics_counter_inc(metrics_counter(r, "tagged", "key", "value"));
    for (int i = 0; i < 1500; i++) { /* a second level of the index */
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        metrics_counter_inc(metrics_counter(r, name));
    }
}

/* An ownerless gauge, so that nobody has to stay alive for its value. */
static int make(const char *path)
{
    metrics_error_t error;
    unlink(path);
    metrics_registry_t *r = metrics_open(
        &(metrics_options_t){
            .size = sizeof(metrics_options_t), .path = path, .segment_bytes = 2 << 20, .lanes = 2},
        &error);
    describe(r, "gauge", (metrics_family_t){.persistent = 1});
    describe(r, "other", (metrics_family_t){.persistent = 1});
    fill(r);
    if (metrics_status(r, &error)) fprintf(stderr, "%s\n", error.text);
    return metrics_status(r, NULL) != 0;
}

/* --- The damages --- */

static int wanted = -1, number; /* which to apply; -1 = list them all */

static void try_it(uint64_t where, unsigned bytes, uint64_t value, uint64_t told, uint64_t told_last,
                   const char *victims, const char *what);
static int trying;

static void damage(uint64_t where, unsigned bytes, uint64_t value, uint64_t told, uint64_t told_last,
                   const char *victims, const char *what)
{
    if (trying) {
        try_it(where, bytes, value, told, told_last, victims, what);
    } else if (wanted < 0) {
        printf("%d %" PRIu64 " %" PRIu64 " %s\t%s\n", number, told, told_last, victims, what);
    } else if (wanted == number) {
        memcpy(file + where, &value, bytes);
        exit(0); /* the rest would stumble over it */
    }
    number++;
}

/* One word, reported at its own place. */
static void word(uint64_t where, unsigned bytes, uint64_t value, const char *victim, const char *what)
{
    damage(where, bytes, value, where, where, victim, what);
}

static uint64_t get(uint64_t at, unsigned bytes)
{
    uint64_t v = 0;
    memcpy(&v, file + at, bytes);
    return v;
}

#define HEAD(FIELD)   offsetof(struct segment_header, FIELD)
#define RECORD(FIELD) offsetof(struct segment_record, FIELD)
#define FAMILY(FIELD) offsetof(struct metrics__family_record, FIELD)
#define ENTRY_OFFSET  UINT64_C(0xffffffffffff)

/* The record of the series with that name and no tags, and its index entry. */
static uint64_t record_of(const char *name, uint64_t *entry_at)
{
    for (int level = 0; level < SEGMENT_INDEX_LEVELS; level++) {
        uint64_t from = get(HEAD(level) + (uint64_t)level * 8, 8);
        for (uint64_t i = 0; from && i < layout_level_entries((unsigned)level); i++) {
            uint64_t offset = get(from + i * 8, 8) & ENTRY_OFFSET;
            const char *key = (const char *)file + offset + RECORD_KEY;
            if (!offset || key[0] != 'S' || strcmp(key + 1, name)) continue;
            if (entry_at) *entry_at = from + i * 8;
            return offset;
        }
    }
    fprintf(stderr, "there is no %s\n", name);
    exit(1);
}

static void header(void)
{
    uint64_t level1 = get(HEAD(level) + 8, 8), group = get(HEAD(group_cursor), 8);
    word(HEAD(arena_next), 8, size + 64, "-", "the arena ends beyond the file");
    word(HEAD(arena_next), 8, UINT64_MAX, "-", "the arena ends nowhere");
    word(HEAD(arena_next), 8, get(HEAD(arena_next), 8) + 8, "-", "the arena's end is not aligned");
    word(HEAD(populated), 8, 4096, "-", "memory ends before the arena");
    word(HEAD(populated), 8, size * 2, "-", "memory ends beyond the file");
    word(HEAD(level), 8, 4096, "-", "index level 0 elsewhere");
    damage(HEAD(level) + 8, 8, size - 64, HEAD(level) + 8, HEAD(level) + 8, "level1",
           "index level 1 outside");
    damage(HEAD(level) + 8, 8, level1 + 4, HEAD(level) + 8, HEAD(level) + 8, "level1",
           "index level 1 at an odd place");
    for (unsigned i = 0; i < 2; i++) {
        word(HEAD(cell_cursor) + i * 8, 8, (size >> 6) << 20 | 1, "-", "cells are taken outside");
        word(HEAD(cell_cursor) + i * 8, 8, get(HEAD(cell_cursor) + i * 8, 8) | 0xfffff, "-",
             "too many cells used");
    }
    word(HEAD(group_cursor), 8, size, "-", "gauge groups begin outside");
    word(HEAD(group_cursor), 8, group | 63, "-", "too many gauges in a group");
    word(HEAD(epoch), 8, 0, "-", "no interval is open");
    word(HEAD(epoch), 8, 1000, "-", "an interval of the future is open");
    damage(HEAD(logged), 8, 1000, HEAD(epoch), HEAD(epoch), "-", "an interval of the future was logged");
    word(HEAD(exported), 8, 7, "-", "a flag that is neither 0 nor 1");
    word(HEAD(slot_block), 8, size - 64, "-", "slots outside");
    word(HEAD(slot_block) + 8 * 63, 8, 12345, "-", "the last block of slots at an odd place");
    damage(SEGMENT_REFUSALS + 4, 1, 0, 0, 0, "sound", "an empty refusal says nothing");
    word(SEGMENT_REFUSALS + 128, 8, 9, "-", "a refusal at another's place");
}

static void record(const char *name)
{
    uint64_t entry_at, at = record_of(name, &entry_at), hash = get(at + RECORD(hash), 8);
    char text[96];
#define OF(WHAT) (snprintf(text, sizeof text, "%s: " WHAT, name), text)
    word(at + RECORD(length), 4, 7, name, OF("too short a record"));
    word(at + RECORD(length), 4, UINT32_MAX, name, OF("too long a record"));
    word(at + RECORD(type), 1, 77, name, OF("an unknown type"));
    word(at + RECORD(type), 1, RECORD_FAMILY, name, OF("a family's type"));
    word(at + RECORD(kind), 1, 0, name, OF("no kind"));
    word(at + RECORD(kind), 1, 99, name, OF("an unknown kind"));
    word(at + RECORD(flags), 2, 0x8000, name, OF("an unknown flag"));
    damage(at + RECORD(hash), 8, hash ^ 1, at, at + RECORD(hash), name, OF("another hash, alike at the top"));
    damage(at + RECORD(hash), 8, ~hash, at, at + RECORD(hash), name, OF("another hash"));
    word(at + RECORD(link), 8, 0, name, OF("no family"));
    word(at + RECORD(link), 8, at, name, OF("its own family"));
    word(at + RECORD(link), 8, size - 64, name, OF("a family outside"));
    damage(at + RECORD(key_length), 4, UINT32_MAX, at, at + RECORD(key_length), name, OF("too long a key"));
    damage(at + RECORD(key_length), 4, 1, at, at + RECORD(key_length), name, OF("too short a key"));
    word(at + RECORD(payload), 4, 3, name, OF("a payload at an odd place"));
    word(at + RECORD(payload_length), 4, UINT32_MAX, name, OF("too long a payload"));
    damage(at + RECORD_KEY, 1, 'X', at, at + RECORD_KEY, name, OF("another letter"));
    damage(at + RECORD_KEY + 1, 1, 0xff, at, at + RECORD_KEY, name, OF("a name that is not UTF-8"));
    word(entry_at, 8, (hash >> 48) << 48 | (size - 64), name, OF("an entry that leads outside"));
    word(entry_at, 8, (hash >> 48) << 48 | (at + 8), name, OF("an entry that leads to an odd place"));
    word(entry_at, 8, (hash >> 48) << 48 | 64, name, OF("an entry that leads to the header"));
    damage(entry_at + 6, 2, ~(hash >> 48), at, at, name, OF("an entry with another hash"));
}

/* Storage that lies elsewhere, or where something else lies. */
static void storage(const char *name, unsigned i, const char *whose, unsigned whose_i)
{
    uint64_t at = record_of(name, NULL) + RECORD(storage) + i * 8,
             other = record_of(whose, NULL) + RECORD(storage) + whose_i * 8;
    uint64_t low = at < other ? at : other, high = at < other ? other : at;
    char text[96];
    word(at, 8, size - 8, name, OF("storage outside"));
    word(at, 8, UINT64_MAX, name, OF("storage nowhere"));
    word(at, 8, 4096, name, OF("storage in the header"));
    word(at, 8, get(at, 8) + 4, name, OF("storage at an odd place"));
    damage(at, 8, get(other, 8), low, high, name, OF("another's storage"));
    damage(at, 8, record_of(whose, NULL) & ~UINT64_C(63), 0, UINT64_MAX, name, OF("storage in a record"));
}

static void setting(const char *name, uint64_t at, unsigned bytes, uint64_t value, uint64_t told,
                    const char *what)
{
    char text[96];
    snprintf(text, sizeof text, "%s: %s", name, what);
    damage(at, bytes, value, told, told, name, text);
}

static void family(const char *name, uint64_t kind)
{
    uint64_t series = record_of(name, NULL), at = get(series + RECORD(link), 8);
    uint64_t f = at + get(at + RECORD(payload), 4), s = f + FAMILY(settings);
    setting(name, f + FAMILY(kind), 4, 99, f, "a family of an unknown kind");
    setting(name, f + FAMILY(kind), 4, kind == KIND_set ? KIND_info : KIND_set, series + RECORD(kind),
            "a family of another kind");
    setting(name, f + FAMILY(overflow), 8, at, f + FAMILY(overflow), "a family as overflow series");
    setting(name, f + FAMILY(text), 8, size - 64, f + FAMILY(text), "a help text outside");
    setting(name, f + FAMILY(text), 8, series, f + FAMILY(text), "a series as help text");
    setting(name, s, 1, 200, s, "an unknown merge mode");
    setting(name, s + offsetof(struct metrics__settings, bound_count), 4, 100000, at + RECORD(payload),
            "more bounds than fit");
    setting(name, at + RECORD(type), 1, RECORD_TEXT, series + RECORD(link), "a family of another type");
}

static void distributions(void)
{
    uint64_t at = record_of("decaying", NULL), link = get(at + RECORD(link), 8);
    uint64_t s = link + get(link + RECORD(payload), 4) + FAMILY(settings);
    double nan = NAN;
    uint64_t nan_bits, cells = get(at + RECORD(storage), 8);
    memcpy(&nan_bits, &nan, 8);
    setting("decaying", s + offsetof(struct metrics__settings, reservoir), 1, 77, s, "an unknown reservoir");
    setting("decaying", s + offsetof(struct metrics__settings, samples), 4, 0, s, "no samples");
    setting("decaying", s + offsetof(struct metrics__settings, samples), 4, UINT32_MAX, s,
            "too many samples");
    setting("decaying", s + offsetof(struct metrics__settings, alpha), 8, nan_bits, s,
            "a decay that is not a number");
    word(cells + DIST_SUM * 8, 8, nan_bits, "decaying", "a sum that is not a number");
    word(cells + layout_stride(8) + DIST_SQUARES * 8, 8, nan_bits, "decaying",
         "a sum of squares that is not a number");
    cells =
        get(record_of("buckets", NULL) + RECORD(storage), 8) + (DIST_BUCKET_SUM + DIST_BUCKET_SUMS - 1) * 8;
    word(cells, 8, nan_bits, "buckets", "a part of a sum that is not a number");
    at = record_of("buckets", NULL);
    link = get(at + RECORD(link), 8);
    uint64_t bounds = link + get(link + RECORD(payload), 4) + FAMILY(bounds);
    setting("buckets", bounds, 8, nan_bits, bounds, "a bound that is not a number");
    setting("buckets", bounds + 8, 8, get(bounds, 8), bounds, "bounds that do not ascend");
    link = get(record_of("exponential", NULL) + RECORD(link), 8);
    s = link + get(link + RECORD(payload), 4) + FAMILY(settings);
    setting("exponential", s + offsetof(struct metrics__settings, scale), 1, 100, s, "too fine a scale");
    setting("exponential", s + offsetof(struct metrics__settings, high), 8, nan_bits, s,
            "a range that is none");
    uint64_t rates = get(record_of("meter", NULL) + RECORD(storage) + 8, 8);
    word(rates, 0, 0, "sound", "nothing");
    damage(rates + 16, 8, nan_bits, rates, rates + 128, "meter", "a rate that is not a number");
}

static void groups(void)
{
    uint64_t group = layout_gauge_group(get(HEAD(group_cursor), 8));
    uint64_t block = group + offsetof(struct segment_group, block),
             older = group + offsetof(struct segment_group, older);
    word(block, 8, size - 64, "gauge other", "values of gauges outside");
    word(block, 8, get(block, 8) + 8, "gauge other", "values of gauges at an odd place");
    word(block + 8 * 63, 8, 12345, "-", "values of the last slots at an odd place");
    word(older, 8, group, "-", "a list of groups that loops");
    word(older, 8, group + 640, "-", "a list of groups that leads upwards");
    word(older, 8, 77, "-", "a list of groups that leads out");
}

/* Lines of the index: a gap, an entry too many, an entry in the wrong line. */
static void lines(void)
{
    uint64_t entry_at;
    record_of("c1499", &entry_at);
    uint64_t line = entry_at & ~UINT64_C(63), entry = get(entry_at, 8),
             other = line == SEGMENT_INDEX0 ? line + 64 : line - 64;
    unsigned free_place = 0, other_place = 0;
    while (free_place < 8 && get(line + free_place * 8, 8)) free_place++;
    while (other_place < 8 && get(other + other_place * 8, 8)) other_place++;
    if (free_place < 8) word(line + free_place * 8, 8, entry, "-", "an entry twice in its line");
    if (free_place < 7) damage(line + 56, 8, entry, line + 56, line + 56, "-", "an entry behind a gap");
    if (other_place < 8) word(other + other_place * 8, 8, entry, "-", "an entry in another line");
}

static void constants(void)
{
    static const struct {
        unsigned at, bytes;
        const char *what;
    } fields[] = {
        {HEAD(magic), 8, "magic"},
        {HEAD(major), 2, "major"},
        {HEAD(minor), 2, "minor"},
        {HEAD(byte_order), 4, "byte order"},
        {HEAD(header_size), 4, "size of the header"},
        {HEAD(page_size), 4, "page size"},
        {HEAD(size), 8, "size of the file"},
        {HEAD(incarnation), 8, "incarnation"},
        {HEAD(created_wall), 8, "time"},
        {HEAD(created_monotonic), 8, "time, monotonic"},
        {HEAD(boot_id), 8, "boot"},
        {HEAD(lanes_cpu), 4, "lanes"},
        {HEAD(lanes_atomic), 4, "atomic lanes"},
        {HEAD(slots), 4, "slots"},
        {HEAD(family_series), 4, "limit"},
        {HEAD(features), 8, "features"},
        {HEAD(checksum), 8, "checksum"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        word(fields[i].at, fields[i].bytes, get(fields[i].at, fields[i].bytes) ^ 0x55, "refused",
             fields[i].what);
}

static void everything(void)
{
    static const char *const victims[] = {"decaying", "buckets", "exponential", "timer", "set",
                                          "meter",    "gauge",   "updown",      "c7"};
    constants();
    header();
    for (size_t i = 0; i < sizeof victims / sizeof *victims; i++) record(victims[i]);
    storage("decaying", 0, "timer", 0);
    storage("decaying", 1, "set", 0);
    storage("buckets", 0, "exponential", 0);
    storage("timer", 1, "meter", 1);
    storage("set", 0, "buckets", 0);
    storage("meter", 1, "set", 0);
    storage("gauge", 0, "other", 0);
    storage("updown", 0, "c7", 0);
    family("decaying", KIND_histogram);
    family("buckets", KIND_histogram);
    family("gauge", KIND_gauge);
    distributions();
    groups();
    lines();
}

/* --- Trying them --- */

enum { NAMES = 4096 };
static char path[64];
static char *names[NAMES]; /* of the sound segment, in the order of snapshots */
static char beyond[NAMES]; /* which of them only index level 1 leads to */
static size_t name_count;
static int passed, failed;

struct heard {
    uint64_t from, to;
    int count, right;
    char text[400];
};

static void hear(void *arg, uint64_t offset, const char *what)
{
    struct heard *h = arg;
    size_t n = strlen(h->text);
    h->count++;
    h->right |= offset >= h->from && offset <= h->to;
    snprintf(h->text + n, sizeof h->text - n, "  %" PRIu64 " %s\n", offset, what);
}

static void verdict(int good, const char *what, const char *problem, const char *more)
{
    passed += good;
    failed += !good;
    if (!good) printf("FAIL %d (%s): %s\n%s\n", number, what, problem, more);
}

static int may_be_lost(const char *victims, size_t i)
{
    const char *name = names[i];
    size_t n = strlen(name);
    if (!strcmp(victims, "level1")) return beyond[i];
    for (const char *at = victims; (at = strstr(at, name)); at += n)
        if ((at == victims || at[-1] == ' ') && (!at[n] || at[n] == ' ')) return 1;
    return 0;
}

/* True if each name of the valid segment is there, except victims. */
static void look_for_all(const char *victims, const char *what)
{
    metrics_error_t error = {0};
    char lost[200] = "";
    metrics_reader_t *r = metrics_reader_open(path, NULL, &error);
    metrics_snapshot_t *s = r ? metrics_snapshot_take(r, &error) : NULL;
    size_t n = s ? metrics_snapshot_count(s) : 0, at = 0;
    for (size_t i = 0; i < name_count; i++) {
        while (at < n && strcmp(metrics_reading_name(metrics_snapshot_reading(s, at)), names[i]) < 0) at++;
        if (at < n && !strcmp(metrics_reading_name(metrics_snapshot_reading(s, at)), names[i])) continue;
        if (strlen(lost) < 150 && !may_be_lost(victims, i)) strcat(strcat(lost, " "), names[i]);
    }
    verdict(!lost[0], what, s ? "more is lost than was hit" : error.text, lost);
    metrics_snapshot_release(&s);
    metrics_reader_close(&r);
}

static void try_it(uint64_t where, unsigned bytes, uint64_t value, uint64_t told, uint64_t told_last,
                   const char *victims, const char *what)
{
    unsigned char before[8];
    struct heard h = {.from = told, .to = told_last};
    metrics_error_t error = {0};
    memcpy(before, file + where, bytes);
    memcpy(file + where, &value, bytes);
    int n = metrics_segment_check(path, hear, &h, &error);
    if (!strcmp(victims, "refused")) {
        verdict(n == -1 && strstr(error.text, path), what, "it is not refused by name", error.text);
    } else if (!strcmp(victims, "sound")) {
        verdict(n == 0, what, "a sound segment is called damaged", h.text);
    } else {
        verdict(n > 0 && h.count == n && h.right, what, "not named at its place", h.text);
        if (n > 0 && !h.right) printf("  wanted %" PRIu64 " to %" PRIu64 "\n", told, told_last);
    }
    if (strcmp(victims, "refused")) look_for_all(victims, what);
    memcpy(file + where, before, bytes);
}

static int map_file(const char *name)
{
    struct stat st;
    int fd = open(name, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st)) return -1;
    size = (uint64_t)st.st_size;
    file = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return file == MAP_FAILED ? -1 : 0;
}

static void note_names(void)
{
    metrics_error_t error = {0};
    metrics_reader_t *r = metrics_reader_open(path, NULL, &error);
    metrics_snapshot_t *s = r ? metrics_snapshot_take(r, &error) : NULL;
    for (size_t i = 0; s && i < metrics_snapshot_count(s) && i < NAMES; i++) {
        uint64_t at = 0;
        names[i] = strdup(metrics_reading_name(metrics_snapshot_reading(s, i)));
        record_of(names[i], &at);
        beyond[i] = at >= SEGMENT_ARENA;
        name_count++;
    }
    metrics_snapshot_release(&s);
    metrics_reader_close(&r);
}

/* Breaks if a damage of a segment is not noticed, is reported
 * at another place, or costs more than what it hit. */
static int try_all(void)
{
    snprintf(path, sizeof path, "/dev/shm/mtx-damage-%d.seg", (int)getpid());
    if (make(path) || map_file(path)) return 2;
    note_names();
    if (name_count < 1500) return 2;
    trying = 1;
    everything();
    unlink(path);
    for (size_t i = 0; i < name_count; i++) free(names[i]);
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}

int main(int argc, char **argv)
{
    if (argc == 1) return try_all();
    if (argc == 3 && !strcmp(argv[1], "make")) return make(argv[2]);
    if (argc < 3 || map_file(argv[2])) return 2;
    if (argc == 4 && !strcmp(argv[1], "apply")) wanted = atoi(argv[3]);
    everything();
    return wanted >= 0;
}
