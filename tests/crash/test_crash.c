/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: a writer or a leader may be killed at any of its machine instructions. The next process attaches,
 * registers, updates and reads; nothing waits, no total falls, and at most the one update that was under way
 * is missing.
 *
 * A first run of the victim is single-stepped, to find the instructions that it executes. Then, for each of
 * them, the victim runs freely with a breakpoint there; when it arrives, it is killed by SIGKILL. Stepping
 * never gets through a restartable section (each step aborts it), so all instructions of all sections are
 * added, from the program's table of sections (__rseq_cs) and objdump. Last, it is killed at random moments
 * of continuous work.
 *
 *     test_crash VICTIM [STRIDE [SCENARIO]]
 *
 * A short campaign tries only some of the instructions of two scenarios: every n-th, from a random one on.
 */
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <mtx/events_read.h>

#include "recording.h"

#if defined(__x86_64__)

enum { PLACES_MAX = 1 << 17 };

static char segment[96], baseline[96], ledger_path[96];
static const char *victim;
static struct crash_ledger *ledger;
static uint64_t violations, kills, unreached;
static uint32_t dice = 1;

static uint32_t roll(void)
{
    dice ^= dice << 13;
    dice ^= dice >> 17;
    dice ^= dice << 5;
    return dice;
}

static void violation(const char *format, const char *a, double x, double y)
{
    printf("VIOLATION ");
    printf(format, a, x, y);
    printf("\n");
    exit(1); /* of the survivor */
}

/* --- The survivor --- */

static double row_of(const metrics_reading_t *r, const char *suffix)
{
    metrics_row_t rows[256];
    char text[64];
    metrics_row_options_t o = {.size = sizeof o,
                               .attributes = METRICS_ATTRS_DEFAULT | METRICS_ATTR(METRICS_BUCKETS_LE)};
    size_t n = metrics_reading_rows(r, NULL, &o, rows, 256);
    for (size_t i = 0; i < n && i < 256; i++)
        if (!strcmp(metrics_row_suffix(&rows[i], text, sizeof text), suffix))
            return metrics_row_number(&rows[i]);
    return -1;
}

/* The last bucket counts up everything. */
static double buckets_of(const metrics_reading_t *r)
{
    metrics_row_t rows[256];
    metrics_row_options_t o = {.size = sizeof o, .attributes = METRICS_ATTR(METRICS_BUCKETS_LE)};
    size_t n = metrics_reading_rows(r, NULL, &o, rows, 256);
    return n && n <= 256 ? metrics_row_number(&rows[n - 1]) : -1;
}

static const metrics_reading_t *find(const metrics_snapshot_t *s, const char *name, const char *tag)
{
    for (size_t i = 0; i < metrics_snapshot_count(s); i++) {
        const metrics_reading_t *r = metrics_snapshot_reading(s, i);
        size_t n;
        const metrics_tag_t *tags = metrics_reading_tags(r, &n);
        if (!strcmp(metrics_reading_name(r), name) && n == 1 && !strcmp(tags[0].value, tag)) return r;
    }
    return NULL;
}

static double count_of(const metrics_snapshot_t *s, const char *name, const char *tag)
{
    const metrics_reading_t *r = find(s, name, tag);
    if (!r) return 0;
    double count = row_of(r, "count");
    return count >= 0 ? count : row_of(r, "value");
}

static metrics_snapshot_t *take(void)
{
    metrics_error_t e = {0};
    metrics_reader_t *reader = metrics_reader_open(segment, NULL, &e);
    metrics_snapshot_t *s = reader ? metrics_snapshot_take(reader, &e) : NULL;
    if (!s) violation("the segment cannot be read: %s", e.text, 0, 0);
    if (metrics_snapshot_header(s)->series_damaged)
        violation("%s: %g series are damaged", "snapshot", (double)metrics_snapshot_header(s)->series_damaged,
                  0);
    metrics_reader_close(&reader);
    return s;
}

static const char *const names[] = {
#define NAME(N, FIND, UPDATE) #N,
    CRASH_KINDS(NAME)
#undef NAME
};

/* --- Its events --- */

