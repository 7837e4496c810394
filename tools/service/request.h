/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.h - a request as it would be sent, for --dry-run: method, path, headers and the body before
 * compression; or the lines of a stream; or Redis commands. Secrets are masked unless they are asked for. For
 * one thread.
 */
#ifndef TOOLS_REQUEST_H
#define TOOLS_REQUEST_H

#include "backend.h"
#include "cli.h"

/* Where requests are printed, and of which backend. The caller sets the first four and frees .json. */
struct requests {
    struct cli *cli; /* text goes to its standard output */
    const struct backend *backend;
    const struct backend_common *settings; /* the backend's whole struct */
    bool secrets;                          /* print them */
    bool silent;                           /* nothing is printed or counted */
    size_t asked;                          /* requests of the session itself so far */
    struct buf json;                       /* with --json: the requests so far, separated by commas */
};

/* Until http_send_to(NULL), requests of the session itself over HTTP (a login, a schema) are printed as well,
 * and answered as by a service without any schemas. `requests` must live that long. */
void request_begin(struct requests *requests);

/* Prints a payload of points to standard output, or with --json into requests->json. */
void request_print(struct requests *requests, const struct payload *payload);

#endif
