/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: of a hostile snapshot the exporter makes, for every backend and form, text in UTF-8; a Prometheus
 * page whose lines are all comments or samples; JSON that a parser accepts.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_load.h"
#include "edit.h"
#include "fuzz.h"
#include "page_values.h"
#include "view.h"
#include "walk.h"
#include "wrap.h"

static const char *no_env(const char *name)
{
    (void)name;
    return NULL;
}

/* A backend with as few settings as it takes. */
static struct config *settings_of(const char *type)
{
    static const char *const more[] = {"", ", path: /dev/null", ", url: \"http://127.0.0.1/\"",
                                       ", prefix: \"p.\""};
    struct buf text = {0}, mistakes = {0};
    struct config *config = NULL;
    for (size_t i = 0; i < sizeof more / sizeof *more && !config; i++) {
        buf_reset(&text);
        buf_printf(&text, "tags: {host: h}\nbackends: [{type: %s%s}]\n", type, more[i]);
        config = config_parse("fuzz", text.data, text.len, no_env, &mistakes);
    }
    buf_free(&text);
    buf_free(&mistakes);
    return config;
}

enum { BACKENDS_MAX = 64 };
static struct config *settings[BACKENDS_MAX]; /* one per backend that needs no more than that */

static void read_settings(void)
{
    static int done;
    size_t n = 0;
    if (done++) return;
    for (size_t i = 0; backends[i] && n < BACKENDS_MAX; i++)
        if ((settings[n] = settings_of(backends[i]->name))) n++;
    FUZZ_HOLDS(n >= 3, "the local backends need no settings to speak of");
}

/* --- What is promised of the text --- */

/* name, {labels}, a blank, a number: text format 0.0.4 and OpenMetrics 1.0 agree on this. */
static const char *after_name(const char *at)
{
    if (!((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || *at == '_')) return NULL;
    while ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') ||
           *at == '_')
        at++;
    return at;
}
static const char *after_labels(const char *at)
{
    if (*at != '{') return at;
    do {
        if (!(at = after_name(at + 1)) || at[0] != '=' || at[1] != '"') return NULL;
        for (at += 2; *at != '"'; at++) {
            if (*at == '\n' || !*at) return NULL;
            if (*at == '\\' && !strchr("\\\"n", *++at)) return NULL;
        }
        at++;
    } while (*at == ',');
    return *at == '}' ? at + 1 : NULL;
}

static void check_line(const char *line)
{
    if (*line == '#') {
        FUZZ_HOLDS(!strncmp(line, "# HELP ", 7) || !strncmp(line, "# TYPE ", 7) ||
                       !strncmp(line, "# UNIT ", 7) || !strcmp(line, "# EOF"),
                   "a comment is one of four");
        return;
    }
    const char *at = after_name(line);
    char *end;
    at = at ? after_labels(at) : NULL;
    FUZZ_HOLDS(at && *at == ' ', "a sample is a name, labels and a number");
    strtod(at + 1, &end);
    FUZZ_HOLDS(end > at + 1 && !*end, "a sample ends with a number");
}

static void check_page(struct buf *page)
{
    for (char *line = page->data, *end; line && *line; line = end + 1) {
        end = strchr(line, '\n');
        FUZZ_HOLDS(end, "every line has an end");
        *end = 0;
        check_line(line);
    }
}

