/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl send - points without a segment: JSON lines in, requests of the exporter's own backends out. */
#include "clock.h"
#include "halt.h"
#include "points_sum.h"
#include "sending.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A line is one point, or a list of some thousand points. */
enum { SEND_LINE_MOST = 1 << 20, SEND_CHUNK = 1 << 16, SEND_QUEUE = 10000 };

static bool send_strict, send_aggregate, send_quiet;
static uint64_t send_period;
static int64_t send_at_once;

static const struct cmd_option send_options[] = {
    {.name = "aggregate",
     .letter = 'a',
     .type = CMD_FLAG,
     .value = &send_aggregate,
     .help = "combine all points of a series that have the same time: count, sum, min and max of gauges "
             "(where the service has such points), the sum of increments, one distribution of all "
             "centroids"},
    {.name = "period",
     .letter = 'p',
     .type = CMD_DURATION,
     .value = &send_period,
     .arg = "TIME",
     .min = 1e9,
     .max = 86400e9,
     .help = "with --aggregate: round times down to multiples of this; points without a time count as now"},
    {.name = "at-once",
     .letter = '1',
     .type = CMD_INTEGER,
     .value = &send_at_once,
     .arg = "N",
     .min = 1,
     .max = 1e9,
     .help = "send as soon as N points are queued (default: at the end of the input, or when about ten "
             "thousand are queued)"},
    {.name = "strict",
     .type = CMD_FLAG,
     .value = &send_strict,
     .help = "read the whole input first, and send nothing if any line or point is bad"},
    {.name = "quiet",
     .letter = 'q',
     .type = CMD_FLAG,
     .value = &send_quiet,
     .help = "print no summary if everything was accepted"},
    SENDING_ROWS,
    {.name = NULL},
};

struct send {
    struct cli *cli;
    struct sending sending;
    struct point_lines lines; /* what is queued; with --aggregate only the current line */
    struct points_sum sum;
    size_t line, queued, most;
    bool begun;    /* a line of this input was read */
    bool skipping; /* until the end of a line that is too long */
    struct buf input;
};

/* --- Queue --- */

static void send_flush(struct send *s)
{
    struct point *at = send_aggregate ? points_sum_all(&s->sum) : s->lines.points.at;
    size_t n = send_aggregate ? s->sum.n : s->lines.points.n;
    if (n && !at) cli_fail(s->cli, CLI_FAILED, "out of memory");
    sending_points(&s->sending, at, at ? n : 0);
    if (!at) s->sending.unsent += n;
    point_lines_reset(&s->lines);
    points_sum_reset(&s->sum);
    s->queued = 0;
}

/* With --strict, nothing is sent unless everything can be. */
static void send_end(struct send *s)
{
    struct point *at = send_aggregate ? points_sum_all(&s->sum) : s->lines.points.at;
    size_t n = send_aggregate ? s->sum.n : s->lines.points.n;
    bool bad = s->sending.bad_lines > 0;
    if (send_strict && at && sending_try(&s->sending, at, n)) bad = true;
    if (send_strict && bad) {
        s->sending.unsent += n - (s->sending.refused < n ? s->sending.refused : n);
        cli_fail(s->cli, CLI_NO, "nothing was sent, because of --strict");
        return;
    }
    send_flush(s);
    sending_done(&s->sending);
}

static void send_bad(struct send *s, const char *why)
{
    struct refusal refusal = {.first = s->line, .last = s->line, .why = (char *)(uintptr_t)why};
    s->sending.bad_lines++;
    sending_refuse(&s->sending, &refusal);
}

/* Adds the points of the current line to the sums. */
static bool send_add_up(struct send *s, struct buf *why)
{
    bool good = true;
    for (size_t i = 0; i < s->lines.points.n && good; i++)
        good =
            points_sum_add(&s->sum, s->sending.points, &s->lines.points.at[i], s->sending.reader.now_ns, why);
    point_lines_reset(&s->lines);
    return good;
}

