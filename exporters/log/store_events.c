/* SPDX-License-Identifier: Apache-2.0 */
/* store_events.c - chunks of events, and the places up to which the rings were read, as rows. */
#include "store_inside.h"

int store_write_chunk(struct store *s, const struct store_op *op)
{
    const struct store_entry *e = &op->entry;
    sqlite3_stmt *q = s->prepared[OP_CHUNK];
    store_bind(q, 1, e->seq);
    store_bind(q, 2, e->wall_ns);
    store_bind(q, 3, store_checksum(e->seq, op->bytes, e->n));
    sqlite3_bind_blob64(q, 4, op->bytes, e->n, SQLITE_STATIC);
    return store_step(s, OP_CHUNK);
}

int store_write_place(struct store *s, const struct store_op *op)
{
    sqlite3_stmt *q = s->prepared[OP_PLACE];
    store_bind(q, 1, op->entry.seq);
    store_bind(q, 2, op->entry.epoch);
    return store_step(s, OP_PLACE);
}

static int read_chunks(struct store *s, const struct store_finder *finder)
{
    sqlite3_stmt *q;
    int code =
        sqlite3_prepare_v2(s->db, "SELECT seq, wall, checksum, bytes FROM chunks ORDER BY seq", -1, &q, NULL);
    while (store_next(q, &code)) {
        struct store_entry e = {.seq = store_column(q, 0),
                                .wall_ns = store_column(q, 1),
                                .bytes = sqlite3_column_blob(q, 3),
                                .n = (size_t)sqlite3_column_bytes(q, 3)};
        if (!e.bytes || store_column(q, 2) != store_checksum(e.seq, e.bytes, e.n)) e.n = 0;
        finder->chunk(finder->arg, &e);
    }
    sqlite3_finalize(q);
    return code;
}

static int read_places(struct store *s, const struct store_finder *finder)
{
    sqlite3_stmt *q;
    int code = sqlite3_prepare_v2(s->db, "SELECT number, position FROM places", -1, &q, NULL);
    while (store_next(q, &code)) finder->place(finder->arg, (uint32_t)store_column(q, 0), store_column(q, 1));
    sqlite3_finalize(q);
    return code;
}

int store_read_events(struct store *s, const struct store_finder *finder)
{
    int code = finder->chunk ? read_chunks(s, finder) : SQLITE_OK;
    return code || !finder->place ? code : read_places(s, finder);
}