struct lines {
    double victim, before, survivor, dropped, killed;
};

/* Is it the line that record_lines() wrote? */
static bool is_line(const char *message)
{
    int i = atoi(message);
    const char *text = strchr(message, ' ');
    if (!text || strlen(text + 1) != (size_t)crash_line_length(i)) return false;
    for (int k = 0; text[1 + k]; k++)
        if (text[1 + k] != 'a' + k % 26) return false;
    return true;
}

static void count_line(struct lines *l, const metrics_event_t *e)
{
    const char *who = e->tag_count ? e->tags[0].value : "";
    if (e->type != METRICS_EVENT_LOG || !is_line(e->message)) violation("a torn line: %s", e->message, 0, 0);
    l->victim += !strcmp(who, "victim");
    l->before += !strcmp(who, "before");
    l->survivor += !strcmp(who, "survivor");
}

/* Those that wait, and those that the log has. */
static struct lines lines_of(void)
{
    metrics_error_t e = {0};
    struct lines l = {.before = (double)ledger->log[ledger->entries & 1].lines};
    metrics_reader_t *reader = metrics_reader_open(segment, NULL, &e);
    metrics_events_t *events = reader ? metrics_events_open(reader, METRICS_EVENTS_DRAIN, &e) : NULL;
    if (!events) violation("the events cannot be read: %s", e.text, 0, 0);
    if (ledger->entries)
        metrics_events_seek(events, ledger->log[ledger->entries & 1].words,
                            ledger->log[ledger->entries & 1].n);
    if (metrics_events_take(events, &e)) violation("the events cannot be taken: %s", e.text, 0, 0);
    for (const metrics_event_t *event; (event = metrics_events_next(events));) count_line(&l, event);
    const metrics_events_stats_t *s = metrics_events_stats(events);
    if (s->damaged) violation("%s: %g are damaged", "events", (double)s->damaged, 0);
    l.dropped = (double)(s->dropped[METRICS_EVENT_LOG] + s->refused[METRICS_EVENT_LOG]);
    l.killed = (double)s->killed;
    metrics_events_close(&events);
    metrics_reader_close(&reader);
    return l;
}

static void check_lines(double before)
{
    struct lines l = lines_of();
    if (l.before != before) violation("%s of another: %g, not %g", "lines", l.before, before);
    if (l.killed > 1) violation("%s: %g were passed over", "lines of the killed", l.killed, 0);
    if (l.victim + l.dropped < (double)ledger->lines_done ||
        l.victim + l.dropped > (double)ledger->lines_begun)
        violation("%s of the victim: %g, not from done to begun (%g)", "lines", l.victim + l.dropped,
                  (double)ledger->lines_done);
}

static void check_own_lines(double lines, double dropped_before)
{
    struct lines l = lines_of();
    if (l.survivor + l.dropped - dropped_before < lines)
        violation("%s of the survivor: %g, not %g", "lines", l.survivor, lines);
}

/* What the victim did, and what was there before it. */
static void check_totals(const metrics_snapshot_t *s, double before)
{
    for (int k = 0; k < CRASH_KIND_COUNT; k++) {
        double got = count_of(s, names[k], "victim");
        if (got < (double)ledger->done[k] || got > (double)ledger->begun[k])
            violation("%s of the victim: %g, not from done to begun (%g)", names[k], got,
                      (double)ledger->done[k]);
        got = count_of(s, names[k], "before");
        if (got != before) violation("%s of another: %g, not %g", names[k], got, before);
        const metrics_reading_t *r = find(s, names[k], "victim");
        double buckets = r ? buckets_of(r) : -1;
        if (buckets >= 0 && buckets != count_of(s, names[k], "victim"))
            violation("%s: buckets add up to %g, not to the count %g", names[k], buckets,
                      count_of(s, names[k], "victim"));
    }
    const metrics_reading_t *busy = find(s, "busy", "victim");
    if (busy && row_of(busy, "value") > 0)
        violation("%s: a dead process's gauge says %g", "busy", row_of(busy, "value"), 0);
}

static void tell_damage(void *arg, uint64_t offset, const char *what)
{
    (void)arg;
    printf("damage at %" PRIu64 ": %s\n", offset, what);
}

