/* SPDX-License-Identifier: Apache-2.0 */
/* wavefront_lines.c - mtxctl wavefront validate, send: files of lines, checked as a proxy checks them. */
#include "wavefront_line.h"

#include "clock.h"
#include "wavefront.h"
#include "wavefront_objects.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAVEFRONT_BATCH = 10000, WAVEFRONT_FAULTS = 1000 };

/* --- The service --- */

/* A platform's access token, if that is how one logs in; a dry run does without. */
static int wavefront_login(struct talk *t, const struct wavefront_settings *s)
{
    struct answer answer = {.outcome = OUTCOME_SENT};
    const struct view nothing = {.n = 0};
    struct buf why = {0};
    void *session = wavefront_session.open(s, &why);
    int code = CLI_OK;
    if (session) wavefront_session.prepare(session, s, t->link, &nothing, &answer);
    if (session && answer.outcome == OUTCOME_SENT) t->bearer = strdup(((struct wavefront *)session)->bearer);
    if (!t->bearer)
        code = cli_fail(t->cli, CLI_REFUSED, "the login failed: %s",
                        buf_text(answer.why.len ? &answer.why : &why));
    if (session) wavefront_session.close(&session);
    answer_free(&answer);
    buf_free(&why);
    return code;
}

static int wavefront_token(struct talk *t, struct payload *request)
{
    const struct wavefront_settings *s = (const void *)t->settings.common;
    bool platform = backend_given(s->csp_api_token) || backend_given(s->csp_app_id);
    int code = CLI_OK;
    if (platform && !t->bearer && !settings_options.dry) code = wavefront_login(t, s);
    const char *token = t->bearer ? t->bearer : s->token;
    if (backend_given(token) && !lines_is_tcp(&s->lines)) http_auth_bearer(request, token);
    return code;
}

/* The service also uses 406 to slow us down. */
static bool wavefront_later(int status, const json_t *answer)
{
    (void)answer;
    return status == 406;
}

static void wavefront_reason(const json_t *answer, struct buf *why)
{
    const char *message = json_string_value(table_at(answer, "status.message"));
    if (!message) message = json_string_value(json_object_get(answer, "message"));
    if (message) buf_str(why, message);
}

const struct talk_service wavefront_service = {
    .backend = "wavefront", .sign = wavefront_token, .reason = wavefront_reason, .later = wavefront_later};

bool wavefront_is_proxy(const struct job *job)
{
    const struct wavefront_settings *s = (const void *)job->talk.settings.common;
    return s->mode == WAVEFRONT_PROXY;
}

int wavefront_send(struct job *job, const char *format, const struct buf *lines, json_t **answer)
{
    struct payload request = {.channel = !strcmp(format, "histogram"),
                              .content_type = "application/octet-stream"};
    buf_printf(&request.path, "/report?f=%s", format);
    buf_mem(&request.body, buf_text(lines), lines->len);
    return talk_do(&job->talk, &request, answer);
}

/* --- Files --- */

struct reading {
    struct job *job;
    struct wavefront_check check;
    const char *file;
    size_t lines, refused;
    json_t *faults;
    struct buf good; /* what was read, without empty lines */
};

static void reading_fault(struct reading *r, size_t line, const struct wavefront_fault *f)
{
    r->refused++;
    if (json_array_size(r->faults) >= WAVEFRONT_FAULTS) return;
    char code[16];
    snprintf(code, sizeof code, "WF-%d", f->code);
    json_array_append_new(r->faults, json_pack("{s:s, s:I, s:I, s:s, s:s}", "file", r->file, "line",
                                               (json_int_t)line, "column", (json_int_t)f->column, "code",
                                               code, "reason", buf_text(&f->why)));
}

static void reading_line(struct reading *r, const char *line, size_t n, size_t number)
{
    struct wavefront_fault fault;
    size_t blank = strspn(line, " \t\r");
    if (blank >= n) return;
    r->lines++;
    if (!wavefront_line(&r->check, line, n, &fault)) {
        reading_fault(r, number, &fault);
    } else {
        buf_mem(&r->good, line, n - (line[n - 1] == '\r'));
        buf_char(&r->good, '\n');
    }
    buf_free(&fault.why);
}