static void send_take(struct send *s, const char *text, size_t n)
{
    struct buf why = {0};
    size_t before = s->lines.points.n;
    bool good = point_lines_add(&s->lines, sending_reader(&s->sending), text, n, s->line, &why);
    size_t added = s->lines.points.n - before;
    if (good && send_aggregate) good = send_add_up(s, &why);
    if (!good) send_bad(s, buf_text(&why));
    if (good) s->queued += added;
    buf_free(&why);
    bool due = send_at_once ? s->queued >= (size_t)send_at_once : !send_aggregate && s->queued >= s->most;
    if (due && s->queued && !send_strict) send_flush(s);
}

/* --- Lines --- */

static void send_line(struct send *s, const char *text, size_t n)
{
    if (!s->begun && n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) text += 3, n -= 3; /* an editor's mark */
    s->begun = true;
    s->line++;
    s->sending.lines++;
    while (n && strchr(" \t\r", text[n - 1])) n--;
    while (n && strchr(" \t", *text)) text++, n--;
    if (n) send_take(s, text, n);
}

static bool send_on(const struct send *s)
{
    return s->sending.state == SENDING_WELL && !halt_count();
}

/* Handles the complete lines of what was read and removes them. */
static void send_lines(struct send *s)
{
    size_t at = 0;
    for (char *end; send_on(s) && (end = memchr(s->input.data + at, '\n', s->input.len - at));) {
        size_t n = (size_t)(end - s->input.data) - at;
        if (!s->skipping) send_line(s, s->input.data + at, n);
        s->skipping = false;
        at += n + 1;
    }
    memmove(s->input.data, s->input.data + at, s->input.len - at);
    s->input.len -= at;
    if (s->input.len <= SEND_LINE_MOST || !send_on(s)) return;
    if (!s->skipping) {
        s->line++;
        s->sending.lines++;
        send_bad(s, "the line is longer than 1 MiB; a line is one object");
    }
    s->skipping = true;
    s->input.len = 0;
}

/* Reads until the end of the file, or until we are asked to end: then an incomplete line is dropped. */
static int send_read(struct send *s, int fd, const char *name)
{
    ssize_t got = 1;
    s->skipping = false;
    s->begun = false;
    buf_reset(&s->input);
    while (got && send_on(s)) {
        halt_wait(fd, CLOCK_NEVER);
        if (!send_on(s)) break;
        char *room = buf_room(&s->input, SEND_CHUNK);
        if (!room) return cli_fail(s->cli, CLI_FAILED, "out of memory");
        got = read(fd, room, SEND_CHUNK);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got < 0) return cli_fail(s->cli, CLI_FAILED, "cannot read %s: %s", name, strerror(errno));
        s->input.len += (size_t)got;
        if (got) send_lines(s);
    }
    if (!got && s->input.len && !s->skipping && send_on(s)) send_line(s, s->input.data, s->input.len);
    return CLI_OK;
}

static int send_files(struct send *s)
{
    size_t n = (size_t)(s->cli->n - 1);
    size_t *begins = calloc(n + 1, sizeof *begins);
    int code = begins ? CLI_OK : cli_fail(s->cli, CLI_FAILED, "out of memory");
    s->sending.files = (const char *const *)s->cli->args + 1;
    s->sending.file_lines = begins;
    for (size_t i = 0; i < n && code == CLI_OK && send_on(s); i++) {
        const char *name = s->cli->args[i + 1];
        bool piped = !strcmp(name, "-");
        int fd = piped ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
        begins[i] = s->line;
        s->sending.file_count = i + 1;
        code = fd < 0 ? cli_fail(s->cli, CLI_FAILED, "cannot open %s: %s", name, strerror(errno))
                      : send_read(s, fd, piped ? "standard input" : name);
        if (fd >= 0 && !piped) close(fd);
    }
    return code;
}

/* --- The command --- */

