/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench.h - what the programs of the benchmark share: a clock, yardsticks, samples, operations in rounds.
 *
 * A figure is a ratio. Beside every sample of an operation the yardsticks are measured, less than two
 * milliseconds earlier, and the median over the rounds of (operation / yardstick) is what is printed; so a
 * machine that drifts between two speeds slows both sides of each ratio.
 *
 * Not thread-safe: all of it belongs to one thread, except the companions that bench_ops_run() starts.
 */
#ifndef METRICS_TESTS_BENCH_H
#define METRICS_TESTS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BENCH_ROUNDS_MAX = 201, BENCH_TRIES = 20 };

/* Repeat a statement n times; the compiler may neither merge the repetitions nor keep memory in registers. */
#define BENCH_LOOP(STATEMENT)                \
    for (uint64_t i = 0; i < n; i++) {       \
        STATEMENT;                           \
        __asm__ volatile("" : : : "memory"); \
    }

double bench_ns(void); /* CLOCK_MONOTONIC */
void bench_pin(int cpu);
double bench_median(double *values, int n); /* sorts them */
/* How often the kernel took the CPU away from this thread:
 * a turn in which it did is tried BENCH_TRIES times. */
long bench_preemptions(void);

/* --- Yardsticks and samples --- */

/* A plain add to memory, an uncontended locked add, two reads of the time stamp counter: ns each. */
typedef struct {
    double add, xadd, two_rdtsc;
} bench_yardsticks_t;
void bench_plain_add(uint64_t n);
void bench_lock_xadd(uint64_t n);
void bench_two_rdtsc(uint64_t n);          /* or of the machine's own counter */
bench_yardsticks_t bench_yardsticks(void); /* takes about half a millisecond */

struct bench_sample {
    int n;
    double ns[BENCH_ROUNDS_MAX], x_add[BENCH_ROUNDS_MAX], x_xadd[BENCH_ROUNDS_MAX], x_two[BENCH_ROUNDS_MAX];
};
/* Add one measured value, with the yardsticks that were measured just before it. */
void bench_sample_add(struct bench_sample *s, double ns, bench_yardsticks_t y);
/* The medians, divided by `per`, as a line of the table or a JSON object; nothing if the sample is empty. */
void bench_sample_print(struct bench_sample *s, const char *op, int procs, double per);
/* One value that has no sample of its own, as a ratio to the medians of all yardsticks of this run. */
void bench_print(const char *op, int procs, double ns);
void bench_print_head(void);

extern bool bench_json; /* JSON objects instead of a table */

/* --- Operations in rounds --- */

enum bench_two {
    BENCH_ALONE,   /* with one process only */
    BENCH_PROCESS, /* also beside a companion process that does the same */
    BENCH_THREAD,  /* also beside a companion thread that does the same, for what knows threads only */
    BENCH_SELF,    /* also with two: `timed` sees to the second itself */
};

struct bench_op {
    const char *name;
    void (*run)(uint64_t n); /* do it n times */
    enum bench_two two;
    /* Instead of run, for programs in other languages: do
     * it n times, in that many threads; returns the ns. */
    double (*timed)(uint64_t n, int procs);
    uint64_t n;                    /* per round; filled in */
    struct bench_sample sample[3]; /* [1] alone, [2] beside a companion */
};

/* Fork the companion process (pinned to CPU 1; it calls prepare() once) before there are threads,
 * run the rounds on CPU 0, all operations taking turns in each, and end the companions. Linux only. */
void bench_ops_run(struct bench_op *ops, int count, int rounds, void (*prepare)(void));

/* --- mtx's own operations (ops.c) --- */

extern struct bench_op bench_ops[];
extern const int bench_op_count;

enum { BENCH_SERIES = 10000 }; /* counters in the segment beside those of the operations */

/* Open the segments ($MTX_SEGMENT leads to the first), the series, and start their leader. */
void bench_open(const char *path);
/* Stop the leader and remove the segment without one; the caller removes `path`. */
void bench_close(void);
void bench_prepare(void); /* in each process: claim slots, map pages */

/* --- The parts of the main program --- */

void bench_attach(const char *path, int rounds);   /* attach.c */
int bench_attach_child(const char *path);          /* the program that it starts; an exit status */
void bench_snapshot(const char *path, int rounds); /* reading.c */
void bench_churn(const char *path, int rounds);    /* reading.c */

/* Starts that mtx-exporter on the segment and fetches its page, a fresh one each time; prints ns per line. */
void bench_page(const char *exporter, const char *segment, int rounds);

/* The same with 100,000 series, for its memory: the peak above that of an exporter that only samples. */
void bench_page_memory(const char *exporter, const char *path);

#ifdef __cplusplus
}
#endif
#endif
