/* SPDX-License-Identifier: Apache-2.0 */
/* audit_inside.h - what audit.c (what is owed) and audit_told.c (what was told) share; for nobody else. */
#ifndef SIMULATE_AUDIT_INSIDE_H
#define SIMULATE_AUDIT_INSIDE_H

#include "audit.h"

/* A point that was applied. */
struct receipt {
    uint64_t time;
    double value;
    char letter; /* of the segment that it is from */
    unsigned life;
    uint64_t request; /* the number of the request that told it */
    bool unsure;      /* it may come again */
    bool
        beside; /* from an exporter that ran beside another one, and does not know which seconds that one uses */
};

/* One series at one backend. */
struct line {
    struct receipt *receipts;
    size_t n, room;
    double told;   /* deltas, each interval once */
    double owed;   /* of them */
    double excess; /* that may be told beyond what was counted */
    double before_unwritten;
    double last; /* of totals and levels, from the newest segment */
    char letter; /* of that */
    uint64_t last_time;
    uint64_t lost_time; /* of the increment that was given up last */
    char lost_letter;
};

struct book_segment {
    uint64_t incarnation;
    unsigned place;
    char letter; /* of its series */
    bool exported, gone, tail_pending;
    unsigned unwritten;           /* 1 + the life whose file of its log lacks something; 0: none */
    bool stale;                   /* that life is over; the segment knows what the file lacks */
    unsigned known;               /* backends that have a cursor in its log */
    double level;                 /* 0: never set */
    double counted[AUDIT_SERIES]; /* since it was made */
    double logged[AUDIT_SERIES];  /* at the last snapshot */
    double early[AUDIT_SERIES];   /* counted before the first snapshot */
};

/* What an exporter's own account of a backend must agree with. */
struct tally {
    uint64_t well; /* points that were taken, and answered so */
    uint64_t
        unsure; /* points of requests that are not repeated, although nobody knows whether they were taken */
    uint64_t again;   /* requests that have to be repeated */
    uint64_t refused; /* requests of which something, or all, was refused */
    uint64_t partly;  /* of these, requests of which one point was refused and the others taken */
};

struct book_backend {
    const struct told_protocol *protocol;
    bool drops;
    uint64_t last_request[2]; /* of each life */
    bool last_unsure[2];      /* it may still wait for an answer */
    struct tally tally[2];    /* of each life */
    struct line counters[AUDIT_PLACES][AUDIT_SERIES];
    struct line levels[AUDIT_PLACES];
};

struct book {
    struct book_backend backends[AUDIT_BACKENDS];
    struct book_segment segments[AUDIT_SEGMENTS];
    size_t segment_count;
    struct book_segment *here[AUDIT_PLACES]; /* NULL: none */
    unsigned made[AUDIT_PLACES];
    double counted[AUDIT_PLACES][AUDIT_SERIES];
    uint64_t requests;
    bool beside[2]; /* each life */
    bool logs_move;
    unsigned excluded; /* series */
    unsigned violations;
};
extern struct book book;

/* The segment of that incarnation; NULL for 0 and others. */
struct book_segment *audit_find(uint64_t incarnation);

/* It is deleted. */
void audit_stale_gone(struct book_segment *segment);

/* Less is owed, since this was lost as documented. */
void audit_lost(struct line *line, double n);

#endif
