/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sending.h - points that are sent to a service by hand: the backend and its settings, what was accepted and
 * refused, and the result as a summary and an exit code. The exporter's own code encodes and sends them.
 *
 * For one thread. A function that returns int has printed what was wrong and returns the exit code.
 */
#ifndef TOOLS_SENDING_H
#define TOOLS_SENDING_H

#include "backoff.h"
#include "cli.h"
#include "points_line.h"
#include "request.h"
#include "settings.h"

/* What the command line said; SENDING_ROWS are the rows, for every command that sends. */
struct sending_options {
    struct cmd_list tags;
    uint64_t timeout;
    int64_t retries;
};
extern struct sending_options sending_options;

#define SENDING_ROWS                                                                                       \
    SETTINGS_ROWS,                                                                                         \
        {.name = "tag",                                                                                    \
         .type = CMD_WORDS,                                                                                \
         .value = &sending_options.tags,                                                                   \
         .arg = "KEY=VALUE",                                                                               \
         .help = "a tag for every point, unless the point has its own value for it"},                      \
        {.name = "timeout",                                                                                \
         .type = CMD_DURATION,                                                                             \
         .value = &sending_options.timeout,                                                                \
         .arg = "TIME",                                                                                    \
         .def = "30s",                                                                                     \
         .min = 1e6,                                                                                       \
         .max = 86400e9,                                                                                   \
         .help = "how long a failed request is tried again"},                                              \
    {                                                                                                      \
        .name = "retries", .type = CMD_INTEGER, .value = &sending_options.retries, .arg = "N", .def = "5", \
        .min = 0, .max = 1e6, .help = "how often a failed request is tried again"                          \
    }

/* The exit codes, for .exits of these commands. */
#define SENDING_EXITS                                                                              \
    [CLI_OK] = "all points were accepted", [CLI_NO] = "points were refused, or lines were bad",    \
    [CLI_SEGMENT] = "the service could not be reached or was overloaded; not everything was sent", \
    [CLI_REFUSED] = "the service denied access (token, address); not everything was sent"

/* Points, or a line, that were not accepted. */
struct refusal {
    size_t first, last; /* lines, from 1; 0: not from a line */
    size_t points;
    int status;   /* HTTP status; 0: none */
    bool service; /* the service refused it; false: we did */
    char *why;
};

struct sending {
    struct cli *cli;
    const struct backend *backend;
    const struct backend_points *points;
    struct settings chosen;
    struct backend_common *settings; /* those of .chosen: the backend's whole struct */
    void *link, *session;            /* link NULL: nothing is sent */
    metrics_tag_t *tags;
    struct point_reader reader;
    bool login; /* there was a new login, and nothing has been accepted since */
    struct backoff backoff;
    enum { SENDING_WELL, SENDING_UNREACHED, SENDING_DENIED, SENDING_FAILED } state;
    struct buf reason; /* of a state other than SENDING_WELL */
    size_t accepted, refused, nothing, unsent;
    size_t lines, bad_lines, requests, retried;
    struct refusal *refusals;
    size_t refusal_count, refusal_room, untold;
    struct requests shown; /* for --dry-run; silent in a trial, which counts only refusals */
    const char *const *files;
    const size_t *file_lines; /* lines before each file; file_count of them, 0 = one input without a name */
    size_t file_count;
};

/* Appends one line for each backend that can send points by hand, for the help. */
void sending_backends(struct buf *out);

/* Opens the backend of that type or, in a configuration, of that name, with its settings. CLI_OK or another
 * exit code; sending_close() in any case. */
int sending_open(struct sending *s, struct cli *cli, const char *backend);

/* The reader for lines, with its clock set to now. Part of the struct. */
struct point_reader *sending_reader(struct sending *s);

/* Sends points in their order, each in exactly one request, and counts each as accepted, refused or unsent;
 * all as unsent if the state is not SENDING_WELL. The points remain the caller's. */
void sending_points(struct sending *s, const struct point *at, size_t n);

/* Sends nothing; prints and counts what sending_points() would refuse by itself. Returns how many points. */
size_t sending_try(struct sending *s, const struct point *at, size_t n);

/* Prints a refusal on stderr and keeps a copy for the summary. */
void sending_refuse(struct sending *s, const struct refusal *refusal);

/* After the last points: sends what the backend sends at the end, such as watermarks. */
void sending_done(struct sending *s);

/* Appends the summary to `out`, with --json as JSON. */
void sending_summary(const struct sending *s, struct buf *out);

/* The exit code for the result. */
enum cli_code sending_code(const struct sending *s);
/* Closes the backend and frees everything. */
void sending_close(struct sending *s);

#endif
