/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.h - a command of many calls: `mtxctl librato annotations post STREAM title=...`. A table row says what a call
 * is named, which arguments and fields it takes, and what request it makes; the rows feed the checks and the help.
 *
 * Everything that the command line says is checked before anything is sent: a mistake is one sentence and exit
 * status 2. For one thread.
 */
#ifndef TOOLS_CALL_H
#define TOOLS_CALL_H

#include "field.h"
#include "table.h"
#include "talk.h"

struct job;

struct call {
    const char *words; /* "annotations post"; NULL ends the table */
    const char *args;  /* after them: "STREAM"; "" = none */
    int least, most;   /* of these; most < 0 = any number, and no fields then */
    const struct field *fields;
    const char *help; /* one sentence, small letter first, no full stop */
    /* The request, for calls of one request: {} of the path are the arguments. The fields are its body, or with GET
     * its query. */
    const char *method, *path;
    const struct column *columns; /* of the answer, if it is an array */
    /* Checks arguments and fields together. False with the reason. NULL = nothing to check. */
    bool (*sound)(const struct job *job, struct buf *why);
    /* Makes the requests. NULL = the one above. */
    int (*run)(struct job *job);
    bool offline; /* it needs no service */
};

/* A service and its calls. */
struct calls {
    const struct talk_service *service;
    const struct call *const *tables; /* ends with NULL */
};

/* One invocation. */
struct job {
    struct cli *cli;
    const struct call *call;
    struct talk talk; /* not open if the call is offline */
    char *const *args;
    int n;
    json_t *given; /* the fields by name */
};

/* Finds the call that the arguments name, checks it, and runs it. Returns the exit code. */
int calls_run(const struct calls *calls, struct cli *cli);

/* For .more of the command: the list of calls, or those of the words given, with their fields. */
void calls_help(const struct calls *calls, const char *command, char **args, int n, struct buf *out);

/* --- For run() --- */

/* A field that was given, or NULL; as a text, or "". They belong to the job. */
const json_t *job_field(const struct job *job, const char *name);
const char *job_text(const struct job *job, const char *name);

/* The request of the call's row. */
void job_request(const struct job *job, struct payload *request);

/* Does a request and prints its answer. */
int job_do(struct job *job, struct payload *request);

/* Prints a value: as JSON, or as a table with these columns, or an object's members. */
void job_print(struct job *job, const json_t *value, const struct column *columns);

/* Prints that something was done: the sentence, or with --json {"done": sentence}. Nothing in a dry run. */
void job_done(struct job *job, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* True with --yes, or if the person at the terminal says so. False after printing that nothing was deleted. */
bool job_confirm(struct job *job, const char *question);

/* For --yes; the row of every command that asks. */
extern bool call_yes;
#define CALL_YES_ROW                                                        \
    {                                                                       \
        .name = "yes", .letter = 'y', .type = CMD_FLAG, .value = &call_yes, \
        .help = "do not ask before something is deleted"                    \
    }

#endif
