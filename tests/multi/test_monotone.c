/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: a reader reads whole numbers while many processes write, fork and are killed: no running
 * total falls (count, sum, each bucket), a count is the sum of its buckets, no double is half of one value
 * and half of another, min <= quantiles <= max, and the extremes of an interval are of values that somebody
 * recorded. In the end every total is what the writers' own books say, within one update per kill.
 *
 * Two readers take snapshots, a third one encodes and decodes each, a leader folds rates and closes intervals
 * and is killed now and then. Every other writer runs without restartable sequences, so that both kinds of
 * lanes are in use. 5 seconds; ten minutes with MTX_CAMPAIGN=long.
 */
#include <stdarg.h>
#include <sys/prctl.h>

#include "../../registry/programs/leader.h"
#include "multi.h"

enum { WRITERS = 6, READERS = 3, BOOKS = 1 << 20, HIGHEST = 100, ELEMENTS = 200, ROWS = 256, TOLD = 20 };

/* --- What is recorded --- */

enum {
    COUNTER,
    UPDOWN,
    METER,
    DECAYING,
    UNIFORM,
    SLIDING,
    WINDOW,
    EXPLICIT,
    EXPONENTIAL,
    TIMER,
    TIMED,
    KINDS
};
static const struct {
    const char *name, *row;
    double unit; /* of a value, in what was recorded: timers get microseconds and give seconds */
} series[KINDS] = {
    {"counter", "count", 0},     {"updown", "value", 0},   {"meter", "count", 0},    {"decaying", "count", 1},
    {"uniform", "count", 1},     {"sliding", "count", 1},  {"window", "count", 1},   {"explicit", "count", 1},
    {"exponential", "count", 1}, {"timer", "count", 1e-6}, {"timed", "count", 1e-6},
};

/* Two values that differ in both halves: half of one and half of the other is neither. */
static const double gauge_values[2] = {0x1.0000123456789p0, 0x1.8fedcba987654p40};

/* One writer's own account: what returned, and the sum of the values. */
struct book {
    uint64_t done[KINDS], sum[KINDS];
};
static struct {
    uint64_t stop, books, kills, leaders, forks, reads[READERS + 1], samples, readings, violations;
    struct book book[BOOKS];
} * all;

static void violation(const char *fmt, ...)
{
    va_list ap;
    if (__atomic_fetch_add(&all->violations, 1, __ATOMIC_RELAXED) >= TOLD) return;
    va_start(ap, fmt);
    printf("FAIL ");
    vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
}

static uint64_t bump(uint64_t *n)
{
    return __atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
}

static bool stopped(void)
{
    return __atomic_load_n(&all->stop, __ATOMIC_RELAXED);
}

static void describe(metrics_registry_t *r)
{
    static const double bounds[] = {1, 2, 5, 10, 20, 50, 99}, times[] = {1e-6, 1e-5, 5e-5, 1e-4};
    const struct {
        const char *name;
        metrics_family_t family;
    } families[] = {
        {"uniform", {.reservoir = METRICS_RESERVOIR_UNIFORM, .samples = 64}},
        {"sliding", {.reservoir = METRICS_RESERVOIR_SLIDING, .samples = 64}},
        {"window", {.reservoir = METRICS_RESERVOIR_SLIDING_TIME, .samples = 64, .window_s = 1}},
        {"explicit", {.reservoir = METRICS_BUCKETS, .bounds = bounds, .bound_count = 7}},
        {"exponential", {.reservoir = METRICS_BUCKETS_EXPONENTIAL, .scale = 2, .low = 1, .high = 64}},
        {"timed", {.reservoir = METRICS_BUCKETS, .bounds = times, .bound_count = 4}},
        {"each", {.merge = METRICS_MERGE_ALL}},
    };
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        metrics_family_t f = families[i].family;
        metrics_error_t error = {0};
        f.size = sizeof f;
        if (metrics_describe(r, families[i].name, &f, &error))
            EXPECT(false, "%s: %s", families[i].name, error.text);
    }
}

struct handles {
    metrics_counter_t *counter;
    metrics_updown_t *updown;
    metrics_meter_t *meter;
    metrics_histogram_t *histogram[EXPONENTIAL + 1];
    metrics_timer_t *timer, *timed;
    metrics_gauge_t *last, *each;
    metrics_set_t *set;
};

