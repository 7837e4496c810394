/* SPDX-License-Identifier: Apache-2.0 */
/*
 * librato_apply.c - mtxctl librato apply: spaces, charts and alerts as a file declares them.
 *
 * The file is checked as a whole first; then what the service has is read, and the difference becomes a list of
 * steps, which is shown before the first one is made. A step is a JSON object: what, method, path, body; "makes" is
 * the name of a space whose id later steps need in the place of {}, "in" the name that is meant.
 */
#include "difference.h"
#include "librato.h"
#include "member.h"
#include "declared.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct apply {
    struct job *job;
    struct declared file;
    json_t *spaces, *alerts; /* what the service has */
    json_t *ids;             /* of the spaces, by name */
    json_t *steps;
    struct buf shown; /* the steps, for people */
    size_t same;
};

/* --- The file --- */

static bool apply_wrong(const struct apply *a, const json_t *at, const char *why, struct buf *out)
{
    const char *path = a->job->args[0];
    size_t line = declared_line(&a->file, at), n = strlen(path);
    bool placed = !strncmp(why, path, n) && why[n] == ':'; /* an inner list has said where it is */
    if (!placed) buf_str(out, path);
    if (line && !placed) buf_printf(out, ":%zu", line);
    buf_printf(out, "%s%s", placed ? "" : ": ", why);
    return false;
}

/* A list of maps with different names, each of which is sound. */
static bool apply_list(const struct apply *a, const json_t *list,
                       bool (*sound)(const struct apply *, json_t *, struct buf *), struct buf *out)
{
    json_t *one, *names = json_object();
    size_t i;
    bool good = !list || json_is_array(list);
    if (!good) apply_wrong(a, list, "this is a list of maps", out);
    json_array_foreach((json_t *)(uintptr_t)list, i, one)
    {
        struct buf why = {0};
        const char *name = json_string_value(json_object_get(one, "name"));
        if (!json_is_object(one))
            buf_str(&why, "each item of this list is a map");
        else if (name && json_object_get(names, name))
            buf_printf(&why, "the name \"%.100s\" is given twice", name);
        else
            sound(a, one, &why);
        good = good && !why.len;
        if (name) json_object_set_new(names, name, json_true());
        if (why.len && !out->len) apply_wrong(a, json_is_object(one) ? one : list, buf_text(&why), out);
        buf_free(&why);
        if (!good) break;
    }
    json_decref(names);
    return good;
}

/* A copy is checked, as the checks add defaults. */
static bool apply_copy_sound(const json_t *one, bool (*sound)(json_t *, struct buf *), struct buf *why)
{
    json_t *copy = json_deep_copy(one);
    bool good = sound(copy, why);
    json_decref(copy);
    return good;
}

static bool apply_chart_sound(const struct apply *a, json_t *chart, struct buf *why)
{
    (void)a;
    return apply_copy_sound(chart, librato_sound_chart, why);
}

static bool apply_alert_sound(const struct apply *a, json_t *alert, struct buf *why)
{
    (void)a;
    return apply_copy_sound(alert, librato_sound_alert, why);
}

static bool apply_space_sound(const struct apply *a, json_t *space, struct buf *why)
{
    static const struct member known[] = {{.name = "name", .type = MEMBER_TEXT, .most = LIBRATO_NAME},
                                          {.name = "tags", .type = MEMBER_BOOL},
                                          {.name = "charts", .type = MEMBER_ANY},
                                          {.name = NULL}};
    const char *name = json_string_value(json_object_get(space, "name"));
    return member_check(space, "a space's", known, why) &&
           field_text("a space's name", name ? name : "", LIBRATO_NAME, why) &&
           apply_list(a, json_object_get(space, "charts"), apply_chart_sound, why);
}

static bool apply_read(struct apply *a, struct buf *why)
{
    static const struct member known[] = {
        {.name = "spaces", .type = MEMBER_ANY}, {.name = "alerts", .type = MEMBER_ANY}, {.name = NULL}};
    struct buf inner = {0};
    const char *path = strcmp(a->job->args[0], "-") ? a->job->args[0] : "/dev/stdin";
    if (!declared_read(&a->file, path, why)) return false;
    const json_t *root = a->file.root;
    if (!json_is_object(root)) return apply_wrong(a, root, "this is a map of spaces and alerts", why);
    if (!member_check(root, "the file's", known, &inner)) apply_wrong(a, root, buf_text(&inner), why);
    buf_free(&inner);
    return !why->len && apply_list(a, json_object_get(root, "spaces"), apply_space_sound, why) &&
           apply_list(a, json_object_get(root, "alerts"), apply_alert_sound, why);
}

