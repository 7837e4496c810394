/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include "clock.h"
#include "tls_options.h"

#include <curl/curl.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

struct stream {
    struct stream_options options;
    CURL *curl; /* NULL: not connected */
    curl_socket_t socket;
    char error[CURL_ERROR_SIZE];
};

struct stream *stream_new(const struct stream_options *options)
{
    struct stream *s = calloc(1, sizeof *s);
    if (s) s->options = *options;
    return s;
}

void stream_close(struct stream *s)
{
    curl_easy_cleanup(s->curl);
    s->curl = NULL;
}

void stream_free(struct stream **stream)
{
    if (!*stream) return;
    stream_close(*stream);
    free(*stream);
    *stream = NULL;
}

/* True if the socket is ready for `events` by then. */
static bool wait_for(const struct stream *s, short events, uint64_t until)
{
    for (;;) {
        uint64_t now = clock_mono(&clock_system);
        struct pollfd p = {.fd = s->socket, .events = events};
        int n = poll(&p, 1, now < until ? (int)((until - now) / 1000000 + 1) : 0);
        if (n > 0) return true;
        if (n < 0 && errno != EINTR) return false;
        if (n == 0 && now >= until) return false;
    }
}

bool stream_is_open(struct stream *s)
{
    struct pollfd p = {.fd = s->socket, .events = POLLIN};
    if (!s->curl) return false;
    if (poll(&p, 1, 0) == 0) return true;
    /* Under TLS what has come may be for TLS alone. */
    char byte;
    size_t came;
    if (curl_easy_recv(s->curl, &byte, 1, &came) == CURLE_AGAIN) return true;
    stream_close(s);
    return false;
}

static void set_options(struct stream *s)
{
    const struct stream_options *o = &s->options;
    struct buf url = {0};
    bool bare = strchr(o->host, ':') && o->host[0] != '[';
    buf_printf(&url, "%s://%s%s%s:%lld", o->tls ? "https" : "http", bare ? "[" : "", o->host, bare ? "]" : "",
               (long long)o->port);
    curl_easy_setopt(s->curl, CURLOPT_URL, buf_text(&url));
    curl_easy_setopt(s->curl, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(s->curl, CURLOPT_PROXY,
                     ""); /* http_proxy is for HTTP: it would get the bytes, AUTH too */
    curl_easy_setopt(s->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(s->curl, CURLOPT_ERRORBUFFER, s->error);
    curl_easy_setopt(s->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(o->connect_timeout / 1000000));
    if (o->ca_file) curl_easy_setopt(s->curl, CURLOPT_CAINFO, o->ca_file);
    if (o->client_cert) curl_easy_setopt(s->curl, CURLOPT_SSLCERT, o->client_cert);
    if (o->client_key) curl_easy_setopt(s->curl, CURLOPT_SSLKEY, o->client_key);
    if (o->unix_socket) curl_easy_setopt(s->curl, CURLOPT_UNIX_SOCKET_PATH, o->unix_socket);
    buf_free(&url);
}

bool stream_connect(struct stream *s, struct buf *why)
{
    if (stream_is_open(s)) return true;
    s->error[0] = '\0';
    s->curl = curl_easy_init();
    if (!s->curl) {
        buf_str(why, "out of memory");
        return false;
    }
    if (!tls_files_regular(TLS_FILES(&s->options), why)) {
        stream_close(s);
        return false;
    }
    set_options(s);
    CURLcode code = curl_easy_perform(s->curl);
    if (!code) code = curl_easy_getinfo(s->curl, CURLINFO_ACTIVESOCKET, &s->socket);
    if (!code && s->socket != CURL_SOCKET_BAD) return true;
    buf_str(why, s->error[0] ? s->error : curl_easy_strerror(code));
    stream_close(s);
    return false;
}

static bool fail(struct stream *s, struct buf *why, const char *reason)
{
    buf_str(why, reason);
    stream_close(s);
    return false;
}

uint64_t stream_deadline(const struct stream *s)
{
    return clock_mono(&clock_system) + s->options.timeout;
}

bool stream_write(struct stream *s, const void *data, size_t n, size_t *written, struct buf *why)
{
    uint64_t until = stream_deadline(s);
    *written = 0;
    while (*written < n) {
        size_t went = 0;
        CURLcode code = curl_easy_send(s->curl, (const char *)data + *written, n - *written, &went);
        *written += went;
        if (code == CURLE_AGAIN) {
            if (!wait_for(s, POLLOUT, until)) return fail(s, why, "the other side takes nothing more");
        } else if (code) {
            return fail(s, why, s->error[0] ? s->error : curl_easy_strerror(code));
        }
        if (*written < n && clock_mono(&clock_system) >= until) return fail(s, why, "it took too long");
    }
    return true;
}

bool stream_drain(struct stream *s, struct buf *why)
{
    uint64_t until = stream_deadline(s);
    for (int waiting = 1; waiting;) {
        struct pollfd p = {.fd = s->socket, .events = 0};
        if (poll(&p, 1, 0) > 0 && p.revents & (POLLERR | POLLNVAL))
            return fail(s, why, "the connection broke");
        if (ioctl(s->socket, SIOCOUTQ, &waiting)) return true; /* not TCP: it has arrived already */
        if (waiting && clock_mono(&clock_system) >= until)
            return fail(s, why, "the other side does not answer");
        if (waiting) nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    return true;
}

size_t stream_read(struct stream *s, void *data, size_t n, uint64_t until, struct buf *why)
{
    for (size_t came = 0;;) {
        CURLcode code = curl_easy_recv(s->curl, data, n, &came);
        if (!code && came) return came;
        if (code == CURLE_AGAIN && wait_for(s, POLLIN, until)) continue;
        fail(s, why,
             code == CURLE_AGAIN ? "no answer in time"
             : code              ? curl_easy_strerror(code)
                                 : "the other side hung up");
        return 0;
    }
}
