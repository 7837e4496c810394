/* SPDX-License-Identifier: Apache-2.0 */
#include "say.h"

#include "clock.h"
#include "printable.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t say_lock = PTHREAD_MUTEX_INITIALIZER; /* protects say_least; a leaf */
static enum say_level say_least = SAY_INFO;
static say_sink_fn *say_sink;

#define SAY_PATIENCE_MS 1000
#define SAY_PIECE       4096 /* a pipe takes this whole or not at all */

static pthread_mutex_t say_writing = PTHREAD_MUTEX_INITIALIZER; /* of what follows; a leaf */
static bool say_stuck;                                          /* the last write found no room */
static uint64_t say_lost;                                       /* lines since then */

void say_from(enum say_level least)
{
    pthread_mutex_lock(&say_lock);
    say_least = least;
    pthread_mutex_unlock(&say_lock);
}

static bool say_is_silent(enum say_level level)
{
    pthread_mutex_lock(&say_lock);
    bool silent = level > say_least;
    pthread_mutex_unlock(&say_lock);
    return silent;
}

void say_to(say_sink_fn *sink)
{
    say_sink = sink;
}

const char *say_u64(char text[24], uint64_t v)
{
    snprintf(text, 24, "%" PRIu64, v);
    return text;
}

/* UTF-8 that controls no terminal, whatever a service or a segment wrote into it. Plain if it is one word, else in
 * quotes. */
static void say_value(struct buf *line, const char *value)
{
    struct buf clean = {0};
    printable_lines(&clean, value, strlen(value));
    const char *text = buf_text(&clean);
    bool word = *text && !text[strcspn(text, " \"\\=\n")];
    if (!word) buf_char(line, '"');
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\' || *c == '\n') buf_char(line, '\\');
        buf_char(line, *c == '\n' ? 'n' : *c);
    }
    if (!word) buf_char(line, '"');
    buf_free(&clean);
}

/* --- Standard error --- */

/* Writes without waiting, where the kernel knows how; else it asks whether there is room before. */
static ssize_t say_try(const char *text, size_t n, int patience_ms)
{
    struct iovec piece = {(void *)(uintptr_t)text, n};
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (!poll(&p, 1, patience_ms)) return errno = EAGAIN, -1;
    ssize_t done = pwritev2(STDERR_FILENO, &piece, 1, -1, RWF_NOWAIT);
    bool unable = done < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL || errno == ESPIPE);
    return unable ? write(STDERR_FILENO, text, n) : done;
}

/* False if there was no room. Other errors cannot be reported anywhere. */
static bool say_out(const char *text, size_t n)
{
    for (size_t at = 0; at < n;) {
        size_t piece = n - at < SAY_PIECE ? n - at : SAY_PIECE;
        ssize_t done = say_try(text + at, piece, say_stuck ? 0 : SAY_PATIENCE_MS);
        if (done < 0 && errno == EINTR) continue;
        say_stuck = done < 0 && errno == EAGAIN;
        if (done <= 0) return !say_stuck;
        at += (size_t)done;
    }
    return true;
}

static void say_lines(const char *text, size_t n)
{
    pthread_mutex_lock(&say_writing);
    struct buf note = {0};
    if (say_lost) {
        buf_time(&note, clock_wall(&clock_system));
        buf_printf(&note, " warn  standard error took nothing for a while lost_lines=%" PRIu64 "\n",
                   say_lost);
        if (say_out(buf_text(&note), note.len)) say_lost = 0;
    }
    if (say_lost || !say_out(text, n)) say_lost++;
    buf_free(&note);
    pthread_mutex_unlock(&say_writing);
}

void say_text(const struct buf *lines)
{
    struct buf clean = {0};
    printable_lines(&clean, buf_text(lines), lines->len);
    if (clean.len) say_lines(buf_text(&clean), clean.len);
    buf_free(&clean);
}

void say(enum say_level level, const char *message, ...)
{
    static const char *const words[] = {"error ", "warn  ", "info  ", "debug "};
    if (say_is_silent(level)) return;
    struct buf line = {0};
    va_list ap;
    buf_time(&line, clock_wall(&clock_system));
    buf_printf(&line, " %s%s", words[level], message);
    va_start(ap, message);
    for (const char *key; (key = va_arg(ap, const char *));) {
        const char *value = va_arg(ap, const char *);
        if (!value) continue;
        buf_printf(&line, " %s=", key);
        say_value(&line, value);
    }
    va_end(ap);
    buf_char(&line, '\n');
    if (say_sink)
        say_sink(buf_text(&line), line.len);
    else
        say_lines(buf_text(&line), line.len);
    buf_free(&line);
}
