/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: what writers of events have put is read, each once, none torn, whoever is killed in between; what had no room
 * is counted to the record; with restartable sequences and without.
 *
 * Writers on all CPUs put log lines whose texts follow from who wrote them and how many came before, each interrupted
 * every 100 us by a handler that puts lines of its own. One after the other is killed. This process drains, gives the
 * room back, and now and then goes on with a new reader and the positions that the log would have, as after a kill of
 * an exporter, before or after it gave the room back. A line counts as put when its writer says so in shared memory.
 */
#include "multi.h"

#include <sched.h>
#include <time.h>

#include <mtx/events.h>
#include <mtx/events_read.h>

#include "leader.h"

enum {
    AT_ONCE = 8,
    KILLS_PACED = 100,
    KILLS_FLOOD = 30,
    KILLS_LONG = 10000,
    AT_ONCE_LONG = 64,
    STORM_NS = 100000,
    LINES_BEFORE_KILL = 20,
    BURST = 4, /* lines of a paced writer, or of its handler, in one turn of the reader */
    WORDS = 1024,
    TEXT_MOST = 900,
};

/* One stream of lines: those of a writer, or of its handler. */
struct stream {
    uint64_t intended, done; /* by the writer, in shared memory */
};
struct seen {
    uint64_t *bits, words, count, highest; /* by the reader; highest + 1 = beyond */
};

static struct stream *streams; /* two for each writer */
static struct seen *seen;
static uint64_t *turn; /* of the reader, in shared memory: paced writers wait for it */
static int writers;
static bool paced;
static metrics_logger_t *logger;
static uint64_t twice, torn, unknown, killed_half, damaged;

/* --- Lines --- */

static size_t text_of(char *text, unsigned stream, uint64_t n)
{
    size_t length = (stream * 7919 + n * 104729) % TEXT_MOST;
    for (size_t i = 0; i < length; i++) text[i] = (char)('a' + (stream + n + i) % 26);
    text[length] = 0;
    return length;
}

static void put_line(unsigned stream)
{
    char text[TEXT_MOST + 1];
    uint64_t n = streams[stream].intended;
    text_of(text, stream, n);
    __atomic_store_n(&streams[stream].intended, n + 1, __ATOMIC_RELEASE);
    metrics_log(logger, METRICS_LOG_INFO, "%u %llu %s", stream, (unsigned long long)n, text);
    __atomic_store_n(&streams[stream].done, n + 1, __ATOMIC_RELEASE);
}

/* --- Writers --- */

static volatile unsigned own_stream;

/* May one more line be put in this turn? */
static bool has_turn(uint64_t *last, int *lines)
{
    uint64_t now = __atomic_load_n(turn, __ATOMIC_RELAXED);
    if (!paced) return true;
    if (now != *last) *lines = 0;
    *last = now;
    return (*lines)++ < BURST;
}

static void on_storm(int signal)
{
    static uint64_t last;
    static int lines;
    int saved = errno;
    (void)signal;
    if (has_turn(&last, &lines)) put_line(own_stream + 1);
    errno = saved;
}

static pid_t start_writer(int w)
{
    pid_t pid = fork();
    if (pid) return pid;
    timer_t storm;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    const struct itimerspec every = {{0, STORM_NS}, {0, STORM_NS}};
    own_stream = (unsigned)w * 2;
    signal(SIGUSR1, on_storm);
    if (timer_create(CLOCK_MONOTONIC, &event, &storm) || timer_settime(storm, 0, &every, NULL)) _exit(1);
    uint64_t last = 0;
    for (int lines = 0;;)
        if (has_turn(&last, &lines))
            put_line(own_stream);
        else
            sched_yield();
}

/* --- Reading --- */

static bool mark(struct seen *s, uint64_t n)
{
    if (n / 64 >= s->words) {
        uint64_t words = n / 64 * 2 + 16;
        s->bits = realloc(s->bits, words * 8);
        memset(s->bits + s->words, 0, (words - s->words) * 8);
        s->words = words;
    }
    bool had = s->bits[n / 64] >> n % 64 & 1;
    s->bits[n / 64] |= UINT64_C(1) << n % 64;
    s->count += !had;
    if (n >= s->highest) s->highest = n + 1;
    return !had;
}

static void look_at(const metrics_event_t *e)
{
    char text[TEXT_MOST + 1];
    unsigned stream;
    unsigned long long n;
    int at = 0;
    if (sscanf(e->message, "%u %llu %n", &stream, &n, &at) != 2 || !at || stream >= (unsigned)writers * 2) {
        unknown++;
        return;
    }
    text_of(text, stream, n);
    torn += strcmp(e->message + at, text) != 0;
    twice += !mark(&seen[stream], n);
}

struct drain {
    metrics_leader_t *leader;
    metrics_events_t *events;
    uint64_t words[WORDS];
    size_t n;
    unsigned turn;
};

static void open_drain(struct drain *d)
{
    metrics_error_t error = {0};
    d->leader = metrics_leader_acquire(test_path, NULL, &error);
    d->events = d->leader
                    ? metrics_events_open(metrics_leader_reader(d->leader), METRICS_EVENTS_DRAIN, &error)
                    : NULL;
    if (!d->events) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    if (d->n) metrics_events_seek(d->events, d->words, d->n);
}

static void close_drain(struct drain *d)
{
    killed_half += metrics_events_stats(d->events)->killed;
    damaged += metrics_events_stats(d->events)->damaged;
    metrics_events_close(&d->events);
    metrics_leader_release(&d->leader);
}

