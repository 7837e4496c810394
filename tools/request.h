/* SPDX-License-Identifier: Apache-2.0 */
/* request.h - a request as it would go out, for --dry-run: method, path, headers, the body before
 * compression; or the lines of a stream; or Redis' commands. Secrets are hidden unless they are asked for. */
#ifndef TOOLS_REQUEST_H
#define TOOLS_REQUEST_H

#include "sending.h"

/* From now on what a session itself asks over HTTP (a login, a schema) is printed, too, and answered as by a
 * service that knows nothing yet, until http_send_to(NULL). One thread. */
void request_begin(struct sending *s);

/* Prints to standard output, or for --json into s->printed. which: of the payloads; -1: the session's own. */
void request_print(struct sending *s, const struct payload *payload, int which);

#endif
