/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

__thread struct process_thread process_thread
    __attribute__((tls_model("initial-exec"))) = {.cpu_start = UINT32_MAX, .cpu = UINT32_MAX};

/* Until process_init() has a page that forks wipe, tokens live here and only pthread_atfork wipes them. */
static uint64_t plain_token;
uint64_t *process_token_page = &plain_token;

/* struct rseq: cpu_id at 4, rseq_cs at 8. The substitute in struct process_thread has the same layout. */
_Static_assert(offsetof(struct process_thread, cpu) == offsetof(struct process_thread, cpu_start) + 4, "");
_Static_assert(offsetof(struct process_thread, rseq_cs) == offsetof(struct process_thread, cpu_start) + 8,
               "");

/* glibc 2.35 and later register every thread; elsewhere the symbols are missing. */
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

static char *thread_pointer(void)
{
#if defined(__x86_64__)
    char *tp;
    __asm__("movq %%fs:0, %0" : "=r"(tp));
    return tp;
#else
    return __builtin_thread_pointer();
#endif
}

intptr_t process_rseq_offset(void)
{
    if (&__rseq_offset && &__rseq_size && __rseq_size != 0) return __rseq_offset;
    return (char *)&process_thread.cpu_start - thread_pointer();
}

/* --- Undisturbed --- */

void process_undisturbed_begin(struct process_undisturbed *before)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
    sigset_t most;
    sigfillset(&most);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&most, faults[i]);
    pthread_sigmask(SIG_BLOCK, &most, &before->signals);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before->cancel);
}

void process_undisturbed_end(const struct process_undisturbed *before)
{
    pthread_setcancelstate(before->cancel, NULL);
    pthread_sigmask(SIG_SETMASK, &before->signals, NULL);
}

/* --- Forks --- */

enum { HOOKS_MAX = 4 };
static struct process_fork_hooks fork_hooks[HOOKS_MAX];
static int fork_hook_count;

/* Of the fork under way. Threads that fork at once wait for each other in the hooks, which take locks. */
static struct process_undisturbed before_fork;

/* A handler of this thread that forked while the hooks' locks are held would wait for itself. */
static void fork_prepare(void)
{
    struct process_undisturbed before;
    process_undisturbed_begin(&before);
    for (int i = fork_hook_count - 1; i >= 0; i--) fork_hooks[i].prepare();
    before_fork = before;
}
static void fork_parent(void)
{
    struct process_undisturbed before = before_fork;
    for (int i = 0; i < fork_hook_count; i++) fork_hooks[i].parent();
    process_undisturbed_end(&before);
}
static void fork_child(void)
{
    struct process_undisturbed before = before_fork;
    mem_store(process_token_page, 0); /* ORD-17 */
    for (int i = 0; i < fork_hook_count; i++) fork_hooks[i].child();
    process_undisturbed_end(&before);
}

void process_on_fork(const struct process_fork_hooks *hooks)
{
    if (fork_hook_count < HOOKS_MAX) fork_hooks[fork_hook_count++] = *hooks;
}

static void init_once(void)
{
    uint64_t *page =
        mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED) {
        madvise(page, (size_t)sysconf(_SC_PAGESIZE), MADV_WIPEONFORK);
        process_token_page = page;
    }
    pthread_atfork(fork_prepare, fork_parent, fork_child);
    process_renew();
}

int process_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_once);
    return 0;
}

/* getrandom() without waiting. Until the kernel's pool is ready, a clock and addresses serve instead. */
static uint64_t draw_seed(void)
{
    int saved = errno;
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) {
        struct timespec ts;
        clock_gettime(CLOCK_MONOTONIC, &ts);
        seed =
            (uint64_t)ts.tv_nsec * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)getpid() << 32 ^ (uintptr_t)&seed;
    }
    errno = saved;
    return seed ? seed : 1;
}

uint64_t process_renew(void)
{
    uint64_t none = 0, fresh = draw_seed();
    return mem_cas(process_token_page, &none, fresh) ? fresh : none; /* ORD-17 */
}

/*
 * From the process's own random number, which no two share, and one for each thread. No system call: a thread may be
 * seeded by its first update in a sandbox.
 */
void process_reseed(void)
{
    static uint64_t threads;
    uint64_t token = process_token();
    process_thread.seed = token + (mem_add(&threads, 1) << 32); /* ORD-16 */
    process_thread.seed = process_random_seeded();
    process_thread.seeded = ~token;
}