static struct handles find(metrics_registry_t *r)
{
    struct handles h = {.counter = metrics_counter(r, "counter"),
                        .updown = metrics_updown(r, "updown"),
                        .meter = metrics_meter(r, "meter"),
                        .timer = metrics_timer(r, "timer"),
                        .timed = metrics_timer(r, "timed"),
                        .last = metrics_gauge(r, "last"),
                        .each = metrics_gauge(r, "each"),
                        .set = metrics_set(r, "set")};
    for (int i = DECAYING; i <= EXPONENTIAL; i++) h.histogram[i] = metrics_histogram(r, series[i].name);
    return h;
}

/* --- Writers --- */

static void note(struct book *b, int kind, uint64_t value)
{
    __atomic_store_n(&b->done[kind], b->done[kind] + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&b->sum[kind], b->sum[kind] + value, __ATOMIC_RELEASE);
}

static void update(const struct handles *h, struct book *b, uint64_t n)
{
    uint64_t value = n * 37 % HIGHEST + 1, element = n % ELEMENTS;
    metrics_counter_inc(h->counter), note(b, COUNTER, 1);
    metrics_updown_inc(h->updown), note(b, UPDOWN, 1);
    metrics_meter_mark(h->meter, 1), note(b, METER, 1);
    for (int i = DECAYING; i <= EXPONENTIAL; i++)
        metrics_histogram_update(h->histogram[i], (double)value), note(b, i, value);
    metrics_timer_update(h->timer, value * 1000), note(b, TIMER, value);
    metrics_timer_update(h->timed, value * 1000), note(b, TIMED, value);
    metrics_gauge_set(h->last, gauge_values[n & 1]);
    metrics_gauge_set(h->each, gauge_values[n & 1]);
    metrics_set_add(h->set, &element, sizeof element);
}

static struct book *new_book(void)
{
    uint64_t n = bump(&all->books);
    if (n >= BOOKS) _exit(1);
    return &all->book[n];
}

/* A child that updates until its parent kills it, or dies itself. */
static pid_t child(const struct handles *h)
{
    pid_t parent = getpid(), pid = fork();
    if (pid) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    struct book *b = new_book();
    bump(&all->forks);
    for (uint64_t n = 0;; n++) update(h, b, n);
}

/* Updates, and forks now and then, until it is killed. Standard input is the books' memory. */
static int writer_program(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 0);
    if (all == MAP_FAILED) return 1;
    struct handles h = find(metrics_default());
    struct book *b = new_book();
    pid_t pid = 0;
    for (uint64_t n = 0;; n++) {
        update(&h, b, n);
        if (n % 4096 != 4095) continue;
        if (pid > 0) kill(pid, SIGKILL), waitpid(pid, NULL, 0), bump(&all->kills);
        pid = child(&h);
    }
}

static pid_t start_writer(int books, bool with_sequences)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid) return pid;
    setenv("MTX_SEGMENT", test_path, 1);
    multi_sequences(with_sequences);
    dup2(books, 0);
    execl("/proc/self/exe", "test_monotone", "writer", (char *)NULL);
    _exit(127);
}

/* --- What one snapshot must be --- */

static int kind_of(const metrics_reading_t *r)
{
    int i = 0;
    while (i < KINDS && strcmp(series[i].name, metrics_reading_name(r))) i++;
    return i;
}

static size_t expand(const metrics_reading_t *r, const metrics_reading_t *base, bool interval,
                     metrics_row_t *rows)
{
    metrics_row_options_t o = {.size = sizeof o,
                               .attributes = METRICS_ATTRS_DEFAULT | METRICS_ATTR(METRICS_BUCKETS_LE) |
                                             METRICS_ATTR(METRICS_WHOLE),
                               .totals = interval ? METRICS_INTERVAL : METRICS_LIFETIME,
                               .sampled = interval ? METRICS_INTERVAL : METRICS_RECENT};
    size_t n = metrics_reading_rows(r, base, &o, rows, ROWS);
    if (n > ROWS) violation("%s has %zu rows", metrics_reading_name(r), n);
    return n > ROWS ? ROWS : n;
}

static const metrics_row_t *row_of(const metrics_row_t *rows, size_t n, enum metrics_attribute a)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].attribute == a) return &rows[i];
    return NULL;
}

/* A row with that attribute, or NaN. */
static double number_of(const metrics_row_t *rows, size_t n, enum metrics_attribute a)
{
    const metrics_row_t *r = row_of(rows, n, a);
    return r ? metrics_row_number(r) : NAN;
}