/* Attaches, does everything, and finds it all counted. In a process of its own, which must end in time. */
static void survive(double before)
{
    metrics_error_t e = {0};
    static struct crash_ledger mine;
    double dropped = 0;
    if (access(segment, F_OK) == 0) {
        metrics_snapshot_t *s = take();
        check_totals(s, before);
        metrics_snapshot_release(&s);
        check_lines(before);
        dropped = lines_of().dropped;
    }
    metrics_options_t o = {.size = sizeof o, .path = segment, .segment_bytes = 2 << 20, .slots = 64};
    metrics_registry_t *r = metrics_open(&o, &e);
    if (metrics_status(r, &e) < 0) violation("cannot attach: %s", e.text, 0, 0);
    describe_all(r);
    record_all(r, "survivor", &mine, 2);
    check_own_lines(2, dropped);
    record_all(r, "victim", &mine, 1);
    if (metrics_status(r, &e)) violation("something was refused: %s", e.text, 0, 0);
    metrics_snapshot_t *s = take();
    for (int k = 0; k < CRASH_KIND_COUNT; k++) {
        double own = count_of(s, names[k], "survivor"), both = count_of(s, names[k], "victim");
        if (own != 2) violation("%s of the survivor: %g, not %g", names[k], own, 2);
        if (both < (double)ledger->done[k] + 1 || both > (double)ledger->begun[k] + 1)
            violation("%s after the survivor's update: %g, done %g", names[k], both, (double)ledger->done[k]);
    }
    if (row_of(find(s, "busy", "survivor"), "value") != 2)
        violation("%s is not what was set", "the survivor's gauge", 0, 0);
    metrics_snapshot_release(&s);
    if (metrics_segment_check(segment, tell_damage, NULL, &e))
        violation("the check finds damage%s", "", 0, 0);
    metrics_close(&r);
}

static void check_survivor(double before, const char *what, uint64_t place)
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        survive(before);
        exit(0);
    }
    waitpid(pid, &status, 0);
    if (status == 0) return;
    violations++;
    printf("after a kill in %s at %#" PRIx64 "%s\n", what, place,
           WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? ": the survivor waits"
           : WIFSIGNALED(status)                              ? ": it died"
                                                              : "");
}

/* --- Runs of the victim --- */

static void copy_file(const char *from, const char *to)
{
    char command[256];
    snprintf(command, sizeof command, "cp --sparse=always %s %s", from, to);
    if (system(command)) abort();
}

struct scenario {
    const char *name, *mode;
    bool fresh;  /* there is no segment yet */
    bool atomic; /* without restartable sequences */
};

static void prepare(const struct scenario *s)
{
    unlink(segment);
    if (!s->fresh) {
        int in = open(baseline, O_RDONLY), out = open(segment, O_RDWR | O_CREAT | O_EXCL, 0600);
        struct stat st;
        if (in < 0 || out < 0 || fstat(in, &st) || ftruncate(out, st.st_size)) abort();
        static char page[4096];
        /* Holes stay holes: what is not allocated must not be. */
        for (off_t at = lseek(in, 0, SEEK_DATA); at >= 0 && at < st.st_size; at = lseek(in, at, SEEK_DATA)) {
            ssize_t n = pread(in, page, sizeof page, at);
            if (n <= 0 || pwrite(out, page, (size_t)n, at) != n) abort();
            at += n;
        }
        close(in);
        close(out);
    }
    memset(ledger, 0, sizeof *ledger);
}

static pid_t start(const struct scenario *s, bool traced)
{
    prepare(s);
    pid_t pid = fork();
    if (pid == 0) {
        if (s->atomic) setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
        if (traced) ptrace(PTRACE_TRACEME, 0, 0, 0);
        execl(victim, victim, s->mode, segment, ledger_path, (char *)NULL);
        _exit(127);
    }
    if (traced) {
        waitpid(pid, NULL, 0);
        ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK);
    }
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, __WALL);
}