/* --- Steps --- */

static void apply_step(struct apply *a, char sign, const char *what, const struct buf *diff, json_t *step)
{
    buf_printf(&a->shown, "%c %s\n", sign, what);
    if (diff) buf_mem(&a->shown, buf_text(diff), diff->len);
    json_object_set_new(step, "what", json_string(what));
    json_array_append_new(a->steps, step);
}

/* Members of `want` that the file declares; the others are defaults, which do not replace what the service has. */
static json_t *apply_declared(const json_t *declared, const json_t *want)
{
    json_t *some = json_object(), *value;
    const char *key;
    json_object_foreach((json_t *)(uintptr_t)declared, key, value)
        json_object_set(some, key, json_object_get(want, key));
    return some;
}

/* An object that the service has: a step if it is not as it is declared. `body` is what a PUT sends now. */
static void apply_change(struct apply *a, const char *what, json_t *body, const json_t *want, json_t *step)
{
    struct buf diff = {0};
    if (difference(body, want, &diff)) {
        json_object_update(body, (json_t *)(uintptr_t)want);
        json_object_set(step, "body", body);
        apply_step(a, '~', what, &diff, step);
    } else {
        a->same++;
        json_decref(step);
    }
    buf_free(&diff);
}

static void apply_chart(struct apply *a, const char *space, const json_t *declared, const json_t *charts)
{
    struct buf what = {0}, path = {0}, why = {0};
    char id[24];
    const char *name = json_string_value(json_object_get(declared, "name"));
    json_t *full = json_deep_copy(declared), *have = librato_among(charts, name);
    librato_sound_chart(full, &why);
    buf_printf(&what, "chart %s / %s", space, name);
    if (have) {
        json_t *want = apply_declared(declared, full), *body = librato_chart_body(have);
        buf_printf(&path, "/v1/spaces/{}/charts/%s", librato_id(have, id));
        apply_change(a, buf_text(&what), body, want,
                     json_pack("{s:s, s:s, s:s}", "method", "PUT", "path", buf_text(&path), "in", space));
        json_decref(want);
        json_decref(body);
    } else {
        apply_step(a, '+', buf_text(&what), NULL,
                   json_pack("{s:s, s:s, s:s, s:O}", "method", "POST", "path", "/v1/spaces/{}/charts", "in",
                             space, "body", full));
    }
    json_decref(full);
    buf_free(&what);
    buf_free(&path);
    buf_free(&why);
}

static int apply_charts_of(struct apply *a, const json_t *space, json_t **charts)
{
    struct payload request = {.method = "GET"};
    char room[24];
    const char *id = librato_id(space, room);
    talk_path(&request, "/v1/spaces/{}/charts", &id);
    return talk_look(&a->job->talk, &request, charts);
}

static int apply_space(struct apply *a, const json_t *declared)
{
    const char *name = json_string_value(json_object_get(declared, "name"));
    json_t *have = librato_among(a->spaces, name), *charts = NULL, *body = json_pack("{s:s}", "name", name),
           *one;
    struct buf what = {0};
    char id[24];
    size_t i;
    int code = have ? librato_check_id(&a->job->talk, have) : CLI_OK;
    if (have && code == CLI_OK) code = apply_charts_of(a, have, &charts);
    buf_printf(&what, "space %s", name);
    if (have) json_object_set_new(a->ids, name, json_string(librato_id(have, id)));
    if (json_object_get(declared, "tags")) json_object_set(body, "tags", json_object_get(declared, "tags"));
    a->same += have != NULL;
    if (!have && code == CLI_OK)
        apply_step(a, '+', buf_text(&what), NULL,
                   json_pack("{s:s, s:s, s:s, s:O}", "method", "POST", "path", "/v1/spaces", "makes", name,
                             "body", body));
    if (code == CLI_OK)
        json_array_foreach(json_object_get(declared, "charts"), i, one) apply_chart(a, name, one, charts);
    json_decref(body);
    json_decref(charts);
    buf_free(&what);
    return code;
}

