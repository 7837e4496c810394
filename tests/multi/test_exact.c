/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: N processes x M updates = the exact total: with restartable sequences, without, mixed in one
 * segment, with more runnable processes than cores, and with workers killed at random (at most one update per
 * kill apart).
 */
#include "multi.h"

enum { PROCESSES = 8, THREADS = 4, COMPETITORS_MAX = 256 };
#define UPDATES multi_dose(1000000)
#define KILLS   multi_dose(200)

/* glibc's own word on whether this process's threads have restartable sequences; missing before 2.35. */
extern const unsigned int __rseq_size __attribute__((weak));

static metrics_registry_t *registry;

/* The library reads the tunable when a process starts, so a
 * process without the sequences is this program again. */
static const char *self;

static void *thread(void *arg)
{
    (void)arg;
    metrics_counter_t *c = metrics_counter(registry, "counter", "k", "v");
    metrics_updown_t *u = metrics_updown(registry, "updown");
    metrics_meter_t *m = metrics_meter(registry, "meter");
    metrics_histogram_t *h = metrics_histogram(registry, "histogram"),
                        *b = metrics_histogram(registry, "buckets");
    metrics_timer_t *t = metrics_timer(registry, "timer");
    for (int i = 0; i < UPDATES; i++) {
        metrics_counter_inc(c);
        metrics_histogram_update(h, i % 100);
        if (i % 10) continue;
        metrics_histogram_update(b, i % 100);
        metrics_updown_add(u, i % 20 ? 3 : -2);
        metrics_meter_mark(m, 2);
        metrics_timer_update(t, 1000);
    }
    return NULL;
}

static void work(void)
{
    pthread_t th[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&th[i], NULL, thread, NULL);
    for (int i = 0; i < THREADS; i++) pthread_join(th[i], NULL);
}

static void describe(metrics_registry_t *r)
{
    metrics_family_t f = {.size = sizeof f, .reservoir = METRICS_BUCKETS_EXPONENTIAL, .scale = 3};
    metrics_describe(r, "buckets", &f, NULL);
}

static bool has_sequences(void)
{
    return &__rseq_size && __rseq_size != 0;
}

enum { WRONG_WAY = 3 }; /* a worker's exit status: it cannot update in the way that it is here to test */

/* The processes that main() starts anew: "worker" updates and ends, "victim" updates until it is killed.
 * Their segment is in MTX_SEGMENT, "with" or "without" says whether they must have restartable sequences. */
static int worker_program(bool with_sequences)
{
    if (has_sequences() != with_sequences) return WRONG_WAY;
    registry = metrics_default();
    work();
    return 0;
}

/* A process whose standard input is, if `book` is not negative, the workers' books. */
static pid_t start(const char *program, bool with_sequences, int books, int number)
{
    char text[16];
    fflush(stdout);
    pid_t pid = fork();
    if (pid) return pid;
    setenv("MTX_SEGMENT", test_path, 1);
    multi_sequences(with_sequences);
    if (books >= 0) dup2(books, 0);
    snprintf(text, sizeof text, "%d", number);
    execl(self, self, program, with_sequences ? "with" : "without", text, (char *)NULL);
    _exit(127);
}

/* which: 0 = none with sequences, 1 = all, 2 = every other one */
static bool in_turn(int which, int i)
{
    return which == 1 || (which == 2 && i % 2);
}

/* The sums of the counter's restartable lanes and of its atomic ones, which a total does not distinguish. */
static void lanes(uint64_t *restartable, uint64_t *atomic)
{
    const struct metrics__cells *c = &metrics_counter(registry, "counter", "k", "v")->cells;
    *restartable = *atomic = 0;
    for (uint32_t i = 0; i < c->lanes; i++)
        *restartable += __atomic_load_n((uint64_t *)(c->base + i * c->stride), __ATOMIC_RELAXED);
    for (uint32_t i = 0; i <= c->stripes; i++)
        *atomic += __atomic_load_n((uint64_t *)(c->atomic + i * c->stride), __ATOMIC_RELAXED);
}

/* Each worker proves to have updated in the way that the
 * run is about, or the run's exact totals say nothing. */
static void check_lanes(int which, double all)
{
    uint64_t restartable, atomic;
    lanes(&restartable, &atomic);
    double share = (double)restartable / all;
    EXPECT_EQ(restartable + atomic, all, "counter, lane by lane");
    if (which == 0) EXPECT_EQ(restartable, 0, "of these in restartable lanes");
    if (which == 1) EXPECT(share > 0.9, "in restartable lanes: expected nearly all, got %.4f", share);
    if (which == 2)
        EXPECT(share > 0.45 && share <= 0.5, "in restartable lanes: expected half, got %.4f", share);
}

