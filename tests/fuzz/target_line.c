/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: any bytes are read as points by hand. The first byte chooses the backend and whether sums are made,
 * the rest are lines. A line is refused with a reason and leaves nothing behind, or its points become payloads
 * that are whole, of valid UTF-8, and JSON where the service wants that.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "config_load.h"
#include "fuzz.h"
#include "points_line.h"
#include "points_sum.h"
#include "walk.h"

static const char *const configs[] = {
    "backends: [{type: librato, token: t, source: ''}]",
    "backends: [{type: anodot20, token: t, strict_names: true}]",
    "backends: [{type: anodot30, token: t, access_key: k}]",
    "backends: [{type: apptuit, token: t, host: h}]",
    "backends: [{type: wavefront, token: t, url: 'http://127.0.0.1:9', source: h}]",
    "backends: [{type: chouette, instance: h}]",
};
enum { BACKENDS = sizeof configs / sizeof *configs };

static const char *no_env(const char *name)
{
    (void)name;
    return NULL;
}

static const struct config_backend *backend_of(unsigned i, void **session)
{
    static struct config *made[BACKENDS];
    static void *sessions[BACKENDS];
    struct buf why = {0};
    if (!made[i]) {
        made[i] = config_parse("f", configs[i], strlen(configs[i]), no_env, &why);
        FUZZ_HOLDS(made[i], buf_text(&why));
        const struct config_backend *b = made[i]->backends;
        if (b->type->session) sessions[i] = b->type->session->open(b->settings, &why);
    }
    buf_free(&why);
    *session = sessions[i];
    return made[i]->backends;
}

static void refused(void *arg, const struct point *point, const char *why)
{
    (void)arg, (void)point;
    FUZZ_HOLDS(*why, "a point that is left out has a reason");
}

static void check(const struct payload *p)
{
    FUZZ_HOLDS(payload_ok(p), "a payload is whole");
    FUZZ_HOLDS(walk_is_utf8(buf_text(&p->body), p->body.len), "a payload is UTF-8");
    if (!p->content_type || strcmp(p->content_type, "application/json")) return;
    json_error_t error;
    json_t *back = json_loadb(p->body.data, p->body.len, JSON_DECODE_INT_AS_REAL, &error);
    FUZZ_HOLDS(back, error.text);
    json_decref(back);
}

static void write_all(const struct config_backend *b, void *session, const struct point *at, size_t n)
{
    struct payload payloads[PAYLOADS] = {{.points = 0}};
    signed char *where = malloc(n + 1);
    for (size_t taken; n && where; at += taken, n -= taken) {
        for (int i = 0; i < PAYLOADS; i++) payload_reset(&payloads[i]);
        taken = points_write(b->type->points, at, n, b->settings, session, payloads, where, refused, NULL);
        FUZZ_HOLDS(taken > 0, "a payload that is empty takes a point");
        size_t points = 0, told = 0;
        for (int i = 0; i < PAYLOADS; i++) {
            points += payloads[i].points;
            if (payloads[i].body.len) check(&payloads[i]);
        }
        for (size_t i = 0; i < taken; i++) told += where[i] >= 0;
        FUZZ_HOLDS(points == told, "every point is where it is said to be");
    }
    for (int i = 0; i < PAYLOADS; i++) payload_free(&payloads[i]);
    free(where);
}

static void add_up(struct points_sum *sum, const struct backend_points *backend, const struct points *points)
{
    struct buf why = {0};
    for (size_t i = 0; i < points->n; i++) {
        buf_reset(&why);
        bool good = points_sum_add(sum, backend, &points->at[i], UINT64_C(1700000000000000000), &why);
        FUZZ_HOLDS(good || why.len, "a point that cannot be added has a reason");
    }
    buf_free(&why);
}

static void read_lines(struct point_lines *lines, struct point_reader *reader, const char *text, size_t n)
{
    struct buf why = {0};
    for (size_t line = 1, m; n; text += m, n -= m, line++) {
        const char *end = memchr(text, '\n', n);
        m = end ? (size_t)(end - text) + 1 : n;
        size_t before = lines->points.n;
        buf_reset(&why);
        bool good = point_lines_add(lines, reader, text, m - (end != NULL), line, &why);
        FUZZ_HOLDS(good == !why.len, "a refusal says why, and nothing else does");
        FUZZ_HOLDS(good || lines->points.n == before, "a bad line leaves no point");
        FUZZ_HOLDS(walk_is_utf8(buf_text(&why), why.len), "a reason can be printed");
    }
    buf_free(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const metrics_tag_t tags[] = {{"dc", "eu"}, {"host", "web"}};
    struct point_lines lines = {.root_count = 0};
    if (!n) return 0;
    void *session;
    const struct config_backend *b = backend_of(data[0] % BACKENDS, &session);
    bool sums = data[0] / BACKENDS % 2;
    struct point_reader reader = {.backend = b->type->points,
                                  .prefix = data[0] / BACKENDS % 3 ? "" : "p.",
                                  .tags = tags,
                                  .tag_count = 2,
                                  .now_ns = UINT64_C(1700000000123456000)};
    struct points_sum sum = {.period_ns = UINT64_C(30000000000)};
    read_lines(&lines, &reader, (const char *)data + 1, n - 1);
    if (sums)
        add_up(&sum, reader.backend, &lines.points);
    else
        write_all(b, session, lines.points.at, lines.points.n);
    point_lines_free(&lines);
    if (sums && sum.n) write_all(b, session, points_sum_all(&sum), sum.n);
    points_sum_reset(&sum);
    return 0;
}
