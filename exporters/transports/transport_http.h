/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_http.h - requests over HTTP and HTTPS, by libcurl: kept-alive connections, time limits, proxies
 * (the usual environment variables too), client certificates, Unix sockets. Certificates are verified,
 * redirections are not followed. A request is sent once: if the connection ends without a response, the answer
 * says so, and nothing is sent again.
 *
 * The settings struct of a backend that uses it begins with struct http_settings. Sessions may send requests
 * of their own through the same link: build a payload and call transport_http.send().
 *
 * The functions of this header are thread-safe, but for http_send_to(). A link belongs to one thread at a
 * time.
 */
#ifndef EXPORTERS_TRANSPORT_HTTP_H
#define EXPORTERS_TRANSPORT_HTTP_H

#include "backend.h"
#include "http_url.h"

enum http_compression { HTTP_PLAIN, HTTP_GZIP, HTTP_DEFLATE };

struct http_settings {
    struct backend_common common;
    char *url; /* scheme, host, port, perhaps a path; a payload's path is put behind it */
    uint64_t timeout, connect_timeout; /* ns */
    char *ca_file, *client_cert, *client_key, *proxy, *unix_socket;
    int compression; /* enum http_compression; a backend shadows the row to change the default */
};

/* Row for the url with the service's own default; first in a backend's rows. NULL = must be given. */
#define HTTP_URL(DEFAULT)                                                                                \
    {                                                                                                    \
        .name = "url", .type = OPTION_STRING, OPTION_FIELD(struct http_settings, url), .def = (DEFAULT), \
        .required = true, .check = http_check_url, .show = http_show_url,                                \
        .help = "base URL of the service: http(s)://host[:port]"                                         \
    }
/* Row for the compression with the service's usual default: "none", "gzip" or "deflate". */
#define HTTP_COMPRESSION(DEFAULT)                                                                      \
    {                                                                                                  \
        .name = "compression", .type = OPTION_CHOICE, OPTION_FIELD(struct http_settings, compression), \
        .def = (DEFAULT), .choices = http_compressions, .help = "compression of request bodies"        \
    }
extern const char *const http_compressions[];

/* The rows that a transport on top of this one has, too. */
extern const struct option http_options[];

/* True for a URL of HTTP or HTTPS without a password; false with the reason, which shows no secret. For option tables. Pure. */
bool http_check_url(const char *url, struct buf *why);

/* Appends text as it may appear in a query: RFC 3986's unreserved characters as they are, others as %41.
 * Pure. */
void http_escape(struct buf *out, const char *text);

/* Append the header with a token, or with a user's name and password, to the request's secrets. Pure. */
void http_auth_bearer(struct payload *request, const char *token);
void http_auth_basic(struct payload *request, const char *user, const char *password);

/*
 * What a status means when the backend's judge() says nothing else. Fills in outcome and `ambiguous`:
 *     2xx sent | 3xx, 401, 403, 404, 405, 407, 410 retry (the configuration has to be fixed)
 *     408, 425, 429, 5xx, no answer: retry | 413: split | other 4xx: bad
 * An answer may have been lost on the way: no answer after the whole request was sent, 408, 500, 502 and 504
 * are ambiguous. status 0: there was no answer. Pure.
 */
void http_classify(int status, bool sent_whole, struct answer *answer);

/* The check() of transports that use these settings; see struct transport. */
bool http_check(const void *settings, struct buf *why);

extern const struct transport transport_http;

/* Gives all requests to `sink`, which fills in status and body, instead of the network (NULL: to the
 * network). For tests and dry runs. Not thread-safe: before other threads exist. */
typedef void http_sink_fn(const struct payload *request, struct answer *answer);
void http_send_to(http_sink_fn *sink);

#endif
