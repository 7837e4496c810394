/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include "command_help.h"
#include "nearest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Each row of each table. */
#define CALLS_EACH(CALL, CALLS)                                              \
    for (const struct call *const *table = (CALLS)->tables; *table; table++) \
        for (const struct call *CALL = *table; CALL->words; CALL++)

bool call_yes;

/* --- Which call --- */

/* How many of the arguments are the call's words; 0 if it is another call. */
static int call_matches(const struct call *call, char *const *args, int n)
{
    const char *at = call->words;
    for (int i = 0; i < n; i++) {
        size_t len = strcspn(at, " ");
        if (strlen(args[i]) != len || strncmp(at, args[i], len)) return 0;
        at += len + (at[len] == ' ');
        if (!*at) return i + 1;
    }
    return 0;
}

/* True if the call's first word is that one. */
static bool call_begins(const struct call *call, const char *word)
{
    size_t n = strcspn(call->words, " ");
    return strlen(word) == n && !strncmp(call->words, word, n);
}

/* The words that may be meant: of all calls the first one, or all words of those that begin as was said. */
struct call_guess {
    struct buf said, all;
    char near[64];
    bool known; /* the first word is that of some call */
};

static void call_guess(const struct calls *calls, const struct cli *cli, struct call_guess *g)
{
    char last[64] = "";
    CALLS_EACH(c, calls) g->known = g->known || call_begins(c, cli->args[0]);
    buf_printf(&g->said, "%.60s", cli->args[0]);
    if (g->known && cli->n > 1) buf_printf(&g->said, " %.60s", cli->args[1]);
    CALLS_EACH(c, calls)
    {
        char words[64];
        if (g->known && !call_begins(c, cli->args[0])) continue;
        size_t n = g->known ? strlen(c->words) : strcspn(c->words, " ");
        snprintf(words, sizeof words, "%.*s", (int)n, c->words);
        if (strcmp(last, words)) buf_printf(&g->all, "%s%s", *last ? ", " : "", words);
        strcpy(last, words);
        if (nearest_of(buf_text(&g->said), *g->near ? g->near : NULL, words) == words) strcpy(g->near, words);
    }
}

static int call_unknown(const struct calls *calls, struct cli *cli)
{
    struct call_guess g = {.known = false};
    call_guess(calls, cli, &g);
    if (*g.near)
        cli_usage(cli, "there is no \"%s\"; did you mean %s?", buf_text(&g.said), g.near);
    else
        cli_usage(cli, "there is no \"%s\"; there are: %s", buf_text(&g.said), buf_text(&g.all));
    buf_free(&g.said);
    buf_free(&g.all);
    return CLI_USAGE;
}

static const struct call *call_find(const struct calls *calls, struct cli *cli, int *used)
{
    const struct call *found = NULL;
    CALLS_EACH(c, calls)
    {
        int n = call_matches(c, cli->args, cli->n);
        if (n > *used) found = c, *used = n;
    }
    return found;
}

/* --- Checks --- */

/* Arguments come first; what follows them are fields. */
static bool call_read(struct job *job, char *const *args, int n, struct buf *why)
{
    const struct call *c = job->call;
    job->args = args;
    job->n = c->most < 0 || n < c->most ? n : c->most;
    for (int i = c->least; c->most >= 0 && i < job->n; i++)
        if (strchr(args[i], '=')) job->n = i; /* an argument that may be left out */
    if (job->n < c->least) {
        buf_printf(why, "%s takes %s", c->words, c->args);
        return false;
    }
    for (int i = 0; i < job->n && !c->offline; i++)
        if (!field_text(c->args, args[i], FIELD_MOST, why)) return false;
    return fields_read(c->fields, args + job->n, n - job->n, job->given, why) &&
           (!c->sound || c->sound(job, why));
}

/* --- Run --- */

static int call_do(struct job *job)
{
    struct payload request = {.points = 0};
    job_request(job, &request);
    return job_do(job, &request);
}

/* With --json, what a dry run would send is one object. */
static void call_print_dry(struct job *job)
{
    if (!settings_options.dry || !job->cli->json) return;
    buf_printf(&job->cli->out, "{\"dry_run\":[%s]}\n", buf_text(&job->talk.shown.json));
}

static int call_run(struct job *job, const struct talk_service *service)
{
    const struct call *c = job->call;
    if (c->offline) return c->run(job);
    int code = talk_open(&job->talk, job->cli, service);
    if (code == CLI_OK) code = c->run ? c->run(job) : call_do(job);
    if (code == CLI_OK) call_print_dry(job);
    talk_close(&job->talk);
    return code;
}

