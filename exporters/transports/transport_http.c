/* SPDX-License-Identifier: Apache-2.0 */
#include "transport_http.h"

#include "base64.h"
#include "gzip.h"
#include "printable.h"
#include "tls_options.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A connection that was idle for longer is not used again: many services close it about then, and a request
 * that crosses the end of its connection may or may not have been accepted. */
enum { HTTP_IDLE_MOST_S = 15 };

/* No service is left alone for longer than this, whatever it asks for: it may be a mistake. */
enum { HTTP_PAUSE_MOST_S = 3600 };

enum { HTTP_ANSWER_MOST = 1 << 20, HTTP_HEADERS_MOST = 256 << 10, HTTP_QUOTE = 400 };

struct http {
    const struct http_settings *settings;
    CURL *curl;
    struct buf packed;      /* the compressed body */
    const struct buf *body; /* of the request: the payload's or the compressed one */
    size_t taken;           /* how many bytes of it libcurl has taken */
    unsigned begun;         /* how often libcurl was about to send the request */
    size_t headers;         /* bytes of the response's headers */
    struct buf url;
    char error[CURL_ERROR_SIZE];
};

const char *const http_compressions[] = {"none", "gzip", "deflate", NULL};

/* --- Options --- */

bool http_check_url(const char *url, struct buf *why)
{
    CURLU *parts = curl_url();
    char *user = NULL, *scheme = NULL;
    CURLUcode wrong = parts ? curl_url_set(parts, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
    bool http = !wrong && !curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) &&
                (!strcmp(scheme, "http") || !strcmp(scheme, "https"));
    bool named = !wrong && !curl_url_get(parts, CURLUPART_USER, &user, 0);
    struct buf shown = {0};
    http_show_url(url, &shown);
    if (named)
        buf_str(why, "a URL must not hold a password: use the options for it");
    else if (wrong)
        buf_printf(why, "\"%s\" is not a URL: %s", buf_text(&shown), curl_url_strerror(wrong));
    else if (!http)
        buf_printf(why, "\"%s\" does not begin with http:// or https://", buf_text(&shown));
    buf_free(&shown);
    curl_free(user);
    curl_free(scheme);
    curl_url_cleanup(parts);
    return http && !named;
}

/* libcurl's own message about a scheme that it does not know shows the password. */
static bool http_check_proxy(const char *proxy, struct buf *why)
{
    static const char *const schemes[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
    const char *end = strstr(proxy, "://");
    for (size_t i = 0; end && i < sizeof schemes / sizeof *schemes; i++)
        if (strlen(schemes[i]) == (size_t)(end - proxy) &&
            !strncasecmp(proxy, schemes[i], (size_t)(end - proxy)))
            return true;
    if (end)
        buf_str(why, "a proxy begins with http://, https://, socks4://, socks4a://, socks5:// or socks5h://");
    return !end;
}

#define HTTP(MEMBER) OPTION_FIELD(struct http_settings, MEMBER)
const struct option http_options[] = {
    HTTP_URL(NULL),
    HTTP_COMPRESSION("none"),
    {.name = "timeout",
     .type = OPTION_DURATION,
     HTTP(timeout),
     .def = "10s",
     .min = 1e6,
     .max = 3600e9,
     .help = "timeout of a request, including the response"},
    {.name = "connect_timeout",
     .type = OPTION_DURATION,
     HTTP(connect_timeout),
     .def = "5s",
     .min = 1e6,
     .max = 3600e9,
     .help = "timeout for connecting, including TLS"},
    TLS_OPTIONS(struct http_settings),
    {.name = "proxy",
     .type = OPTION_STRING,
     HTTP(proxy),
     .check = http_check_proxy,
     .show = http_show_url,
     .help = "proxy to use, http://host:port or socks5h://host:port; by default http_proxy and https_proxy "
             "apply"},
    {.name = "unix_socket",
     .type = OPTION_STRING,
     HTTP(unix_socket),
     .help = "path of a Unix socket to connect to, instead of the URL's host"},
    {.name = NULL},
};

void http_escape(struct buf *out, const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, 0);
    if (escaped)
        buf_str(out, escaped);
    else
        out->failed = true;
    curl_free(escaped);
}

void http_auth_bearer(struct payload *request, const char *token)
{
    buf_printf(&request->secret, "Authorization: Bearer %s\n", token);
}

void http_auth_basic(struct payload *request, const char *user, const char *password)
{
    struct buf pair = {0};
    buf_printf(&pair, "%s:%s", user, password);
    buf_str(&request->secret, "Authorization: Basic ");
    base64(&request->secret, buf_text(&pair), pair.len);
    buf_char(&request->secret, '\n');
    buf_free(&pair);
}

/* --- The link --- */