/* Runs with a breakpoint at the place; kills the process that arrives there, the child or the parent. */
static bool kill_at(const struct scenario *s, uint64_t place)
{
    int status;
    pid_t pid = start(s, true), hit = 0, child = 0;
    long word = ptrace(PTRACE_PEEKTEXT, pid, place, 0);
    ptrace(PTRACE_POKETEXT, pid, place, (word & ~0xffL) | 0xcc);
    ptrace(PTRACE_CONT, pid, 0, 0);
    for (;;) {
        pid_t who = waitpid(-1, &status, __WALL);
        if (who < 0) break;
        if (who == child && !WIFSTOPPED(status)) child = 0;
        if (WIFSTOPPED(status) && status >> 16) { /* known before either of them goes on */
            unsigned long forked;
            ptrace(PTRACE_GETEVENTMSG, who, 0, &forked);
            child = (pid_t)forked;
        }
        if (!WIFSTOPPED(status)) {
            if (who == pid) break;
            continue;
        }
        bool ours = WSTOPSIG(status) == SIGTRAP && status >> 16 == 0;
        struct user_regs_struct regs;
        if (ours && !ptrace(PTRACE_GETREGS, who, 0, &regs) && regs.rip == place + 1) {
            hit = who;
            break;
        }
        /* A fork: the child starts with a stop, and its parent reports it. */
        int signal = WSTOPSIG(status) == SIGTRAP || WSTOPSIG(status) == SIGSTOP ? 0 : WSTOPSIG(status);
        ptrace(PTRACE_CONT, who, 0, signal);
    }
    if (hit) end(hit);
    if (hit == pid && child)
        end(child); /* an orphan would go on beside the survivor, and beside the next run */
    if (hit && hit != pid) {
        /* The parent lives on to its end: past the
         * breakpoint, which is in its text as well. */
        while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
            struct user_regs_struct regs;
            bool there = !ptrace(PTRACE_GETREGS, pid, 0, &regs) && regs.rip == place + 1;
            if (there) {
                ptrace(PTRACE_POKETEXT, pid, place, word);
                regs.rip = place;
                ptrace(PTRACE_SETREGS, pid, 0, &regs);
            }
            ptrace(PTRACE_CONT, pid, 0, WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status));
        }
        if (!WIFEXITED(status)) violations++, printf("the parent of the killed child did not end well\n");
    }
    return hit != 0;
}

/* --- Places --- */

static uint64_t places[PLACES_MAX], text_from, text_to;
static size_t place_count;
static unsigned char *seen;

static void add_place(uint64_t at)
{
    if (at < text_from || at >= text_to || seen[at - text_from] || place_count == PLACES_MAX) return;
    seen[at - text_from] = 1;
    places[place_count++] = at;
}

/* The text of the victim, which is linked to fixed addresses. */
static void find_text(void)
{
    int fd = open(victim, O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) exit(2);
    const char *file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    const Elf64_Ehdr *elf = (const void *)file;
    const Elf64_Phdr *load = (const void *)(file + elf->e_phoff);
    if (elf->e_type != ET_EXEC) {
        printf("%s is not linked to fixed addresses\n", victim);
        exit(2);
    }
    for (int i = 0; i < elf->e_phnum; i++)
        if (load[i].p_type == PT_LOAD && load[i].p_flags & PF_X) {
            text_from = load[i].p_vaddr;
            text_to = load[i].p_vaddr + load[i].p_memsz;
        }
    close(fd);
    seen = calloc(1, text_to - text_from);
}

/* A forked child is not stepped: its code is its parent's.
 * `word` is at `place` without the breakpoint. */
static void let_child_go(pid_t pid, uint64_t place, long word)
{
    unsigned long child;
    ptrace(PTRACE_GETEVENTMSG, pid, 0, &child);
    waitpid((pid_t)child, NULL, __WALL);
    if (place) ptrace(PTRACE_POKETEXT, (pid_t)child, place, word);
    ptrace(PTRACE_DETACH, (pid_t)child, 0, 0);
}

