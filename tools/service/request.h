/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.h - a request as it would go out, for --dry-run: method, path, headers, the body before compression; or
 * the lines of a stream; or Redis' commands. Secrets are hidden unless they are asked for. One thread.
 */
#ifndef TOOLS_REQUEST_H
#define TOOLS_REQUEST_H

#include "backend.h"
#include "cli.h"

/* Where requests are printed, and of which backend they are. The caller sets the first four and frees .json. */
struct requests {
    struct cli *cli; /* text goes to its standard output */
    const struct backend *backend;
    const struct backend_common *settings; /* the backend's whole struct */
    bool secrets;                          /* show them */
    bool silent;                           /* nothing is printed or counted */
    size_t asked;                          /* requests of the session itself so far */
    struct buf json;                       /* with --json: the requests so far, separated by commas */
};

/* From now on what a session itself asks over HTTP (a login, a schema) is printed, too, and answered as by a
 * service that knows nothing yet, until http_send_to(NULL). `requests` has to live as long. */
void request_begin(struct requests *requests);

/* Prints a payload of points: to standard output, or with --json into requests->json. */
void request_print(struct requests *requests, const struct payload *payload);

#endif