static void http_global(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void http_close(void **link)
{
    struct http *h = *link;
    if (!h) return;
    curl_easy_cleanup(h->curl);
    buf_free(&h->packed);
    buf_free(&h->url);
    free(h);
    *link = NULL;
}

static void *http_open(const void *settings, struct buf *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, http_global);
    void *link = calloc(1, sizeof(struct http));
    struct http *h = link;
    if (h) h->curl = curl_easy_init();
    if (h && h->curl) {
        h->settings = settings;
        return link;
    }
    buf_str(why, "out of memory");
    http_close(&link);
    return NULL;
}

/*
 * libcurl sends a request again by itself: when a kept connection ends without an answer, or a stream of
 * HTTP/2 is refused. A service may have accepted the first one, so only the consumer may decide that. It is
 * kept from it in two ways: this is called whenever a request is about to be sent, and refuses the second
 * time; and the body comes from a function that cannot go back to its beginning.
 */
static int http_begin(void *link, char *local, char *remote, int local_port, int remote_port)
{
    struct http *h = link;
    (void)local, (void)remote, (void)local_port, (void)remote_port;
    return h->begun++ ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static size_t http_take(char *to, size_t size, size_t n, void *link)
{
    struct http *h = link;
    size_t left = h->body->len - h->taken, most = size * n;
    if (most > left) most = left;
    if (most) memcpy(to, h->body->data + h->taken, most);
    h->taken += most;
    return most;
}

/* Endless headers end the request: those of all responses (100 Continue) and trailers are added up. */
static size_t http_header(char *data, size_t size, size_t n, void *link)
{
    struct http *h = link;
    (void)data;
    h->headers += size * n;
    return h->headers <= HTTP_HEADERS_MOST ? size * n : 0;
}

/* Everything that is the same for all requests. Set anew each time: a request may have changed some of it. */
static void http_set_common(struct http *h)
{
    const struct http_settings *s = h->settings;
    CURL *c = h->curl;
    curl_easy_reset(c);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->error);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(s->timeout / 1000000));
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(s->connect_timeout / 1000000));
    curl_easy_setopt(c, CURLOPT_USERAGENT, "mtx-exporter");
    curl_easy_setopt(c, CURLOPT_MAXAGE_CONN, (long)HTTP_IDLE_MOST_S);
    curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, http_begin);
    curl_easy_setopt(c, CURLOPT_PREREQDATA, h);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, http_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, h);
    h->headers = 0;
    h->begun = 0;
    h->taken = 0;
    if (s->ca_file) curl_easy_setopt(c, CURLOPT_CAINFO, s->ca_file);
    if (s->client_cert) curl_easy_setopt(c, CURLOPT_SSLCERT, s->client_cert);
    if (s->client_key) curl_easy_setopt(c, CURLOPT_SSLKEY, s->client_key);
    if (s->proxy) curl_easy_setopt(c, CURLOPT_PROXY, s->proxy);
    if (s->unix_socket) curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, s->unix_socket);
}

/* --- What a request looks like --- */

/* The payload's path and query, in which a secret comes first. */
static void http_path(const struct payload *payload, bool secrets, struct buf *out)
{
    const char *path = buf_text(&payload->path), *secret = buf_text(&payload->secret);
    size_t query = strcspn(path, "?");
    buf_mem(out, path, query);
    if (secret[0] != '?') {
        buf_str(out, path + query);
        return;
    }
    buf_mem(out, secret, strcspn(secret, secrets ? "\n" : "=\n"));
    if (!secrets) buf_str(out, "=***");
    if (path[query]) buf_printf(out, "&%s", path + query + 1);
}

/* Lines that begin with '?' are of the query. */
static void http_secret_lines(const struct payload *payload, bool secrets, struct buf *out)
{
    for (const char *line = buf_text(&payload->secret); *line;) {
        size_t n = strcspn(line, "\n"), name = strcspn(line, ":\n");
        if (line[0] != '?') {
            buf_mem(out, line, secrets ? n : name);
            buf_str(out, secrets ? "\n" : ": ***\n");
        }
        line += n + (line[n] == '\n');
    }
}

/* settings NULL: without what they would add. */
static void http_header_lines(const struct http_settings *s, const struct payload *payload, bool secrets,
                              struct buf *out)
{
    if (payload->content_type) buf_printf(out, "Content-Type: %s\n", payload->content_type);
    if (s && s->compression != HTTP_PLAIN && payload->body.len)
        buf_printf(out, "Content-Encoding: %s\n", http_compressions[s->compression]);
    buf_mem(out, buf_text(&payload->headers), payload->headers.len);
    http_secret_lines(payload, secrets, out);
}

