/* SPDX-License-Identifier: Apache-2.0 */
/*
 * out_file.c - appends each reading as one JSON object on one line.
 *
 *     backends:
 *       - type: file
 *         path: /var/log/shop/metrics.jsonl
 *
 *     {"time":"2026-11-21T01:20:30.000Z","interval":10,"name":"http.requests","tags":{"status":"200"},
 *      "count":1203,"count_delta":100}
 *
 * An event is an object, too: {"time":...,"signal":"logs","name":"shop",...}, see event_json.h.
 *
 * Each total comes with what was added to it in the interval. Rotate the file and send SIGHUP: it is opened
 * again.
 */
#include "attribute.h"
#include "descriptor.h"
#include "event_json.h"
#include "event_view.h"
#include "json.h"
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_settings {
    struct backend_common common;
    char *path;
};

static const struct option file_options[] = {
    BACKEND_ATTRIBUTES("sum, min, max, mean, stddev, p50, p95, p99, m1_rate"),
    BACKEND_TIME_UNIT("s"),
    {.name = "path",
     .type = OPTION_STRING,
     OPTION_FIELD(struct file_settings, path),
     .required = true,
     .help = "file to append to; created if it does not exist"},
    {.name = NULL},
};

/* --- Lines --- */

static void file_head(struct json *j, const struct view *view, const struct item *item,
                      const metrics_row_t *first)
{
    struct buf time = {0};
    struct tags tags = {0};
    buf_time(&time, view->wall_ns);
    jsonw_object(j);
    jsonw_key_str(j, "time", buf_text(&time));
    jsonw_key_f64(j, "interval", (double)view->interval_ns / 1e9);
    jsonw_key_str(j, "name", item->name);
    jsonw_key(j, "tags");
    jsonw_object(j);
    if (!item_tags(item, first, &tags)) j->out->failed = true;
    for (size_t i = 0; i < tags.n; i++) jsonw_key_str(j, tags.at[i].key, tags.at[i].value);
    jsonw_object_end(j);
    if (item->unit[0]) jsonw_key_str(j, "unit", item_unit(view, item));
    buf_free(&time);
    tags_free(&tags);
}

/* Buckets: how many values there were up to each bound. Bounds that add nothing are left out, but for the
 * last one (no bound: null). */
static size_t file_buckets(struct json *j, const struct rows *rows)
{
    size_t n = 0;
    uint64_t before = 0;
    for (size_t i = 0; i < rows->n; i++) {
        const metrics_row_t *row = &rows->at[i];
        if (row->nature != METRICS_BUCKET || (row->value.u == before && isfinite(row->parameter))) continue;
        if (!n++) {
            jsonw_key(j, "buckets");
            jsonw_array(j);
        }
        jsonw_object(j);
        jsonw_key_f64(j, "le", row->parameter);
        jsonw_key_u64(j, "count", row->value.u);
        jsonw_object_end(j);
        before = row->value.u;
    }
    if (n) jsonw_array_end(j);
    return n;
}

/* The same row among those of the interval, or NULL. */
static const metrics_row_t *file_twin(const struct rows *interval, const metrics_row_t *row)
{
    return row->nature == METRICS_TOTAL ? rows_find(interval, row->attribute) : NULL;
}

/* The rows from `at` on that belong to the same worker, as one object. Returns where the next one begins. */
static size_t file_line(struct json *j, const struct view *view, const struct item *item,
                        const struct rows *rows, const struct rows *interval, size_t at, size_t *points)
{
    char suffix[64];
    int64_t worker = rows->at[at].worker;
    file_head(j, view, item, &rows->at[at]);
    for (; at < rows->n && rows->at[at].worker == worker; at++) {
        const metrics_row_t *row = &rows->at[at], *delta = file_twin(interval, row);
        if (row->nature == METRICS_BUCKET || row->nature == METRICS_DISTRIBUTION) continue;
        size_t n = strlen(metrics_row_suffix(row, suffix, 24));
        jsonw_key(j, suffix);
        row_json_value(row, j);
        *points += 1;
        if (!delta || item->rebased) continue;
        memcpy(suffix + n, "_delta", 7);
        jsonw_key(j, suffix);
        row_json_value(delta, j);
    }
    *points += file_buckets(j, rows);
    jsonw_object_end(j);
    buf_char(j->out, '\n');
    return at;
}

