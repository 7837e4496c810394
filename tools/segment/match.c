/* SPDX-License-Identifier: Apache-2.0 */
#include "match.h"

#include "pattern.h"
#include "nearest.h"

#include <string.h>

static int match_add_glob(const struct cli *cli, const char *pattern, struct match *m)
{
    const char *fault = pattern_fault(pattern);
    if (fault) return cli_usage(cli, "the pattern \"%s\" %s", pattern, fault);
    if (m->glob_count == MATCH_MOST) return cli_usage(cli, "more than %d patterns were given", MATCH_MOST);
    m->globs[m->glob_count++] = pattern;
    return CLI_OK;
}

/* An empty pattern means an empty value; pattern_fault() would refuse it. */
static int match_add_tag(const struct cli *cli, const char *key, const char *pattern, struct match *m)
{
    const char *fault = *pattern ? pattern_fault(pattern) : NULL;
    if (!*key) return cli_usage(cli, "\"=%s\" has no key before the =", pattern);
    if (fault) return cli_usage(cli, "the pattern \"%s\" %s", pattern, fault);
    if (m->tag_count == MATCH_MOST) return cli_usage(cli, "more than %d tags were given", MATCH_MOST);
    m->tags[m->tag_count++] = (metrics_tag_t){key, pattern};
    return CLI_OK;
}

int match_parse(const struct cli *cli, int from, struct match *match)
{
    int code = CLI_OK;
    *match = (struct match){.glob_count = 0};
    for (int i = from; i < cli->n && code == CLI_OK; i++) {
        char *equals = strchr(cli->args[i], '=');
        if (equals) *equals = '\0';
        code = equals ? match_add_tag(cli, cli->args[i], equals + 1, match)
                      : match_add_glob(cli, cli->args[i], match);
    }
    return code;
}

int match_globs(const struct cli *cli, const struct cmd_list *patterns, struct match *match)
{
    int code = CLI_OK;
    *match = (struct match){.glob_count = 0};
    for (size_t i = 0; i < patterns->n && code == CLI_OK; i++)
        code = match_add_glob(cli, patterns->items[i], match);
    return code;
}

bool match_tag(const metrics_tag_t *wanted, const metrics_tag_t *tags, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(wanted->key, tags[i].key))
            return *wanted->value ? pattern_match(wanted->value, tags[i].value) : !*tags[i].value;
    return false;
}

bool match_name(const struct match *match, const char *name)
{
    return !match->glob_count || pattern_any((char *const *)match->globs, match->glob_count, name);
}

bool match_reading(const struct match *match, const metrics_reading_t *reading)
{
    size_t n;
    const metrics_tag_t *tags = metrics_reading_tags(reading, &n);
    if (!match_name(match, metrics_reading_name(reading))) return false;
    for (size_t i = 0; i < match->tag_count; i++)
        if (!match_tag(&match->tags[i], tags, n)) return false;
    return true;
}

/* The name in the snapshot that the only pattern may have meant; NULL = none. */
static const char *match_near(const struct match *match, const metrics_snapshot_t *snapshot)
{
    const char *near = NULL;
    if (match->glob_count != 1) return NULL;
    for (size_t i = 0; i < metrics_snapshot_count(snapshot); i++)
        near = nearest_of(match->globs[0], near, metrics_reading_name(metrics_snapshot_reading(snapshot, i)));
    return near;
}

int match_none(const struct cli *cli, const struct match *match, const metrics_snapshot_t *snapshot)
{
    size_t n = metrics_snapshot_count(snapshot);
    if (!n) return cli_fail(cli, CLI_NO, "there are no series yet");
    const char *near = match_near(match, snapshot);
    if (near && strcmp(near, match->globs[0]))
        return cli_fail(cli, CLI_NO, "no series matches; did you mean %s?", near);
    return cli_fail(cli, CLI_NO, "none of the %zu series matches", n);
}
