/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c - several processes that count, and know how often: the counter `load` with a tag shard=N, more
 * shards from second to second; the histogram `load.size`; the counters `load.poison` and `load.refused`, for
 * services that refuse them. Runs until SIGTERM, then prints NAME TAB SHARD TAB COUNT for each series. load
 * WORKERS SHARDS      the segment is $MTX_SEGMENT
 */
#include <mtx/metrics.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS_MAX = 16, SHARDS_MAX = 2000, SHARDS_FIRST = 100, A_SECOND = 1000, AT_ONCE = 20 };
enum { OTHERS = 3 };
static const char *const others[OTHERS] = {"load.size", "load.poison", "load.refused"};

/* What one worker has done; written by it alone, read after its end. */
struct account {
    unsigned long shard[SHARDS_MAX], other[OTHERS];
};

static unsigned roll(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void count_some(metrics_registry_t *r, struct account *mine, unsigned shards, unsigned *dice)
{
    char number[16];
    for (int i = 0; i < AT_ONCE; i++) {
        unsigned n = roll(dice) % shards;
        snprintf(number, sizeof number, "%u", n);
        metrics_counter_inc(metrics_counter(r, "load", "shard", number));
        mine->shard[n]++;
    }
    metrics_histogram_update(metrics_histogram(r, "load.size"), roll(dice) % 1000);
    metrics_counter_inc(metrics_counter(r, "load.poison"));
    metrics_counter_inc(metrics_counter(r, "load.refused"));
    for (int i = 0; i < OTHERS; i++) mine->other[i]++;
}

static void work(struct account *mine, unsigned shards_most, unsigned seed)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    metrics_registry_t *r = metrics_default();
    unsigned shards = shards_most < SHARDS_FIRST ? shards_most : SHARDS_FIRST, turns = 0;
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    if (metrics_status(r, NULL) < 0) exit(1);
    /* A new shard every so often: series are born between any two snapshots. */
    for (; sigtimedwait(&end, NULL, &pause) != SIGTERM; turns++) {
        if (turns % (A_SECOND / 50) == 0 && shards < shards_most) shards++;
        count_some(r, mine, shards, &seed);
    }
    metrics_close(&r);
    exit(0);
}

static void print_sums(const struct account *accounts, int workers, unsigned shards)
{
    for (unsigned s = 0; s < shards; s++) {
        unsigned long sum = 0;
        for (int w = 0; w < workers; w++) sum += accounts[w].shard[s];
        if (sum) printf("load\t%u\t%lu\n", s, sum);
    }
    for (int o = 0; o < OTHERS; o++) {
        unsigned long sum = 0;
        for (int w = 0; w < workers; w++) sum += accounts[w].other[o];
        printf("%s\t\t%lu\n", others[o], sum);
    }
}

int main(int argc, char **argv)
{
    int workers = argc == 3 ? atoi(argv[1]) : 0, shards = argc == 3 ? atoi(argv[2]) : 0, signal, bad = 0;
    if (workers < 1 || workers > WORKERS_MAX || shards < 1 || shards > SHARDS_MAX) return 2;
    struct account *accounts = mmap(NULL, (size_t)workers * sizeof *accounts, PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (accounts == MAP_FAILED) return 1;
    pid_t pids[WORKERS_MAX];
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigprocmask(SIG_BLOCK, &end, NULL);
    for (int w = 0; w < workers; w++)
        if ((pids[w] = fork()) == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            work(&accounts[w], (unsigned)shards, (unsigned)w + 1);
        }
    sigwait(&end, &signal);
    for (int w = 0; w < workers; w++) kill(pids[w], SIGTERM);
    for (int w = 0, status; w < workers; w++) bad |= waitpid(pids[w], &status, 0) != pids[w] || status;
    print_sums(accounts, workers, (unsigned)shards);
    return bad;
}