/* Runs on to that place. False at the end. */
static bool run_to(pid_t pid, uint64_t back, int *status)
{
    long word = ptrace(PTRACE_PEEKTEXT, pid, back, 0);
    struct user_regs_struct now;
    ptrace(PTRACE_POKETEXT, pid, back, (word & ~0xffL) | 0xcc);
    do {
        if (ptrace(PTRACE_CONT, pid, 0, 0) || waitpid(pid, status, 0) != pid || !WIFSTOPPED(*status))
            return false;
        if (*status >> 16) let_child_go(pid, back, word);
        if (ptrace(PTRACE_GETREGS, pid, 0, &now)) return false;
    } while (now.rip != back + 1);
    ptrace(PTRACE_POKETEXT, pid, back, word);
    now.rip = back;
    ptrace(PTRACE_SETREGS, pid, 0, &now);
    add_place(back);
    return true;
}

static bool is_text(uint64_t at)
{
    return at >= text_from && at < text_to;
}

static uint64_t symbol(const char *name)
{
    char command[512], line[512];
    uint64_t at = 0;
    snprintf(command, sizeof command, "nm %s", victim);
    FILE *f = popen(command, "r");
    while (f && fgets(line, sizeof line, f)) {
        char *found = strrchr(line, ' ');
        if (found && !strncmp(found + 1, name, strlen(name)) && found[1 + strlen(name)] == '\n')
            at = strtoull(line, NULL, 16);
    }
    if (f) pclose(f);
    return at;
}

/* One stepped run: every instruction of the program's own text that it comes to, from main() on. A call
 * into a library is stepped for a while, since it may call back; then it runs on to where it returns. */
static void step_through(const struct scenario *s)
{
    enum { PATIENCE = 300 };
    int status, outside = 0;
    struct user_regs_struct regs;
    pid_t pid = start(s, true);
    uint64_t steps = 0, back = 0;
    bool going = run_to(pid, symbol("main"), &status);
    while (going && !ptrace(PTRACE_SINGLESTEP, pid, 0, 0) && waitpid(pid, &status, 0) == pid &&
           WIFSTOPPED(status)) {
        if (status >> 16) let_child_go(pid, 0, 0);
        if (ptrace(PTRACE_GETREGS, pid, 0, &regs)) break;
        steps++;
        if (is_text(regs.rip)) {
            add_place(regs.rip);
            outside = 0;
        } else if (outside++ == 0) {
            back = (uint64_t)ptrace(PTRACE_PEEKDATA, pid, regs.rsp, 0);
        } else if (outside > PATIENCE && is_text(back)) {
            going = run_to(pid, back, &status);
            outside = 0;
        }
    }
    printf("%s: %" PRIu64 " steps, %zu places\n", s->name, steps, place_count);
}

struct section {
    uint64_t from, to;
};

static size_t read_sections(struct section *out, size_t most)
{
    /* Each descriptor of the table: version, flags, start, length, abort handler (Linux,
     * include/uapi/linux/rseq.h). */
    char command[512];
    size_t n = 0;
    uint64_t words[4];
    snprintf(command, sizeof command, "objcopy -O binary --only-section=__rseq_cs %s /dev/stdout", victim);
    FILE *f = popen(command, "r");
    while (f && n < most && fread(words, sizeof words, 1, f) == 1)
        out[n++] = (struct section){words[1], words[1] + words[2]};
    if (f) pclose(f);
    return n;
}

/* All instructions inside all sections, by the disassembler's
 * boundaries; the one that commits is the last. */
static void add_sections(void)
{
    struct section sections[512];
    size_t n = read_sections(sections, 512), before = place_count;
    char command[512], line[512];
    snprintf(command, sizeof command, "objdump -d --no-show-raw-insn %s", victim);
    FILE *f = popen(command, "r");
    while (f && fgets(line, sizeof line, f)) {
        char *end_of_number;
        uint64_t at = strtoull(line, &end_of_number, 16);
        if (*end_of_number != ':') continue;
        for (size_t i = 0; i < n; i++)
            /* Behind the commit comes the clearing, and the section is set up before it begins. */
            if (at + 24 >= sections[i].from && at < sections[i].to + 16) add_place(at);
    }
    if (f) pclose(f);
    printf("%zu restartable sections, %zu places in and around them\n", n, place_count - before);
    if (!n) violations++, printf("VIOLATION no section was found\n");
}

/* --- Campaigns --- */