static int reading_file(struct reading *r, FILE *file)
{
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t n;
    while ((n = getline(&line, &room, file)) > 0) {
        if (line[n - 1] == '\n') line[--n] = '\0';
        reading_line(r, line, (size_t)n, ++number);
    }
    int code = ferror(file) ? cli_fail(r->job->cli, CLI_USAGE, "cannot read %s: %s", r->file, strerror(errno))
                            : CLI_OK;
    free(line);
    return code;
}

static int reading_one(struct reading *r, const char *path)
{
    bool piped = !strcmp(path, "-");
    FILE *file = piped ? stdin : fopen(path, "re");
    r->file = piped ? "standard input" : path;
    if (!file) return cli_fail(r->job->cli, CLI_USAGE, "cannot open %s: %s", path, strerror(errno));
    int code = reading_file(r, file);
    if (!piped) fclose(file);
    return code;
}

/* The files from argument `from` on; none: standard input. */
static int reading_all(struct reading *r, int from)
{
    int code = CLI_OK;
    for (int i = from; i < r->job->n && code == CLI_OK; i++) code = reading_one(r, r->job->args[i]);
    return from < r->job->n ? code : reading_one(r, "-");
}

static struct reading reading_begin(struct job *job, const char *format)
{
    struct reading r = {.job = job, .faults = json_array()};
    r.check.now_ns = clock_wall(&clock_system);
    r.check.lengths = strcmp(job_text(job, "limits"), "fallback") ? &wavefront_tenant : &wavefront_fallback;
    for (int i = 0; wavefront_formats[i]; i++)
        if (!strcmp(format, wavefront_formats[i])) r.check.format = (enum wavefront_format)i;
    return r;
}

static void reading_end(struct reading *r)
{
    json_decref(r->faults);
    buf_free(&r->good);
}

/* "FILE:3:17: WF-400: the name has an illegal character". */
static void reading_tell(const struct reading *r, struct buf *out)
{
    json_t *one;
    size_t i;
    json_array_foreach(r->faults, i, one)
    {
        const char *file, *code, *reason;
        json_int_t line, column;
        json_unpack(one, "{s:s, s:I, s:I, s:s, s:s}", "file", &file, "line", &line, "column", &column, "code",
                    &code, "reason", &reason);
        buf_printf(out, "%s:%lld:%lld: %s: %s\n", file, (long long)line, (long long)column, code, reason);
    }
    if (r->refused > json_array_size(r->faults))
        buf_printf(out, "%zu more were not shown\n", r->refused - json_array_size(r->faults));
}

/* --- validate --- */

static const char *const limits[] = {"tenant", "fallback", NULL};
static const struct field validate_fields[] = {
    {.name = "format",
     .type = FIELD_CHOICE,
     .choices = wavefront_formats,
     .help = "what the lines are; auto if not given: each line decides, as on a port of a proxy"},
    {.name = "limits",
     .type = FIELD_CHOICE,
     .choices = limits,
     .help = "for lengths and numbers: of a usual tenant, or of a bare proxy"},
    {.name = NULL}};

static void validate_print(const struct reading *r)
{
    struct job *job = r->job;
    if (job->cli->json) {
        json_t *whole = json_pack("{s:I, s:I, s:O}", "lines", (json_int_t)r->lines, "refused",
                                  (json_int_t)r->refused, "faults", r->faults);
        talk_json(&job->talk, whole);
        json_decref(whole);
        return;
    }
    reading_tell(r, &job->cli->out);
    buf_printf(&job->cli->out, "%zu lines, %zu refused\n", r->lines, r->refused);
}

static int validate_run(struct job *job)
{
    struct reading r = reading_begin(job, job_text(job, "format"));
    int code = reading_all(&r, 0);
    if (code == CLI_OK) validate_print(&r);
    if (code == CLI_OK && r.refused) code = CLI_NO;
    reading_end(&r);
    return code;
}

