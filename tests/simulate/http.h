/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - the part of HTTP/1.1 that a strict service needs: whole requests from a connection, answers into it. */
#ifndef SIMULATE_HTTP_H
#define SIMULATE_HTTP_H

#include <stdbool.h>
#include <stddef.h>

struct http_connection {
    int fd; /* -1: none */
    char *bytes;
    size_t n, room;
    unsigned requests; /* whole ones that came so far */
    bool over;         /* the other side has closed it */
};

struct http_request {
    const char *method, *path; /* zero-terminated */
    const char *body;
    size_t n;
    size_t whole; /* bytes of all of it */
};

/* Reads what has come. False at the end of the connection. */
bool http_read(struct http_connection *c);

/* The first request, if it is there whole; valid until http_taken(). */
bool http_request(struct http_connection *c, struct http_request *request);
void http_taken(struct http_connection *c, const struct http_request *request);

/* Sends an answer, or one without the second half of its body. */
void http_answer(struct http_connection *c, int status, const char *body, bool half);

/* With a body of {}, and Retry-After: that many seconds. */
void http_answer_later(struct http_connection *c, int status, unsigned seconds);

/* Closes, with what was not read if there is any. */
void http_close(struct http_connection *c);

#endif
