/* SPDX-License-Identifier: Apache-2.0 */
#include "redis.h"

#include "clock.h"
#include "stream.h"
#include "tls_options.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The most bytes and elements of arrays of all replies to one exchange: an answer may be endless, and hiredis
 * allocates an array as soon as its size has come, and one in another as deep as they come. */
enum { REDIS_ANSWER_MOST = 1 << 20, REDIS_ELEMENTS_MOST = 1024 };
/* The same for somebody who asks for texts and waits for them. */
enum { REDIS_TEXTS_MOST = 64 << 20, REDIS_TEXT_ELEMENTS_MOST = 1 << 16 };

/* What the replies of an exchange have announced so far, and the most that they may. */
struct announced {
    size_t bytes, elements, bytes_most, elements_most;
    size_t skip; /* bytes of a text that are still to come */
    char line[24];
    size_t n; /* bytes of a line; more of them are not kept */
};

struct redis {
    const struct redis_settings *settings;
    struct stream *stream;
    redisReader *reader;
    uint64_t until; /* the exchange has to be over */
    struct announced announced;
};

#define REDIS(MEMBER) OPTION_FIELD(struct redis_settings, MEMBER)
const struct option redis_options[] = {
    {.name = "host",
     .type = OPTION_STRING,
     REDIS(host),
     .env = "REDIS_HOST",
     .def = "redis",
     .help = "host of the Redis server"},
    {.name = "port",
     .type = OPTION_INTEGER,
     REDIS(port),
     .env = "REDIS_PORT",
     .def = "6379",
     .min = 1,
     .max = 65535,
     .help = "its port"},
    {.name = "unix_socket",
     .type = OPTION_STRING,
     REDIS(unix_socket),
     .help = "its Unix socket, instead of host and port"},
    {.name = "db",
     .type = OPTION_INTEGER,
     REDIS(db),
     .def = "0",
     .min = 0,
     .max = 65535,
     .help = "number of the database"},
    {.name = "user", .type = OPTION_STRING, REDIS(user), .help = "user to log in as (Redis 6 and later)"},
    {.name = "password",
     .type = OPTION_SECRET,
     REDIS(password),
     .env = "REDIS_PASSWORD",
     .help = "password to log in with"},
    {.name = "tls", .type = OPTION_BOOL, REDIS(tls), .def = "false", .help = "use TLS"},
    TLS_OPTIONS(struct redis_settings),
    {.name = "timeout",
     .type = OPTION_DURATION,
     REDIS(timeout),
     .def = "5s",
     .min = 1e6,
     .max = 3600e9,
     .help = "timeout for a command and its reply"},
    {.name = "connect_timeout",
     .type = OPTION_DURATION,
     REDIS(connect_timeout),
     .def = "5s",
     .min = 1e6,
     .max = 3600e9,
     .help = "timeout for connecting"},
    {.name = NULL},
};

void redis_free(struct redis **redis)
{
    struct redis *r = *redis;
    if (!r) return;
    stream_free(&r->stream);
    if (r->reader) redisReaderFree(r->reader);
    free(r);
    *redis = NULL;
}

struct redis *redis_new(const struct redis_settings *s)
{
    struct redis *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->settings = s;
    r->stream = stream_new(&(struct stream_options){.host = s->host ? s->host : "localhost",
                                                    .port = s->port,
                                                    .tls = s->tls,
                                                    .ca_file = s->ca_file,
                                                    .client_cert = s->client_cert,
                                                    .client_key = s->client_key,
                                                    .unix_socket = s->unix_socket,
                                                    .timeout = s->timeout,
                                                    .connect_timeout = s->connect_timeout});
    if (!r->stream) redis_free(&r);
    return r;
}

void redis_describe(const void *settings, const struct payload *payload, bool secrets, struct route *route)
{
    const struct redis_settings *s = settings;
    (void)payload;
    (void)secrets;
    route->way = "redis";
    route->commands = true;
    if (backend_given(s->unix_socket))
        buf_str(&route->address, s->unix_socket);
    else
        buf_printf(&route->address, "%s:%lld", s->host ? s->host : "", (long long)s->port);
}

bool redis_check(const void *settings, struct buf *why)
{
    const struct redis_settings *s = settings;
    return tls_files_readable(TLS_FILES(s), why);
}

void redis_command(struct buf *out, size_t n, const char *const *words, const size_t *lengths)
{
    char *text = NULL;
    int bytes = redisFormatCommandArgv(&text, (int)n, (const char **)(uintptr_t)words, lengths);
    if (bytes < 0)
        out->failed = true;
    else
        buf_mem(out, text, (size_t)bytes);
    redisFreeCommand(text);
}

/* A line of the protocol: an array's size, a text's length, or a value. False if that is too much. */
static bool announce(struct announced *a)
{
    a->line[a->n] = '\0';
    a->n = 0;
    long long v = strtoll(a->line + (a->line[0] != '\0'), NULL, 10);
    if (v <= 0 || !a->line[0]) return true;
    if (a->line[0] == '$') {
        if ((unsigned long long)v > a->bytes_most) return false;
        a->skip = (size_t)v + 2;
    } else if (strchr("*%~>|", a->line[0])) {
        if ((unsigned long long)v > a->elements_most - a->elements) return false;
        a->elements += (size_t)v;
    }
    return true;
}

/* Looks at what has come, before hiredis does. False if it is too much. */
static bool look(struct announced *a, const char *data, size_t n)
{
    a->bytes += n;
    if (a->bytes > a->bytes_most) return false;
    while (n) {
        size_t step = a->skip < n ? a->skip : n;
        a->skip -= step;
        data += step;
        n -= step;
        if (!n) break;
        if (*data == '\n' && !announce(a)) return false;
        if (*data != '\n' && a->n + 1 < sizeof a->line) a->line[a->n++] = *data;
        data++;
        n--;
    }
    return true;
}

