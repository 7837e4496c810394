/* SPDX-License-Identifier: Apache-2.0 */
/* sending.c - the backend, its settings, its tags. */
#include "sending.h"

#include "clock.h"
#include "nearest.h"
#include "transport_http.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct sending_options sending_options;

void sending_backends(struct buf *out)
{
    for (const struct backend *const *b = backends; *b; b++)
        if ((*b)->points) buf_printf(out, "  %-12s%s\n", (*b)->name, (*b)->summary);
}

/* --- Which backend --- */

static int sending_unknown(struct cli *cli, const char *name)
{
    struct buf known = {0};
    const char *near = NULL;
    const struct backend *other = backend_find(name);
    for (const struct backend *const *b = backends; *b; b++) {
        if (!(*b)->points) continue;
        buf_printf(&known, "%s%s", known.len ? ", " : "", (*b)->name);
        near = nearest_of(name, near, (*b)->name);
    }
    if (other)
        cli_usage(cli, "%s cannot send points by hand; these can: %s", name, buf_text(&known));
    else if (near)
        cli_usage(cli, "there is no backend \"%s\"; did you mean %s?", name, near);
    else
        cli_usage(cli, "there is no backend \"%s\"; the backends are: %s", name, buf_text(&known));
    buf_free(&known);
    return CLI_USAGE;
}

/* --- Tags --- */

/* Of two tags with the same key, the later one wins. */
static void sending_tag(struct sending *s, const char *key, const char *value)
{
    size_t i = 0;
    while (i < s->reader.tag_count && strcmp(s->tags[i].key, key)) i++;
    s->tags[i] = (metrics_tag_t){key, value};
    if (i == s->reader.tag_count) s->reader.tag_count++;
}

/* The command line wins over the backend, the backend over the rest of the configuration. */
static int sending_tags(struct sending *s)
{
    const struct option_tags none = {.n = 0}, *top = s->chosen.config ? &s->chosen.config->tags : &none;
    const struct option_tags *own = &s->settings->tags;
    s->tags = calloc(top->n + own->n + sending_options.tags.n + 1, sizeof *s->tags);
    if (!s->tags) return cli_fail(s->cli, CLI_FAILED, "out of memory");
    for (size_t i = 0; i < top->n; i++) sending_tag(s, top->items[i].key, top->items[i].value);
    for (size_t i = 0; i < own->n; i++) sending_tag(s, own->items[i].key, own->items[i].value);
    for (size_t i = 0; i < sending_options.tags.n; i++) {
        char *text = (char *)(uintptr_t)sending_options.tags.items[i], *equals = strchr(text, '=');
        if (!equals || equals == text) return cli_usage(s->cli, "--tag takes KEY=VALUE, not \"%s\"", text);
        *equals = '\0';
        sending_tag(s, text, equals + 1);
    }
    tags_sort(s->tags, s->reader.tag_count);
    s->reader.tags = s->tags;
    return CLI_OK;
}

/* --- Begin and end --- */

static int sending_connect(struct sending *s)
{
    const struct backend_session *session = s->backend->session;
    struct buf why = {0};
    if (!settings_options.dry) s->link = s->backend->transport->open(s->settings, &why);
    if ((s->link || settings_options.dry) && session) s->session = session->open(s->settings, &why);
    bool good = (s->link || settings_options.dry) && (!session || s->session);
    if (!good) cli_usage(s->cli, "%s: %s", s->backend->name, buf_text(&why));
    buf_free(&why);
    return good ? CLI_OK : CLI_USAGE;
}

/* The settings, with what points by hand need in place of the defaults. */
static int sending_settings(struct sending *s)
{
    const struct points_by_hand *hand = s->points->hand;
    const char *const optional[] = {hand ? hand->optional : NULL, NULL};
    const struct settings_wants wants = {
        .defaults = hand ? hand->defaults : NULL, .always = hand ? hand->always : NULL, .optional = optional};
    int code = settings_fill(&s->chosen, &wants);
    s->settings = s->chosen.common;
    return code;
}

int sending_open(struct sending *s, struct cli *cli, const char *backend)
{
    *s = (struct sending){.cli = cli};
    int code = settings_choose(&s->chosen, cli, backend, true);
    if (code != CLI_OK) return code;
    s->backend = s->chosen.backend;
    if (!s->backend || !s->backend->points)
        return sending_unknown(cli, s->backend ? s->backend->name : backend);
    s->points = s->backend->points;
    code = sending_settings(s);
    if (code != CLI_OK) return code;
    s->reader.backend = s->points;
    s->reader.prefix = s->settings->prefix ? s->settings->prefix : "";
    /* Distinguishes our points from those of another run. */
    if (getrandom(&s->reader.next_item, sizeof s->reader.next_item, 0) < 0)
        s->reader.next_item = (size_t)clock_wall(&clock_system);
    s->reader.next_item >>= 1;
    code = sending_tags(s);
    if (code == CLI_OK) code = sending_connect(s);
    s->shown = (struct requests){
        .cli = cli, .backend = s->backend, .settings = s->settings, .secrets = settings_options.secrets};
    if (code == CLI_OK && settings_options.dry) request_begin(&s->shown);
    return code;
}

struct point_reader *sending_reader(struct sending *s)
{
    uint64_t now = clock_wall(&clock_system);
    s->reader.now_ns = now - now % 1000;
    return &s->reader;
}

void sending_close(struct sending *s)
{
    http_send_to(NULL);
    if (s->session) s->backend->session->close(&s->session);
    if (s->link) s->backend->transport->close(&s->link);
    settings_close(&s->chosen);
    for (size_t i = 0; i < s->refusal_count; i++) free(s->refusals[i].why);
    free(s->refusals);
    free(s->tags);
    buf_free(&s->reason);
    buf_free(&s->shown.json);
    *s = (struct sending){.cli = NULL};
}
