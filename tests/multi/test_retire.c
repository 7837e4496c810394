/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: a series that is retired and created again keeps its handle and its total, and costs the process no memory;
 * what retiring one costs does not depend on how many the process knows.
 */
#include "multi.h"

#include <malloc.h>

enum { NAMES = 10, ORDERS = 2 };

static metrics_registry_t *registry;

/* In either order of the tags: the same series. */
static metrics_counter_t *counter(int n, int order, bool retire)
{
    char id[16];
    snprintf(id, sizeof id, "conn-%d", n);
    const char *lists[ORDERS][5] = {{"conn.bytes", "id", id, "way", "in"},
                                    {"conn.bytes", "way", "in", "id", id}};
    metrics_counter_t *c = metrics_counter_v(registry, lists[order], 5);
    metrics_counter_inc(c);
    if (retire) metrics_retire(registry, lists[(n + order) % ORDERS], 5);
    return c;
}

static void come_and_go(int times)
{
    static metrics_counter_t *first[NAMES];
    int others = 0;
    for (int i = 0; i < times; i++) {
        metrics_counter_t *c = counter(i % NAMES, i / NAMES % ORDERS, true);
        if (!first[i % NAMES]) first[i % NAMES] = c;
        others += c != first[i % NAMES];
    }
    EXPECT_EQ(others, 0, "handles other than the first of their series");
}

static double cpu_seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Seconds for each of n series that live one after the other. */
static double one_after_the_other(int from, int n)
{
    double before = cpu_seconds();
    for (int i = 0; i < n; i++) counter(from + i, 0, true);
    return (cpu_seconds() - before) / n;
}

int main(void)
{
    int n = multi_dose(100000);
    multi_begin(170);
    metrics_options_t o = {.size = sizeof o, .segment_bytes = 256 << 20, .family_series = 1000000};
    registry = test_open(&o);
    come_and_go(100);
    size_t before = mallinfo2().uordblks;
    come_and_go(n);
    size_t after = mallinfo2().uordblks;
    /* Not the same to the byte: what the allocator keeps for the next call counts as in use. */
    EXPECT(after < before + 4096, "allocated by the process: %zu bytes, and %zu after %d series", before,
           after, n);
    for (int i = 0; i < NAMES; i++) counter(i, 0, false);
    EXPECT_EQ(multi_number("conn.bytes", "conn-0", "count"), n / NAMES + 100 / NAMES + 1, "the total of one");
    double early = one_after_the_other(NAMES, n / 50), late = one_after_the_other(NAMES + n / 50, n);
    EXPECT(late < 20 * early, "time for one: %.2f us among the first %d, %.2f us among %d more", early * 1e6,
           n / 50, late * 1e6, n);
    return multi_end();
}