/* A url may have a query, whose values are secrets. */
static void http_base_path(const char *url, const char *path, size_t n, bool secrets, struct buf *out)
{
    struct buf shown = {0};
    http_show_url(url, &shown);
    const char *query = strchr(path, '?'), *hidden = strchr(buf_text(&shown), '?');
    if (secrets || !query || !hidden) {
        buf_mem(out, path, n);
    } else {
        buf_mem(out, path, (size_t)(query - path));
        buf_str(out, hidden);
    }
    buf_free(&shown);
}

static void http_describe(const void *settings, const struct payload *payload, bool secrets,
                          struct route *route)
{
    const struct http_settings *s = settings;
    const char *host = s && s->url ? strstr(s->url, "://") : NULL;
    route->way = "http";
    route->method = payload->method ? payload->method : "POST";
    if (host) {
        host += 3;
        size_t n = strcspn(host, "/?"), base = strlen(host);
        while (payload->path.len && base > n && host[base - 1] == '/') base--;
        buf_printf(&route->headers, "Host: %.*s\n", (int)n, host);
        http_base_path(s->url, host + n, base - n, secrets, &route->path);
    }
    http_path(payload, secrets, &route->path);
    if (!route->path.len) buf_char(&route->path, '/');
    http_header_lines(s, payload, secrets, &route->headers);
}

/* --- One request --- */

static struct curl_slist *http_append(struct curl_slist *list, const char *line, size_t n)
{
    char *copy = strndup(line, n);
    struct curl_slist *longer = copy ? curl_slist_append(list, copy) : NULL;
    free(copy);
    return longer ? longer : list;
}

static struct curl_slist *http_list(const struct buf *lines)
{
    struct curl_slist *list = NULL;
    for (const char *line = buf_text(lines); *line;) {
        size_t n = strcspn(line, "\n");
        list = http_append(list, line, n);
        line += n + (line[n] == '\n');
    }
    return list;
}

static void http_set_url(struct http *h, const struct payload *payload)
{
    const char *base = h->settings->url;
    size_t n = strlen(base);
    while (n && payload->path.len && base[n - 1] == '/') n--;
    buf_reset(&h->url);
    buf_mem(&h->url, base, n);
    http_path(payload, true, &h->url);
    curl_easy_setopt(h->curl, CURLOPT_URL, buf_text(&h->url));
}

static struct curl_slist *http_headers(const struct http *h, const struct payload *payload)
{
    struct buf lines = {0};
    /* A body is sent at once, whatever its size; curl adds no type of its own. */
    buf_str(&lines, payload->content_type ? "Expect:\n" : "Expect:\nContent-Type:\n");
    http_header_lines(h->settings, payload, true, &lines);
    struct curl_slist *list = http_list(&lines);
    buf_free(&lines);
    return list;
}

