/* SPDX-License-Identifier: Apache-2.0 */
#include "expand.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define EXPAND_LARGEST 65536 /* of a secret */
#define EXPAND_PIECE   65536
#define EXPAND_WAIT_MS 5000 /* for whoever writes to a FIFO */

/* Copies the text between the braces, which begins at `from`; NULL if a variable cannot have that name. */
static const char *expand_name(const char *from, const char *close, char name[256])
{
    size_t n = (size_t)(close - from);
    if (!n || n >= 256 || isdigit((unsigned char)*from)) return NULL;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)from[i]) && from[i] != '_') return NULL;
    memcpy(name, from, n);
    name[n] = '\0';
    return name;
}

/* Appends the value of the variable whose ${ is at `at`; returns
 * the text after its brace, or NULL with the reason in `why`. */
static const char *expand_variable(const char *at, expand_env_fn *env, struct buf *out, struct buf *why)
{
    char name[256];
    const char *close = strchr(at, '}');
    if (!close) {
        buf_str(why, "it has a ${ without its }"); /* it may be a secret: it is not quoted */
        return NULL;
    }
    if (!expand_name(at + 2, close, name)) {
        buf_str(why,
                "between ${ and } is not the name of an environment variable (only letters, digits and _)");
        return NULL;
    }
    const char *value = env(name);
    if (!value) {
        buf_printf(why, "the environment variable %s is not set (write $${ for a literal ${)", name);
        return NULL;
    }
    buf_str(out, value);
    return close + 1;
}

bool expand_text(const char *text, expand_env_fn *env, struct buf *out, struct buf *why)
{
    while (*text) {
        if (!strncmp(text, "$${", 3)) {
            buf_str(out, "${");
            text += 3;
        } else if (!strncmp(text, "${", 2)) {
            text = expand_variable(text, env, out, why);
            if (!text) return false;
        } else {
            buf_char(out, *text++);
        }
    }
    return buf_ok(out);
}

/* False with errno if nothing comes from a FIFO or a terminal; others are always ready. */
static bool expand_wait(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int ready;
    do ready = poll(&p, 1, EXPAND_WAIT_MS);
    while (ready < 0 && errno == EINTR);
    if (!ready) errno = ETIMEDOUT;
    return ready > 0;
}

/* Reads to the end of the file, or one byte more than `most`; false with errno if that fails. */
static bool expand_rest(int fd, size_t most, struct buf *out)
{
    size_t from = out->len;
    while (out->len - from <= most) {
        size_t left = most + 1 - (out->len - from), n = left < EXPAND_PIECE ? left : EXPAND_PIECE;
        char *to = buf_room(out, n);
        if (!to) return errno = ENOMEM, false;
        if (!expand_wait(fd)) return false;
        ssize_t got = read(fd, to, n);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got <= 0) return !got;
        out->len += (size_t)got;
    }
    return true;
}

bool expand_read(const char *path, size_t most, struct buf *out, struct buf *why)
{
    size_t from = out->len;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        buf_printf(why, "cannot open %s: %s", path, strerror(errno));
        return false;
    }
    bool good = expand_rest(fd, most, out);
    if (!good) {
        bool silent = errno == ETIMEDOUT;
        buf_printf(why, "cannot read %s: %s", path, silent ? "nothing is written to it" : strerror(errno));
    } else if (out->len - from > most) {
        good = false;
        buf_printf(why, "%s is longer than ", path);
        buf_size(why, most);
    }
    close(fd);
    buf_cut(out, good ? out->len : from); /* ends it in a NUL, too */
    return good;
}

bool expand_file(const char *path, struct buf *out, struct buf *why)
{
    size_t from = out->len;
    if (!expand_read(path, EXPAND_LARGEST, out, why)) return false;
    if (out->len > from && memchr(out->data + from, '\0', out->len - from)) {
        buf_printf(why, "%s contains a NUL byte", path);
        buf_cut(out, from);
        return false;
    }
    size_t n = out->len;
    while (n > from && strchr("\r\n", out->data[n - 1])) n--;
    buf_cut(out, n);
    return true;
}
