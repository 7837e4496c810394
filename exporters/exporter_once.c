/* SPDX-License-Identifier: Apache-2.0 */
/* exporter_once.c - one snapshot to each backend (--once), and the check of a configuration (--check). */
#include "exporter_inside.h"
#include "glance.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Writes the page of each scraped backend to standard output, in its first media type. */
static bool exporter_print_pages(struct exporter *e)
{
    struct buf out = {0};
    bool good = true;
    for (struct part *p = e->parts; p && good; p = p->next)
        if (p->page) good = page_print(p->page, 0, &out, NULL);
    if (good && out.len) good = fwrite(out.data, 1, out.len, stdout) == out.len && !fflush(stdout);
    buf_free(&out);
    return good;
}

/* The logs of segments that another exporter leads: one for each. */
struct beside {
    struct glance glance;
    struct log **logs;
    size_t n;
};

static void beside_follow(struct exporter *e, struct beside *b, const struct glimpse *from)
{
    struct log_limits limits = {.size = e->config->log.size, .age_ns = e->config->log.age};
    struct log *log = from->snapshot ? log_new(&limits, e->ledger) : NULL;
    if (!log) {
        say(SAY_ERROR, "cannot read the segment", "reason",
            from->snapshot ? "out of memory" : from->error.text, NULL);
        return;
    }
    b->logs[b->n++] = log;
    for (struct part *p = e->parts; p; p = p->next)
        if (p->consumer) consumer_follow(p->consumer, log, from->path);
    log_append(log, from->snapshot);
}

/* If another exporter leads the segments: private snapshots, which close no interval. False if there is none. */
static bool exporter_once_beside(struct exporter *e, struct beside *b)
{
    if (!glance_take(&e->config->segments, &b->glance)) return false;
    b->logs = calloc(b->glance.n + 1, sizeof(*b->logs));
    for (size_t i = 0; b->logs && i < b->glance.n; i++) beside_follow(e, b, &b->glance.at[i]);
    return b->n > 0;
}

static void beside_free(struct beside *b)
{
    for (size_t i = 0; i < b->n; i++) log_release(&b->logs[i]);
    free(b->logs);
    glance_free(&b->glance);
}

static void exporter_once_config(struct config *config)
{
    free(config->http.listen);
    config->http.listen = strdup("off");
}

int exporter_once(struct config *config)
{
    struct buf why = {0};
    struct beside beside = {.n = 0};
    exporter_once_config(config);
    struct exporter *e = exporter_new(config, &clock_system, &why);
    if (!e) {
        say(SAY_ERROR, "cannot start", "reason", buf_text(&why), NULL);
        config_free(&config);
    }
    buf_free(&why);
    if (!e) return 1;
    sampler_step(e->sampler); /* finds and leads the segments */
    bool good = true;
    if (sampler_attached(e->sampler))
        sampler_finish(e->sampler);
    else
        good = exporter_once_beside(e, &beside);
    for (struct part *p = e->parts; p && good; p = p->next)
        if (p->consumer) good = consumer_start(p->consumer);
    if (good) {
        exporter_flush(e);
        good = exporter_idle(e) && (beside.n || exporter_print_pages(e));
        if (!exporter_idle(e)) say(SAY_ERROR, "not all readings were delivered in time", NULL);
    }
    exporter_free(&e);
    beside_free(&beside);
    return good ? 0 : 1;
}

/* What a backend would leave out, line by line. */
static void exporter_check_points(const struct config_backend *b, struct view *view, struct buf *notes)
{
    const struct backend_session *type = b->type->session;
    void *session = type ? type->open(b->settings, notes) : NULL;
    struct payload payloads[PAYLOADS] = {{.points = 0}};
    for (size_t i = 0; i < view->n; i++) { /* as if all had been counted in this interval */
        view->items[i].base = NULL;
        view->items[i].rebased = false;
    }
    for (size_t at = 0, n = 1; at < view->n && n && (session || !type); at += n) {
        struct batch batch = {.view = view,
                              .from = at,
                              .to = view->n,
                              .settings = b->settings,
                              .session = session,
                              .notes = notes};
        for (int i = 0; i < PAYLOADS; i++) payload_reset(&payloads[i]);
        b->type->encode(&batch, payloads);
        n = payloads[0].items;
    }
    for (int i = 0; i < PAYLOADS; i++) payload_free(&payloads[i]);
    if (session) type->close(&session);
}

