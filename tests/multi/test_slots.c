/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: a process that sets gauges counts as alive exactly as long as it lives, whatever it does
 * to its descriptors, children, user, root directory, mounts and namespaces. Where the lock that proves it
 * cannot be had in its lasting form, the slot says so (weak). One row of `cells` for each way; exec, exit,
 * SIGSTOP and closefrom() are in test_gauges.c.
 */
#include "worker.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "../../registry/programs/hold.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#if defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

enum { CANNOT = 77, NOBODY = 65534, ONE_DAY = 86400 };

static metrics_registry_t *registry;
static pid_t *left; /* a process that the worker leaves behind */
static char scratch[64];

#define LEVEL() multi_number("level", NULL, "value")

/* The segment at test_path, opened or made by this process. */
static metrics_registry_t *open_here(void)
{
    metrics_error_t error;
    metrics_registry_t *r =
        metrics_open(&(metrics_options_t){.size = sizeof(metrics_options_t), .path = test_path}, &error);
    if (metrics_status(r, NULL) < 0) fprintf(stderr, "%s\n", error.text);
    metrics_describe(r, "level",
                     &(metrics_family_t){.size = sizeof(metrics_family_t), .merge = METRICS_MERGE_SUM}, NULL);
    return r;
}

/* --- What a worker does, before it first sets its gauge or after it --- */

static bool become_nobody(void)
{
    return !setresgid(NOBODY, NOBODY, NOBODY) && !setresuid(NOBODY, NOBODY, NOBODY);
}

static bool leave_for_nobody(void)
{
    bool done = become_nobody();
    closefrom(3);
    return done;
}

static bool change_root(void)
{
    return !chroot(scratch) && !chdir("/");
}

static bool new_mounts(void)
{
    return !unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static bool hide_directory(void)
{
    return new_mounts() && !mount("none", "/dev/shm", "tmpfs", 0, NULL);
}

static bool new_user(void)
{
    return !unshare(CLONE_NEWUSER);
}

/* A day ahead, and inside it: only what opens the segment then can know. */
static bool new_time(void)
{
    if (unshare(CLONE_NEWTIME)) return false;
    int offsets = open("/proc/self/timens_offsets", O_WRONLY), fd;
    bool set = offsets >= 0 && dprintf(offsets, "monotonic %d 0\nboottime %d 0\n", ONE_DAY, ONE_DAY) > 0;
    close(offsets);
    if (!set || (fd = open("/proc/self/ns/time_for_children", O_RDONLY)) < 0) return false;
    bool inside = !setns(fd, CLONE_NEWTIME);
    close(fd);
    registry = open_here();
    return inside;
}

static bool new_path(void)
{
    char other[sizeof scratch + 16];
    snprintf(other, sizeof other, "%s/b/seg", scratch);
    snprintf(test_path, sizeof test_path, "%s", other);
    registry = open_here();
    return true;
}

static void stay_behind(void)
{
    multi_limit(60);
    *left = getpid();
    worker_ready();
    worker_stay();
}

static bool fork_silent(void)
{
    if (fork() == 0) stay_behind();
    return true;
}

static bool fork_that_sets(void)
{
    if (fork() == 0) {
        metrics_gauge_set(metrics_gauge(registry, "level"), 100);
        stay_behind();
    }
    return true;
}

/* No pthread_atfork handler runs, and the descriptors are the same ones. */
static bool clone_that_sets(void)
{
    if (syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0) == 0) {
        metrics_gauge_set(metrics_gauge(registry, "level"), 100);
        stay_behind();
    }
    return true;
}

static bool vfork_and_exec(void)
{
    pid_t pid = vfork();
    if (pid == 0) {
        execl("/bin/sleep", "sleep", "60", (char *)NULL);
        _exit(1);
    }
    *left = pid;
    worker_ready();
    return pid > 0;
}

static bool spawn(void)
{
    static char name[] = "sleep", time[] = "60";
    extern char **environ;
    bool done = !posix_spawn(left, "/bin/sleep", NULL, NULL, (char *[]){name, time, NULL}, environ);
    worker_ready();
    return done;
}

static void *set_in_thread(void *arg)
{
    metrics_gauge_set(metrics_gauge(registry, "level"), 5);
    return arg;
}

static bool first_in_thread(void)
{
    pthread_t thread;
    return !pthread_create(&thread, NULL, set_in_thread, NULL) && !pthread_join(thread, NULL);
}