static int send_sound(const struct cli *cli)
{
    if (send_period && !send_aggregate) return cli_usage(cli, "--period needs --aggregate");
    if (send_strict && send_at_once)
        return cli_usage(cli, "--strict sends after the last line, --at-once before: choose one of them");
    for (int i = 1; i < cli->n; i++)
        if (strcmp(cli->args[i], "-") && access(cli->args[i], R_OK))
            return cli_usage(cli, "cannot read %s: %s", cli->args[i], strerror(errno));
    return CLI_OK;
}

/* The queue holds a whole number of requests. */
static size_t send_most(const struct backend_points *points)
{
    size_t most = points->most ? points->most : 1;
    return most * ((SEND_QUEUE + most - 1) / most);
}

/* In a dry run only the requests are written to standard output. */
static void send_summary(struct send *s, int code)
{
    struct buf text = {0};
    if (send_quiet && code == CLI_OK && !s->cli->json) return;
    sending_summary(&s->sending, &text);
    if (settings_options.dry && !s->cli->json)
        cli_warn(&text);
    else
        buf_mem(&s->cli->out, buf_text(&text), text.len);
    buf_free(&text);
}

static int send_all(struct send *s)
{
    s->most = send_most(s->sending.points);
    s->sum.period_ns = send_period;
    halt_begin();
    int code = s->cli->n > 1 ? send_files(s) : send_read(s, STDIN_FILENO, "standard input");
    send_end(s);
    if (code == CLI_OK) code = (int)sending_code(&s->sending);
    send_summary(s, code);
    return code;
}

static int send_run(struct cli *cli)
{
    struct send s = {.cli = cli};
    int code = send_sound(cli);
    if (code != CLI_OK) return code;
    code = sending_open(&s.sending, cli, cli->args[0]);
    if (code == CLI_OK) code = send_all(&s);
    free((void *)(uintptr_t)s.sending.file_lines);
    point_lines_free(&s.lines);
    points_sum_reset(&s.sum);
    buf_free(&s.input);
    sending_close(&s.sending);
    return code;
}

static void send_more(char **args, int n, struct buf *out)
{
    const struct backend *b = n ? backend_find(args[0]) : NULL;
    if (b && b->points) {
        buf_printf(out, "\n%s: %s\n\n", b->name, b->summary);
        point_lines_help(b->points, out);
        buf_printf(out, "\nThe options for --set: mtx-exporter backends %s\n", b->name);
        return;
    }
    buf_str(out, "\nBackends (mtxctl send BACKEND --help lists the types and fields of each):\n");
    sending_backends(out);
}

const struct command command_send = {
    .name = "send",
    .args = "BACKEND [FILE...]",
    .summary = "send data points to a service, without a segment",
    .text = "Reads JSON objects, one per line, from the files or from standard input:\n"
            "\n"
            "  {\"name\": \"orders\", \"type\": \"gauge\", \"value\": 12, \"tags\": {\"city\": \"nyc\"}}\n"
            "\n"
            "and sends the points in requests of the size that the service accepts: at the end of the "
            "input, and also when SIGINT or SIGTERM ends it early (a second signal gives up what has not "
            "been sent). Requests that fail temporarily are retried; requests that are too large or contain "
            "a bad point are halved until the bad point is found. A bad line is reported with its number, "
            "and the other lines are still sent.\n"
            "\n"
            "The settings of the backend are its defaults, the usual environment variables and --set, or "
            "those of an mtx-exporter configuration.",
    .examples = "echo '{\"name\": \"deploys\", \"value\": 1}' | mtxctl send librato\n"
                "mtxctl send apptuit --tag dc=eu --set token_file=/run/secrets/apptuit points.json\n"
                "mtxctl send chouette --dry-run points.json   # what would be sent\n"
                "tail -f values | mtxctl send librato --aggregate --period 1m --at-once 100\n",
    .more = send_more,
    .options = send_options,
    .exits = {SENDING_EXITS},
    .no_segment = true,
    .least = 1,
    .most = -1,
    .run = send_run,
};
