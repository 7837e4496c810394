/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: a writer uses the CPU lanes only where the kernel restarts sequences, as far as is known: by its release,
 * by the verdict of a test on the same boot, by MTX_RSEQ. Totals are exact on both sides of a change, in one segment.
 * This program is before libc: its uname() says what a test wants.
 */
#include "multi.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "layout.h"

/* glibc's registration; missing before 2.35. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

static struct utsname as_if; /* release "" = the real one */

int uname(struct utsname *name)
{
    if (syscall(SYS_uname, name)) return -1;
    if (as_if.release[0]) *name = as_if;
    return 0;
}

static void pretend(const char *machine, const char *release)
{
    snprintf(as_if.machine, sizeof as_if.machine, "%s", machine);
    snprintf(as_if.release, sizeof as_if.release, "%s", release);
}

/* Write a note as a test on a kernel of this release would have left it; `boot` is added to the boot id. */
static void note(uint64_t verdict, const char *release, unsigned char boot)
{
    struct segment_kernel k = {.verdict = verdict};
    struct segment_header h;
    int fd = open(test_path, O_RDWR | O_CLOEXEC);
    if (pread(fd, &h, sizeof h, 0) != sizeof h) exit(1);
    memcpy(k.boot_id, h.boot_id, sizeof k.boot_id);
    k.boot_id[0] = (unsigned char)(k.boot_id[0] + boot);
    snprintf(k.release, sizeof k.release, "%s", release);
    if (pwrite(fd, &k, sizeof k, offsetof(struct segment_header, kernel)) != sizeof k) exit(1);
    close(fd);
}

static metrics_registry_t *attach(void)
{
    metrics_error_t error;
    metrics_options_t o = {.size = sizeof o, .path = test_path};
    metrics_registry_t *r = metrics_open(&o, &error);
    if (error.code) fprintf(stderr, "%s\n", error.text);
    return r;
}

/* What a process that starts now does: registers, says which lanes it got, and counts. */
struct writer {
    int updates;
    bool cpu_lanes; /* what it got, of a counter */
    bool all_same;  /* and of a timer */
};

static void write_some(void *arg)
{
    struct writer *w = arg;
    metrics_registry_t *r = attach();
    metrics_counter_t *c = metrics_counter(r, "n");
    metrics_histogram_t *h = metrics_histogram(r, "h");
    w->cpu_lanes = c->cells.lanes != 0;
    w->all_same = w->cpu_lanes == (((struct metrics_counter *)h)->cells.lanes != 0);
    for (int i = 0; i < w->updates; i++) {
        metrics_counter_inc(c);
        metrics_histogram_update(h, 1);
    }
}

static double expected;

/* Writers beside each other; all should get the same lanes. */
static void expect_lanes(const char *what, bool cpu_lanes)
{
    enum { WRITERS = 4 };
    static struct writer *w;
    if (!w) w = multi_shared(WRITERS * sizeof *w);
    pid_t pids[WRITERS];
    int same = 0;
    for (int i = 0; i < WRITERS; i++) {
        w[i] = (struct writer){.updates = multi_dose(50000)};
        pids[i] = multi_fork(write_some, &w[i]);
    }
    for (int i = 0; i < WRITERS; i++) waitpid(pids[i], NULL, 0);
    for (int i = 0; i < WRITERS; i++) same += w[i].all_same && w[i].cpu_lanes == cpu_lanes;
    expected += WRITERS * multi_dose(50000);
    EXPECT_EQ(same, WRITERS, what);
    EXPECT_EQ(multi_number("n", NULL, "count"), expected, "  total of the counter");
    EXPECT_EQ(multi_number("h", NULL, "count"), expected, "  total of the histogram");
}

static void info_says(uint32_t lanes)
{
    metrics_error_t error;
    metrics_segment_info_t info = {0};
    metrics_reader_t *reader = metrics_reader_open(test_path, NULL, &error);
    if (reader) metrics_reader_info(reader, &info, &error);
    metrics_reader_close(&reader);
    EXPECT(info.lanes == lanes, "  a reader says %s: got %s", metrics_lanes_why(lanes),
           metrics_lanes_why(info.lanes));
}

static void step(const char *what, uint32_t lanes)
{
    expect_lanes(what, metrics_lanes_restartable(lanes));
    info_says(lanes);
}

static void releases(void)
{
    pretend("x86_64", "6.19.3");
    step("x86-64 of any release", METRICS_LANES_TRUSTED);
    pretend("aarch64", "6.18.22-arm64");
    step("arm64 before 6.19", METRICS_LANES_TRUSTED);
    pretend("aarch64", "6.19.0-arm64");
    step("arm64 6.19, not tested", METRICS_LANES_NOT_PROVED);
    pretend("aarch64", "7.0.1");
    step("arm64 7.0, not tested", METRICS_LANES_NOT_PROVED);
}

