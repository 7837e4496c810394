/* SPDX-License-Identifier: Apache-2.0 */
#include "say.h"

#include "clock.h"
#include "printable.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t say_lock = PTHREAD_MUTEX_INITIALIZER; /* protects say_least; a leaf */
static enum say_level say_least = SAY_INFO;
static say_sink_fn *say_sink;

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

/* One line of UTF-8 that controls no terminal, whatever a service or a segment wrote into it. */
static void say_text(struct buf *line, const char *value)
{
    struct buf clean = {0};
    printable(&clean, value, strlen(value));
    for (const char *c = buf_text(&clean); *c; c++) {
        if (*c == '"' || *c == '\\') buf_char(line, '\\');
        buf_char(line, *c);
    }
    buf_free(&clean);
}

/* Plain if it is one word, else in quotes. */
static void say_value(struct buf *line, const char *value)
{
    bool word = *value && !value[strcspn(value, " \"\\=\t\r\n")];
    if (!word) buf_char(line, '"');
    for (size_t n; *value; value += n) {
        n = strcspn(value, "\n");
        struct buf part = {0};
        buf_mem(&part, value, n);
        say_text(line, buf_text(&part));
        buf_free(&part);
        if (value[n]) {
            buf_str(line, "\\n");
            n++;
        }
    }
    if (!word) buf_char(line, '"');
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
    else if (write(STDERR_FILENO, buf_text(&line), line.len) < 0) { /* there is nowhere to report that */
    }
    buf_free(&line);
}
