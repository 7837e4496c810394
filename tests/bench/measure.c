/* SPDX-License-Identifier: Apache-2.0 */
/* measure.c - see bench.h: yardsticks, samples, and operations that take turns beside companions. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define ROUND_NS     2e6
#define YARDSTICK_NS 2e5

bool bench_json;

double bench_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int compare(const void *x, const void *y)
{
    double p = *(const double *)x, q = *(const double *)y;
    return (p > q) - (p < q);
}

double bench_median(double *values, int n)
{
    if (n == 0) return 0;
    qsort(values, (size_t)n, sizeof *values, compare);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

void bench_pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* --- Yardsticks --- */

void bench_plain_add(uint64_t n)
{
    static uint64_t word;
    BENCH_LOOP(word += 1; __asm__ volatile("" : "+m"(word)))
}
void bench_lock_xadd(uint64_t n)
{
    static uint64_t word; /* uncontended: each process has its own */
    BENCH_LOOP(__atomic_fetch_add(&word, 1, __ATOMIC_RELAXED))
}
void bench_two_rdtsc(uint64_t n)
{
#if defined(__x86_64__)
    BENCH_LOOP(__builtin_ia32_rdtsc(); __builtin_ia32_rdtsc())
#else
    uint64_t t;
    BENCH_LOOP(__asm__ volatile("mrs %0, cntvct_el0"
                                : "=r"(t));
               __asm__ volatile("mrs %0, cntvct_el0"
                                : "=r"(t)))
#endif
}

static double run_op(const struct bench_op *op, uint64_t n, int procs)
{
    if (op->timed) return op->timed(n, procs);
    double took = -bench_ns();
    op->run(n);
    return took + bench_ns();
}

/* How often to repeat so that it takes that long. */
static uint64_t repetitions(const struct bench_op *op, double ns)
{
    uint64_t n = 1;
    double took = 0;
    for (;; n *= 2) { /* the quickest of three: other work may have had the CPU for a while */
        took = run_op(op, n, 1);
        for (int i = 0; i < 2 && took >= ns / 4; i++) took = fmin(took, run_op(op, n, 1));
        if (took >= ns / 4) break;
    }
    return (uint64_t)((double)n * ns / took) + 1;
}

static struct bench_sample all_yardsticks[3]; /* a ring of the latest, for bench_print() */
static int yardsticks_taken;

bench_yardsticks_t bench_yardsticks(void)
{
    static struct bench_op op[3] = {
        {.run = bench_plain_add}, {.run = bench_lock_xadd}, {.run = bench_two_rdtsc}};
    double ns[3];
    int at = yardsticks_taken++ % BENCH_ROUNDS_MAX;
    for (int i = 0; i < 3; i++) {
        if (!op[i].n) op[i].n = repetitions(&op[i], YARDSTICK_NS);
        ns[i] = run_op(&op[i], op[i].n, 1) / (double)op[i].n;
        all_yardsticks[i].ns[at] = ns[i];
        if (all_yardsticks[i].n <= at) all_yardsticks[i].n = at + 1;
    }
    return (bench_yardsticks_t){ns[0], ns[1], ns[2]};
}

/* --- Samples and output --- */

void bench_sample_add(struct bench_sample *s, double ns, bench_yardsticks_t y)
{
    if (s->n == BENCH_ROUNDS_MAX) return;
    s->ns[s->n] = ns;
    s->x_add[s->n] = ns / y.add;
    s->x_xadd[s->n] = ns / y.xadd;
    s->x_two[s->n] = ns / y.two_rdtsc;
    s->n++;
}

static void print(const char *op, int procs, double ns, double add, double xadd, double two)
{
    if (bench_json)
        printf(
            "{\"op\":\"%s\",\"procs\":%d,\"ns\":%.3f,\"x_add\":%.3f,\"x_xadd\":%.3f,\"x_two_rdtsc\":%.3f}\n",
            op, procs, ns, add, xadd, two);
    else
        printf("%-28s %5d %12.2f %10.2f %10.2f %12.2f\n", op, procs, ns, add, xadd, two);
    fflush(stdout);
}

void bench_print_head(void)
{
    if (!bench_json)
        printf("%-28s %5s %12s %10s %10s %12s\n", "operation", "procs", "ns", "x add", "x lock add",
               "x two rdtsc");
}

