/* SPDX-License-Identifier: Apache-2.0 */
/* told.h - what a request tells a service, by an independent reader of each protocol. */
#ifndef SIMULATE_TOLD_H
#define SIMULATE_TOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct told {
    char name[64]; /* the series' own, as its writer gave it */
    enum told_nature { TOLD_DELTA, TOLD_TOTAL, TOLD_LEVEL } nature;
    bool replaced; /* it is of a segment that has a successor */
    double value;
    uint64_t time; /* seconds */
};

enum { TOLD_MOST = 256 };

struct told_list {
    struct told at[TOLD_MOST];
    size_t n;
};

/* A protocol. */
struct told_protocol {
    const char *type;  /* of the backend */
    const char *extra; /* what its configuration needs beside the usual */
    bool additive;
    const char *path; /* where its data go to, up to the query */
    const char *good; /* the body of a good answer */
    int status;       /* and its status */
    /* False, with the reason, if the service would not understand it. */
    bool (*read)(const char *body, size_t n, struct told_list *list, const char **why);
    /* What it answers if it takes all but point `index`; NULL: it cannot. */
    const char *(*partly)(size_t index);
};

extern const struct told_protocol told_anodot20, told_librato, told_apptuit, told_wavefront;

#endif