static void check_json(const struct buf *body)
{
    for (const char *line = buf_text(body), *end; *line; line = end + 1) {
        json_error_t error;
        end = strchr(line, '\n');
        FUZZ_HOLDS(end, "every line has an end");
        json_t *j = json_loadb(line, (size_t)(end - line), JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
        if (!j) fprintf(stderr, "%.*s\n%s\n", (int)(end - line), line, error.text);
        FUZZ_HOLDS(j, "a line is JSON");
        json_decref(j);
    }
}

/* --- The way there --- */

static int is_text(const char *backend)
{
    return !strcmp(backend, "prometheus") || !strcmp(backend, "file") || !strcmp(backend, "console");
}

/* A page made piece by piece is the page made at once. */
static void check_pieces(const struct view *view, const metrics_snapshot_t *s, const struct config_backend *b,
                         unsigned form, const struct buf *whole)
{
    const struct backend_pages *pages = b->type->pages;
    const struct page_part part = {s, 0, (uint32_t)metrics_snapshot_count(s)};
    struct batch batch = {.view = view, .to = view->n, .settings = b->settings};
    struct page_values values = {.selection = view->selection, .parts = &part, .part_count = 1};
    struct buf out = {0};
    void *plan = pages->plan(&batch);
    FUZZ_HOLDS(plan && pages->fits(plan, &values), "a plan fits what it was made for");
    void *printer = pages->begin(plan, &values, b->settings, form);
    for (size_t n = 1; n;) {
        char *room = buf_room(&out, 97);
        n = pages->print(printer, room, 1 + out.len % 97);
        FUZZ_HOLDS(n != PAGES_BROKEN, "there is memory");
        out.len += n;
    }
    FUZZ_HOLDS(out.len == whole->len && !memcmp(out.data, buf_text(whole), out.len),
               "the pieces are the page");
    pages->end(&printer);
    pages->forget(&plan);
    buf_free(&out);
}

static void encode(const struct view *view, const metrics_snapshot_t *s, const struct config_backend *b,
                   unsigned form)
{
    struct buf notes = {0};
    struct payload payloads[PAYLOADS] = {0};
    void *session = NULL;
    if (b->type->session) session = b->type->session->open(b->settings, &notes);
    struct batch batch = {.view = view,
                          .to = view->n,
                          .settings = b->settings,
                          .session = session,
                          .form = form,
                          .notes = &notes};
    b->type->encode(&batch, payloads);
    FUZZ_HOLDS(payload_ok(&payloads[0]), "the text is whole");
    struct buf *body = &payloads[0].body;
    if (is_text(b->type->name)) {
        FUZZ_HOLDS(walk_is_utf8(buf_text(body), body->len), "the text is UTF-8");
        FUZZ_HOLDS(strlen(buf_text(body)) == body->len, "the text has no zeros");
    }
    if (b->type->pages) check_pieces(view, s, b, form, body);
    if (!strcmp(b->type->name, "prometheus")) check_page(body);
    if (!strcmp(b->type->name, "file")) check_json(body);
    if (session) b->type->session->close(&session);
    for (int i = 0; i < PAYLOADS; i++) payload_free(&payloads[i]);
    buf_free(&notes);
}

static void report(const metrics_snapshot_t *s)
{
    for (size_t i = 0; i < BACKENDS_MAX && settings[i]; i++) {
        const struct config_backend *b = settings[i]->backends;
        struct selection sel;
        struct view view;
        if (!selection_compile(&sel, b->type, b->settings, &settings[i]->tags)) return;
        view_begin(&view, &sel, UINT64_C(1700000000000000000), UINT64_C(10000000000));
        if (view_add(&view, s, NULL)) {
            encode(&view, s, b, 0);
            if (b->type->wants.media && b->type->wants.media[1]) encode(&view, s, b, 1);
        }
        view_free(&view);
        selection_free(&sel);
    }
}

static metrics_snapshot_t *from_segment(const uint8_t *data, size_t n)
{
    static unsigned char room[BASE_ROOM];
    struct program p;
    struct hostile h = {.bytes = room};
    metrics_error_t error;
    program_read(&p, data, n);
    program_start(&p, &h);
    FILE *f = fopen(base_path(), "we");
    if (!f || fwrite(h.bytes, 1, h.size, f) != h.size || fclose(f)) abort();
    metrics_reader_t *r = metrics_reader_open(base_path(), NULL, &error);
    metrics_snapshot_t *s = r ? metrics_snapshot_take(r, &error) : NULL;
    metrics_reader_close(&r);
    unlink(base_path());
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    metrics_error_t error;
    size_t length;
    metrics_snapshot_t *s;
    if (!n) return 0;
    read_settings();
    if (data[0] & 0x80) {
        const uint8_t *bytes = wrap_bytes(data[0], data + 1, n - 1, &length);
        s = metrics_snapshot_decode(bytes, length, &error);
    } else {
        s = from_segment(data, n);
    }
    if (s) report(s);
    metrics_snapshot_release(&s);
    return 0;
}
