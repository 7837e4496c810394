/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: whatever system call or allocation fails while a process attaches, registers, claims its slot or
 * reads, the caller gets a sentence or a handle that accepts everything; the process lives, updates return
 * and leave errno alone, nothing is leaked, and without the fault the same works.
 *
 * Each scenario is tried with its first call failing, then its second, until a try comes to its end before;
 * once with that call alone and once with all that follow, and with each errno that is plausible for it. Each
 * try is a process of its own, so that what is done once per process is tried as well. What may stay:
 * metrics_open()'s registry (one block; handles refer to it for ever), and what a living registry has
 * learned.
 */
#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>

#include "../../registry/programs/leader.h"
#include "../multi/multi.h"
#include "shim.h"

enum { ERRNO = 4711, MODES = 2, PICKS = 3, TOLD = 30 };

static char folder[64], path[96];
static struct {
    uint64_t tries, violations, calls, refused;
} * all;

/* What a try is, for the sentence about it. */
static const char *scenario_name;
static struct shim_plan plan;

static void violation(const char *what, const char *detail)
{
    if (__atomic_fetch_add(&all->violations, 1, __ATOMIC_RELAXED) >= TOLD) return;
    printf("FAIL %s, call %ld%s (%s, errno %d): %s%s%s\n", scenario_name, plan.at, plan.from ? " and on" : "",
           shim_failed(), plan.pick, what, *detail ? ": " : "", detail);
    fflush(stdout);
}

/* --- What a program does --- */

static int descriptors(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d)) n++;
    if (d) closedir(d);
    return n;
}

