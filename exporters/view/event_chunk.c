/* SPDX-License-Identifier: Apache-2.0 */
/* event_chunk.c - reads a chunk. The bytes may come from a damaged file: nothing is believed before it is checked. */
#include "event_chunk_inside.h"

#include <stdlib.h>

/* What is left to read. */
struct rest {
    const unsigned char *at;
    size_t n;
};

static bool get(struct rest *r, void *out, size_t n)
{
    if (r->n < n) return false;
    memcpy(out, r->at, n);
    r->at += n;
    r->n -= n;
    return true;
}

/* A text with its '\0'. NULL if it is not whole. */
static const char *get_text(struct rest *r)
{
    const unsigned char *text = r->at, *end = r->n ? memchr(text, 0, r->n) : NULL;
    if (!end) return NULL;
    r->n -= (size_t)(end - text) + 1;
    r->at = end + 1;
    return (const char *)text;
}

/* --- Kinds --- */

static bool read_kind(struct rest *r, struct event_kind *k, metrics_tag_t *tags)
{
    uint32_t bytes;
    uint8_t head[2];
    size_t left = r->n;
    if (!get(r, &bytes, sizeof bytes) || !get(r, head, sizeof head)) return false;
    *k = (struct event_kind){.type = head[0], .tags = tags, .tag_count = head[1]};
    if (!head[0] || head[0] >= METRICS_EVENT_TYPES || !(k->name = get_text(r))) return false;
    for (size_t i = 0; i < k->tag_count; i++)
        if (!(tags[i].key = get_text(r)) || !(tags[i].value = get_text(r))) return false;
    return left - r->n == bytes;
}

/* How many tags all kinds have; SIZE_MAX if they are not whole. */
static size_t count_tags(struct rest r, size_t kinds)
{
    size_t n = 0;
    for (size_t i = 0; i < kinds; i++) {
        uint32_t bytes;
        if (r.n < CHUNK_KIND_HEAD) return SIZE_MAX;
        memcpy(&bytes, r.at, sizeof bytes);
        if (bytes < CHUNK_KIND_HEAD || bytes > r.n) return SIZE_MAX;
        n += r.at[CHUNK_KIND_HEAD - 1];
        r = (struct rest){r.at + bytes, r.n - bytes};
    }
    return n;
}

static bool read_kinds(struct event_chunk *c, struct rest *r)
{
    size_t tags = count_tags(*r, c->kind_count);
    if (tags == SIZE_MAX) return false;
    c->kinds = calloc(c->kind_count + 1, sizeof *c->kinds);
    c->tags = calloc(tags + 1, sizeof *c->tags);
    if (!c->kinds || !c->tags) return false;
    metrics_tag_t *next = c->tags;
    for (size_t i = 0; i < c->kind_count; i++) {
        if (!read_kind(r, &c->kinds[i], next)) return false;
        next += c->kinds[i].tag_count;
    }
    return true;
}

/* --- Events --- */

static struct chunk_event event_head(const struct event_chunk *c, size_t i)
{
    struct chunk_event head;
    memcpy(&head, c->bytes + c->places[i], sizeof head);
    return head;
}

static bool read_events(struct event_chunk *c, struct rest r)
{
    int type = 0;
    c->places = calloc(c->n + 1, sizeof *c->places);
    if (!c->places) return false;
    for (size_t i = 0; i < c->n; i++) {
        c->places[i] = (uint32_t)(r.at - c->bytes);
        if (r.n < sizeof(struct chunk_event)) return false;
        struct chunk_event head = event_head(c, i);
        if (head.bytes < sizeof head || head.bytes > r.n || head.kind >= c->kind_count) return false;
        struct event_kind *kind = &c->kinds[head.kind];
        if (kind->type < type) return false;
        type = kind->type;
        kind->events++;
        r = (struct rest){r.at + head.bytes, r.n - head.bytes};
    }
    c->places[c->n] = (uint32_t)(r.at - c->bytes);
    return !r.n;
}

static bool check_events(const struct event_chunk *c)
{
    metrics_event_decoder_t *decoder = metrics_event_decoder_new();
    bool good = decoder != NULL;
    for (size_t i = 0; good && i < c->n; i++) {
        const metrics_event_t *e = event_chunk_get(c, i, decoder);
        good = e && (int)e->type == c->kinds[event_chunk_kind(c, i)].type;
    }
    metrics_event_decoder_free(&decoder);
    return good;
}

bool event_chunk_open(struct event_chunk *c, const void *bytes, size_t n, bool hostile)
{
    struct rest r = {bytes, n};
    struct chunk_head head;
    *c = (struct event_chunk){.bytes = bytes};
    bool good = n <= UINT32_MAX && get(&r, &head, sizeof head) && head.magic == CHUNK_MAGIC &&
                head.version == CHUNK_VERSION && head.kinds <= r.n && head.events <= r.n;
    if (good) c->kind_count = head.kinds;
    if (good) c->n = head.events;
    good = good && read_kinds(c, &r) && read_events(c, r) && (!hostile || check_events(c));
    if (!good) event_chunk_free(c);
    return good;
}

void event_chunk_free(struct event_chunk *c)
{
    free(c->kinds);
    free(c->tags);
    free(c->places);
    *c = (struct event_chunk){.n = 0};
}

size_t event_chunk_kind(const struct event_chunk *c, size_t i)
{
    return event_head(c, i).kind;
}

const metrics_event_t *event_chunk_get(const struct event_chunk *c, size_t i,
                                       metrics_event_decoder_t *decoder)
{
    size_t from = c->places[i] + sizeof(struct chunk_event);
    return metrics_event_decode(decoder, c->bytes + from, c->places[i + 1] - from, NULL);
}