static void kill_everywhere(const struct scenario *s, size_t stride)
{
    uint64_t kills_before = kills, unreached_before = unreached, violations_before = violations;
    place_count = 0;
    memset(seen, 0, text_to - text_from);
    step_through(s);
    if (!s->atomic && strcmp(s->mode, "lead")) add_sections();
    for (size_t i = roll() % stride; i < place_count; i += stride) {
        if (!kill_at(s, places[i])) {
            unreached++;
            continue;
        }
        kills++;
        check_survivor(s->fresh ? 0 : 2, s->name, places[i]);
    }
    printf("%s: %" PRIu64 " kills, %" PRIu64 " places not come to, %" PRIu64 " violations\n", s->name,
           kills - kills_before, unreached - unreached_before, violations - violations_before);
    fflush(stdout);
}

static void kill_at_random(const struct scenario *s, int times)
{
    uint64_t violations_before = violations;
    for (int i = 0; i < times; i++) {
        pid_t pid = start(s, false);
        uint32_t us = roll() % 8000;
        nanosleep(&(struct timespec){0, us * 1000}, NULL);
        end(pid);
        kills++;
        check_survivor(s->fresh ? 0 : 2, s->name, us);
    }
    printf("%s: %d kills at random, %" PRIu64 " violations\n", s->name, times,
           violations - violations_before);
}

/* A segment that others have used before. */
static void make_baseline(void)
{
    static struct crash_ledger nobody;
    metrics_options_t o = {.size = sizeof o, .path = segment, .segment_bytes = 2 << 20, .slots = 64};
    pid_t pid = fork();
    if (pid == 0) {
        metrics_registry_t *r = metrics_open(&o, NULL);
        describe_all(r);
        record_all(r, "before", &nobody, 2);
        metrics_close(&r);
        exit(0);
    }
    waitpid(pid, NULL, 0);
    copy_file(segment, baseline);
}

static void clean_up(void)
{
    unlink(segment);
    unlink(baseline);
    unlink(ledger_path);
}

int main(int argc, char **argv)
{
    static const struct scenario scenarios[] = {{"attach", "write", false, false},
                                                {"leader", "lead", false, false},
                                                {"create", "write", true, false},
                                                {"atomic lanes", "write", false, true},
                                                {"forked child", "child", false, false}};
    static const struct scenario looping[] = {{"loop", "loop", false, false},
                                              {"loop, atomic lanes", "loop", false, true}};
    const char *campaign = getenv("MTX_CAMPAIGN"), *seed = getenv("MTX_SEED");
    bool whole = campaign && !strcmp(campaign, "long");
    if (argc < 2) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    victim = argv[1];
    dice = seed ? (uint32_t)strtoul(seed, NULL, 0) : (uint32_t)time(NULL) * 2654435761u | 1;
    printf("MTX_SEED=%u\n", dice);
    snprintf(segment, sizeof segment, "/dev/shm/mtx-crash-%d.seg", (int)getpid());
    snprintf(baseline, sizeof baseline, "/dev/shm/mtx-crash-%d.base", (int)getpid());
    snprintf(ledger_path, sizeof ledger_path, "/dev/shm/mtx-crash-%d.ledger", (int)getpid());
    int fd = open(ledger_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof *ledger)) return 2;
    ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    find_text();
    make_baseline();
    for (size_t i = 0; i < (whole ? sizeof scenarios / sizeof *scenarios : 2); i++)
        if (argc <= 3 || !strcmp(argv[3], scenarios[i].name))
            kill_everywhere(&scenarios[i], argc > 2 ? strtoul(argv[2], NULL, 0) : whole ? 1 : 151);
    for (size_t i = 0; i < 2; i++) kill_at_random(&looping[i], whole ? 10000 : 50);
    clean_up();
    printf("%" PRIu64 " kills, %" PRIu64 " violations\n", kills, violations);
    printf("%d passed, %" PRIu64 " failed\n", kills > 100, violations + (kills <= 100));
    return violations || kills <= 100;
}

#else

int main(void)
{
    printf("left out: stepping and breakpoints are written for x86-64\n");
    return 77;
}

#endif
