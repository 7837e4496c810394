/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the index has each key once, however many processes insert however many keys. */
#include "unit.h"

#include <pthread.h>
#include <sys/wait.h>

#include "process.h"

#include "../raw.h"

static uint64_t insert(segment_t *seg, const char *key, size_t n)
{
    uint64_t mine = record_new(seg, 1, 1, key, n, 8);
    if (!mine) return 0;
    uint64_t length = record_at(seg, mine)->length, won = index_insert(seg, mine);
    if (won != mine) arena_return(seg, mine, length);
    return won;
}

static uint64_t find(const segment_t *seg, const char *key, size_t n)
{
    return index_find(seg, key, n, index_hash(key, n));
}

/* Breaks if a key is lost when levels are added, or found when it was never inserted. */
UNIT(index, a_hundred_thousand_keys)
{
    enum { N = 100000 };
    segment_t *seg = raw_segment(64 << 20, 64);
    uint64_t *at = malloc(N * sizeof *at);
    char key[32];
    int missing = 0, ghosts = 0;
    for (int i = 0; i < N; i++) at[i] = insert(seg, key, (size_t)snprintf(key, sizeof key, "key.%d", i) + 1);
    for (int i = 0; i < N; i++)
        missing += !at[i] || find(seg, key, (size_t)snprintf(key, sizeof key, "key.%d", i) + 1) != at[i];
    for (int i = N; i < 2 * N; i++)
        ghosts += find(seg, key, (size_t)snprintf(key, sizeof key, "key.%d", i) + 1) != 0;
    CHECK_EQ_I64(missing, 0);
    CHECK_EQ_I64(ghosts, 0);
    for (int i = 0; i < N; i += 1000)
        CHECK_EQ_U64(insert(seg, key, (size_t)snprintf(key, sizeof key, "key.%d", i) + 1), at[i]);
    free(at);
}

enum { THREADS = 8, SHARED = 3000 };
static segment_t *shared;
static uint64_t won[THREADS][SHARED];

static void *race(void *arg)
{
    uint64_t *mine = arg;
    char key[32];
    for (int i = 0; i < SHARED; i++)
        mine[i] = insert(shared, key, (size_t)snprintf(key, sizeof key, "race.%d", i) + 1);
    return NULL;
}

/* Breaks if two inserters of one key both think that theirs is in. */
UNIT(index, one_winner_for_each_key)
{
    pthread_t th[THREADS];
    int different = 0;
    shared = raw_segment(16 << 20, 64);
    for (int i = 0; i < THREADS; i++) pthread_create(&th[i], NULL, race, won[i]);
    for (int i = 0; i < THREADS; i++) pthread_join(th[i], NULL);
    for (int i = 0; i < SHARED; i++)
        for (int t = 0; t < THREADS; t++) different += !won[t][i] || won[t][i] != won[0][i];
    CHECK_EQ_I64(different, 0);
    CHECK_EQ_U64(shared->head->records, SHARED);
}

/* Breaks if a full arena crashes, or what was in it is lost. */
UNIT(index, full_arena)
{
    segment_t *seg = raw_segment(128 << 10, 64);
    char key[32];
    int n = 0;
    while (n < 100000 && insert(seg, key, (size_t)snprintf(key, sizeof key, "key.%d", n) + 1)) n++;
    CHECK(n > 300 && n < 2000);
    CHECK_EQ_U64(arena_alloc(seg, 1 << 20), 0);
    for (int i = 0; i < n; i++)
        CHECK(find(seg, key, (size_t)snprintf(key, sizeof key, "key.%d", i) + 1) != 0);
}

/* Breaks if a returned block is lost although it would do, or comes back with old bytes in it. */
UNIT(arena, a_returned_block_serves_again)
{
    segment_t *seg = raw_segment(1 << 20, 64);
    uint64_t a = arena_alloc(seg, 1000), next = seg->head->arena_next;
    memset(segment_at(seg, a, 1000), 0xff, 1000);
    arena_return(seg, a, 1000);
    uint64_t b = arena_alloc(seg, 500);
    CHECK_EQ_U64(b, a);
    CHECK_EQ_U64(seg->head->arena_next, next);
    const unsigned char *bytes = segment_at(seg, b, 500);
    int dirty = 0;
    for (int i = 0; i < 500; i++) dirty += bytes[i] != 0;
    CHECK_EQ_I64(dirty, 0);
}

/* Breaks if a forked child, whose memory is a copy, takes its parent's spare block for its own. */
UNIT(arena, a_spare_block_has_one_owner)
{
    segment_t *seg = raw_segment(1 << 20, 64);
    int status = -1;
    uint64_t a = arena_alloc(seg, 1000);
    arena_return(seg, a, 1000);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) _exit(arena_alloc(seg, 1000) == a);
    CHECK_EQ_I64(waitpid(child, &status, 0), child);
    CHECK_EQ_I64(status, 0);
    CHECK_EQ_U64(arena_alloc(seg, 1000), a);
}

/* Breaks if a record whose inserter was killed before it could
 * notify readers is not announced by its next user. */
UNIT(index, a_change_is_announced_once)
{
    segment_t *seg = raw_segment(1 << 20, 64);
    struct segment_record *r = record_at(seg, insert(seg, "a", 2));
    CHECK_EQ_U64(seg->head->records, 1);
    record_announce(seg, r);
    CHECK_EQ_U64(seg->head->records, 1);
    r->state = 0; /* as the dead left it */
    record_announce(seg, r);
    CHECK_EQ_U64(seg->head->records, 2);
    record_retire(seg, r, true);
    record_retire(seg, r, true);
    CHECK_EQ_U64(seg->head->records, 3);
    CHECK(r->state & RECORD_RETIRED);
    record_retire(seg, r, false);
    CHECK_EQ_U64(seg->head->records, 4);
    CHECK(!(r->state & RECORD_RETIRED));
}

/* Breaks if an offset from a damaged segment is believed. */
UNIT(arena, offsets_are_checked)
{
    segment_t *seg = raw_segment(1 << 20, 64);
    CHECK(segment_at(seg, 0, 1) == NULL);
    CHECK(segment_at(seg, SEGMENT_ARENA - 1, 1) == NULL);
    CHECK(segment_at(seg, SEGMENT_ARENA, 1) != NULL);
    CHECK(segment_at(seg, seg->size, 1) == NULL);
    CHECK(segment_at(seg, SEGMENT_ARENA, seg->size) == NULL);
    CHECK(segment_at(seg, UINT64_MAX, 2) == NULL);
    CHECK(record_at(seg, SEGMENT_ARENA + 8) == NULL);
    seg->head->arena_next = 1; /* damaged: not inside the arena */
    CHECK_EQ_U64(arena_alloc(seg, 64), 0);
}
