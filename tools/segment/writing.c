/* SPDX-License-Identifier: Apache-2.0 */
#include "writing.h"

#include "json.h"
#include "quantity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int writing_parse(struct cli *cli, int tags, struct writing *w)
{
    *w = (struct writing){.cli = cli};
    if (strchr(cli->args[0], '='))
        return cli_usage(cli, "the name comes first; \"%s\" looks like a tag", cli->args[0]);
    /* With room for one more tag than was given. */
    w->name_tags = calloc(3 + 2 * (size_t)cli->n, sizeof *w->name_tags);
    if (!w->name_tags) return cli_fail(cli, CLI_FAILED, "out of memory");
    w->name_tags[w->n++] = cli->args[0];
    for (int i = tags; i < cli->n; i++) {
        char *equals = strchr(cli->args[i], '=');
        if (!equals || equals == cli->args[i])
            return cli_usage(cli, "\"%s\" is not a tag: tags are key=value", cli->args[i]);
        *equals = '\0';
        w->name_tags[w->n++] = cli->args[i];
        w->name_tags[w->n++] = equals + 1;
    }
    return CLI_OK;
}

int writing_open(struct writing *w)
{
    metrics_error_t error = {0};
    metrics_options_t options = {.size = sizeof options, .path = w->cli->segment};
    w->registry = metrics_open(&options, &error);
    if (metrics_status(w->registry, NULL) >= 0) return CLI_OK;
    return cli_fail(w->cli, error.code == METRICS_E_MEMORY ? CLI_FAILED : CLI_SEGMENT, "%s", error.text);
}

static void writing_json(const struct writing *w, const char *refused)
{
    struct json j;
    jsonw_begin(&j, &w->cli->out);
    jsonw_object(&j);
    jsonw_key_str(&j, "name", w->name_tags[0]);
    jsonw_key(&j, "tags");
    jsonw_object(&j);
    for (size_t i = 1; i + 1 < w->n; i += 2) jsonw_key_str(&j, w->name_tags[i], w->name_tags[i + 1]);
    jsonw_object_end(&j);
    jsonw_key(&j, "recorded");
    jsonw_bool(&j, !refused);
    if (refused) jsonw_key_str(&j, "reason", refused);
    jsonw_object_end(&j);
    buf_char(&w->cli->out, '\n');
}

int writing_close(struct writing *w, int code)
{
    metrics_error_t error = {0};
    bool refused = w->registry && metrics_status(w->registry, &error) != 0;
    if (code == CLI_OK && refused) code = cli_fail(w->cli, CLI_REFUSED, "%s", error.text);
    if (w->cli->json && (code == CLI_OK || code == CLI_REFUSED)) writing_json(w, refused ? error.text : NULL);
    if (w->registry) metrics_close(&w->registry);
    free(w->name_tags);
    return code;
}

int writing_integer(const struct cli *cli, const char *text, int64_t *out)
{
    if (quantity_integer(text, out)) return CLI_OK;
    bool digits = *text && !text[strspn(text, "+-0123456789")];
    return cli_usage(cli, digits ? "%s is not within -2^63 and 2^63 - 1" : "\"%s\" is not a whole number",
                     text);
}

int writing_count(const struct cli *cli, const char *text, uint64_t *out)
{
    int64_t n;
    bool digits = *text && !text[strspn(text, "0123456789")];
    if (quantity_whole(text, out)) return CLI_OK;
    if (digits) return cli_usage(cli, "%s is larger than 2^64 - 1", text);
    int code = writing_integer(cli, text, &n);
    if (code == CLI_OK && n < 0) return cli_usage(cli, "%s is below 0, and this total only grows", text);
    if (code == CLI_OK) *out = (uint64_t)n;
    return code;
}

int writing_number(const struct cli *cli, const char *text, double *out)
{
    if (quantity_float(text, out)) return CLI_OK;
    return cli_usage(cli, "\"%s\" is not a number", text);
}
