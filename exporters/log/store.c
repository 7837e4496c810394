/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - the thread of a store, which writes one transaction after the other, and the
 * store's life around it. */
#include "store_inside.h"

#include "clock.h"
#include "store_guard.h"

#include <stdlib.h>
#include <string.h>

static const char store_in_memory[] = "the log's file cannot be written; the log goes on in memory";

/* --- The thread --- */

/* Somebody removed or replaced the file, so what is written is lost. Only a transaction that holds everything
 * can go to what is there now. */
static bool regain(struct store *s, const struct store_batch *batch, uint64_t now)
{
    struct buf why = {0};
    bool good = false;
    buf_str(&why, "it was removed or replaced by another program");
    if (batch->clears) {
        store_file_close(s);
        buf_reset(&why);
        good = store_file_make(s->path, &why) && !store_recover(s, s->durable, &why);
        if (!good) store_file_close(s);
    }
    if (!good) complain(&s->trouble, now, store_in_memory, "file", s->path, buf_text(&why));
    buf_free(&why);
    return good;
}

static bool write_batch(struct store *s, const struct store_batch *batch)
{
    if (store_file_moved(s) && !regain(s, batch, clock_mono(&clock_system))) return false;
    int code = batch->lost ? SQLITE_NOMEM : store_step(s, ST_BEGIN);
    for (const struct store_op *op = batch->first; op && !code; op = op->next) code = store_write(s, op);
    if (!code) code = store_step(s, ST_COMMIT);
    uint64_t now = clock_mono(&clock_system);
    if (!code && batch->facts) sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (!code) {
        complain_over(&s->trouble, now, "the log's file is written again", "file", s->path);
        return true;
    }
    complain(&s->trouble, now, store_in_memory, "file", s->path,
             batch->lost ? "out of memory" : sqlite3_errmsg(s->db));
    if (!sqlite3_get_autocommit(s->db)) store_step(s, ST_ROLLBACK);
    return false;
}

/* The next one, or NULL at the end. */
static struct store_batch *next_batch(struct store *s)
{
    for (uint64_t seen = wake_calls(&s->called);; seen = wake_wait(&s->called, seen, CLOCK_NEVER)) {
        pthread_mutex_lock(&s->lock);
        struct store_batch *batch = s->queue;
        bool stop = s->stop;
        if (batch && !(s->queue = batch->next)) s->queue_end = &s->queue;
        pthread_mutex_unlock(&s->lock);
        if (batch || stop) return batch;
    }
}

static void *write_all(void *arg)
{
    struct store *s = arg;
    for (struct store_batch *batch; (batch = next_batch(s));) {
        /* After a failure a transaction that holds only changes would leave the file wrong: it
         * has to hold everything. */
        bool try = !store_broken(s) || batch->clears;
        bool good = try && write_batch(s, batch);
        pthread_mutex_lock(&s->lock);
        s->settled = batch->ticket;
        if (good) s->written = batch->ticket;
        s->failures += !good;
        s->broken = !good;
        pthread_mutex_unlock(&s->lock);
        store_batch_free(batch);
        wake_call(&s->done);
    }
    return NULL;
}

/* --- Begin and end --- */

static void free_store(struct store *s)
{
    store_file_close(s);
    pthread_mutex_destroy(&s->lock);
    wake_destroy(&s->called);
    wake_destroy(&s->done);
    free(s->path);
    free(s->kept);
    free(s);
}

static struct store *new_store(const char *path)
{
    struct store *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    pthread_mutex_init(&s->lock, NULL);
    wake_init(&s->called);
    wake_init(&s->done);
    s->queue_end = &s->queue;
    s->path = strdup(path);
    if (s->path) return s;
    free_store(s);
    return NULL;
}

/* The file, what is in it, and the thread. */
static int begin(struct store *s, bool durable, const struct store_finder *finder, struct buf *why)
{
    int code = store_recover(s, durable, why);
    if (!code && s->kept) code = store_salvage(s, finder);
    if (!code && !s->kept) code = store_read(s, finder);
    if (code) return code;
    s->broken = s->kept != NULL; /* what was saved is not in the new file yet */
    s->started = !pthread_create(&s->thread, NULL, write_all, s);
    return s->started ? SQLITE_OK : SQLITE_NOMEM;
}

enum store_opened store_open(const char *path, bool durable, const struct store_finder *finder,
                             struct store **out, struct buf *why)
{
    struct buf real = {0};
    *out = NULL;
    if (!guard_path(path, &real, why) || !store_file_make(buf_text(&real), why)) {
        buf_free(&real);
        return STORE_FAILED;
    }
    struct store *s = new_store(buf_text(&real));
    buf_free(&real);
    int code = s ? begin(s, durable, finder, why) : SQLITE_NOMEM;
    if (!code) {
        *out = s;
        return STORE_OK;
    }
    if (!why->len) buf_printf(why, "%s: %s", path, sqlite3_errstr(code));
    if (s) free_store(s);
    return (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED ? STORE_BUSY : STORE_FAILED;
}

void store_close(struct store **store, bool remove)
{
    struct store *s = *store;
    if (!s) return;
    *store = NULL;
    store_commit(s);
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_mutex_unlock(&s->lock);
    wake_call(&s->called);
    if (s->started) pthread_join(s->thread, NULL);
    store_file_close(s);
    if (remove) store_file_remove(s->path);
    free_store(s);
}

/* --- Handing over and waiting --- */

uint64_t store_commit(struct store *s)
{
    struct store_batch *batch = s->gathering;
    if (!batch) return 0;
    s->gathering = NULL;
    uint64_t ticket = batch->ticket = ++s->tickets;
    pthread_mutex_lock(&s->lock);
    *s->queue_end = batch;
    s->queue_end = &batch->next;
    pthread_mutex_unlock(&s->lock);
    wake_call(&s->called);
    return ticket;
}

bool store_wait(struct store *s, uint64_t ticket, uint64_t timeout_ns)
{
    uint64_t until = clock_mono(&clock_system) + timeout_ns;
    for (;;) {
        uint64_t seen = wake_calls(&s->done);
        pthread_mutex_lock(&s->lock);
        bool written = s->written >= ticket, settled = s->settled >= ticket;
        pthread_mutex_unlock(&s->lock);
        if (settled) return written;
        if (clock_mono(&clock_system) >= until) return false;
        wake_wait(&s->done, seen, until);
    }
}

bool store_broken(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    bool broken = s->broken;
    pthread_mutex_unlock(&s->lock);
    return broken;
}

uint64_t store_failures(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t n = s->failures;
    pthread_mutex_unlock(&s->lock);
    return n;
}
