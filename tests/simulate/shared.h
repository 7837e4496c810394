/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shared.h - the memory that a world and its exporters share: the time, the state of the disk, and what each exporter is
 * to do at which step. The world writes it while no exporter runs, an exporter while the world waits for it, so there
 * is nothing to lock.
 */
#ifndef SIMULATE_SHARED_H
#define SIMULATE_SHARED_H

#include <stdbool.h>
#include <stdint.h>

enum { SHARED_LIVES = 2 };

/* What the disk does; only what goes through SQLite notices. */
struct shared_disk {
    bool full;     /* a write that makes a file longer, or touches a page that was not there, finds no room */
    bool closed;   /* no file can be opened */
    bool failing;  /* writes fail */
    unsigned good; /* after so many writes, */
    unsigned bad;  /* so many fail; 0: none */
    unsigned fatal; /* so many steps after the last of them, who wrote it is killed; 0: it is not */
    bool journal;   /* unsynced writes are kept, for a loss of power */
};

/* One exporter. */
struct shared_life {
    uint64_t steps;   /* places come to where it may be killed */
    uint64_t kill_at; /* it kills itself when steps gets there; 0 = never */
    uint64_t log;     /* size of its log, less than a configuration may say; 0 = as that says */
    bool shuffle;     /* threads take turns at each lock, too */
};

struct shared {
    uint64_t mono, wall; /* nanoseconds */
    uint64_t until;      /* an exporter that is alone lets time pass by itself, up to this mono */
    uint64_t random;     /* state of the dice that answer getrandom() */
    struct shared_disk disk;
    struct shared_life lives[SHARED_LIVES];
};

/* NULL before a world began. */
extern struct shared *shared;

/* In an exporter: its own part; NULL elsewhere. */
extern struct shared_life *shared_mine;

/* Makes the memory anew, all zero but for the time. */
void shared_begin(uint64_t seed);

/* Time passes, on both clocks. */
void shared_pass(uint64_t ns);

/* A place where an exporter may be killed; does nothing elsewhere. */
void shared_step(void);

#endif