void bench_sample_print(struct bench_sample *s, const char *op, int procs, double per)
{
    if (!s->n) return;
    print(op, procs, bench_median(s->ns, s->n) / per, bench_median(s->x_add, s->n) / per,
          bench_median(s->x_xadd, s->n) / per, bench_median(s->x_two, s->n) / per);
}

void bench_print(const char *op, int procs, double ns)
{
    double y[3];
    if (!yardsticks_taken) bench_yardsticks();
    for (int i = 0; i < 3; i++) y[i] = bench_median(all_yardsticks[i].ns, all_yardsticks[i].n);
    print(op, procs, ns, ns / y[0], ns / y[1], ns / y[2]);
}

/* --- Companions --- */

/* What a companion is to do: an operation's number + 1, 0 = rest, -1 = end. It sleeps while it rests. */
struct companion {
    int wanted, doing;
    uint64_t chunk; /* repetitions between two looks at `wanted` */
    struct bench_op *ops;
};

static void futex(int *word, int op, int value)
{
    syscall(SYS_futex, word, op, value, NULL, NULL, 0);
}

static void *companion_loop(void *arg)
{
    struct companion *c = (struct companion *)arg;
    bench_pin(1);
    for (int now; (now = __atomic_load_n(&c->wanted, __ATOMIC_ACQUIRE)) >= 0;) {
        if (now) run_op(&c->ops[now - 1], c->chunk, 1);
        __atomic_store_n(&c->doing, now, __ATOMIC_RELEASE);
        if (!now) futex(&c->wanted, FUTEX_WAIT, 0);
    }
    return NULL;
}

static void companion_set(struct companion *c, int wanted, uint64_t chunk)
{
    if (!c || __atomic_load_n(&c->wanted, __ATOMIC_RELAXED) == wanted) return;
    c->chunk = chunk;
    __atomic_store_n(&c->wanted, wanted, __ATOMIC_RELEASE);
    futex(&c->wanted, FUTEX_WAKE, INT_MAX);
    while (wanted >= 0 && __atomic_load_n(&c->doing, __ATOMIC_ACQUIRE) != wanted) {
    }
}

static struct companion *companion_new(struct bench_op *ops)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) exit(1);
    struct companion *c = (struct companion *)p;
    c->ops = ops;
    return c;
}

/* --- Rounds --- */

long bench_preemptions(void)
{
    struct rusage u;
    return getrusage(RUSAGE_THREAD, &u) ? 0 : u.ru_nivcsw;
}

static void measure(struct bench_op *ops, int i, struct companion *const *companions)
{
    struct bench_op *op = &ops[i];
    for (int procs = 1; procs <= 2; procs++) {
        struct companion *c = procs == 2 ? companions[op->two] : NULL;
        if (procs == 2 && !c && op->two != BENCH_SELF) return;
        bench_yardsticks_t y;
        double ns;
        long before;
        int tries = 0;
        do { /* a turn in which other work had this CPU says nothing */
            before = bench_preemptions();
            y = bench_yardsticks();
            companion_set(c, i + 1, op->n / 64 + 1);
            ns = run_op(op, op->n, procs);
            companion_set(c, 0, 0);
        } while (!op->timed && bench_preemptions() != before && ++tries < BENCH_TRIES);
        bench_sample_add(&op->sample[procs], ns / (double)op->n, y);
    }
}

void bench_ops_run(struct bench_op *ops, int count, int rounds, void (*prepare)(void))
{
    struct companion *companions[] = {NULL, companion_new(ops), companion_new(ops), NULL};
    pthread_t thread;
    pid_t pid = -1;
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
        companions[BENCH_PROCESS] = companions[BENCH_THREAD] = NULL;
    } else {
        fflush(stdout);
        pid = fork();
        if (pid == 0) {
            prepare();
            companion_loop(companions[BENCH_PROCESS]);
            _exit(0);
        }
        if (pid < 0 || pthread_create(&thread, NULL, companion_loop, companions[BENCH_THREAD])) exit(1);
    }
    bench_pin(0);
    prepare();
    for (int i = 0; i < count; i++) ops[i].n = repetitions(&ops[i], ROUND_NS);
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < count; i++) measure(ops, i, companions);
    if (pid < 0) return;
    companion_set(companions[BENCH_PROCESS], -1, 0);
    companion_set(companions[BENCH_THREAD], -1, 0);
    waitpid(pid, NULL, 0);
    pthread_join(thread, NULL);
}
