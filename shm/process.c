/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include <errno.h>
#include <pthread.h>
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

enum { HOOKS_MAX = 4 };
static struct process_fork_hooks fork_hooks[HOOKS_MAX];
static int fork_hook_count;

static void fork_prepare(void)
{
    for (int i = fork_hook_count - 1; i >= 0; i--) fork_hooks[i].prepare();
}
static void fork_parent(void)
{
    for (int i = 0; i < fork_hook_count; i++) fork_hooks[i].parent();
}
static void fork_child(void)
{
    mem_store(process_token_page, 0); /* ORD-17 */
    for (int i = 0; i < fork_hook_count; i++) fork_hooks[i].child();
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