/* The parts of a series say the same: its line is printed once. */
static void exporter_print_notes(const struct buf *notes, struct buf *out)
{
    const char *last = "";
    for (const char *line = buf_text(notes), *end; *line; line = *end ? end + 1 : end) {
        size_t n = strcspn(line, "\n");
        end = line + n;
        if (n && (strncmp(line, last, n) || last[n] != '\n')) buf_printf(out, "#   %.*s\n", (int)n, line);
        last = line;
    }
}

static void exporter_check_backend(const struct config *config, const struct config_backend *b,
                                   const struct glimpse *segment, struct buf *out)
{
    struct selection sel;
    struct view view;
    struct buf notes = {0};
    struct payload payload = {.points = 0};
    if (!selection_compile(&sel, b->type, b->settings, &config->tags)) return;
    view_begin(&view, &sel, metrics_snapshot_header(segment->snapshot)->wall_ns, 0);
    view_segment(&view, segment->tag);
    view_add(&view, segment->snapshot, NULL);
    buf_printf(out, "# %s: %zu of %zu series\n", b->settings->name, view.n,
               metrics_snapshot_count(segment->snapshot));
    if (backend_is_scraped(b->type)) {
        struct batch batch = {.view = &view, .to = view.n, .settings = b->settings, .notes = &notes};
        b->type->encode(&batch, &payload);
    } else if (b->type->points) {
        exporter_check_points(b, &view, &notes);
    }
    exporter_print_notes(&notes, out);
    buf_free(&notes);
    payload_free(&payload);
    view_free(&view);
    selection_free(&sel);
}

static bool exporter_check_address(const struct config *config, struct buf *out, struct buf *mistakes)
{
    const char *listen = config->http.listen;
    struct buf why = {0};
    enum serve_found found = listen && strcmp(listen, "off") != 0 ? serve_check(listen, &why) : SERVE_FREE;
    if (found == SERVE_EXPORTER) buf_printf(out, "# %s: an mtx-exporter that is running serves it\n", listen);
    if (found == SERVE_TAKEN) buf_printf(mistakes, "http: %s\n", buf_text(&why));
    buf_free(&why);
    return found != SERVE_TAKEN;
}

/* What the configuration names outside of itself: a folder, files, an address. */
static bool exporter_check_outside(const struct config *config, struct buf *out, struct buf *mistakes)
{
    const char *state_dir = config->log.state_dir;
    bool good = exporter_check_address(config, out, mistakes);
    if (state_dir && faccessat(AT_FDCWD, state_dir, W_OK | X_OK, AT_EACCESS)) {
        buf_printf(mistakes, "log.state_dir: cannot write in %s: %s\n", state_dir, strerror(errno));
        good = false;
    }
    for (const struct config_backend *b = config->backends; b; b = b->next) {
        struct buf why = {0};
        if (b->type->transport->check && !b->type->transport->check(b->settings, &why)) {
            buf_printf(mistakes, "%s: %s\n", b->settings->name, buf_text(&why));
            good = false;
        }
        buf_free(&why);
    }
    return good;
}

static void exporter_check_segment(const struct config *config, const struct glimpse *segment,
                                   struct buf *out)
{
    if (!segment->snapshot) {
        buf_printf(out, "# cannot read the segment: %s\n", segment->error.text);
        return;
    }
    buf_printf(out, "# segment %s:\n", segment->path);
    for (const struct config_backend *b = config->backends; b; b = b->next)
        exporter_check_backend(config, b, segment, out);
}

/* What follows from there being several segments. */
static void exporter_check_common(const struct config *config, const struct glance *glance, struct buf *out)
{
    enum segment_tag tag = segment_tag(&config->segments);
    struct buf common = {0};
    if (tag == SEGMENT_TAG_NONE) return;
    if (!glance->n) buf_str(out, "# no segment matches now\n");
    buf_printf(out, "# several segments: each series gets the tag " SEGMENT_TAG ", the %s of its segment\n",
               tag == SEGMENT_TAG_FILE ? "file name" : "path");
    glance_print_common(glance, &common);
    if (common.len) buf_str(out, "# series that several segments have, which only that tag keeps apart:\n");
    buf_mem(out, buf_text(&common), common.len);
    buf_free(&common);
}

bool exporter_check(const struct config *config, struct buf *out, struct buf *mistakes)
{
    struct glance glance;
    if (!glance_take(&config->segments, &glance)) out->failed = true;
    for (size_t i = 0; i < glance.n; i++) exporter_check_segment(config, &glance.at[i], out);
    exporter_check_common(config, &glance, out);
    glance_free(&glance);
    return exporter_check_outside(config, out, mistakes);
}
