/* SPDX-License-Identifier: Apache-2.0 */
/* writer.h - the program whose processes count into the segments of a world. What it counts, the auditor knows. */
#ifndef SIMULATE_WRITER_H
#define SIMULATE_WRITER_H

#include <stdbool.h>
#include <stdint.h>

struct writer {
    unsigned place;
    char path[160];
    struct metrics_registry *registry; /* NULL: there is no segment */
    uint64_t incarnation;
    char letter; /* of its series */
};

/* Once in a program, before there is a world: the library measures the processor's clock with the real time. */
void writer_warm_up(void);

/* Makes the segment. */
void writer_make(struct writer *w, unsigned place, const char *folder);

void writer_add(struct writer *w, unsigned series, uint64_t n);
void writer_set(struct writer *w, double level);

/* The same by a forked process, which is killed right after it. */
void writer_add_and_die(struct writer *w, unsigned series, uint64_t n);

/* Deletes the segment; the writer is done with it. */
void writer_delete(struct writer *w);

#endif
