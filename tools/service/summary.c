/* SPDX-License-Identifier: Apache-2.0 */
/* summary.c - what was not accepted and why, and the result of sending as text, JSON and exit code. */
#include "sending.h"

#include "json.h"
#include "printable.h"

#include <stdlib.h>
#include <string.h>

enum { SUMMARY_MOST = 1000 }; /* refusals that are printed one by one */

/* --- Refusals --- */

/* The file of a line, and *line becomes its number there; NULL without files. */
static const char *summary_file(const struct sending *s, size_t *line)
{
    size_t i = s->file_count;
    while (i && s->file_lines[i - 1] >= *line) i--;
    if (!i) return NULL;
    *line -= s->file_lines[i - 1];
    return s->files[i - 1];
}

/* "line 3: ", "FILE:3: " or "lines 1 to 300: ". */
static void summary_where(const struct sending *s, const struct refusal *r, struct buf *out)
{
    size_t first = r->first, last = r->last;
    if (!first) return;
    const char *file = summary_file(s, &first);
    const char *other = summary_file(s, &last);
    if (file && r->first == r->last)
        buf_printf(out, "%s:%zu: ", file, first);
    else if (file)
        buf_printf(out, "%s:%zu to %s:%zu: ", file, first, other ? other : file, last);
    else if (r->first == r->last)
        buf_printf(out, "line %zu: ", first);
    else
        buf_printf(out, "lines %zu to %zu: ", first, last);
}

static void summary_tell(struct sending *s, const struct refusal *r)
{
    struct buf text = {0};
    summary_where(s, r, &text);
    if (r->service && !r->points) /* it is about the request */
        buf_printf(&text, "%s: ", s->settings->name);
    else if (r->service)
        buf_printf(&text, "%s refused %zu point%s: ", s->settings->name, r->points,
                   r->points == 1 ? "" : "s");
    buf_str(&text, r->why);
    printable_buf(&text); /* it quotes the service */
    cli_fail(s->cli, CLI_NO, "%s", buf_text(&text));
    buf_free(&text);
}

static bool summary_room(struct sending *s)
{
    if (s->refusal_count < s->refusal_room) return true;
    size_t room = s->refusal_room ? 2 * s->refusal_room : 16;
    struct refusal *grown = realloc(s->refusals, room * sizeof *grown);
    if (!grown) return false;
    s->refusals = grown;
    s->refusal_room = room;
    return true;
}

void sending_refuse(struct sending *s, const struct refusal *refusal)
{
    if (s->refusal_count >= SUMMARY_MOST || !summary_room(s)) {
        s->untold++;
        return;
    }
    summary_tell(s, refusal);
    struct refusal *kept = &s->refusals[s->refusal_count++];
    *kept = *refusal;
    kept->why = strdup(refusal->why);
}

/* --- The end --- */

enum cli_code sending_code(const struct sending *s)
{
    switch (s->state) {
    case SENDING_UNREACHED: return CLI_SEGMENT;
    case SENDING_DENIED: return CLI_REFUSED;
    case SENDING_FAILED: return CLI_FAILED;
    case SENDING_WELL: break;
    }
    return s->refused || s->bad_lines || s->unsent ? CLI_NO : CLI_OK;
}

static void summary_count(struct buf *out, size_t n, const char *one, const char *many)
{
    if (n) buf_printf(out, ", %zu %s", n, n == 1 ? one : many);
}

static void summary_text(const struct sending *s, struct buf *out)
{
    size_t requests = s->requests + s->shown.asked;
    buf_printf(out, "%s: %zu point%s %s in %zu request%s", s->settings->name, s->accepted,
               s->accepted == 1 ? "" : "s", settings_options.dry ? "would be sent" : "accepted", requests,
               requests == 1 ? "" : "s");
    summary_count(out, s->refused, "refused", "refused");
    summary_count(out, s->bad_lines, "bad line", "bad lines");
    summary_count(out, s->unsent, "not sent", "not sent");
    summary_count(out, s->nothing, "was nothing to send", "were nothing to send");
    if (s->untold) buf_printf(out, "; %zu more reasons were not shown", s->untold);
    buf_char(out, '\n');
}

static void summary_refusal(const struct sending *s, struct json *j, const struct refusal *r)
{
    size_t first = r->first, last = r->last;
    const char *file = summary_file(s, &first);
    summary_file(s, &last);
    jsonw_object(j);
    if (file) jsonw_key_str(j, "file", file);
    if (r->first) jsonw_key_u64(j, "line", first);
    if (r->first != r->last) jsonw_key_u64(j, "last_line", last);
    jsonw_key_u64(j, "points", r->points);
    jsonw_key_str(j, "by", r->service ? "service" : "mtxctl");
    if (r->status) jsonw_key_u64(j, "status", (uint64_t)r->status);
    jsonw_key_str(j, "reason", r->why ? r->why : "");
    jsonw_object_end(j);
}

static void summary_json(const struct sending *s, struct buf *out)
{
    static const char *const states[] = {"well", "unreached", "denied", "failed"};
    struct json j;
    jsonw_begin(&j, out);
    jsonw_object(&j);
    jsonw_key_str(&j, "backend", s->settings->name);
    jsonw_key_str(&j, "type", s->backend->name);
    jsonw_key_str(&j, "state", states[s->state]);
    if (s->state != SENDING_WELL) jsonw_key_str(&j, "reason", buf_text(&s->reason));
    jsonw_key_u64(&j, "lines", s->lines);
    jsonw_key_u64(&j, "bad_lines", s->bad_lines);
    jsonw_key_u64(&j, "accepted", s->accepted);
    jsonw_key_u64(&j, "refused", s->refused);
    jsonw_key_u64(&j, "unsent", s->unsent);
    jsonw_key_u64(&j, "nothing", s->nothing);
    jsonw_key_u64(&j, "requests", s->requests + s->shown.asked);
    jsonw_key_u64(&j, "retried", s->retried);
    jsonw_key(&j, "refusals");
    jsonw_array(&j);
    for (size_t i = 0; i < s->refusal_count; i++) summary_refusal(s, &j, &s->refusals[i]);
    jsonw_array_end(&j);
    if (settings_options.dry) {
        struct buf all = {0};
        buf_printf(&all, "[%s]", buf_text(&s->shown.json));
        jsonw_key_raw(&j, "dry_run", buf_text(&all));
        buf_free(&all);
    }
    jsonw_object_end(&j);
    buf_char(out, '\n');
}

void sending_summary(const struct sending *s, struct buf *out)
{
    if (s->cli->json)
        summary_json(s, out);
    else
        summary_text(s, out);
}
