/* SPDX-License-Identifier: Apache-2.0 */
/* leader_note.c - the segment's memory of which intervals each backend was sent. */
#include "leader_inside.h"

#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static struct segment_delivery *delivery_of(const metrics_leader_t *l)
{
    return (struct segment_delivery *)((unsigned char *)l->head + SEGMENT_DELIVERY);
}

uint64_t metrics_leader_log(const metrics_leader_t *l)
{
    return mem_load(&delivery_of(l)->log); /* ORD-16 */
}

void metrics_leader_set_log(metrics_leader_t *l, uint64_t log)
{
    mem_store(&delivery_of(l)->log, log); /* ORD-16 */
}

uint64_t metrics_leader_last(const metrics_leader_t *l)
{
    return mem_load(&l->head->exported) ? mem_load(&l->head->logged) : 0; /* ORD-10, ORD-16 */
}

static uint64_t name_of(const char *backend)
{
    uint64_t hash = XXH3_64bits(backend, strlen(backend));
    return hash ? hash : 1;
}

/* The note of that name, 0 for a free one; NULL if there is none. */
static struct segment_note *find(const metrics_leader_t *l, uint64_t name)
{
    struct segment_note *notes = delivery_of(l)->note;
    for (int i = 0; i < SEGMENT_NOTES; i++)
        if (mem_load(&notes[i].backend) == name) return &notes[i]; /* ORD-16 */
    return NULL;
}

int metrics_leader_note(const metrics_leader_t *l, const char *backend, uint64_t words[METRICS_NOTE_WORDS])
{
    struct segment_note *note = find(l, name_of(backend));
    if (!note) return mem_load(&delivery_of(l)->unnoted) ? -1 : 0; /* ORD-16 */
    words[0] = mem_load(&note->sent);                              /* ORD-16 */
    words[1] = mem_load(&note->before);
    words[2] = mem_load(&note->partly);
    words[3] = mem_load(&note->some);
    return 1;
}

/* The one whose backend was sent something the longest ago. */
static struct segment_note *oldest(const metrics_leader_t *l)
{
    struct segment_note *notes = delivery_of(l)->note, *least = notes;
    mem_store(&delivery_of(l)->unnoted, 1); /* ORD-16 */
    for (int i = 1; i < SEGMENT_NOTES; i++)
        if ((uint32_t)mem_load(&notes[i].sent) < (uint32_t)mem_load(&least->sent)) /* ORD-16 */
            least = &notes[i];
    return least;
}

/* Its words are zero before it has a name. */
static struct segment_note *begin(const metrics_leader_t *l, uint64_t name)
{
    struct segment_note *note = find(l, 0);
    if (!note) note = oldest(l);
    mem_store(&note->backend, 0); /* ORD-16 */
    mem_store(&note->sent, 0);
    mem_store(&note->before, 0);
    mem_store(&note->partly, 0);
    mem_store(&note->some, 0);
    mem_publish(&note->backend, name); /* ORD-16 */
    return note;
}

void metrics_leader_set_note(metrics_leader_t *l, const char *backend,
                             const uint64_t words[METRICS_NOTE_WORDS])
{
    uint64_t name = name_of(backend);
    struct segment_note *note = find(l, name);
    if (!note) note = begin(l, name);
    mem_publish(&note->some, words[3]); /* ORD-16 */
    mem_publish(&note->before, words[1]);
    mem_publish(&note->sent, words[0]);
    mem_publish(&note->partly, words[2]);
}
