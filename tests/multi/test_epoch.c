/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: an extreme that was inside its restartable section when the leader moved the epoch goes to the
 * interval that the section had seen, or to a later one, never to another's bank; and none is lost (ORD-10).
 * The section here is the library's own with a loop before its last instruction, in which it stays until it
 * is let go.
 */
#include "worker.h"

#include <sched.h>
#include <stdatomic.h>
#include <ucontext.h>

/* Written and read by the assembly below. */
__attribute__((used, visibility("hidden"))) volatile uint32_t pause_here, paused;

#if defined(__x86_64__)
#define RSEQ_PAUSE                      \
    "movl $1, paused(%%rip)\n\t"        \
    "5: cmpl $0, pause_here(%%rip)\n\t" \
    "jne 5b\n\t"
#else
#define RSEQ_PAUSE                                       \
    "adrp x15, paused\n\t"                               \
    "add x15, x15, :lo12:paused\n\t"                     \
    "str w16, [x15]\n\t" /* the cell's address: not 0 */ \
    "adrp x15, pause_here\n\t"                           \
    "add x15, x15, :lo12:pause_here\n\t"                 \
    "5: ldr w15, [x15]\n\t"                              \
    "cbz w15, 6f\n\t"                                    \
    "adrp x15, pause_here\n\t"                           \
    "add x15, x15, :lo12:pause_here\n\t"                 \
    "b 5b\n\t"                                           \
    "6:\n\t"
#endif
#include "rseq_ops.h"

#include "handle.h"
#include "leader.h"

enum { ROUNDS = 2400, TRIES = 50 };

static metrics_registry_t *registry;
static struct metrics__handle *handle;
static metrics_leader_t *leader;
static volatile sig_atomic_t aborted;

static const uint64_t *epoch(void)
{
    return &handle->seg->head->epoch;
}

static uint64_t epoch_now(void)
{
    return mem_load_acquire(epoch());
}