/* --- send --- */

static const struct field send_fields[] = {
    {.name = "limits",
     .type = FIELD_CHOICE,
     .choices = limits,
     .help = "for lengths and numbers: of a usual tenant, or of a bare proxy"},
    {.name = NULL}};

static bool send_sound(const struct job *job, struct buf *why)
{
    return field_choice("the format", job->args[0], wavefront_formats + 1, why);
}

/* The end of at most so many lines. */
static size_t batch_end(const struct buf *lines, size_t at, size_t *n)
{
    for (*n = 0; at < lines->len && *n < WAVEFRONT_BATCH; ++*n)
        at = (size_t)((char *)memchr(lines->data + at, '\n', lines->len - at) - lines->data) + 1;
    return at;
}

static void send_print(struct job *job, size_t sent, size_t unsent, size_t failures)
{
    if (settings_options.dry) return;
    if (job->cli->json) {
        json_t *whole =
            json_pack("{s:I, s:I, s:I, s:I}", "lines", (json_int_t)sent, "unsent", (json_int_t)unsent,
                      "requests", (json_int_t)job->talk.changes, "failures", (json_int_t)failures);
        talk_json(&job->talk, whole);
        json_decref(whole);
        return;
    }
    buf_printf(&job->cli->out, "%zu lines sent in %zu requests, %zu failures\n", sent, job->talk.changes,
               failures);
}

/* A request that fails does not keep the next ones from being sent. */
static int send_batches(struct job *job, const char *format, const struct buf *lines)
{
    size_t sent = 0, unsent = 0, failures = 0, n;
    int code = CLI_OK;
    for (size_t at = 0, end; at < lines->len; at = end) {
        struct buf part = {0};
        json_t *answer;
        end = batch_end(lines, at, &n);
        buf_mem(&part, lines->data + at, end - at);
        int one = wavefront_send(job, format, &part, &answer);
        if (one != CLI_OK) code = one, failures++, unsent += n;
        sent += one == CLI_OK ? n : 0;
        json_decref(answer);
        buf_free(&part);
    }
    send_print(job, sent, unsent, failures);
    return code;
}

/* The f= of a request; a proxy takes events and tags as an event. */
static const char *send_route(const char *format)
{
    return !strcmp(format, "metric") ? "wavefront" : !strcmp(format, "sourceTag") ? "event" : format;
}

static int send_run(struct job *job)
{
    const char *format = job->args[0];
    struct reading r = reading_begin(job, format);
    struct buf told = {0};
    int code = reading_all(&r, 1);
    bool lines_only = !strcmp(format, "event") || !strcmp(format, "sourceTag");
    if (code == CLI_OK && lines_only && !wavefront_is_proxy(job))
        code = cli_usage(job->cli, "lines of this format go through a proxy: --set mode=proxy");
    if (code == CLI_OK && r.refused) {
        reading_tell(&r, &told);
        cli_warn(&told);
        code = cli_fail(job->cli, CLI_USAGE, "nothing was sent: %zu of %zu lines would be refused", r.refused,
                        r.lines);
    }
    if (code == CLI_OK) code = send_batches(job, send_route(format), &r.good);
    buf_free(&told);
    reading_end(&r);
    return code;
}

const struct call wavefront_lines_calls[] = {
    {.words = "validate",
     .args = "[FILE...]",
     .most = 256,
     .fields = validate_fields,
     .offline = true,
     .run = validate_run,
     .help = "check lines as a proxy does: each refusal with its code, line and column"},
    {.words = "send",
     .args = "FORMAT [FILE...]",
     .least = 1,
     .most = 256,
     .fields = send_fields,
     .sound = send_sound,
     .run = send_run,
     .help =
         "send lines: metric, histogram, trace, spanLogs, event or sourceTag; nothing if one of them would be refused"},
    {.words = NULL},
};