static size_t file_encode(const struct batch *batch, struct payload *payload)
{
    struct rows rows = {0}, interval = {0};
    size_t points = 0;
    for (size_t i = batch->from; i < batch->to; i++) {
        const struct item *item = &batch->view->items[i];
        struct json j;
        if (!item_rows(batch->view, item, METRICS_LIFETIME, &rows) ||
            !item_rows(batch->view, item, METRICS_INTERVAL, &interval)) {
            payload->body.failed = true;
            break;
        }
        jsonw_begin(&j, &payload->body);
        for (size_t at = 0; at < rows.n;)
            at = file_line(&j, batch->view, item, &rows, &interval, at, &points);
    }
    rows_free(&rows);
    rows_free(&interval);
    return points;
}

static size_t file_encode_events(const struct event_batch *batch, struct payload *payload)
{
    for (size_t i = batch->from; i < batch->to; i++) {
        event_json(&payload->body, event_view_get(batch->view, i));
        buf_char(&payload->body, '\n');
    }
    return batch->to - batch->from;
}

static const struct backend_events file_events = {.types = EVENT_ALL, .encode = file_encode_events};

/* --- The file --- */

struct file_link {
    const struct file_settings *settings;
    int fd; /* -1: to be opened by the next send */
};

/* A FIFO that nobody reads must not make us wait. */
static int file_open_path(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

/* After ENXIO: whoever reads the FIFO may still come. */
static bool file_lacks_reader(const char *path, int error)
{
    struct stat st;
    return error == ENXIO && !stat(path, &st) && S_ISFIFO(st.st_mode);
}

static void file_explain(const char *path, int error, struct buf *why)
{
    if (file_lacks_reader(path, error))
        buf_printf(why, "no program reads the FIFO %s", path);
    else
        buf_printf(why, "cannot open %s: %s", path, strerror(error));
}

/* A path that cannot be opened now is a mistake in the configuration and reported as such. */
static void *file_open(const void *settings, struct buf *why)
{
    struct file_link *link = backend_alloc(sizeof *link, why);
    if (!link) return NULL;
    link->settings = settings;
    link->fd = file_open_path(link->settings->path);
    int error = errno;
    if (link->fd >= 0 || file_lacks_reader(link->settings->path, error)) return link;
    file_explain(link->settings->path, error, why);
    free(link);
    return NULL;
}

/* A file that is not there can be made in a folder that may be written. */
static bool file_check(const void *arg, struct buf *why)
{
    const struct file_settings *settings = arg;
    const char *path = settings->path, *slash = strrchr(path, '/');
    struct buf folder = {0};
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), error = errno;
    if (fd >= 0) close(fd);
    bool good = fd >= 0 || file_lacks_reader(path, error);
    if (!good && error == ENOENT) {
        buf_mem(&folder, path, slash ? (size_t)(slash - path + 1) : 0);
        good = !faccessat(AT_FDCWD, slash ? buf_text(&folder) : ".", W_OK | X_OK, AT_EACCESS);
        error = errno;
    }
    if (!good) file_explain(path, error, why);
    buf_free(&folder);
    return good;
}

static bool file_lost_reader(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    struct stat st;
    return !fstat(fd, &st) && S_ISFIFO(st.st_mode) && poll(&p, 1, 0) > 0 && p.revents & POLLERR;
}

static void file_send(void *arg, const struct payload *payload, struct answer *answer)
{
    struct file_link *link = arg;
    if (link->fd < 0) link->fd = file_open_path(link->settings->path);
    if (link->fd < 0) {
        answer->outcome = OUTCOME_RETRY;
        file_explain(link->settings->path, errno, &answer->why);
        return;
    }
    descriptor_send(link->fd, payload, answer);
    if (answer->outcome == OUTCOME_SENT || !file_lost_reader(link->fd)) return;
    /* What is in the FIFO goes with this descriptor, so that the next reader gets whole lines. */
    answer->outcome = OUTCOME_RETRY;
    close(link->fd);
    link->fd = -1;
}

static void file_reopen(void *arg)
{
    struct file_link *link = arg;
    if (link->fd >= 0) close(link->fd);
    link->fd = -1;
}

static void file_close(void **arg)
{
    file_reopen(*arg);
    backend_free(arg);
}

static const struct transport file_transport = {.name = "file",
                                                .open = file_open,
                                                .send = file_send,
                                                .check = file_check,
                                                .reopen = file_reopen,
                                                .close = file_close};

const struct backend backend_file = {
    .name = "file",
    .summary = "one JSON object per reading and interval, appended to a file",
    .options = file_options,
    .settings_size = sizeof(struct file_settings),
    .wants = {.totals = METRICS_LIFETIME,
              .sampled = METRICS_RECENT,
              .natures = METRICS_ATTR(METRICS_BUCKETS_LE)},
    .transport = &file_transport,
    .encode = file_encode,
    .events = &file_events,
};
