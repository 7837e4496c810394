/* SPDX-License-Identifier: Apache-2.0 */
/* store_gather.c - the transaction that is being gathered, in memory, until store_commit() hands it over. */
#include "store_inside.h"

#include <stdlib.h>
#include <string.h>

void store_batch_free(struct store_batch *batch)
{
    for (struct store_op *op = batch->first, *next; op; op = next) {
        next = op->next;
        free(op->name);
        free(op);
    }
    free(batch);
}

static struct store_batch *batch_of(struct store *s)
{
    if (s->gathering) return s->gathering;
    s->gathering = calloc(1, sizeof *s->gathering);
    if (!s->gathering) return NULL;
    s->gathering->end = &s->gathering->first;
    s->gathering->lost = s->lost;
    s->lost = false;
    return s->gathering;
}

static struct store_op *new_op(enum store_op_type type, const void *bytes, size_t n, const char *name)
{
    struct store_op *op = malloc(sizeof *op + n);
    char *copy = name && op ? strdup(name) : NULL;
    if (!op || (name && !copy)) {
        free(op);
        return NULL;
    }
    *op = (struct store_op){.type = type, .name = copy};
    if (n) memcpy(op->bytes, bytes, n);
    return op;
}

/* The new last part of the transaction. Without memory it is NULL, and this transaction, or the next one,
 * will be given up. */
static struct store_op *gather(struct store *s, enum store_op_type type, const void *bytes, size_t n,
                               const char *name)
{
    struct store_batch *batch = batch_of(s);
    struct store_op *op = batch ? new_op(type, bytes, n, name) : NULL;
    if (!op) {
        *(batch ? &batch->lost : &s->lost) = true;
        return NULL;
    }
    *batch->end = op;
    batch->end = &op->next;
    return op;
}

void store_put(struct store *s, const struct store_entry *entry)
{
    struct store_op *op = gather(s, OP_PUT, entry->bytes, entry->n, NULL);
    if (!op) return;
    op->entry = *entry;
    op->entry.bytes = op->bytes;
}

static void gather_seq(struct store *s, enum store_op_type type, uint64_t seq)
{
    struct store_op *op = gather(s, type, NULL, 0, NULL);
    if (op) op->entry.seq = seq;
}

void store_unqueue(struct store *s, uint64_t seq)
{
    gather_seq(s, OP_UNQUEUE, seq);
}

void store_remove(struct store *s, uint64_t seq)
{
    gather_seq(s, OP_REMOVE, seq);
}

void store_put_cursor(struct store *s, const struct store_cursor *cursor)
{
    struct store_op *op = gather(s, OP_CURSOR, NULL, 0, cursor->name);
    if (op) op->cursor = *cursor;
}

void store_remove_cursor(struct store *s, const char *name)
{
    gather(s, OP_CURSOR_GONE, NULL, 0, name);
}

void store_put_fact(struct store *s, const char *name, const char *text)
{
    if (gather(s, OP_FACT, text, strlen(text) + 1, name)) s->gathering->facts = true;
}

void store_put_chunk(struct store *s, const struct store_entry *chunk)
{
    struct store_op *op = gather(s, OP_CHUNK, chunk->bytes, chunk->n, NULL);
    if (op) op->entry = *chunk;
}

void store_remove_chunk(struct store *s, uint64_t seq)
{
    gather_seq(s, OP_CHUNK_GONE, seq);
}

void store_put_place(struct store *s, uint32_t number, uint64_t position)
{
    struct store_op *op = gather(s, OP_PLACE, NULL, 0, NULL);
    if (op) op->entry = (struct store_entry){.seq = number, .epoch = position};
}

void store_clear(struct store *s)
{
    if (gather(s, OP_CLEAR, NULL, 0, NULL)) s->gathering->clears = true;
}

void store_abandon(struct store *s)
{
    if (s->gathering) store_batch_free(s->gathering);
    s->gathering = NULL;
}
