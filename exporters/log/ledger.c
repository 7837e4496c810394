/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct ledger {
    pthread_mutex_t lock; /* of all below; a leaf */
    size_t n;
    struct ledger_page pages[LEDGER_BACKENDS];
};

const char *ledger_reason_name(enum ledger_reason reason)
{
    static const char *const names[] = {
#define LEDGER_REASON(ID, NAME) NAME,
        LEDGER_REASONS(LEDGER_REASON)
#undef LEDGER_REASON
    };
    return names[reason];
}

const char *ledger_signal_name(enum ledger_signal signal)
{
    static const char *const names[] = {"metrics", "annotations", "spans", "logs", "points"};
    return names[signal];
}

uint64_t *ledger_word(struct ledger_account *account, size_t word)
{
    return (uint64_t *)(void *)account + word;
}

#define LEDGER_AT(FIELD) (offsetof(struct ledger_account, FIELD) / sizeof(uint64_t))

const char *ledger_word_name(size_t word)
{
    static const char *const names[LEDGER_WORDS] = {
        [LEDGER_AT(taken)] = "taken",     [LEDGER_AT(delivered)] = "delivered",
        [LEDGER_AT(merged)] = "merged",   [LEDGER_AT(queued)] = "queued",
        [LEDGER_AT(rebased)] = "rebased", [LEDGER_AT(points)] = "points",
        [LEDGER_AT(retries)] = "retries",
#define LEDGER_REASON(ID, NAME) [LEDGER_AT(dropped) + (ID)] = "dropped." NAME,
        LEDGER_REASONS(LEDGER_REASON)
#undef LEDGER_REASON
    };
    return names[word];
}

struct ledger *ledger_new(void)
{
    struct ledger *ledger = calloc(1, sizeof *ledger);
    if (ledger) pthread_mutex_init(&ledger->lock, NULL);
    return ledger;
}

void ledger_free(struct ledger **ledger)
{
    if (!*ledger) return;
    for (size_t i = 0; i < (*ledger)->n; i++) free((char *)(uintptr_t)(*ledger)->pages[i].name);
    pthread_mutex_destroy(&(*ledger)->lock);
    free(*ledger);
    *ledger = NULL;
}

int ledger_open(struct ledger *ledger, const char *name)
{
    size_t id = 0;
    pthread_mutex_lock(&ledger->lock);
    while (id < ledger->n && strcmp(ledger->pages[id].name, name)) id++;
    if (id == ledger->n) {
        char *copy = id < LEDGER_BACKENDS ? strdup(name) : NULL;
        if (copy) ledger->pages[ledger->n++].name = copy;
    }
    int found = id < ledger->n ? (int)id : LEDGER_NONE;
    pthread_mutex_unlock(&ledger->lock);
    return found;
}

/* Adds `n` to a word of the account and, as many times as `queue` says (-1, 0, 1), to what is queued. */
static void ledger_add(struct ledger *ledger, int id, enum ledger_signal signal, size_t word, uint64_t n,
                       int queue)
{
    if (id < 0 || !n) return;
    pthread_mutex_lock(&ledger->lock);
    struct ledger_account *a = &ledger->pages[id].account[signal];
    *ledger_word(a, word) += n;
    a->queued += (uint64_t)queue * n;
    pthread_mutex_unlock(&ledger->lock);
}

void ledger_take(struct ledger *ledger, int id, enum ledger_signal signal, uint64_t n)
{
    ledger_add(ledger, id, signal, LEDGER_AT(taken), n, 1);
}

void ledger_deliver(struct ledger *ledger, int id, enum ledger_signal signal, uint64_t n, uint64_t points)
{
    ledger_add(ledger, id, signal, LEDGER_AT(delivered), n, -1);
    ledger_add(ledger, id, signal, LEDGER_AT(points), points, 0);
}

void ledger_merge(struct ledger *ledger, int id, enum ledger_signal signal, uint64_t n)
{
    ledger_add(ledger, id, signal, LEDGER_AT(merged), n, -1);
}

void ledger_drop(struct ledger *ledger, int id, enum ledger_signal signal, enum ledger_reason reason,
                 uint64_t n)
{
    ledger_add(ledger, id, signal, LEDGER_AT(dropped) + reason, n, -1);
}

void ledger_rebased(struct ledger *ledger, int id, enum ledger_signal signal, uint64_t n)
{
    ledger_add(ledger, id, signal, LEDGER_AT(rebased), n, 0);
}

void ledger_retried(struct ledger *ledger, int id, enum ledger_signal signal)
{
    ledger_add(ledger, id, signal, LEDGER_AT(retries), 1, 0);
}

static void ledger_sum(struct ledger_account *sum, const struct ledger_account *more)
{
    struct ledger_account add = *more;
    for (size_t w = 0; w < LEDGER_WORDS; w++) *ledger_word(sum, w) += *ledger_word(&add, w);
}

void ledger_restore(struct ledger *ledger, int id, enum ledger_signal signal,
                    const struct ledger_account *was)
{
    if (id < 0) return;
    pthread_mutex_lock(&ledger->lock);
    ledger_sum(&ledger->pages[id].account[signal], was);
    ledger_sum(&ledger->pages[id].restored[signal], was);
    pthread_mutex_unlock(&ledger->lock);
}

size_t ledger_read(struct ledger *ledger, struct ledger_page pages[LEDGER_BACKENDS])
{
    pthread_mutex_lock(&ledger->lock);
    size_t n = ledger->n;
    memcpy(pages, ledger->pages, n * sizeof *pages);
    pthread_mutex_unlock(&ledger->lock);
    return n;
}

uint64_t ledger_dropped(const struct ledger_account *account)
{
    uint64_t sum = 0;
    for (int r = 0; r < LEDGER_REASON_COUNT; r++) sum += account->dropped[r];
    return sum;
}

bool ledger_balanced(const struct ledger_account *account)
{
    return account->taken == account->delivered + account->merged + account->queued + ledger_dropped(account);
}