/* The values were 0, 10, ... 90, equally often: each has a bucket of its own, and no other has any. */
static void check_buckets(double all)
{
    metrics_snapshot_t *s = test_take();
    const metrics_row_options_t o = {.size = sizeof o, .attributes = METRICS_ATTR(METRICS_WHOLE)};
    metrics_row_t row;
    double sum = 0, full = 0, wrong = 0;
    size_t n = metrics_reading_rows(test_find(s, "buckets", NULL), NULL, &o, &row, 1);
    for (size_t i = 0; n == 1 && i < row.distribution->bucket_count; i++) {
        double count = (double)row.distribution->buckets[i].count;
        sum += count;
        full += count > 0;
        wrong += count > 0 && count != all / 10;
    }
    EXPECT_EQ(sum, all, "buckets: sum of all buckets");
    EXPECT_EQ(full, 10, "buckets: how many have a count");
    EXPECT_EQ(wrong, 0, "buckets: how many have another count than a tenth of all");
    if (s) metrics_snapshot_release(&s);
}

static void check_totals(double all)
{
    EXPECT_EQ(multi_number("counter", NULL, "count"), all, "counter");
    EXPECT_EQ(multi_number("histogram", NULL, "count"), all, "histogram: count");
    EXPECT_EQ(multi_number("histogram", NULL, "sum"), all * 49.5, "histogram: sum");
    EXPECT_EQ(multi_number("histogram", NULL, "sum_squares"), all * 3283.5, "histogram: sum of squares");
    /* 1,028 of 100 values that are equally often: one in 30,000 samples has no 99, one in 10^23 nothing above 94. */
    double max = multi_number("histogram", NULL, "max");
    EXPECT(max > 94 && max <= 99, "histogram: max of the sample: expected 95 to 99, got %g", max);
    EXPECT_EQ(multi_number("buckets", NULL, "count"), all / 10, "buckets: count");
    EXPECT_EQ(multi_number("buckets", NULL, "sum"), all / 10 * 45, "buckets: sum");
    check_buckets(all / 10);
    EXPECT_EQ(multi_number("updown", NULL, "value"), all / 20, "updown");
    EXPECT_EQ(multi_number("meter", NULL, "count"), all / 5, "meter");
    EXPECT_EQ(multi_number("timer", NULL, "count"), all / 10, "timer");
    double seconds = multi_number("timer", NULL, "sum");
    EXPECT(fabs(seconds - all / 10 * 1e-6) < 1e-9, "timer: sum in seconds: expected %.9g, got %.9g",
           all / 10 * 1e-6, seconds);
}

static void run(const char *name, int which, int competitors)
{
    pid_t pids[PROCESSES], others[COMPETITORS_MAX];
    describe(registry = test_open(NULL));
    printf("     %s\n", name);
    for (int i = 0; i < competitors; i++)
        if (!(others[i] = fork())) {
            multi_limit(120);
            for (;;) __asm__ volatile("" : : : "memory");
        }
    for (int i = 0; i < PROCESSES; i++) pids[i] = start("worker", in_turn(which, i), -1, i);
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        waitpid(pids[i], &status, 0);
        if (status) EXPECT(false, "worker %d: expected wait status 0, got %#x", i, status);
    }
    for (int i = 0; i < competitors; i++) kill(others[i], SIGKILL), waitpid(others[i], NULL, 0);
    const double all = (double)PROCESSES * THREADS * UPDATES;
    check_lanes(which, all);
    check_totals(all);
}

/* As many as make the runnable processes four times the cores, and at least as many as there are workers. */
static int competitors(void)
{
    long want = 4 * sysconf(_SC_NPROCESSORS_ONLN) - PROCESSES;
    return want < PROCESSES ? PROCESSES : want > COMPETITORS_MAX ? COMPETITORS_MAX : (int)want;
}

/* --- Killed at random --- */

/* A worker's own account: for each metric, how many updates returned. Whatever the
 * moment of its death, at most one update of one metric has begun and is not in here. */
enum { COUNTER, UPDOWN, METER, HISTOGRAM, BUCKETS, TIMER, METRICS };
static const struct {
    const char *name, *row;
} books_of[METRICS] = {{"counter", "count"},   {"updown", "value"},  {"meter", "count"},
                       {"histogram", "count"}, {"buckets", "count"}, {"timer", "count"}};
struct book {
    uint64_t done[METRICS];
};

static void note(struct book *b, int metric)
{
    __atomic_store_n(&b->done[metric], b->done[metric] + 1, __ATOMIC_RELEASE);
}

