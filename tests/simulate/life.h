/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life.h - one exporter: the real one, in a process of its own, with the seams in force. It runs until all its threads
 * wait, says so, and gets its next command; whatever it says meanwhile comes as messages.
 */
#ifndef SIMULATE_LIFE_H
#define SIMULATE_LIFE_H

#include "ledger.h"

#include <sys/types.h>

enum { LIFE_TEXT = 1024 };

enum life_word {
    LIFE_IDLE,    /* all its threads wait; `number` = the first of them until when */
    LIFE_SAYS,    /* a line for the operator, in `text` */
    LIFE_SAMPLED, /* a snapshot of the segment whose incarnation is `number` is in the log */
    LIFE_ACCOUNT, /* at the end: what the ledger says of the backend `text` */
    LIFE_ENDS     /* with exit status `number` */
};

struct life_message {
    enum life_word word;
    uint64_t number;
    char text[LIFE_TEXT];
    struct ledger_account account; /* since the exporter began */
};

enum life_order { LIFE_RUN, LIFE_RELOAD, LIFE_END };

struct life {
    pid_t pid; /* 0: none */
    int control, nudge;
    uint64_t next; /* when it wants to go on */
};

/* How it is started. */
struct life_plan {
    int number; /* which of shared->lives */
    const char *config;
    bool once; /* --once */
    uint64_t seed;
    void (*alone)(void *arg); /* called in its process: lets go of what is the world's */
    void *arg;
};

/* False if the process cannot be made. */
bool life_start(struct life *life, const struct life_plan *plan);

/* Hands over a command, which is answered by messages, the last of which is LIFE_IDLE or LIFE_ENDS. False if it is gone. */
bool life_order(struct life *life, enum life_order order);

/* The next message; false if it is gone. To be called when `control` is readable. */
bool life_hear(struct life *life, struct life_message *message);

/* SIGKILL. */
void life_kill(struct life *life);

/* It is gone, or about to go: collects it. Returns what waitpid() says. */
int life_bury(struct life *life);

#endif