static void verdicts(void)
{
    pretend("aarch64", "6.19.0-arm64");
    note(1, "6.19.0-arm64", 0);
    step("arm64 6.19, proved", METRICS_LANES_PROVED);
    note(1, "6.19.0-arm64", 1);
    step("arm64 6.19, proved in another boot", METRICS_LANES_NOT_PROVED);
    note(1, "6.19.1-arm64", 0);
    step("arm64 6.19, proved for another release", METRICS_LANES_NOT_PROVED);
    note(7, "6.19.0-arm64", 0);
    step("arm64 6.19, a verdict that does not exist", METRICS_LANES_NOT_PROVED);
    note(2, "6.19.0-arm64", 0);
    step("arm64 6.19, failed", METRICS_LANES_FAILED);
    pretend("x86_64", "6.1.0");
    step("x86-64, another kernel failed", METRICS_LANES_TRUSTED);
    note(2, "6.1.0", 0);
    step("x86-64, failed", METRICS_LANES_FAILED);
}

static void overrides(void)
{
    setenv("MTX_RSEQ", "on", 1);
    step("MTX_RSEQ=on after a failed test", METRICS_LANES_FORCED);
    setenv("MTX_RSEQ", "off", 1);
    note(1, "6.1.0", 0);
    step("MTX_RSEQ=off after one that passed", METRICS_LANES_SWITCHED_OFF);
    setenv("MTX_RSEQ", "nonsense", 1);
    step("MTX_RSEQ that is neither", METRICS_LANES_PROVED);
    unsetenv("MTX_RSEQ");
}

/* A handle keeps its lanes; one that is made later in the same process gets what is known then. */
static void within_a_process(void)
{
    note(0, "", 0);
    pretend("aarch64", "6.19.0");
    metrics_registry_t *r = attach();
    metrics_counter_t *before = metrics_counter(r, "of", "made", "before");
    note(1, "6.19.0", 0);
    metrics_counter_t *after = metrics_counter(r, "of", "made", "after");
    EXPECT(before->cells.lanes == 0 && after->cells.lanes != 0, "a verdict while a process runs");
    for (int i = 0; i < 1000; i++) metrics_counter_inc(before), metrics_counter_inc(after);
    EXPECT_EQ(multi_number("of", "before", "count"), 1000, "  the handle of before");
    EXPECT_EQ(multi_number("of", "after", "count"), 1000, "  the handle of after");
    metrics_close(&r);
}

/* --- Another owner of the registration than glibc --- */

static void register_own(void)
{
    static struct {
        uint32_t cpu_start, cpu;
        uint64_t section;
        uint32_t rest[4];
    } own __attribute__((aligned(32)));
    own.cpu = own.cpu_start = (uint32_t)-1;
    EXPECT(syscall(SYS_rseq, &own, 32, 0, 0x53053053) == 0, "  a registration of our own");
}

static void count_and_expect(metrics_counter_t *c, const char *what, bool cpu_lanes)
{
    static double all;
    uint64_t before = 0, after = 0, n = 100000;
    for (uint32_t i = 0; i < c->cells.lanes; i++)
        before += *(uint64_t *)(c->cells.base + i * c->cells.stride);
    for (uint64_t i = 0; i < n; i++) metrics_counter_inc(c);
    for (uint32_t i = 0; i < c->cells.lanes; i++) after += *(uint64_t *)(c->cells.base + i * c->cells.stride);
    all += (double)n;
    EXPECT(cpu_lanes ? after - before > n / 2 : after == before, "%s: %d of %d in CPU lanes", what,
           (int)(after - before), (int)n);
    EXPECT_EQ(multi_number("foreign", NULL, "count"), all, "  total");
}

/* In a process of its own; with glibc's registration or, by the tunable, without. */
static int foreign_program(void)
{
    bool glibc = &__rseq_size && __rseq_size != 0;
    snprintf(test_path, sizeof test_path, "%s", getenv("MTX_SEGMENT"));
    metrics_registry_t *r = attach();
    metrics_counter_t *c = metrics_counter(r, "foreign");
    count_and_expect(c, glibc ? "registered by glibc" : "GLIBC_TUNABLES=glibc.pthread.rseq=0", glibc);
    if (glibc) {
        char *area = (char *)__builtin_thread_pointer() + __rseq_offset;
        unsigned size = __rseq_size < 32 ? 32 : __rseq_size;
        EXPECT(syscall(SYS_rseq, area, size, 1, 0x53053053) == 0, "  glibc's registration is taken away");
        count_and_expect(c, "not registered", false);
    }
    register_own();
    count_and_expect(c, "registered by the program", false);
    metrics_close(&r);
    return multi_end();
}

static void foreign(const char *self, bool glibc)
{
    int status = 0;
    test_place();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        setenv("MTX_SEGMENT", test_path, 1);
        multi_sequences(glibc);
        execl(self, self, "foreign", (char *)NULL);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    EXPECT(status == 0, "another owner of the registration, %s", glibc ? "after glibc" : "instead of glibc");
    test_unlink();
}

int main(int argc, char **argv)
{
    multi_begin(170);
    if (argc > 1) return foreign_program();
    metrics_registry_t *r = test_open(NULL);
    releases();
    verdicts();
    overrides();
    within_a_process();
    metrics_close(&r);
    foreign(argv[0], true);
    foreign(argv[0], false);
    return multi_end();
}
