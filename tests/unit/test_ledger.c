/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "ledger.h"

#include <pthread.h>
#include <string.h>

/* Every reading that is taken ends in exactly one place, and the page shows it. */
UNIT(ledger, balance)
{
    struct ledger_page pages[LEDGER_BACKENDS];
    struct ledger *ledger = ledger_new();
    int a = ledger_open(ledger, "a"), b = ledger_open(ledger, "b");
    CHECK(a != b);
    CHECK_EQ_I64(ledger_open(ledger, "a"), a);
    ledger_take(ledger, a, LEDGER_METRICS, 100);
    ledger_deliver(ledger, a, LEDGER_METRICS, 50, 200);
    ledger_merge(ledger, a, LEDGER_METRICS, 20);
    ledger_drop(ledger, a, LEDGER_METRICS, LEDGER_REFUSED, 10);
    ledger_drop(ledger, a, LEDGER_METRICS, LEDGER_THINNED, 5);
    ledger_rebased(ledger, a, LEDGER_METRICS, 7);
    CHECK_EQ_U64(ledger_read(ledger, pages), 2);
    const struct ledger_account *x = &pages[a].account[LEDGER_METRICS];
    CHECK_STR(pages[a].name, "a");
    CHECK_EQ_U64(x->taken, 100);
    CHECK_EQ_U64(x->queued, 15);
    CHECK_EQ_U64(x->delivered, 50);
    CHECK_EQ_U64(x->points, 200);
    CHECK_EQ_U64(x->merged, 20);
    CHECK_EQ_U64(x->dropped[LEDGER_REFUSED], 10);
    CHECK_EQ_U64(ledger_dropped(x), 15);
    CHECK(ledger_balanced(x));
    CHECK_EQ_U64(pages[b].account[LEDGER_METRICS].taken, 0);
    struct ledger_account broken = *x;
    broken.delivered++;
    CHECK(!ledger_balanced(&broken));
    ledger_free(&ledger);
    CHECK(ledger == NULL);
}

/* Names beyond the limit are refused, and calls for a refused account do nothing. */
UNIT(ledger, limit)
{
    struct ledger_page pages[LEDGER_BACKENDS];
    struct ledger *ledger = ledger_new();
    char name[16];
    for (int i = 0; i < LEDGER_BACKENDS; i++) {
        snprintf(name, sizeof name, "b%d", i);
        CHECK_EQ_I64(ledger_open(ledger, name), i);
    }
    CHECK_EQ_I64(ledger_open(ledger, "one more"), LEDGER_NONE);
    ledger_take(ledger, LEDGER_NONE, LEDGER_METRICS, 5);
    CHECK_EQ_U64(ledger_read(ledger, pages), LEDGER_BACKENDS);
    ledger_free(&ledger);
}

static void *move(void *arg)
{
    struct ledger *ledger = arg;
    for (int i = 0; i < 20000; i++) {
        ledger_take(ledger, 0, LEDGER_METRICS, 3);
        ledger_deliver(ledger, 0, LEDGER_METRICS, 1, 1);
        ledger_merge(ledger, 0, LEDGER_METRICS, 1);
        ledger_drop(ledger, 0, LEDGER_METRICS, LEDGER_REMOVED, 1);
    }
    return NULL;
}

/* A page read while four threads move readings about is balanced every time. */
UNIT(ledger, balance_under_threads)
{
    struct ledger_page pages[LEDGER_BACKENDS];
    struct ledger *ledger = ledger_new();
    pthread_t threads[4];
    ledger_open(ledger, "x");
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, move, ledger);
    for (int i = 0; i < 1000; i++) {
        ledger_read(ledger, pages);
        if (!ledger_balanced(&pages[0].account[LEDGER_METRICS])) UNIT_FAIL("page %d is not balanced\n", i);
    }
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    ledger_read(ledger, pages);
    CHECK_EQ_U64(pages[0].account[LEDGER_METRICS].taken, 240000);
    CHECK_EQ_U64(pages[0].account[LEDGER_METRICS].queued, 0);
    ledger_free(&ledger);
}

/* Breaks if an account has a number without a name of its own, or one that another is known by in old
 * files. */
UNIT(ledger, words_have_names)
{
    struct ledger_account a = {.taken = 1, .delivered = 2, .merged = 3, .queued = 4};
    a.dropped[LEDGER_REFUSED] = 5;
    a.rebased = 6;
    a.points = 7;
    a.retries = 8;
    static const char *const names[] = {"taken",           "delivered", "merged", "queued",
                                        "dropped.refused", "rebased",   "points", "retries"};
    uint64_t found = 0;
    for (size_t w = 0; w < LEDGER_WORDS; w++)
        for (uint64_t n = 0; n < 8; n++)
            if (!strcmp(ledger_word_name(w), names[n])) {
                CHECK_EQ_U64(*ledger_word(&a, w), n + 1);
                found++;
            }
    CHECK_EQ_U64(found, 8);
    CHECK_STR(ledger_word_name(LEDGER_QUEUED), "queued");
}