static int apply_alert(struct apply *a, const json_t *declared)
{
    struct buf what = {0}, path = {0}, why = {0};
    char id[24];
    const char *name = json_string_value(json_object_get(declared, "name"));
    json_t *full = json_deep_copy(declared), *have = librato_among(a->alerts, name);
    librato_sound_alert(full, &why);
    buf_printf(&what, "alert %s", name);
    int code = librato_services(&a->job->talk, full);
    if (code == CLI_OK && have) {
        json_t *want = apply_declared(declared, full), *body = librato_alert_body(have);
        buf_printf(&path, "/v1/alerts/%s", librato_id(have, id));
        apply_change(a, buf_text(&what), body, want,
                     json_pack("{s:s, s:s}", "method", "PUT", "path", buf_text(&path)));
        json_decref(want);
        json_decref(body);
    } else if (code == CLI_OK) {
        apply_step(a, '+', buf_text(&what), NULL,
                   json_pack("{s:s, s:s, s:O}", "method", "POST", "path", "/v1/alerts", "body", full));
    }
    json_decref(full);
    buf_free(&what);
    buf_free(&path);
    buf_free(&why);
    return code;
}

static int apply_plan(struct apply *a)
{
    json_t *spaces = json_object_get(a->file.root, "spaces"),
           *alerts = json_object_get(a->file.root, "alerts"), *one;
    struct talk *t = &a->job->talk;
    size_t i;
    int code = spaces ? librato_list(t, librato_space.path, "spaces", &a->spaces) : CLI_OK;
    if (code == CLI_OK && alerts) code = librato_list(t, librato_alert.path, "alerts", &a->alerts);
    json_array_foreach(spaces, i, one) if (code == CLI_OK) code = apply_space(a, one);
    json_array_foreach(alerts, i, one) if (code == CLI_OK) code = apply_alert(a, one);
    return code;
}

/* --- Making them --- */

static int apply_make(struct apply *a, const json_t *step)
{
    struct payload request = {.method = json_string_value(json_object_get(step, "method"))};
    const char *in = json_string_value(json_object_get(step, "in")),
               *makes = json_string_value(json_object_get(step, "makes"));
    const char *id = in ? json_string_value(json_object_get(a->ids, in)) : NULL;
    char room[24];
    json_t *answer;
    talk_path(&request, json_string_value(json_object_get(step, "path")), &id);
    talk_body(&request, json_object_get(step, "body"));
    int code = talk_do(&a->job->talk, &request, &answer);
    if (code == CLI_OK && makes && !settings_options.dry) code = librato_check_id(&a->job->talk, answer);
    if (code == CLI_OK && makes)
        json_object_set_new(a->ids, makes,
                            json_string(settings_options.dry ? "NEW" : librato_id(answer, room)));
    json_decref(answer);
    return code;
}

static int apply_steps(struct apply *a)
{
    struct job *job = a->job;
    json_t *step;
    size_t i, done = 0;
    int code = CLI_OK;
    if (!job->cli->json) {
        buf_mem(&job->cli->out, buf_text(&a->shown), a->shown.len);
        cli_flush(job->cli);
    }
    json_array_foreach(a->steps, i, step)
    {
        code = apply_make(a, step);
        if (code != CLI_OK) break;
        done++;
    }
    if (code != CLI_OK)
        return cli_fail(job->cli, code, "%zu of %zu changes were made; apply the file again to go on", done,
                        json_array_size(a->steps));
    if (settings_options.dry) return CLI_OK;
    if (job->cli->json) {
        json_t *result = json_pack("{s:O, s:I, s:I}", "changes", a->steps, "made", (json_int_t)done, "same",
                                   (json_int_t)a->same);
        talk_json(&job->talk, result);
        json_decref(result);
    } else {
        buf_printf(&job->cli->out, "%zu changed, %zu as declared\n", done, a->same);
    }
    return CLI_OK;
}

/* --- The call --- */

static void apply_free(struct apply *a)
{
    json_decref(a->spaces);
    json_decref(a->alerts);
    json_decref(a->ids);
    json_decref(a->steps);
    declared_free(&a->file);
    buf_free(&a->shown);
}

static int apply_run(struct job *job)
{
    struct apply a = {.job = job, .ids = json_object(), .steps = json_array()};
    struct buf why = {0};
    int code = apply_read(&a, &why) ? apply_plan(&a) : cli_fail(job->cli, CLI_USAGE, "%s", buf_text(&why));
    if (code == CLI_OK) code = apply_steps(&a);
    apply_free(&a);
    buf_free(&why);
    return code;
}

const struct call librato_apply_calls[] = {
    {.words = "apply",
     .args = "FILE",
     .least = 1,
     .most = 1,
     .run = apply_run,
     .help = "make spaces, charts and alerts as the file declares them; what differs is shown first"},
    {.words = NULL},
};