/* count = last bucket = sum of all buckets, and the buckets as rows never fall from one to the next. */
static void check_buckets(const char *name, const metrics_row_t *rows, size_t n, bool interval)
{
    const metrics_row_t *whole = row_of(rows, n, METRICS_WHOLE);
    if (!whole || !whole->distribution->bucket_count) return;
    double count = number_of(rows, n, METRICS_COUNT), below = 0;
    uint64_t sum = 0;
    for (size_t i = 0; i < whole->distribution->bucket_count; i++)
        sum += whole->distribution->buckets[i].count;
    for (size_t i = 0; i < n; i++) {
        if (rows[i].attribute != METRICS_BUCKETS_LE) continue;
        double le = metrics_row_number(&rows[i]);
        if (!(le >= below))
            violation("%s: bucket %g has %.0f, one below it %.0f", name, rows[i].parameter, le, below);
        below = le;
    }
    /* The whole distribution is that of the lifetime, even beside rows of an interval. */
    if (count != below || (!interval && count != (double)sum) ||
        (double)sum != (double)whole->distribution->count)
        violation("%s: count %.0f, last bucket %.0f, all buckets %" PRIu64, name, count, below, sum);
}

/* low <= min <= each quantile, rising, and mean <= max <= high. Buckets know their values by bounds only. */
static void check_sample(const char *name, int kind, const metrics_row_t *rows, size_t n)
{
    double min = number_of(rows, n, METRICS_MIN), max = number_of(rows, n, METRICS_MAX);
    double mean = number_of(rows, n, METRICS_MEAN), dev = number_of(rows, n, METRICS_STDDEV), last = min;
    double low = series[kind].unit, high = low * HIGHEST, close = high * 1e-9;
    bool bounded = kind == EXPLICIT || kind == EXPONENTIAL || kind == TIMED;
    if (isnan(min)) return; /* an empty sample */
    if (!(min <= max) || (!bounded && !(min >= low - close && max <= high + close)))
        violation("%s: min %.17g, max %.17g", name, min, max);
    if (!isnan(mean) && !(mean >= min - close && mean <= max + close))
        violation("%s: mean %.17g of %.17g to %.17g", name, mean, min, max);
    if (!isnan(dev) && !(dev >= 0 && dev <= high)) violation("%s: stddev %.17g", name, dev);
    for (size_t i = 0; i < n; i++) {
        if (rows[i].nature != METRICS_QUANTILE) continue;
        double q = metrics_row_number(&rows[i]);
        if (!(q >= last - close && q <= max + close))
            violation("%s: quantile %g is %.17g, not in %.17g to %.17g", name, rows[i].parameter, q, last,
                      max);
        last = q;
    }
}

static void check_other(const char *name, const metrics_row_t *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double v = metrics_row_number(&rows[i]);
        bool gauge = !strcmp(name, "last") || !strcmp(name, "each");
        if (gauge && v != gauge_values[0] && v != gauge_values[1]) violation("%s is %a: torn", name, v);
        if (!strcmp(name, "set") && !(v >= 0 && v <= ELEMENTS))
            violation("set: %.0f distinct elements of %d", v, ELEMENTS);
    }
}

/* One reading by itself. */
static void check_reading(const metrics_reading_t *r, const metrics_row_t *rows, size_t n, bool interval)
{
    const char *name = metrics_reading_name(r);
    int kind = kind_of(r);
    for (size_t i = 0; i < n; i++) {
        double v = metrics_row_number(&rows[i]);
        bool rate = rows[i].nature == METRICS_RATE, total = rows[i].nature == METRICS_TOTAL;
        if (rows[i].attribute != METRICS_WHOLE && (!isfinite(v) || ((rate || total) && v < 0)))
            violation("%s: %s is %g", name, metrics_attribute_name(rows[i].attribute), v);
    }
    check_buckets(name, rows, n, interval);
    if (kind < KINDS && series[kind].unit != 0)
        check_sample(name, kind, rows, n);
    else if (kind == KINDS)
        check_other(name, rows, n);
    bump(&all->readings);
}

/* --- What two and three in a row must be --- */

static bool grows(const metrics_row_t *r)
{
    return r->nature == METRICS_TOTAL || r->nature == METRICS_BUCKET || r->attribute == METRICS_COUNT ||
           r->attribute == METRICS_SUM || r->attribute == METRICS_SUM_SQUARES;
}

static const metrics_row_t *same_row(const metrics_row_t *like, const metrics_row_t *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].attribute == like->attribute && rows[i].nature == like->nature &&
            (like->nature != METRICS_BUCKET || rows[i].parameter == like->parameter))
            return &rows[i];
    return NULL;
}