/* "The log" has the lines and the positions once they are in d->words: all or nothing, as here nobody kills us. */
static void drain(struct drain *d)
{
    metrics_error_t error;
    __atomic_add_fetch(turn, 1, __ATOMIC_RELAXED);
    if (metrics_events_take(d->events, &error)) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    for (const metrics_event_t *e; (e = metrics_events_next(d->events));) look_at(e);
    d->n = metrics_events_positions(d->events, d->words, WORDS);
    bool die_before = ++d->turn % 7 == 0, die_after = d->turn % 11 == 0;
    if (!die_before) metrics_leader_drained(d->leader, d->words, d->n);
    if (!die_before && !die_after) return;
    close_drain(d);
    open_drain(d);
}

/* --- The test --- */

static uint64_t done_of(int w)
{
    return __atomic_load_n(&streams[w * 2].done, __ATOMIC_ACQUIRE);
}

/*
 * Starts the writers and kills them, the oldest first. A process of its own: children of a leader would inherit its lock.
 */
static void run_writers(void *arg)
{
    int at_once = *(int *)arg;
    pid_t *pids = calloc((size_t)writers, sizeof *pids);
    for (int w = 0; w < at_once; w++) pids[w] = start_writer(w);
    for (int w = 0; w < writers; w++) {
        while (done_of(w) < LINES_BEFORE_KILL) multi_sleep_ms(1);
        kill(pids[w], SIGKILL);
        waitpid(pids[w], NULL, 0);
        if (w + at_once < writers) pids[w + at_once] = start_writer(w + at_once);
    }
    free(pids);
}

static void drain_until(struct drain *d, pid_t end)
{
    int status;
    while (waitpid(end, &status, WNOHANG) == 0) drain(d);
    EXPECT(WIFEXITED(status) && !WEXITSTATUS(status), "all writers were started and killed");
    for (int i = 0; i < 3; i++) drain(d);
}

struct totals {
    uint64_t intended, done, read, missing, above;
};

/* missing: done, but not read; above: read, but not intended. */
static struct totals sum_up(void)
{
    struct totals t = {0};
    for (int s = 0; s < writers * 2; s++) {
        t.intended += streams[s].intended;
        t.done += streams[s].done;
        t.read += seen[s].count;
        t.above += seen[s].highest > streams[s].intended;
        for (uint64_t n = 0; n < streams[s].done; n++)
            t.missing += n / 64 >= seen[s].words || !(seen[s].bits[n / 64] >> n % 64 & 1);
    }
    return t;
}

/* What the rings say now: the last drain may have been the last of its leader. */
static uint64_t dropped(struct drain *d)
{
    metrics_error_t error;
    if (metrics_events_take(d->events, &error)) fprintf(stderr, "%s\n", error.text);
    const metrics_events_stats_t *s = metrics_events_stats(d->events);
    return s->dropped[METRICS_EVENT_LOG] + s->refused[METRICS_EVENT_LOG];
}

static void check(struct drain *d, const char *how, int kills)
{
    struct totals t = sum_up();
    uint64_t lost = dropped(d), at_most = (uint64_t)kills * 2;
    killed_half += metrics_events_stats(d->events)->killed;
    damaged += metrics_events_stats(d->events)->damaged;
    printf("%s: %d killed, %llu put, %llu read, %llu dropped, %llu of the killed passed over\n", how, kills,
           (unsigned long long)t.done, (unsigned long long)t.read, (unsigned long long)lost,
           (unsigned long long)killed_half);
    EXPECT(t.read > 0, "%s: something was read", how);
    EXPECT_EQ(torn, 0, "torn lines");
    EXPECT_EQ(unknown, 0, "lines of nobody");
    EXPECT_EQ(twice, 0, "lines that came twice");
    EXPECT_EQ(t.above, 0, "streams with lines that were not put");
    EXPECT_EQ(damaged, 0, "damaged records");
    /* A writer that was killed between its line and its note, or its line's end: one line each, two with its handler. */
    EXPECT(killed_half <= at_most, "%s: at most %d lines of killed writers are passed over", how, kills * 2);
    EXPECT(t.missing <= lost,
           "%s: every line that was put was read or counted: %llu are missing, %llu were dropped", how,
           (unsigned long long)t.missing, (unsigned long long)lost);
    EXPECT(t.read + lost >= t.done && t.read + lost + killed_half <= t.intended,
           "%s: read and dropped are together what was put", how);
}

static void scenario(const char *rseq, const char *how, bool slow)
{
    struct drain d = {0};
    int kills = multi_dose(multi_campaign("long") ? KILLS_LONG : slow ? KILLS_PACED : KILLS_FLOOD);
    int at_once = multi_campaign("long") ? AT_ONCE_LONG : AT_ONCE;
    if (rseq) setenv("MTX_RSEQ", rseq, 1);
    writers = kills;
    paced = slow;
    turn = multi_shared(sizeof *turn);
    streams = multi_shared((size_t)writers * 2 * sizeof *streams);
    seen = calloc((size_t)writers * 2, sizeof *seen);
    if (!seen) exit(1);
    logger = metrics_logger(test_open(NULL), "shop");
    pid_t nursery = multi_fork(run_writers, &at_once);
    open_drain(&d);
    drain_until(&d, nursery);
    check(&d, how, kills);
    close_drain(&d);
}

/* In a process of its own, as the environment counts when a segment is opened. */
static void in_child(const char *rseq, const char *how, bool slow)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        scenario(rseq, how, slow);
        fflush(stdout);
        exit(multi_failed != 0);
    }
    waitpid(pid, &status, 0);
    EXPECT(WIFEXITED(status) && !WEXITSTATUS(status), "%s: all of that", how);
}

int main(void)
{
    multi_begin(150);
    in_child(NULL, "sequences", true);
    in_child(NULL, "sequences, too much", false);
    in_child("off", "no sequences", true);
    in_child("off", "no sequences, too much", false);
    return multi_end();
}
