/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stop_at.c - runs a program and kills it at a named place.
 *   stop_at PLACE COUNT HOLD_MS LIMIT_MS PROGRAM ARGUMENT...
 * PLACE is FUNCTION, FUNCTION@return, or either with LIBRARY: before it (libcurl:curl_easy_perform@return).
 * The COUNT-th thread that comes there is held for HOLD_MS while the others go on; then the process gets
 * SIGKILL. The last line of standard output says what happened: "hit", "missed" (killed after LIMIT_MS
 * without having come there), "ended STATUS". Exit status 0; 2 if there is no such function, or nothing can
 * be traced here.
 *
 * Breakpoints are planted in the text of the one process, all threads are traced (ptrace(2)). A thread that
 * goes past a breakpoint steps over the original instruction while the others run: they may pass meanwhile,
 * uncounted.
 */
#include "symbols.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct breakpoint {
    uint64_t at; /* 0: none */
    long word;   /* what stood there */
};

static pid_t program;
static struct breakpoint entry, back;
static uint64_t back_stack; /* the stack pointer of the call that is to return */
static pid_t back_thread;
static long count;
static bool wants_return;

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void fail(const char *what)
{
    fprintf(stderr, "stop_at: %s: %s\n", what, strerror(errno));
    if (program > 0) kill(program, SIGKILL);
    exit(2);
}

static void plant(struct breakpoint *b, pid_t thread, uint64_t at)
{
    errno = 0;
    b->at = at;
    b->word = ptrace(PTRACE_PEEKTEXT, thread, at, 0);
    if (errno || ptrace(PTRACE_POKETEXT, thread, at, (b->word & ~0xffL) | 0xcc)) fail("breakpoint");
}

static void unplant(struct breakpoint *b, pid_t thread)
{
    if (b->at) ptrace(PTRACE_POKETEXT, thread, b->at, b->word);
    b->at = 0;
}

/* Past a breakpoint that this thread has run into. */
static void step_over(struct breakpoint *b, pid_t thread, struct user_regs_struct *regs)
{
    int status;
    regs->rip = b->at;
    ptrace(PTRACE_SETREGS, thread, 0, regs);
    ptrace(PTRACE_POKETEXT, thread, b->at, b->word);
    ptrace(PTRACE_SINGLESTEP, thread, 0, 0);
    while (waitpid(thread, &status, __WALL) < 0 && errno == EINTR) {
    }
    ptrace(PTRACE_POKETEXT, thread, b->at, (b->word & ~0xffL) | 0xcc);
}

/* True if this is the place and the time. */
static bool arrived(pid_t thread)
{
    struct user_regs_struct regs;
    if (ptrace(PTRACE_GETREGS, thread, 0, &regs)) return false;
    if (back.at && regs.rip == back.at + 1) {
        if (thread == back_thread && regs.rsp == back_stack + 8) return true;
        step_over(&back, thread, &regs);
    } else if (entry.at && regs.rip == entry.at + 1) {
        bool there = --count == 0;
        if (there && !wants_return) return true;
        step_over(&entry, thread, &regs);
        if (there) {
            back_stack = regs.rsp;
            back_thread = thread;
            unplant(&entry, thread);
            plant(&back, thread, (uint64_t)ptrace(PTRACE_PEEKDATA, thread, back_stack, 0));
        }
    } else {
        /* A breakpoint that is gone by now: the instruction is there again. */
        regs.rip--;
        if ((ptrace(PTRACE_PEEKTEXT, thread, regs.rip, 0) & 0xff) != 0xcc)
            ptrace(PTRACE_SETREGS, thread, 0, &regs);
    }
    return false;
}

static void tick(int signal)
{
    (void)signal;
}

/* A thread's next stop, or 0 when the time is over, -1 when there is nobody left. */
static pid_t next_stop(int *status, uint64_t until)
{
    for (;;) {
        pid_t who = waitpid(-1, status, __WALL);
        if (who > 0) return who;
        if (errno != EINTR) return -1;
        if (now_ms() >= until) return 0;
    }
}

static bool is_breakpoint(int status)
{
    return WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP && status >> 16 == 0;
}

/* Lets a stopped thread go on. What stops new threads and clones is the tracer's own business. */
static void go_on(pid_t thread, int status)
{
    int signal = WSTOPSIG(status);
    bool ours = signal == SIGTRAP || signal == SIGSTOP;
    ptrace(PTRACE_CONT, thread, 0, ours ? 0 : signal);
}

/* The others go on for a while; who comes to a breakpoint meanwhile passes. */
static void hold(uint64_t ms)
{
    int status;
    uint64_t until = now_ms() + ms;
    for (pid_t who; ms && (who = next_stop(&status, until)) > 0;) {
        if (!WIFSTOPPED(status)) continue;
        count = 0;
        if (is_breakpoint(status)) arrived(who);
        go_on(who, status);
    }
}

static void kill_it(const char *what)
{
    int status;
    kill(program, SIGKILL);
    while (waitpid(-1, &status, __WALL) > 0 || errno == EINTR) {
    }
    printf("%s\n", what);
    exit(0);
}

/* To the program's entry: its libraries are mapped by then. */
static void start(char **argv)
{
    int status;
    program = fork();
    if (program == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        execv(argv[0], argv);
        _exit(127);
    }
    if (program < 0 || waitpid(program, &status, 0) != program || !WIFSTOPPED(status)) fail(argv[0]);
    if (ptrace(PTRACE_SETOPTIONS, program, 0, PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE)) fail("ptrace");
    plant(&entry, program, symbol_entry(program));
    ptrace(PTRACE_CONT, program, 0, 0);
    if (waitpid(program, &status, 0) != program || !is_breakpoint(status)) fail("the program's entry");
    struct user_regs_struct regs;
    ptrace(PTRACE_GETREGS, program, 0, &regs);
    regs.rip = entry.at;
    ptrace(PTRACE_SETREGS, program, 0, &regs);
    unplant(&entry, program);
}

static void find_place(char *place)
{
    char *at = strchr(place, '@');
    wants_return = at && !strcmp(at, "@return");
    if (at) *at = '\0';
    uint64_t address = symbol_address(program, place);
    if (!address) {
        errno = 0;
        fprintf(stderr, "stop_at: there is no function %s\n", place);
        fail(place);
    }
    plant(&entry, program, address);
}

int main(int argc, char **argv)
{
    int status;
    if (argc < 6) return 2;
    count = atol(argv[2]);
    uint64_t held = strtoul(argv[3], NULL, 0), until = now_ms() + strtoul(argv[4], NULL, 0);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = tick}, NULL);
    start(argv + 5);
    find_place(argv[1]);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 10000}, {0, 10000}}, NULL);
    ptrace(PTRACE_CONT, program, 0, 0);
    for (;;) {
        pid_t who = next_stop(&status, until);
        if (who == 0) kill_it("missed");
        if (who < 0 || (who == program && !WIFSTOPPED(status))) break;
        if (!WIFSTOPPED(status)) continue;
        if (is_breakpoint(status) && arrived(who)) {
            hold(held);
            kill_it("hit");
        }
        go_on(who, status);
    }
    printf("ended %d\n", status);
    return 0;
}