/* All requests were made before; now the kernel kills the process at its next system call. */
static bool sandbox(void)
{
    metrics_gauge_t *gauge = metrics_gauge(registry, "level");
    metrics_counter_t *counter = metrics_counter(registry, "sandboxed");
    metrics_prepare(registry);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT)) return false;
    metrics_gauge_set(gauge, 5);
    metrics_counter_inc(counter);
    worker_ready();
    for (;;) continue;
}

/* --- The matrix --- */

struct cell {
    const char *what;
    bool (*before)(void), (*after)(void);
    double alive, dead; /* the gauge while the worker lives, and when it has been killed: 0 = absent */
    bool weak, leaves;  /* its slot says so; a process stays behind */
};

static const struct cell cells[] = {
    {"nothing special", NULL, NULL, 5, 0, false, false},
    {"first set in a thread that has ended", first_in_thread, NULL, 5, 0, false, false},
    {"a child that never touches metrics", NULL, fork_silent, 5, 0, false, true},
    {"a child with a gauge of its own", NULL, fork_that_sets, 105, 100, false, true},
    {"a clone that libc does not know of, with the same descriptors", NULL, clone_that_sets, 105, 100, false,
     true},
    {"vfork and exec", NULL, vfork_and_exec, 5, 0, false, true},
    {"posix_spawn", NULL, spawn, 5, 0, false, true},
    {"another uid, then the first gauge", become_nobody, NULL, 5, 0, true, false},
    {"another uid after the first gauge", NULL, become_nobody, 5, 0, false, false},
    {"another uid and closefrom() after the first gauge", NULL, leave_for_nobody, 5, 0, false, false},
    {"another uid and closefrom(), then the first gauge: not recorded", leave_for_nobody, NULL, 0, 0, false,
     false},
    {"another root, then the first gauge", change_root, NULL, 5, 0, true, false},
    {"another root after the first gauge", NULL, change_root, 5, 0, false, false},
    {"a tmpfs mounted over the segment's directory", hide_directory, NULL, 5, 0, false, false},
    {"another user namespace", new_user, NULL, 5, 0, false, false},
    {"another time namespace", new_time, NULL, 5, 0, false, false},
    {"a sandbox without system calls, after metrics_prepare()", sandbox, NULL, 5, 0, false, false},
};

static void work(void *arg)
{
    const struct cell *c = arg;
    if (c->before && !c->before()) _exit(CANNOT);
    metrics_gauge_set(metrics_gauge(registry, "level"), 5);
    if (c->after && !c->after()) _exit(CANNOT);
    worker_ready();
    worker_stay();
}

struct owners {
    unsigned alive, weak;
    double started; /* the last one's, in seconds since 1970 */
};

static void count_owner(void *arg, const metrics_process_t *p)
{
    struct owners *o = arg;
    o->alive += p->alive != 0;
    o->weak += p->alive && p->weak;
    if (p->alive) o->started = (double)p->started_wall_ns / 1e9;
}

static struct owners owners(void)
{
    struct owners o = {0};
    metrics_reader_t *r = metrics_reader_open(test_path, NULL, NULL);
    if (r) metrics_reader_processes(r, count_owner, &o);
    if (r) metrics_reader_close(&r);
    return o;
}

static bool is_level(double want)
{
    double got = LEVEL();
    return want == 0 ? isnan(got) : got == want;
}

/* It is nobody's child any more, so its death cannot be waited for. */
static void end_left(void)
{
    if (*left) kill(*left, SIGKILL);
    for (int i = 0; i < PATIENCE_MS / 5 && owners().alive; i++) multi_sleep_ms(5);
}

static void try_cell(const struct cell *c)
{
    *left = 0;
    pid_t pid = worker_start(work, (void *)c, c->leaves ? 2 : 1);
    if (!pid && WIFEXITED(worker_status) && WEXITSTATUS(worker_status) == CANNOT) {
        printf("left out: %s: needs a privilege that is missing here\n", c->what);
        return;
    }
    struct owners o = owners();
    EXPECT(pid && is_level(c->alive), "%s: alive (%g)", c->what, LEVEL());
    EXPECT(o.alive == (c->alive == 0    ? 0u
                       : c->alive > 100 ? 2u
                                        : 1u) &&
               o.weak == c->weak,
           "  %u slots, %u weak", o.alive, o.weak);
    if (!pid) return;
    worker_end(pid);
    EXPECT(is_level(c->dead) && (!c->leaves || kill(*left, 0) == 0), "  killed: %s (%g)",
           c->leaves ? "dead, though what it started lives" : "dead", LEVEL());
    end_left();
}

/* --- Time namespaces --- */

