/* SPDX-License-Identifier: Apache-2.0 */
/*
 * talk.h - requests to a service by hand, one at a time: each is sent once, and its answer is JSON or a reason.
 * With --dry-run, requests that would change something are printed instead.
 *
 * For one thread. A function that returns int has printed what was wrong and returns the exit code:
 *     1  the object does not exist, or the service refuses the change (404, 409, 422...)
 *     3  the service could not be reached, or cannot answer now (no answer, 429, 5xx)
 *     4  it denies access (401, 403, a redirect...)
 */
#ifndef TOOLS_TALK_H
#define TOOLS_TALK_H

#include "request.h"
#include "settings.h"

#include <jansson.h>

struct talk;

/* A service, as far as its requests are concerned. */
struct talk_service {
    const char *backend;            /* its type, whose settings are used */
    struct settings_wants settings; /* what they need */
    /* Adds who asks to a request: headers, or a secret of the query. May log in. CLI_OK, or the exit code. */
    int (*sign)(struct talk *talk, struct payload *request);
    /* Appends the reason in the body of an answer that is not 2xx; nothing if it has none. NULL: none is known. */
    void (*reason)(const json_t *answer, struct buf *why);
    /* True if a status means "not now", whatever it means elsewhere. NULL: none does. */
    bool (*later)(int status, const json_t *answer);
};

struct talk {
    struct cli *cli;
    const struct talk_service *service;
    struct settings settings;
    void *link;            /* the backend's own; NULL for a service that signs nothing */
    char *bearer;          /* of a login; owned */
    int status;            /* of the last answer; 0 = there was none */
    bool looking;          /* the request is one of talk_look() */
    size_t changes;        /* requests sent or printed by talk_do() */
    struct requests shown; /* of a dry run */
};

/* The exit codes, for .exits of these commands. */
#define TALK_EXITS                                                                                    \
    [CLI_NO] = "there is no such object, or the service refused the request",                         \
    [CLI_SEGMENT] = "the service could not be reached, or could not answer now (or, where a segment " \
                    "is read, the segment does not exist)",                                           \
    [CLI_REFUSED] = "the service denied access (token, address)"

/* Opens the settings and the link. talk_close() in any case. */
int talk_open(struct talk *talk, struct cli *cli, const struct talk_service *service);
void talk_close(struct talk *talk);

/* Appends a path, each {} of it replaced by the next word, escaped. */
void talk_path(struct payload *request, const char *path, const char *const *words);

/* Makes a value the body of a request, as JSON. */
void talk_body(struct payload *request, const json_t *body);

/* Signs a request and sends it, also in a dry run: for what is only read. *answer becomes the answer's JSON, a new
 * reference: null if it is empty, a text if it is not JSON. *answer may be NULL after an error. Frees the request. */
int talk_look(struct talk *talk, struct payload *request, json_t **answer);

/* The same, but a dry run prints the request, and *answer is NULL. */
int talk_do(struct talk *talk, struct payload *request, json_t **answer);

/* Sends a request as it is, without a signature: a login. Frees the request. */
int talk_plain(struct talk *talk, struct payload *request, json_t **answer);

/* Prints a value as the command's JSON, with a newline. */
void talk_json(struct talk *talk, const json_t *value);

#endif