static void check_grown(const char *name, const metrics_row_t *before, size_t n, const metrics_row_t *now,
                        size_t m)
{
    for (size_t i = 0; i < n; i++) {
        if (!grows(&before[i])) continue;
        const metrics_row_t *r = same_row(&before[i], now, m);
        double a = metrics_row_number(&before[i]), b = r ? metrics_row_number(r) : NAN;
        if (!(b >= a))
            violation("%s: %s %g fell from %.17g to %.17g", name, metrics_attribute_name(before[i].attribute),
                      before[i].parameter, a, b);
    }
}

/* A sum was read after the counts of the snapshot before it and before those of the one
 * after it; each process may have been stopped for good between its count and its sum. */
static void check_between(const metrics_reading_t *before, const metrics_reading_t *now,
                          const metrics_reading_t *after)
{
    metrics_row_t rows[3][ROWS];
    double unit = series[kind_of(now)].unit, slack = (double)__atomic_load_n(&all->books, __ATOMIC_RELAXED);
    size_t n[3] = {expand(before, NULL, false, rows[0]), expand(now, NULL, false, rows[1]),
                   expand(after, NULL, false, rows[2])};
    double sum = number_of(rows[1], n[1], METRICS_SUM) / unit;
    double least = number_of(rows[0], n[0], METRICS_COUNT) - slack;
    double most = HIGHEST * (number_of(rows[2], n[2], METRICS_COUNT) + slack);
    if (!(sum >= least && sum <= most))
        violation("%s: sum %.17g, not in %.17g to %.17g", metrics_reading_name(now), sum, least, most);
    if (unit == 1 && sum != floor(sum))
        violation("%s: sum %.17g of integers", metrics_reading_name(now), sum);
}

struct past {
    metrics_snapshot_t *last[2]; /* newest first */
};

static void check_interval(const metrics_reading_t *now, const metrics_reading_t *base)
{
    metrics_row_t rows[ROWS];
    metrics_bucket_t room[ROWS];
    metrics_distribution_t d;
    uint64_t sum = 0;
    check_reading(now, rows, expand(now, base, true, rows), true);
    if (!base || metrics_reading_distribution(now, base, room, ROWS, &d) || !d.bucket_count) return;
    for (size_t i = 0; i < d.bucket_count; i++) sum += d.buckets[i].count;
    if (sum != d.count)
        violation("%s: interval of %" PRIu64 ", its buckets %" PRIu64, metrics_reading_name(now), d.count,
                  sum);
}

static void check_series(struct past *p, const metrics_reading_t *r, bool interval)
{
    metrics_row_t now[ROWS], then[ROWS];
    const metrics_reading_t *before = p->last[0] ? metrics_snapshot_find(p->last[0], r) : NULL;
    const metrics_reading_t *first = before && p->last[1] ? metrics_snapshot_find(p->last[1], r) : NULL;
    size_t n = expand(r, NULL, false, now);
    int kind = kind_of(r);
    check_reading(r, now, n, false);
    if (interval) check_interval(r, before);
    if (before) check_grown(metrics_reading_name(r), then, expand(before, NULL, false, then), now, n);
    if (first && kind < KINDS && series[kind].unit != 0) check_between(first, before, r);
}

static void check(struct past *p, metrics_snapshot_t *s, bool interval)
{
    int cumulative = 0;
    for (size_t i = 0; i < metrics_snapshot_count(s); i++) {
        const metrics_reading_t *r = metrics_snapshot_reading(s, i);
        cumulative += kind_of(r) < KINDS;
        check_series(p, r, interval);
    }
    if (cumulative != KINDS) violation("%d of %d series in a snapshot", cumulative, KINDS);
    if (metrics_snapshot_header(s)->series_damaged)
        violation("%" PRIu64 " series damaged", metrics_snapshot_header(s)->series_damaged);
    if (p->last[1]) metrics_snapshot_release(&p->last[1]);
    p->last[1] = p->last[0];
    p->last[0] = s;
}

/* --- Readers --- */

static metrics_snapshot_t *through_bytes(metrics_snapshot_t *s)
{
    void *bytes = NULL;
    size_t n = 0;
    metrics_error_t error = {0};
    metrics_snapshot_t *back = NULL;
    if (!metrics_snapshot_encode(s, &bytes, &n, &error)) back = metrics_snapshot_decode(bytes, n, &error);
    free(bytes);
    metrics_snapshot_release(&s);
    if (!back) violation("encode and decode: %s", error.text);
    return back;
}