static double seconds_old(void)
{
    metrics_segment_info_t info = {0};
    metrics_reader_t *r = metrics_reader_open(test_path, NULL, NULL);
    if (r) metrics_reader_info(r, &info, NULL);
    if (r) metrics_reader_close(&r);
    return (double)info.age_ns / 1e9;
}

static double callback(void *arg)
{
    return *(double *)arg;
}

static double *age_inside;

static void poll_in_other_time(void *arg)
{
    double value = 3;
    if (arg) unlink(test_path);
    if (!new_time()) _exit(CANNOT);
    metrics_gauge_callback(metrics_gauge(registry, "polled"), callback, &value);
    metrics_poll(registry);
    *age_inside = seconds_old();
    worker_ready();
    worker_stay();
}

/* Made = the segment is made inside, and read outside. */
static void times(bool made)
{
    age_inside = multi_shared(sizeof *age_inside);
    pid_t pid = worker_start(poll_in_other_time, made ? age_inside : NULL, 1);
    if (!pid) {
        printf("left out: time namespaces need a privilege that is missing here\n");
        return;
    }
    double outside = seconds_old(), since = (double)time(NULL) - owners().started;
    EXPECT(fabs(outside - *age_inside) < 10, "%s a day ahead, the segment is %g s old, outside %g s",
           made ? "made" : "seen from", *age_inside, outside);
    EXPECT_EQ(multi_number("polled", NULL, "value"), 3, "what was polled there is fresh here");
    EXPECT(fabs(since) < 60, "its slot was claimed %g s ago", since);
    worker_end(pid);
}

/* --- Other mounts --- */

/* In a process of its own: the mounts go with it. */
static int on_stage(void (*fn)(void))
{
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        multi_limit(60);
        multi_passed = multi_failed = 0;
        fn();
        _exit(multi_failed ? 1 : 0);
    }
    waitpid(pid, &status, 0);
    return status;
}

static const char *in_scratch(const char *name)
{
    static char path[4][sizeof scratch + 32];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", scratch, name);
    return path[next];
}

static void mount_scratch(void)
{
    if (!new_mounts() || mount("none", scratch, "tmpfs", 0, NULL)) _exit(CANNOT);
}

static void overlay(void)
{
    char options[256];
    mount_scratch();
    mkdir(in_scratch("l"), 0755), mkdir(in_scratch("u"), 0755);
    mkdir(in_scratch("w"), 0755), mkdir(in_scratch("m"), 0755);
    snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s", in_scratch("l"), in_scratch("u"),
             in_scratch("w"));
    if (mount("none", in_scratch("m"), "overlay", 0, options)) _exit(CANNOT);
    snprintf(test_path, sizeof test_path, "%s", in_scratch("m/seg"));
    registry = open_here();
    struct cell cell = {"overlayfs", NULL, NULL, 5, 0, true, false};
    try_cell(&cell);
    cell = (struct cell){
        "overlayfs, a child with a gauge of its own", NULL, fork_that_sets, 105, 100, true, true};
    pid_t pid = worker_start(work, &cell, 2);
    EXPECT(is_level(105), "%s (%g)", cell.what, LEVEL());
    worker_end(pid);
    EXPECT(is_level(100), "  killed: dead, its child lives (%g)", LEVEL());
    end_left();
}

static void second_mount(void)
{
    mount_scratch();
    mkdir(in_scratch("a"), 0755), mkdir(in_scratch("b"), 0755);
    if (mount("none", in_scratch("a"), "tmpfs", 0, NULL) ||
        mount(in_scratch("a"), in_scratch("b"), NULL, MS_BIND, NULL))
        _exit(CANNOT);
    snprintf(test_path, sizeof test_path, "%s", in_scratch("a/seg"));
    registry = open_here();
    struct cell cell = {"the same tmpfs mounted twice", new_path, NULL, 5, 0, false, false};
    try_cell(&cell);
}

static void mounts(void)
{
    const struct {
        const char *what;
        void (*fn)(void);
    } stages[] = {{"overlayfs", overlay}, {"the same tmpfs at another path", second_mount}};
    for (int i = 0; i < 2; i++) {
        int status = on_stage(stages[i].fn);
        if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT)
            printf("left out: %s cannot be mounted here\n", stages[i].what);
        else
            EXPECT(status == 0, "%s: all of it", stages[i].what);
    }
}

/* --- Two copies of libmtx in one process --- */

static char copy_path[96];