static int files(void)
{
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

/* A handle of every kind, with tags; and each settings' kind of histogram. */
struct handles {
    metrics_counter_t *counter;
    metrics_updown_t *updown;
    metrics_gauge_t *gauge, *kept;
    metrics_meter_t *meter;
    metrics_histogram_t *histogram, *buckets, *uniform, *sliding;
    metrics_timer_t *timer;
    metrics_set_t *set;
};

static void describe(metrics_registry_t *r)
{
    static const double bounds[] = {1, 2, 5};
    const metrics_family_t buckets = {.size = sizeof buckets,
                                      .reservoir = METRICS_BUCKETS,
                                      .bounds = bounds,
                                      .bound_count = 3,
                                      .help = "Help."};
    const metrics_family_t uniform = {.size = sizeof uniform, .reservoir = METRICS_RESERVOIR_UNIFORM};
    const metrics_family_t sliding = {.size = sizeof sliding, .reservoir = METRICS_RESERVOIR_SLIDING_TIME};
    const metrics_family_t kept = {.size = sizeof kept, .persistent = 1};
    const struct {
        const char *name;
        const metrics_family_t *family;
    } of[] = {{"buckets", &buckets}, {"uniform", &uniform}, {"sliding", &sliding}, {"kept", &kept}};
    for (int i = 0; i < 4; i++) {
        metrics_error_t error = {0};
        int rc = metrics_describe(r, of[i].name, of[i].family, &error);
        if (rc && (!error.text[0] || error.code != rc))
            violation("metrics_describe fails without a sentence", "");
    }
}

static struct handles find(metrics_registry_t *r)
{
    struct handles h = {.counter = metrics_counter(r, "counter", "k", "v"),
                        .updown = metrics_updown(r, "updown", "k", "v"),
                        .gauge = metrics_gauge(r, "gauge", "k", "v"),
                        .kept = metrics_gauge(r, "kept"),
                        .meter = metrics_meter(r, "meter", "k", "v"),
                        .histogram = metrics_histogram(r, "histogram", "k", "v"),
                        .buckets = metrics_histogram(r, "buckets", "k", "v"),
                        .uniform = metrics_histogram(r, "uniform"),
                        .sliding = metrics_histogram(r, "sliding"),
                        .timer = metrics_timer(r, "timer", "k", "v"),
                        .set = metrics_set(r, "set", "k", "v")};
    metrics_info(r, "info", "version", "1");
    return h;
}

/* errno after each kind of update. */
#define KEEPS(CALL)                                                 \
    do {                                                            \
        errno = ERRNO;                                              \
        CALL;                                                       \
        if (errno != ERRNO) violation("errno after " #CALL, where); \
    } while (0)

static void update(const struct handles *h, const char *where)
{
    KEEPS(metrics_counter_inc(h->counter));
    KEEPS(metrics_counter_add_call(h->counter, 2));
    KEEPS(metrics_updown_dec(h->updown));
    KEEPS(metrics_updown_add_call(h->updown, 2));
    KEEPS(metrics_gauge_set(h->gauge, 1));
    KEEPS(metrics_gauge_add(h->gauge, 1));
    KEEPS(metrics_gauge_set(h->kept, 1));
    KEEPS(metrics_meter_mark(h->meter, 1));
    KEEPS(metrics_meter_mark_call(h->meter, 1));
    KEEPS(metrics_histogram_update(h->histogram, 1));
    KEEPS(metrics_histogram_update(h->histogram, NAN));
    KEEPS(metrics_histogram_update(h->buckets, 1));
    KEEPS(metrics_histogram_update(h->uniform, 1));
    KEEPS(metrics_histogram_update(h->sliding, 1));
    KEEPS(metrics_timer_update(h->timer, 1));
    KEEPS(metrics_timer_since(h->timer, metrics_now()));
    KEEPS(metrics_set_add(h->set, "element", 7));
}

static metrics_registry_t *open_with(enum metrics_attach attach)
{
    metrics_error_t error = {0};
    const metrics_options_t o = {.size = sizeof o, .path = path, .segment_bytes = 1 << 20, .attach = attach};
    metrics_registry_t *r = metrics_open(&o, &error);
    if (!r) violation("metrics_open gives NULL", "");
    int status = metrics_status(r, NULL);
    if (status < 0 && (!error.code || !error.text[0])) violation("a no-op registry without a sentence", "");
    if (status >= 0 && error.code) violation("a registry that works, with an error", error.text);
    if (status < 0) __atomic_fetch_add(&all->refused, 1, __ATOMIC_RELAXED);
    return r;
}

/* A registry's descriptor is closed only when fstat() proves that it is
 * still ours and not one that the program opened under the same number. So
 * this one call decides whether it stays: one descriptor may be left then. */
static bool may_stay;

static void close_one(metrics_registry_t *r)
{
    if (plan.from) shim_disarm();
    bool works = metrics_status(r, NULL) >= 0;
    metrics_close(&r);
    may_stay = works && !plan.from && !strcmp(shim_failed(), "fstat");
}

static void close_all(metrics_registry_t *r, const struct handles *h)
{
    close_one(r);
    update(h, "closed");
}

/* --- Scenarios: `before` runs without faults, `during` with them --- */

static metrics_registry_t *registry;

static void nothing(void) {}
static void have_file(void)
{
    metrics_registry_t *r = open_with(METRICS_KEEP);
    describe(r);
    find(r);
    metrics_close(&r);
}
static void have_registry(void)
{
    registry = open_with(METRICS_KEEP);
}
static void have_handles(void)
{
    have_registry();
    describe(registry);
    find(registry);
}

static void open_and_close(enum metrics_attach attach)
{
    metrics_registry_t *r = open_with(attach);
    struct handles h = find(r);
    update(&h, "after metrics_open");
    close_all(r, &h);
}
static void create(void)
{
    open_and_close(METRICS_KEEP);
}
static void reset(void)
{
    open_and_close(METRICS_RESET);
}
static void only_open(void)
{
    metrics_registry_t *r = open_with(METRICS_KEEP);
    int status = metrics_status(r, NULL);
    close_one(r);
    if (status >= 0) return;
    long blocks = shim_blocks(), mappings = shim_mappings();
    /* The token's page is the process's, once (process.c). */
    if (blocks > 1 || mappings > 1) violation("a failed metrics_open leaves more than its registry", "");
}
/* A handle that goes nowhere is counted, and the registry says why. */
static void wants_count(const struct handles *h)
{
    metrics_error_t error = {0};
    bool none = h->counter == metrics_counter(NULL, "counter") || h->gauge == metrics_gauge(NULL, "gauge") ||
                h->buckets == metrics_histogram(NULL, "buckets") || h->set == metrics_set(NULL, "set");
    int status = metrics_status(registry, &error);
    if (none && (status <= 0 || !error.text[0])) violation("a handle that goes nowhere is not counted", "");
    if (none) __atomic_fetch_add(&all->refused, 1, __ATOMIC_RELAXED);
}

static void register_all(void)
{
    describe(registry);
    struct handles h = find(registry);
    wants_count(&h);
    update(&h, "after registration");
    metrics_retire(registry, (const char *const[]){"counter", "k", "v"}, 3);
    h = find(registry);
    update(&h, "after retirement");
    close_all(registry, &h);
}
static void claim_slot(void)
{
    struct handles h = find(registry);
    update(&h, "at the slot's claim");
    metrics_poll(registry);
    metrics_prepare(registry);
    update(&h, "after the slot's claim");
    close_all(registry, &h);
}
static void by_default(void)
{
    metrics_registry_t *r = metrics_default();
    struct handles h = find(r);
    update(&h, "of the default registry");
    METRICS_INC("macro", "k", "v");
    metrics_error_t error = {0};
    if (metrics_status(r, &error) < 0 && !error.text[0])
        violation("a default registry without a sentence", "");
}

static void in_fork(void)
{
    struct handles h = find(registry);
    update(&h, "before a fork");
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        update(&h, "in a forked child");
        _exit(0);
    }
    waitpid(pid, &status, 0);
    if (status) violation("a forked child dies", "");
    close_all(registry, &h);
}

static void wants_sentence(const void *got, metrics_error_t *error, const char *of)
{
    if (!got) __atomic_fetch_add(&all->refused, 1, __ATOMIC_RELAXED);
    if (!got && (!error->code || !error->text[0])) violation("nothing, and no sentence", of);
    memset(error, 0, sizeof *error);
}

/* Rows, bytes, and back. */
static void use(metrics_snapshot_t *s)
{
    metrics_error_t error = {0};
    metrics_row_t rows[METRICS_ROWS_MAX];
    void *bytes = NULL;
    size_t n = 0;
    for (size_t i = 0; i < metrics_snapshot_count(s); i++)
        metrics_reading_rows(metrics_snapshot_reading(s, i), NULL, NULL, rows, METRICS_ROWS_MAX);
    int rc = metrics_snapshot_encode(s, &bytes, &n, &error);
    wants_sentence(rc ? NULL : s, &error, "metrics_snapshot_encode");
    metrics_snapshot_t *back = rc ? NULL : metrics_snapshot_decode(bytes, n, &error);
    if (!rc) wants_sentence(back, &error, "metrics_snapshot_decode"), free(bytes);
    metrics_snapshot_t *both = back ? metrics_snapshot_merge(back, s, &error) : NULL;
    if (back) wants_sentence(both, &error, "metrics_snapshot_merge");
    if (both) metrics_snapshot_release(&both);
    if (back) metrics_snapshot_release(&back);
}

static void hear_process(void *arg, const metrics_process_t *p)
{
    (void)arg, (void)p;
}
static void hear_refusal(void *arg, uint64_t seq, const char *reason, const char *name)
{
    (void)arg, (void)seq, (void)reason, (void)name;
}
static void hear_damage(void *arg, uint64_t offset, const char *what)
{
    (void)arg, (void)offset, (void)what;
}

static void nothing_left(const char *of)
{
    if (shim_blocks()) violation("blocks are left", of);
    if (shim_mappings()) violation("mappings are left", of);
}

static void read_all(void)
{
    metrics_error_t error = {0};
    metrics_segment_info_t info;
    metrics_reader_t *r = metrics_reader_open(path, NULL, &error);
    wants_sentence(r, &error, "metrics_reader_open");
    for (int i = 0; r && i < 2; i++) {
        metrics_snapshot_t *s = metrics_snapshot_take(r, &error);
        wants_sentence(s, &error, "metrics_snapshot_take");
        if (s) use(s), metrics_snapshot_release(&s);
    }
    if (r) {
        wants_sentence(metrics_reader_info(r, &info, &error) ? NULL : r, &error, "metrics_reader_info");
        metrics_reader_replaced(r);
        metrics_reader_processes(r, hear_process, NULL);
        metrics_reader_refusals(r, hear_refusal, NULL);
    }
    metrics_reader_close(&r);
    nothing_left("after metrics_reader_close");
}

static void check_file(void)
{
    metrics_error_t error = {0};
    wants_sentence(metrics_segment_check(path, hear_damage, NULL, &error) < 0 ? NULL : path, &error,
                   "metrics_segment_check");
    nothing_left("after metrics_segment_check");
}

static void lead(void)
{
    metrics_error_t error = {0};
    metrics_leader_t *l = metrics_leader_acquire(path, NULL, &error);
    wants_sentence(l, &error, "metrics_leader_acquire");
    for (int i = 0; l && i < 2; i++) {
        metrics_leader_tick(l);
        metrics_snapshot_t *s = metrics_leader_sample(l, &error);
        wants_sentence(s, &error, "metrics_leader_sample");
        if (s) metrics_leader_logged(l, s), metrics_snapshot_release(&s);
    }
    if (l) metrics_leader_release(&l);
    nothing_left("after metrics_leader_release");
}

static const struct scenario {
    const char *name;
    void (*before)(void), (*during)(void);
} scenarios[] = {
    {"create", nothing, create},
    {"attach", have_file, create},
    {"reset", have_file, reset},
    {"open alone", nothing, only_open},
    {"attach alone", have_file, only_open},
    {"register", have_registry, register_all},
    {"find", have_handles, register_all},
    {"slot", have_handles, claim_slot},
    {"fork", have_handles, in_fork},
    {"default", nothing, by_default},
    {"read", have_file, read_all},
    {"check", have_file, check_file},
    {"lead", have_file, lead},
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios };

/* --- One try --- */

/* Without faults all works: the segment that was left, whatever its state, takes an update. */
static void check_after(void)
{
    metrics_error_t error = {0};
    metrics_registry_t *r = open_with(METRICS_KEEP);
    if (metrics_status(r, &error) < 0) violation("afterwards the segment does not open", error.text);
    metrics_counter_add(metrics_counter(r, "after"), 5);
    strcpy(test_path, path);
    if (multi_number("after", NULL, "count") != 5) violation("afterwards an update does not arrive", "");
    metrics_close(&r);
    if (files() != 1) violation("files are left beside the segment", "");
}

static void attempt(const struct scenario *s, long *calls)
{
    alarm(60);
    setenv("MTX_SEGMENT", path, 1);
    s->before();
    int before = descriptors();
    shim_arm(&plan);
    s->during();
    *calls = shim_disarm();
    /* The default registry is never closed: it keeps its descriptor. */
    int most = before + (s->during == by_default || may_stay);
    if (descriptors() > most) violation("descriptors are left", "");
    check_after();
}

static long attempt_apart(const struct scenario *s)
{
    static long *calls;
    int status = 0;
    if (!calls) calls = multi_shared(sizeof *calls);
    *calls = 0;
    unlink(path);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        attempt(s, calls);
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    all->tries++;
    if (status) {
        char text[64];
        snprintf(text, sizeof text, "wait status %#x", status);
        violation("the process dies", text);
        return LONG_MAX;
    }
    return *calls;
}

static void run(const struct scenario *s)
{
    uint64_t tries = all->tries, refused = all->refused, violations = all->violations;
    scenario_name = s->name;
    plan = (struct shim_plan){0};
    long calls = attempt_apart(s);
    int picks = multi_campaign("long") ? PICKS : 1;
    for (int mode = 0; mode < MODES; mode++)
        for (int pick = 0; pick < picks; pick++) {
            long made = 0;
            for (long n = 1; made >= n - 1 && n < 3 * calls + 50; n++) {
                plan = (struct shim_plan){n, mode, picks > 1 ? pick : (int)n % PICKS};
                made = attempt_apart(s);
            }
        }
    EXPECT(all->violations == violations && all->tries > tries + 1,
           "%-12s %3ld calls, %4" PRIu64 " tries, %4" PRIu64 " refused with a sentence, %" PRIu64
           " violations",
           s->name, calls, all->tries - tries, all->refused - refused, all->violations - violations);
}

/* --- errno in states that no fault is needed for --- */

static void check_states(void)
{
    char name[32];
    scenario_name = getenv("GLIBC_TUNABLES") ? "states, atomic lanes" : "states";
    plan = (struct shim_plan){0};
    metrics_registry_t *r = open_with(METRICS_RESET);
    describe(r);
    struct handles h = find(r);
    update(&h, "in use");
    for (int i = 0; i < 100000 && metrics_status(r, NULL) == 0; i++) {
        snprintf(name, sizeof name, "%d", i);
        metrics_histogram(r, "histogram", "k", name);
    }
    EXPECT(metrics_status(r, NULL) > 0, "%s: the segment is full", scenario_name);
    update(&h, "full");
    struct handles over = {.counter = metrics_counter(r, "counter", "k", "over"),
                           .updown = metrics_updown(r, "updown", "k", "over"),
                           .gauge = metrics_gauge(r, "new gauge"),
                           .kept = metrics_gauge(r, "new kept"),
                           .meter = metrics_meter(r, "meter", "k", "over"),
                           .histogram = metrics_histogram(r, "histogram", "k", "over"),
                           .buckets = metrics_histogram(r, "buckets", "k", "over"),
                           .uniform = metrics_histogram(r, "uniform", "k", "over"),
                           .sliding = metrics_histogram(r, "sliding", "k", "over"),
                           .timer = metrics_timer(r, "timer", "k", "over"),
                           .set = metrics_set(r, "set", "k", "over")};
    update(&over, "overflow and no-op");
    struct handles none = find(NULL);
    update(&none, "no registry");
    close_all(r, &h);
    update(&over, "overflow, closed");
    EXPECT(all->violations == 0, "%s: errno is left alone", scenario_name);
}

/* Once more without restartable sequences, for the updates of the atomic lanes. */
static void check_states_atomic(void)
{
    int status = -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        multi_sequences(false);
        execl("/proc/self/exe", "test_fault", "states", folder, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    EXPECT(status == 0, "states, atomic lanes: wait status %#x", status);
}

int main(int argc, char **argv)
{
    multi_begin(170);
    all = multi_shared(sizeof *all);
    setenv("MTX_QUIET", "1", 1);
    snprintf(folder, sizeof folder, "/dev/shm/mtx-test-fault-%d", (int)getpid());
    if (argc > 2) snprintf(folder, sizeof folder, "%s", argv[2]);
    snprintf(path, sizeof path, "%s/segment", folder);
    if (argc > 2) {
        check_states();
        return multi_end();
    }
    if (mkdir(folder, 0700)) return 1;
    check_states();
    check_states_atomic();
    for (int i = 0; i < SCENARIOS; i++) run(&scenarios[i]);
    printf("     %" PRIu64 " tries, %" PRIu64 " refused with a sentence, %" PRIu64 " violations\n",
           all->tries, all->refused, all->violations);
    unlink(path);
    rmdir(folder);
    return multi_end();
}