/* The next reply, to be freed; NULL with the reason, and the connection closed. */
static redisReply *next_reply(struct redis *r, struct buf *why)
{
    char bytes[4096];
    void *reply = NULL;
    while (redisReaderGetReply(r->reader, &reply) == REDIS_OK) {
        if (reply) return reply;
        size_t n = stream_read(r->stream, bytes, sizeof bytes, r->until, why);
        if (!n) return NULL;
        bool most = look(&r->announced, bytes, n);
        if (!most || clock_mono(&clock_system) >= r->until) {
            buf_str(why, most ? "no complete answer in time" : "its answer is too long");
            stream_close(r->stream);
            return NULL;
        }
        redisReaderFeed(r->reader, bytes, n);
    }
    buf_printf(why, "this is not Redis: %s", r->reader->errstr);
    stream_close(r->stream);
    return NULL;
}

static void tell_error(const redisReply *reply, struct buf *why)
{
    if (reply->type == REDIS_REPLY_ERROR && !why->len) buf_mem(why, reply->str, (size_t)reply->len);
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        tell_error(reply->element[i], why);
}

static void take_numbers(const redisReply *reply, int64_t *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const redisReply *one = reply->type == REDIS_REPLY_ARRAY
                                    ? (i < reply->elements ? reply->element[i] : NULL)
                                    : (i == 0 ? reply : NULL);
        numbers[i] = one && one->type == REDIS_REPLY_INTEGER ? one->integer : -1;
    }
}

/* Gives the texts of a reply to `each`, in their order. */
static void tell_texts(const redisReply *reply, const struct redis_texts *texts)
{
    char number[24];
    if (reply->type == REDIS_REPLY_INTEGER) {
        int n = snprintf(number, sizeof number, "%lld", reply->integer);
        texts->each(texts->arg, number, (size_t)n);
    } else if (reply->type != REDIS_REPLY_ARRAY) {
        texts->each(texts->arg, reply->str, reply->str ? (size_t)reply->len : 0);
    }
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        tell_texts(reply->element[i], texts);
}

/* Where the replies of an exchange go. */
struct taking {
    int64_t *numbers; /* of the last reply */
    size_t n;
    const struct redis_texts *texts; /* of all; NULL: none are wanted */
};

/* All replies are read, also after an error: the next exchange begins clean. */
static bool read_replies(struct redis *r, size_t replies, const struct taking *taking, struct answer *answer)
{
    for (size_t i = 0; i < replies; i++) {
        redisReply *reply = next_reply(r, &answer->why);
        if (!reply) {
            answer->ambiguous = true;
            return false;
        }
        tell_error(reply, &answer->why);
        if (i + 1 == replies) take_numbers(reply, taking->numbers, taking->n);
        if (taking->texts && !answer->why.len) tell_texts(reply, taking->texts);
        freeReplyObject(reply);
    }
    return answer->why.len == 0;
}

static bool exchange_raw(struct redis *r, const struct buf *commands, size_t replies,
                         const struct taking *taking, struct answer *answer)
{
    size_t written = 0;
    r->until = stream_deadline(r->stream);
    r->announced =
        (struct announced){.bytes_most = taking->texts ? REDIS_TEXTS_MOST : REDIS_ANSWER_MOST,
                           .elements_most = taking->texts ? REDIS_TEXT_ELEMENTS_MOST : REDIS_ELEMENTS_MOST};
    if (!stream_write(r->stream, commands->data, commands->len, &written, &answer->why)) {
        answer->ambiguous = written == commands->len; /* a part of a transaction does nothing */
        return false;
    }
    return read_replies(r, replies, taking, answer);
}

static bool log_in(struct redis *r, struct answer *answer)
{
    const struct redis_settings *s = r->settings;
    const char *words[3] = {"AUTH"};
    struct buf commands = {0};
    char db[24];
    size_t n = 1, replies = 0;
    if (backend_given(s->password)) {
        if (backend_given(s->user)) words[n++] = s->user;
        words[n++] = s->password;
        redis_command(&commands, n, words, NULL);
        replies++;
    }
    if (s->db) {
        snprintf(db, sizeof db, "%lld", (long long)s->db);
        redis_command(&commands, 2, (const char *[]){"SELECT", db}, NULL);
        replies++;
    }
    bool good = !replies || exchange_raw(r, &commands, replies, &(struct taking){.n = 0}, answer);
    answer->ambiguous = false;
    if (!good) stream_close(r->stream);
    buf_free(&commands);
    return good;
}

static bool connected(struct redis *r, struct answer *answer)
{
    if (stream_is_open(r->stream)) return true;
    if (r->reader) redisReaderFree(r->reader); /* half a reply of the connection that broke */
    r->reader = redisReaderCreate();
    if (!r->reader) {
        buf_str(&answer->why, "out of memory");
        return false;
    }
    return stream_connect(r->stream, &answer->why) && log_in(r, answer);
}

static void exchange(struct redis *r, const struct buf *commands, size_t replies, const struct taking *taking,
                     struct answer *answer)
{
    bool good = connected(r, answer) && exchange_raw(r, commands, replies, taking, answer);
    answer->outcome = good ? OUTCOME_SENT : OUTCOME_RETRY;
}

void redis_exchange(struct redis *r, const struct buf *commands, size_t replies, int64_t *numbers, size_t n,
                    struct answer *answer)
{
    exchange(r, commands, replies, &(struct taking){.numbers = numbers, .n = n}, answer);
}

void redis_ask(struct redis *r, const struct buf *commands, size_t replies, const struct redis_texts *texts,
               struct answer *answer)
{
    exchange(r, commands, replies, &(struct taking){.texts = texts}, answer);
}