/* Standard input is the books' memory. */
static int victim_program(bool with_sequences, int number)
{
    if (has_sequences() != with_sequences) return WRONG_WAY;
    struct book *books = mmap(NULL, KILLS * sizeof *books, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 0);
    if (books == MAP_FAILED) return 1;
    struct book *b = books + number;
    metrics_registry_t *r = metrics_default();
    metrics_counter_t *c = metrics_counter(r, "counter");
    metrics_updown_t *u = metrics_updown(r, "updown");
    metrics_meter_t *m = metrics_meter(r, "meter");
    metrics_histogram_t *h = metrics_histogram(r, "histogram"), *k = metrics_histogram(r, "buckets");
    metrics_timer_t *t = metrics_timer(r, "timer");
    for (multi_limit(120);;) {
        metrics_counter_inc(c), note(b, COUNTER);
        metrics_updown_inc(u), note(b, UPDOWN);
        metrics_meter_mark(m, 1), note(b, METER);
        metrics_histogram_update(h, 1), note(b, HISTOGRAM);
        metrics_histogram_update(k, 1), note(b, BUCKETS);
        metrics_timer_update(t, 1000000000), note(b, TIMER);
    }
}

/* Let a victim update for a random while, up to 4 ms, and
 * kill it. False if it was not the kill that ended it. */
static bool kill_one(pid_t pid, const struct book *b)
{
    int status = 0;
    for (int ms = 0; ms < PATIENCE_MS && !__atomic_load_n(&b->done[TIMER], __ATOMIC_ACQUIRE); ms++)
        multi_sleep_ms(1);
    nanosleep(&(struct timespec){.tv_nsec = rand() % 4000000}, NULL);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && b->done[TIMER];
}

/* Two at a time, so that one dies while another updates. */
static int kill_all(int which, int fd, const struct book *books)
{
    int killed = 0;
    pid_t before = 0;
    for (int i = 0; i < KILLS; i++) {
        pid_t now = start("victim", in_turn(which, i), fd, i);
        if (i) killed += kill_one(before, &books[i - 1]);
        before = now;
    }
    return killed + kill_one(before, &books[KILLS - 1]);
}

static void check_books(const struct book *books)
{
    for (int m = 0; m < METRICS; m++) {
        uint64_t done = 0;
        for (int i = 0; i < KILLS; i++) done += books[i].done[m];
        double counted = multi_number(books_of[m].name, NULL, books_of[m].row);
        EXPECT(counted >= (double)done && counted <= (double)done + KILLS,
               "%s: expected %" PRIu64 " (the workers' books) to %" PRIu64 ", got %.0f", books_of[m].name,
               done, done + KILLS, counted);
    }
}

/* Every value was 1: what a kill may leave between a count and its sum. */
static void check_sums(int which)
{
    static const int of[] = {HISTOGRAM, TIMER, BUCKETS};
    for (int i = 0; i < 3; i++) {
        const char *name = books_of[of[i]].name;
        double count = multi_number(name, NULL, "count"), sum = multi_number(name, NULL, "sum");
#if defined(__x86_64__)
        if (which == 1 && of[i] != BUCKETS) {
            /* A sum in seconds is 1e-9 of one in nanoseconds: rounded. */
            EXPECT(fabs(sum - count) < 0.5, "%s: sum and count are written together: expected %.0f, got %.0f",
                   name, count, sum);
            continue;
        }
#endif
        (void)which;
        EXPECT(fabs(sum - count) <= KILLS, "%s: sum: expected %.0f, one per kill apart at most, got %.0f",
               name, count, sum);
    }
}

static void killed_at_random(const char *name, int which)
{
    char path[] = "/dev/shm/mtx-test-books-XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    if (fd < 0 || ftruncate(fd, KILLS * sizeof(struct book))) exit(1);
    struct book *books = mmap(NULL, KILLS * sizeof *books, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (books == MAP_FAILED) exit(1);
    describe(registry = test_open(NULL));
    printf("     %s\n", name);
    EXPECT_EQ(kill_all(which, fd, books), KILLS, "workers that were killed while they updated");
    check_books(books);
    check_sums(which);
    munmap(books, KILLS * sizeof *books);
    close(fd);
}

/* Without restartable sequences anywhere (an old kernel), what is about them cannot be tried. */
static bool sequences_here(void)
{
    if (has_sequences()) return true;
    printf("left out: this system gives programs no restartable sequences\n");
    return false;
}

int main(int argc, char **argv)
{
    self = "/proc/self/exe";
    bool with = argc > 2 && !strcmp(argv[2], "with");
    if (argc > 1 && !strcmp(argv[1], "worker")) return worker_program(with);
    if (argc > 3 && !strcmp(argv[1], "victim")) return victim_program(with, atoi(argv[3]));
    multi_begin(170);
    srand((unsigned)time(NULL));
    run("8 processes x 4 threads, without restartable sequences (glibc.pthread.rseq=0)", 0, 0);
    killed_at_random("workers killed at random, without restartable sequences", 0);
    if (sequences_here()) {
        run("8 processes x 4 threads, with restartable sequences", 1, 0);
        run("half of the processes with, half without", 2, 0);
        run("four times more runnable processes than cores", 1, competitors());
        killed_at_random("workers killed at random, with restartable sequences", 1);
        killed_at_random("workers killed at random, half of them with", 2);
    }
    return multi_end();
}
