/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger.c - counts as fast as a server under load, until SIGTERM: the counter `ledger`, the histogram
 * `ledger.size`, and the counter `ledger.mine` with the tag writer=NAME. Then prints how often it did.
 *
 *     ledger NAME      the segment is $MTX_SEGMENT
 */
#include <mtx/metrics.h>

#include <signal.h>
#include <stdio.h>
#include <time.h>

int main(int argc, char **argv)
{
    unsigned long n = 0;
    metrics_registry_t *r = metrics_default();
    const struct timespec pause = {.tv_nsec = 1000000};
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigprocmask(SIG_BLOCK, &end, NULL);
    if (argc != 2 || metrics_status(r, NULL) < 0) return 1;
    metrics_counter_t *all = metrics_counter(r, "ledger"),
                      *mine = metrics_counter(r, "ledger.mine", "writer", argv[1]);
    metrics_histogram_t *size = metrics_histogram(r, "ledger.size");
    while (sigtimedwait(&end, NULL, &pause) != SIGTERM)
        for (int i = 0; i < 100; i++, n++) {
            metrics_counter_inc(all);
            metrics_counter_inc(mine);
            metrics_histogram_update(size, i);
        }
    printf("%lu\n", n);
    return 0;
}