static void reader(void *arg)
{
    int number = (int)(intptr_t)arg;
    metrics_error_t error = {0};
    struct past past = {{NULL}};
    alarm(0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    metrics_reader_t *r = metrics_reader_open(test_path, NULL, &error);
    if (!r) violation("reader %d: %s", number, error.text);
    while (r && !stopped()) {
        metrics_snapshot_t *s = metrics_snapshot_take(r, &error);
        if (!s) violation("reader %d: %s", number, error.text);
        if (s && number == READERS - 1) s = through_bytes(s);
        if (!s) continue;
        check(&past, s, false);
        bump(&all->reads[number]);
    }
}

static void leader(void *arg)
{
    (void)arg;
    metrics_error_t error = {0};
    struct past past = {{NULL}};
    alarm(0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    metrics_leader_t *l = metrics_leader_acquire(test_path, NULL, &error);
    if (!l) violation("leader: %s", error.text);
    bump(&all->leaders);
    while (l && !stopped()) {
        metrics_leader_tick(l);
        metrics_snapshot_t *s = metrics_leader_sample(l, &error);
        if (!s) violation("leader: %s", error.text);
        if (!s) continue;
        metrics_leader_logged(l, s);
        check(&past, s, true);
        bump(&all->reads[READERS]);
        multi_sleep_ms(10);
    }
}

/* --- The campaign --- */

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void run(int books, double seconds)
{
    pid_t writers[WRITERS], readers[READERS], first = multi_fork(leader, NULL);
    double over = seconds_now() + seconds, next_leader = 0.5;
    for (int i = 0; i < WRITERS; i++) writers[i] = start_writer(books, i % 2);
    for (intptr_t i = 0; i < READERS; i++) readers[i] = multi_fork(reader, (void *)i);
    next_leader += seconds_now();
    while (seconds_now() < over) {
        int at = rand() % WRITERS;
        nanosleep(&(struct timespec){.tv_nsec = rand() % 30000000}, NULL);
        end(writers[at]);
        bump(&all->kills);
        writers[at] = start_writer(books, at % 2);
        if (seconds_now() < next_leader) continue;
        end(first);
        first = multi_fork(leader, NULL);
        next_leader = seconds_now() + 1;
    }
    for (int i = 0; i < WRITERS; i++) end(writers[i]), bump(&all->kills);
    __atomic_store_n(&all->stop, 1, __ATOMIC_RELAXED);
    waitpid(first, NULL, 0);
    for (int i = 0, status = -1; i < READERS; i++) {
        waitpid(readers[i], &status, 0);
        EXPECT(status == 0, "reader %d ends as it should (wait status %#x)", i, status);
    }
    while (waitpid(-1, NULL, 0) > 0) { /* the writers' orphans come to us */
    }
}

static void check_books(void)
{
    uint64_t books = all->books;
    for (int k = 0; k < KINDS; k++) {
        uint64_t done = 0, sum = 0;
        for (uint64_t i = 0; i < books; i++) done += all->book[i].done[k], sum += all->book[i].sum[k];
        double count = multi_number(series[k].name, NULL, series[k].row);
        EXPECT(count >= (double)done && count <= (double)(done + books),
               "%s: expected %" PRIu64 " (the books) to %" PRIu64 ", got %.0f", series[k].name, done,
               done + books, count);
        if (series[k].unit == 0) continue;
        double got = round(multi_number(series[k].name, NULL, "sum") / series[k].unit);
        EXPECT(got >= (double)sum && got <= (double)(sum + books * HIGHEST),
               "%s: sum: expected %" PRIu64 " to %" PRIu64 ", got %.0f", series[k].name, sum,
               sum + books * HIGHEST, got);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "writer")) return writer_program();
    double seconds = multi_campaign("long") ? 600 : 5;
    char path[] = "/dev/shm/mtx-test-books-XXXXXX";
    multi_begin((unsigned)seconds + 120);
    int fd = mkstemp(path);
    unlink(path);
    if (fd < 0 || ftruncate(fd, sizeof *all)) return 1;
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (all == MAP_FAILED) return 1;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    metrics_registry_t *r = test_open(NULL);
    describe(r);
    find(r);
    run(fd, seconds);
    printf("     %.0f s: %" PRIu64 " + %" PRIu64 " + %" PRIu64 " snapshots (the last ones encoded), %" PRIu64
           " samples by %" PRIu64 " leaders, %" PRIu64 " readings\n",
           seconds, all->reads[0], all->reads[1], all->reads[2], all->reads[3], all->leaders, all->readings);
    printf("     %" PRIu64 " writers, %" PRIu64 " of them forked; %" PRIu64 " kills\n", all->books,
           all->forks, all->kills);
    EXPECT(all->reads[0] && all->reads[1] && all->reads[2] && all->reads[3], "every reader has read");
    EXPECT_EQ(all->violations, 0, "violations");
    check_books();
    return multi_end();
}
