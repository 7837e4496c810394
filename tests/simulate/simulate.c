/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simulate.c - worlds from seeds: each in a process of its own, several at once.
 *
 *     simulate --seeds FROM COUNT [--jobs N] [--verbose] [--twice] [--wide]
 *     simulate --seed N            the story of one world
 */
#include "actions.h"
#include "disk.h"
#include "story.h"

#include <curl/curl.h>

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    uint64_t from, count;
    unsigned jobs, stop_after;
    bool story, twice;
} options = {.from = 1, .count = 500, .jobs = 1, .stop_after = 5};

/* What all processes add up. */
static struct tally {
    uint64_t passed, failed, actions;
} * tally;

static uint64_t *stories; /* the fingerprint of the last one, for each job */

/* --- One world, in its own process --- */

static int world_live(uint64_t seed, uint64_t *story, bool quiet)
{
    struct world w;
    alarm(600);
    world_begin(&w, seed);
    unsigned violations = actions_run(&w);
    world_end(&w);
    *story = story_fingerprint();
    if ((violations || options.story) && !quiet) {
        printf("--- simulate --seed %llu ---\n", (unsigned long long)seed);
        story_print(stdout);
        fflush(stdout);
    }
    return violations ? 1 : 0;
}

static bool world_passes(uint64_t seed, uint64_t *story, bool quiet)
{
    int status = 0;
    pid_t pid = fork();
    if (!pid) _exit(world_live(seed, story, quiet));
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        printf("--- seed %llu ---\nthe simulator crashed: signal %d\n", (unsigned long long)seed,
               WTERMSIG(status));
    fflush(stdout);
    return status == 0;
}

/* The same seed is the same world. */
static bool world_repeats(uint64_t seed, uint64_t *story)
{
    uint64_t first = *story;
    *story = 0;
    world_passes(seed, story, true);
    if (*story == first) return true;
    printf("--- seed %llu ---\nhas two stories\n", (unsigned long long)seed);
    fflush(stdout);
    return false;
}

/* --- Many --- */

static void job_pin(unsigned job)
{
    cpu_set_t may, one;
    int seen = 0, n = sched_getaffinity(0, sizeof may, &may) ? 0 : CPU_COUNT(&may);
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && n; cpu++)
        if (CPU_ISSET(cpu, &may) && seen++ == (int)job % n) CPU_SET(cpu, &one);
    if (n) sched_setaffinity(0, sizeof one, &one);
}

static void job_run(unsigned job)
{
    job_pin(job);
    for (uint64_t i = job; i < options.count; i += options.jobs) {
        bool passes = world_passes(options.from + i, &stories[job], false);
        if (options.twice && !world_repeats(options.from + i, &stories[job])) passes = false;
        __atomic_fetch_add(passes ? &tally->passed : &tally->failed, 1, __ATOMIC_RELAXED);
        if (options.stop_after && tally->failed >= options.stop_after) return;
    }
}

static void run_all(void)
{
    for (unsigned job = 0; job < options.jobs; job++)
        if (!fork()) {
            job_run(job);
            _exit(0);
        }
    while (wait(NULL) > 0) {
    }
}

/* --- The command line --- */

static bool parse(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (!strcmp(argv[i], "--seeds") && i + 2 < argc) {
            options.from = strtoull(argv[++i], NULL, 10);
            options.count = strtoull(argv[++i], NULL, 10);
        } else if (!strcmp(argv[i], "--seed") && more) {
            options.from = strtoull(argv[++i], NULL, 10);
            options.count = 1;
            options.story = true;
        } else if (!strcmp(argv[i], "--jobs") && more) {
            options.jobs = (unsigned)atoi(argv[++i]);
        } else if (!strcmp(argv[i], "--stop-after") && more) {
            options.stop_after = (unsigned)atoi(argv[++i]);
        } else if (!strcmp(argv[i], "--twice")) {
            options.twice = true;
        } else if (!strcmp(argv[i], "--wide")) {
            actions_wide = true;
        } else if (!strcmp(argv[i], "--verbose")) {
            options.story = true;
        } else {
            return false;
        }
    }
    return options.jobs > 0;
}

static void *shared_pages(size_t n)
{
    void *at = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

int main(int argc, char **argv)
{
    if (!parse(argc, argv)) {
        fputs(
            "usage: simulate [--seed N | --seeds FROM COUNT] [--jobs N] [--stop-after N] [--twice] [--wide] "
            "[--verbose]\n",
            stderr);
        return 2;
    }
    tally = shared_pages(sizeof *tally);
    stories = shared_pages(options.jobs * sizeof *stories);
    if (!tally || !stories) return 1;
    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    disk_install();
    writer_warm_up();
    run_all();
    printf("%llu passed, %llu failed\n", (unsigned long long)tally->passed,
           (unsigned long long)tally->failed);
    return tally->failed || !tally->passed;
}
