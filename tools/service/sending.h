/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sending.h - points by hand to a service: the backend with its settings, what was accepted and what was
 * refused, and the end of it as a summary and an exit code. The exporter's own code encodes and carries them.
 */
#ifndef TOOLS_SENDING_H
#define TOOLS_SENDING_H

#include "backoff.h"
#include "cli.h"
#include "config.h"
#include "points_line.h"
#include "request.h"

/* Of the command line: rows for every command that sends. */
struct sending_options {
    const char *config, *instance;
    struct cmd_list set, tags;
    uint64_t timeout;
    int64_t retries;
    bool dry, secrets;
};
extern struct sending_options sending_options;

#define SENDING_ROWS                                                                                 \
    {.name = "set",                                                                                  \
     .type = CMD_WORDS,                                                                              \
     .value = &sending_options.set,                                                                  \
     .arg = "OPTION=VALUE",                                                                          \
     .help = "an option of the backend (mtx-exporter backends BACKEND lists them); give secrets as " \
             "token_file=FILE or in the environment"},                                               \
        {.name = "config",                                                                           \
         .letter = 'c',                                                                              \
         .type = CMD_TEXT,                                                                           \
         .value = &sending_options.config,                                                           \
         .arg = "FILE",                                                                              \
         .help = "take the backend's options and tags from this configuration of mtx-exporter"},     \
        {.name = "backend",                                                                          \
         .letter = 'b',                                                                              \
         .type = CMD_TEXT,                                                                           \
         .value = &sending_options.instance,                                                         \
         .arg = "NAME",                                                                              \
         .help = "which backend of the configuration, if it has several of that type"},              \
        {.name = "tag",                                                                              \
         .type = CMD_WORDS,                                                                          \
         .value = &sending_options.tags,                                                             \
         .arg = "KEY=VALUE",                                                                         \
         .help = "a tag for every point, unless the point has its own value for it"},                \
        {.name = "timeout",                                                                          \
         .type = CMD_DURATION,                                                                       \
         .value = &sending_options.timeout,                                                          \
         .arg = "TIME",                                                                              \
         .def = "30s",                                                                               \
         .min = 1e6,                                                                                 \
         .max = 86400e9,                                                                             \
         .help = "how long a failed request is tried again"},                                        \
        {.name = "retries",                                                                          \
         .type = CMD_INTEGER,                                                                        \
         .value = &sending_options.retries,                                                          \
         .arg = "N",                                                                                 \
         .def = "5",                                                                                 \
         .min = 0,                                                                                   \
         .max = 1e6,                                                                                 \
         .help = "how often a failed request is tried again"},                                       \
        {.name = "dry-run",                                                                          \
         .letter = 'n',                                                                              \
         .type = CMD_FLAG,                                                                           \
         .value = &sending_options.dry,                                                              \
         .help = "print the requests instead of sending them"},                                      \
    {                                                                                                \
        .name = "show-secrets", .type = CMD_FLAG, .value = &sending_options.secrets,                 \
        .help = "do not mask secrets in what --dry-run prints"                                       \
    }

/* What the exit codes mean; for .exits. */
#define SENDING_EXITS                                                                              \
    [CLI_OK] = "all points were accepted", [CLI_NO] = "points were refused, or lines were bad",    \
    [CLI_SEGMENT] = "the service could not be reached or was overloaded; not everything was sent", \
    [CLI_REFUSED] = "the service denied access (token, address); not everything was sent"

/* One thing that was not taken. */
struct refusal {
    size_t first, last; /* lines; 0: of no line */
    size_t points;
    int status;   /* of HTTP; 0: none */
    bool service; /* who refused it: the service, or we */
    char *why;
};

struct sending {
    struct cli *cli;
    const struct backend *backend;
    const struct backend_points *points;
    struct config *config;           /* NULL: the settings are our own */
    struct backend_common *settings; /* the backend's whole struct */
    void *link, *session;            /* link NULL: nothing leaves */
    metrics_tag_t *tags;
    struct point_reader reader;
    bool login; /* a new one was made, and nothing was accepted since */
    struct backoff backoff;
    /* How it goes. */
    enum { SENDING_WELL, SENDING_UNREACHED, SENDING_DENIED, SENDING_FAILED } state;
    struct buf reason; /* of a state that is not well */
    size_t accepted, refused, nothing, unsent;
    size_t lines, bad_lines, requests, retried;
    struct refusal *refusals;
    size_t refusal_count, refusal_room, untold;
    struct requests shown; /* --dry-run: the requests; silent in a trial, which counts only refusals */
    const char *const *files;
    const size_t *file_lines; /* where each begins, less one; file_count of them; none: one nameless input */
    size_t file_count;
};

/* The backends that take points by hand, for messages and help. */
void sending_backends(struct buf *out);

/* The backend of that type or, in a configuration, of that name, with its settings. Says what is wrong and
 * returns the exit code; sending_close() in any case. */
int sending_open(struct sending *s, struct cli *cli, const char *backend);

/* The reader for lines, its clock set. */
struct point_reader *sending_reader(struct sending *s);

/* Sends points, in their order, each in exactly one request; settles all of them. Nothing is done once the
 * state is not well but counting them as unsent. */
void sending_points(struct sending *s, const struct point *at, size_t n);

/* What sending_points() would refuse without asking the service, told and counted, nothing sent. How many. */
size_t sending_try(struct sending *s, const struct point *at, size_t n);

/* Something that was not taken: told on stderr, kept for the summary. */
void sending_refuse(struct sending *s, const struct refusal *refusal);

/* After the last points: watermarks and the like. */
void sending_done(struct sending *s);

/* The summary, to `out`; as JSON if the command line wants that. */
void sending_summary(const struct sending *s, struct buf *out);

/* What became of all of it. */
enum cli_code sending_code(const struct sending *s);
void sending_close(struct sending *s);

#endif