/* The library that this program uses, as another file. */
static bool copy_library(void)
{
    Dl_info info;
    char command[512];
    if (!dladdr((void *)metrics_open, &info)) return false;
    snprintf(copy_path, sizeof copy_path, "%s/libcopy.so", scratch);
    snprintf(command, sizeof command, "cp '%s' '%s'", info.dli_fname, copy_path);
    return system(command) == 0;
}

static void *copy_open(bool own_namespace)
{
    return own_namespace ? dlmopen(LM_ID_NEWLM, copy_path, RTLD_NOW)
                         : dlopen(copy_path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
}

static void with_copy(void *arg)
{
    void *lib = copy_open(arg != NULL);
    if (!lib) _exit(CANNOT);
    metrics_registry_t *(*open)(const metrics_options_t *, metrics_error_t *) = dlsym(lib, "metrics_open");
    metrics_gauge_t *(*gauge)(metrics_registry_t *, const char *const *, size_t) =
        dlsym(lib, "metrics_gauge_v");
    metrics_counter_t *(*counter)(metrics_registry_t *, const char *const *, size_t) =
        dlsym(lib, "metrics_counter_v");
    void (*set)(metrics_gauge_t *, double) = dlsym(lib, "metrics_gauge_set");
    if (!open || open == metrics_open || !gauge || !counter || !set) _exit(1);
    metrics_registry_t *second =
        open(&(metrics_options_t){.size = sizeof(metrics_options_t), .path = test_path}, NULL);
    metrics_counter_t *a = metrics_counter(registry, "copies"),
                      *b = counter(second, (const char *const[]){"copies"}, 1);
    for (int i = 0; i < 100000; i++) metrics_counter_inc(i & 1 ? a : b);
    metrics_gauge_set(metrics_gauge(registry, "level"), 5);
    set(gauge(second, (const char *const[]){"level"}, 1), 7);
    if (fork() == 0) {
        set(gauge(second, (const char *const[]){"level"}, 1), 100);
        stay_behind();
    }
    worker_ready();
    worker_stay();
}

static void copies(void)
{
    if (SANITIZED) {
        printf("left out: two copies: the address sanitizer is one for each process\n");
        return;
    }
    for (int own_namespace = 0; own_namespace < 2; own_namespace++) {
        const char *how = own_namespace ? "dlmopen" : "dlopen";
        double before = multi_number("copies", NULL, "count");
        pid_t pid = copy_library() ? worker_start(with_copy, own_namespace ? left : NULL, 2) : 0;
        EXPECT(pid, "two copies of the library, by %s (wait status %d)", how, pid ? 0 : worker_status);
        if (!pid) continue;
        EXPECT_EQ(multi_number("copies", NULL, "count") - (isnan(before) ? 0 : before), 100000,
                  "  updates by both");
        EXPECT_EQ(LEVEL(), 112, "  their gauges, and that of a child through the second");
        worker_end(pid);
        EXPECT_EQ(LEVEL(), 100, "  killed: the child's");
        end_left();
    }
    unlink(copy_path);
}

/* --- A dead owner's values, shown once more --- */

static void set_and_die(void *arg)
{
    metrics_gauge_set(metrics_gauge(registry, "last_words"), *(double *)arg);
}

static void keep(void)
{
    double words = 42;
    metrics_hold_t *hold = metrics_hold_open(test_path, NULL);
    pid_t pid = multi_fork(set_and_die, &words);
    siginfo_t ended;
    metrics_hold_process(hold, (uint32_t)pid);
    waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT);
    pid_t next = worker_start(work, (void *)&cells[0], 1); /* would take the lowest free slot */
    EXPECT_EQ(metrics_hold_take(hold, (uint32_t)pid, 0), 1, "slots held of a process that died");
    EXPECT_EQ(multi_number("last_words", NULL, "value"), 42,
              "its gauge, though another process has claimed since");
    EXPECT_EQ(LEVEL(), 5, "and that one's own");
    worker_end(next);
    metrics_hold_release(&hold);
    waitpid(pid, NULL, 0);
    EXPECT(isnan(multi_number("last_words", NULL, "value")), "let go");
}

int main(void)
{
    multi_begin(120);
    worker_begin();
    left = multi_shared(sizeof *left);
    snprintf(scratch, sizeof scratch, "/tmp/mtx-slots-%d", (int)getpid());
    mkdir(scratch, 0755);
    metrics_registry_t *first = test_open(NULL);
    registry = open_here();
    metrics_close(&first);
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) try_cell(&cells[i]);
    keep();
    copies();
    times(false);
    mounts();
    times(true);
    rmdir(scratch);
    return multi_end();
}