/* False without memory. */
static bool http_set_body(struct http *h, const struct payload *payload)
{
    const struct buf *body = &payload->body;
    buf_reset(&h->packed);
    if (body->len && h->settings->compression != HTTP_PLAIN) {
        enum gzip_container container = h->settings->compression == HTTP_GZIP ? GZIP_GZIP : GZIP_ZLIB;
        if (!gzip_pack(body->data, body->len, 6, container, &h->packed)) return false;
        body = &h->packed;
    }
    const char *method = payload->method ? payload->method : "POST";
    h->body = body;
    if (body->len || !strcmp(method, "POST") || !strcmp(method, "PUT")) {
        curl_easy_setopt(h->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(h->curl, CURLOPT_READFUNCTION, http_take);
        curl_easy_setopt(h->curl, CURLOPT_READDATA, h);
        curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
    }
    if (strcmp(method, body->len ? "POST" : "GET")) curl_easy_setopt(h->curl, CURLOPT_CUSTOMREQUEST, method);
    return true;
}

/* An endless answer is cut off, and is not an answer. */
static size_t http_receive(char *data, size_t size, size_t n, void *arg)
{
    struct buf *body = arg;
    if (body->len + size * n > (body->limit ? body->limit : HTTP_ANSWER_MOST)) return 0;
    buf_mem(body, data, size * n);
    return buf_ok(body) ? size * n : 0;
}

void http_classify(int status, bool sent_whole, struct answer *answer)
{
    static const int mend[] = {401, 403, 404, 405, 407, 410}, again[] = {408, 425, 429};
    answer->outcome = status >= 200 && status < 300   ? OUTCOME_SENT
                      : status == 413                 ? OUTCOME_SPLIT
                      : status >= 400 && status < 500 ? OUTCOME_BAD
                                                      : OUTCOME_RETRY;
    for (size_t i = 0; i < sizeof mend / sizeof *mend; i++)
        if (status == mend[i]) answer->outcome = OUTCOME_RETRY;
    for (size_t i = 0; i < sizeof again / sizeof *again; i++)
        if (status == again[i]) answer->outcome = OUTCOME_RETRY;
    answer->ambiguous =
        answer->outcome == OUTCOME_RETRY &&
        (status ? status == 408 || status == 500 || status == 502 || status == 504 : sent_whole);
}

/* The beginning of the answer's body, on one line. */
static void http_quote(const struct buf *body, struct buf *why)
{
    size_t n = body->len < HTTP_QUOTE ? body->len : HTTP_QUOTE;
    struct buf clean = {0};
    printable(&clean, buf_text(body), n);
    for (const char *c = buf_text(&clean); *c; c++)
        if (*c != ' ' || (why->len && why->data[why->len - 1] != ' ')) buf_char(why, *c);
    if (n < body->len) buf_str(why, "...");
    buf_free(&clean);
}

/* Where a redirection goes, which is not followed. */
static void http_moved(struct http *h, struct buf *why)
{
    char *to = NULL;
    curl_easy_getinfo(h->curl, CURLINFO_REDIRECT_URL, &to);
    if (!to) return;
    buf_str(why, "it has moved to ");
    http_show_url(to, why);
    buf_str(why, ": put that into the configuration; ");
}

/* The pause that the service asks for, within reason; `why` says if it asks for more. A date is libcurl's to
 * read; it takes a number with too many digits for none. */
static uint64_t http_pause(struct http *h, struct buf *why)
{
    struct curl_header *header = NULL;
    curl_off_t after = 0;
    curl_easy_getinfo(h->curl, CURLINFO_RETRY_AFTER, &after);
    if (curl_easy_header(h->curl, "Retry-After", 0, CURLH_HEADER, -1, &header) || after < 0) return 0;
    if (strspn(header->value, "0123456789") > 10) after = HTTP_PAUSE_MOST_S + 1;
    if (after > HTTP_PAUSE_MOST_S) {
        buf_printf(why, "it asks for a long pause (Retry-After: %.40s), and gets 1h; ", header->value);
        after = HTTP_PAUSE_MOST_S;
    }
    return (uint64_t)after * UINT64_C(1000000000);
}

/* Why there was no answer. */
static const char *http_trouble(const struct http *h, CURLcode code)
{
    if (h->begun > 1 || code == CURLE_SEND_FAIL_REWIND)
        return "the service closed the connection without a response";
    if (h->headers > HTTP_HEADERS_MOST) return "the headers of the response are too long";
    if (code == CURLE_WRITE_ERROR) return "the response is too long";
    /* A message with an @ may show the password of a proxy in http_proxy. */
    return h->error[0] && !strchr(h->error, '@') ? h->error : curl_easy_strerror(code);
}

static void http_judge(struct http *h, CURLcode code, struct answer *answer)
{
    long status = 0;
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    /* Without the whole answer the status does not count: what was accepted is not known. */
    if (code != CURLE_OK) status = 0;
    answer->response.status = (int)status;
    /* libcurl's own count of bytes sent begins anew when it tries again, so it is not asked. */
    http_classify((int)status, h->begun && h->taken >= h->body->len, answer);
    if (answer->outcome == OUTCOME_SENT) return;
    if (code != CURLE_OK) {
        buf_str(&answer->why, http_trouble(h, code));
        return;
    }
    buf_printf(&answer->why, "HTTP %ld: ", status);
    if (answer->outcome == OUTCOME_RETRY) answer->retry_after_ns = http_pause(h, &answer->why);
    http_moved(h, &answer->why);
    http_quote(&answer->response.body, &answer->why);
}

static http_sink_fn *http_sink;

void http_send_to(http_sink_fn *sink)
{
    http_sink = sink;
}

static void http_send(void *link, const struct payload *payload, struct answer *answer)
{
    struct http *h = link;
    if (http_sink) {
        http_sink(payload, answer);
        http_classify(answer->response.status, true, answer);
        return;
    }
    h->error[0] = '\0';
    http_set_common(h);
    http_set_url(h, payload);
    answer->outcome = OUTCOME_RETRY;
    if (!tls_files_regular(TLS_FILES(h->settings), &answer->why)) return;
    if (!http_set_body(h, payload)) {
        buf_str(&answer->why, "out of memory");
        return;
    }
    struct curl_slist *headers = http_headers(h, payload);
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, http_receive);
    curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, &answer->response.body);
    CURLcode code = curl_easy_perform(h->curl);
    http_hide(&answer->response.body, buf_text(&payload->secret));
    http_judge(h, code, answer);
    curl_slist_free_all(headers);
}

bool http_check(const void *settings, struct buf *why)
{
    const struct http_settings *s = settings;
    return tls_files_readable(TLS_FILES(s), why);
}

const struct transport transport_http = {.name = "http",
                                         .options = http_options,
                                         .open = http_open,
                                         .send = http_send,
                                         .describe = http_describe,
                                         .check = http_check,
                                         .close = http_close};
