/* SPDX-License-Identifier: Apache-2.0 */
/* exporter_forget.c - --forget: ends what the logs keep for a backend that is not configured any more. */
#include "exporter_inside.h"
#include "say.h"

#include <stdlib.h>
#include <string.h>

struct forget {
    const char *name;
    size_t found;
    struct names others; /* that are kept, too */
};

static void forget_other(void *arg, const char *name, uint64_t snapshots)
{
    struct forget *f = arg;
    (void)snapshots;
    names_add(&f->others, name);
}

static void forget_in(void *arg, struct source *source)
{
    struct forget *f = arg;
    if (log_forget(source->log, f->name, LEDGER_REMOVED)) {
        f->found++;
        say(SAY_INFO, "forgotten", "backend", f->name, "segment", source->path, NULL);
    }
    log_each_kept(source->log, forget_other, f);
}

static void forget_say_missing(const struct forget *f)
{
    struct buf others = {0};
    for (size_t i = 0; i < f->others.n; i++) buf_printf(&others, "%s%s", i ? "," : "", f->others.items[i]);
    say(SAY_ERROR, "nothing is kept for that backend", "backend", f->name, "others",
        others.len ? buf_text(&others) : NULL, NULL);
    buf_free(&others);
}

/* Without backends: they would take up their cursors. */
static int forget_without_backends(struct config *config, struct forget *f)
{
    struct buf why = {0};
    struct exporter *e = exporter_new(config, &clock_system, &why);
    bool led = false;
    if (e) {
        config_retain(config);
        sampler_step(e->sampler); /* finds and leads the segments, and what is left of others */
        sampler_each(e->sampler, forget_in, f);
        led = !sampler_is_busy(e->sampler);
        if (!led)
            say(SAY_ERROR,
                "another exporter leads a segment; end it first, or remove the backend from its "
                "configuration and send it SIGHUP",
                NULL);
        exporter_free(&e);
    } else {
        say(SAY_ERROR, "cannot start", "reason", buf_text(&why), NULL);
    }
    buf_free(&why);
    if (led && !f->found) forget_say_missing(f);
    return led && f->found ? 0 : 1;
}

int exporter_forget(struct config *config, const char *name)
{
    struct forget f = {.name = name};
    struct config_backend *backends = config->backends;
    config->backends = NULL;
    free(config->http.listen);
    config->http.listen = strdup("off");
    int code = forget_without_backends(config, &f);
    config->backends = backends;
    config_free(&config);
    names_free(&f.others);
    return code;
}