int calls_run(const struct calls *calls, struct cli *cli)
{
    int used = 0;
    struct buf why = {0};
    const struct call *call = call_find(calls, cli, &used);
    if (!call) return call_unknown(calls, cli);
    struct job job = {.cli = cli, .call = call, .talk.cli = cli, .given = json_object()};
    int code = call_read(&job, cli->args + used, cli->n - used, &why) ? CLI_OK
                                                                      : cli_usage(cli, "%s", buf_text(&why));
    if (code == CLI_OK) code = call_run(&job, calls->service);
    json_decref(job.given);
    buf_free(&why);
    return code;
}

/* --- For run() --- */

const json_t *job_field(const struct job *job, const char *name)
{
    return json_object_get(job->given, name);
}

const char *job_text(const struct job *job, const char *name)
{
    const char *text = json_string_value(job_field(job, name));
    return text ? text : "";
}

void job_request(const struct job *job, struct payload *request)
{
    const struct call *c = job->call;
    request->method = c->method;
    talk_path(request, c->path, (const char *const *)job->args);
    if (!strcmp(c->method, "GET")) {
        fields_query(c->fields, job->given, &request->path);
    } else if (c->fields) {
        json_t *body = json_object();
        fields_put(c->fields, job->given, body);
        talk_body(request, body);
        json_decref(body);
    }
}

int job_do(struct job *job, struct payload *request)
{
    json_t *answer;
    int code = talk_do(&job->talk, request, &answer);
    if (json_is_object(answer) || json_is_array(answer))
        job_print(job, answer, job->call->columns);
    else if (code == CLI_OK)
        job_done(job, "%s: done", job->call->words);
    json_decref(answer);
    return code;
}

void job_print(struct job *job, const json_t *value, const struct column *columns)
{
    struct buf *out = &job->cli->out;
    if (job->cli->json)
        talk_json(&job->talk, value);
    else if (json_is_array(value) && columns)
        table_list(value, columns, out);
    else if (json_is_object(value))
        table_object(value, out);
    else {
        table_value(value, out);
        buf_char(out, '\n');
    }
}

void job_done(struct job *job, const char *format, ...)
{
    struct buf text = {0};
    va_list ap;
    if (settings_options.dry) return;
    va_start(ap, format);
    buf_vprintf(&text, format, ap);
    va_end(ap);
    if (job->cli->json) {
        json_t *done = json_pack("{s:s}", "done", buf_text(&text));
        talk_json(&job->talk, done);
        json_decref(done);
    } else {
        buf_printf(&job->cli->out, "%s\n", buf_text(&text));
    }
    buf_free(&text);
}

bool job_confirm(struct job *job, const char *question)
{
    char answer[16] = "";
    if (call_yes || settings_options.dry) return true;
    if (!isatty(STDIN_FILENO)) {
        cli_usage(job->cli, "nothing was deleted: give --yes to do it without being asked");
        return false;
    }
    cli_flush(job->cli);
    fprintf(stderr, "%s [y/N] ", question);
    if (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y')) return true;
    cli_fail(job->cli, CLI_USAGE, "nothing was deleted");
    return false;
}

/* --- Help --- */

static void call_help(const struct call *c, const char *command, bool fields, struct buf *out)
{
    struct buf left = {0};
    buf_printf(&left, "%s%s%s%s", c->words, *c->args ? " " : "", c->args, c->fields ? " ..." : "");
    if (!fields) {
        cmd_help_item(out, buf_text(&left), c->help, 38);
    } else {
        buf_printf(out, "\n%s %s%s%s%s\n", command, c->words, *c->args ? " " : "", c->args,
                   c->fields ? " [FIELD=VALUE...]" : "");
        cmd_wrap(out, c->help, 2);
        fields_help(c->fields, out);
    }
    buf_free(&left);
}

void calls_help(const struct calls *calls, const char *command, char **args, int n, struct buf *out)
{
    bool some = false;
    CALLS_EACH(c, calls)
    {
        bool wanted =
            n && call_begins(c, args[0]) && (n < 2 || !strchr(c->words, ' ') || call_matches(c, args, n));
        if (wanted) call_help(c, command, true, out);
        some = some || wanted;
    }
    if (some) return;
    buf_str(out, "\nCalls (--help after a call lists its fields):\n");
    CALLS_EACH(c, calls) call_help(c, command, false, out);
}