/* Closes the open interval; the snapshot's maximum, NaN = none. */
static double close_interval(void)
{
    metrics_row_options_t o = {.size = sizeof o, .sampled = METRICS_INTERVAL};
    metrics_snapshot_t *s = metrics_leader_sample(leader, NULL);
    double max = test_number(test_find(s, "h", NULL), NULL, &o, "max");
    metrics_leader_logged(leader, s);
    metrics_snapshot_release(&s);
    return max;
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* The kernel aborts a section by moving the thread to its abort handler, which the signature precedes, before it
 * delivers the signal. Anywhere else the thread has left the section by itself: a machine that preempts it twice
 * sends it to an atomic lane, and there it may be just before it says that it is done. */
static bool is_aborted(const ucontext_t *at)
{
    uint32_t signature;
#if defined(__x86_64__)
    memcpy(&signature, (const char *)at->uc_mcontext.gregs[REG_RIP] - sizeof signature, sizeof signature);
    return signature == 0x53053053;
#else
    memcpy(&signature, (const char *)at->uc_mcontext.pc - sizeof signature, sizeof signature);
    return signature == 0xd428bc00;
#endif
}

static void on_signal(int signal, siginfo_t *info, void *at)
{
    (void)signal, (void)info;
    aborted = is_aborted(at);
    pause_here = 0;
}

/* --- A thread that raises one value on demand --- */

static _Atomic uint64_t order, answer; /* rounds asked for, and done */
static double value;

static void *writer(void *arg)
{
    pin(0);
    for (uint64_t round = 1;; round++) {
        while (atomic_load(&order) < round)
            if (order == UINT64_MAX) return arg;
        if (isnan(value)) return arg;
        lane_raise(&handle->cells, DIST_MAX * 8, epoch(), metrics__order_encode(value));
        atomic_store(&answer, round);
    }
}

static void begin(double x)
{
    value = x;
    aborted = 0;
    paused = 0;
    pause_here = 1;
    atomic_fetch_add(&order, 1);
    for (time_t start = time(NULL); !paused;)
        if (time(NULL) > start + PATIENCE_MS / 1000) {
            EXPECT(false, "the section has a place to pause (RSEQ_PAUSE)");
            exit(multi_end());
        }
}

/* Preempted twice by whatever else runs here, it has gone on to an atomic lane. */
static bool is_held(void)
{
    return atomic_load(&answer) < atomic_load(&order);
}

static void end(pthread_t thread, bool interrupted)
{
    if (interrupted)
        pthread_kill(thread, SIGUSR1);
    else
        pause_here = 0;
    while (is_held()) sched_yield();
}

/* The epoch under which x is in some lane, 0 = nowhere; it must be in that epoch's bank. */
static uint64_t found(double x, bool *right_bank)
{
    uint64_t at = 0, want = metrics__order_encode(x);
    uint32_t lanes = handle->cells.lanes + handle->cells.stripes + 1;
    for (uint32_t lane = 0; lane < lanes; lane++)
        for (int bank = 0; bank < 2; bank++) {
            const uint64_t *cell =
                (const uint64_t *)(handle->cells.base + lane * handle->cells.stride) + DIST_MAX + bank;
            if ((mem_load(cell) & UINT64_C(0xffffffffffff)) != want) continue;
            at = mem_load(cell) >> 48;
            *right_bank = (at & 1) == (uint64_t)bank;
        }
    return at;
}

static struct {
    unsigned wrong_bank, nowhere, outside, stale, late, aborted, slipped, intervals;
} seen;

/* The epoch moves `moves` times while the section is held; then it goes on, or is aborted by a signal. */
static void round_of(pthread_t thread, double x, int moves, bool interrupted)
{
    bool right = true;
    uint64_t before = epoch_now();
    begin(x);
    for (int i = 0; i < moves; i++) mem_publish(&handle->seg->head->epoch, epoch_now() + 1);
    uint64_t after = epoch_now();
    bool held = is_held();
    end(thread, interrupted);
    uint64_t at = found(x, &right);
    mem_store(&handle->seg->head->logged, after - 1);
    seen.wrong_bank += !right;
    seen.nowhere += at == 0;
    seen.outside += at < (before & 0xffff) || at > (after & 0xffff);
    seen.stale += aborted && at != (after & 0xffff);
    seen.late += at < (after & 0xffff);
    seen.aborted += aborted != 0;
    seen.slipped += interrupted ? !aborted : !held;
    seen.intervals += (unsigned)moves;
}

static void rounds(pthread_t thread)
{
    for (int i = 0; i < ROUNDS; i++) round_of(thread, 1000 + i, i % 3, i / 3 % 2);
    printf("%d updates held inside their section (%u were not), %u epochs opened meanwhile, %u aborted by a "
           "signal\n",
           ROUNDS, seen.slipped, seen.intervals, seen.aborted);
    EXPECT_EQ(seen.wrong_bank, 0, "in the wrong bank");
    EXPECT_EQ(seen.nowhere, 0, "lost");
    EXPECT_EQ(seen.outside, 0, "in an epoch that was not open during the update");
    EXPECT_EQ(seen.stale, 0, "aborted, and then in the epoch of before");
    EXPECT(seen.late > 0 && seen.aborted >= ROUNDS / 4,
           "%u went to the epoch that they had seen, %u to the newest one", seen.late, seen.aborted);
}

/* --- With a leader that closes intervals --- */

/* An update of x is inside its section when the interval is closed; then it goes on or is aborted. Again if
 * the machine has preempted it: then it was not inside. */
static bool close_over(pthread_t thread, double x, bool interrupted)
{
    metrics_histogram_t *h = (metrics_histogram_t *)handle;
    for (int i = 0; i < TRIES; i++) {
        close_interval();
        close_interval();
        metrics_histogram_update(h, 1);
        begin(x);
        bool good = close_interval() == 1 && is_held();
        end(thread, interrupted);
        metrics_histogram_update(h, 2);
        if (good) return true;
    }
    return false;
}

static void late_and_counted(pthread_t thread)
{
    leader = metrics_leader_acquire(test_path, NULL, NULL);
    EXPECT(close_over(thread, 100, false), "an interval is closed while an update is inside its section");
    EXPECT_EQ(close_interval(), 100, "the update that came late is in the next one");
    metrics_histogram_update((metrics_histogram_t *)handle, 3);
    EXPECT_EQ(close_interval(), 3, "and in no other");
    EXPECT(close_over(thread, 200, true), "the same, and the section is aborted");
    EXPECT_EQ(close_interval(), 200, "the update is in the interval in which it began again");
    metrics_histogram_update((metrics_histogram_t *)handle, 3);
    EXPECT_EQ(close_interval(), 3, "and in no other");
    metrics_leader_release(&leader);
}

int main(void)
{
    pthread_t thread;
    multi_begin(170);
    registry = test_open(NULL);
    handle = (struct metrics__handle *)metrics_histogram(registry, "h");
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) || CPU_COUNT(&set) < 2 || !CPU_ISSET(0, &set) ||
        !CPU_ISSET(1, &set) ||
        metrics__rseq_add(&(struct metrics__cells){.base = (char *)&(uint64_t){0},
                                                   .rseq = handle->cells.rseq,
                                                   .lanes = handle->cells.lanes},
                          1) == 2) {
        printf("left out: needs two CPUs and restartable sequences\n");
        return 77;
    }
    sigaction(SIGUSR1, &(struct sigaction){.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART},
              NULL);
    pin(1);
    pthread_create(&thread, NULL, writer, NULL);
    late_and_counted(thread);
    rounds(thread);
    value = NAN;
    atomic_fetch_add(&order, 1);
    pthread_join(thread, NULL);
    return multi_end();
}
