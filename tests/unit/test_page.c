/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promises: a page has the current numbers, is the same in whatever way it is made and sent, and a slow
 * client harms nobody but itself.
 */
#include "unit.h"

#include "../fixture.h"
#include "config_load.h"
#include "page.h"
#include "say.h"

#include <pthread.h>
#include <zlib.h>

static void ignore_source(void *arg, struct source *source)
{
    (void)arg, (void)source;
}
static void ignore(void *arg)
{
    (void)arg;
}
static void ignore_busy(void *arg, bool busy)
{
    (void)arg, (void)busy;
}
static void quiet(const char *line, size_t n)
{
    (void)line, (void)n;
}
static const char *no_env(const char *name)
{
    (void)name;
    return NULL;
}

struct rig {
    struct fixture f;
    struct ledger *ledger;
    struct sampler *sampler;
    struct config *config;
    struct page *page;
};

static void rig_open_with(struct rig *r, const char *options)
{
    struct buf text = {0}, mistakes = {0};
    memset(r, 0, sizeof *r);
    say_to(quiet);
    fixture_create(&r->f);
    r->ledger = ledger_new();
    struct sampler_options o = {&r->f.clock,
                                r->ledger,
                                NULL,
                                {ignore_source, ignore_source, ignore, ignore, ignore, ignore_busy, NULL}};
    r->sampler = sampler_new(&o);
    char *paths[] = {r->f.path};
    CHECK(sampler_configure(
        r->sampler, &(struct option_list){paths, 1}, UINT64_C(10000000000),
        &(struct source_log){.limits = {.size = 1 << 20, .age_ns = UINT64_MAX}, .memory = true}));
    buf_printf(&text, "backends: [{type: prometheus%s}]\n", options);
    r->config = config_parse("test", text.data, text.len, no_env, &mistakes);
    if (!r->config) UNIT_FAIL("%s\n", buf_text(&mistakes));
    REQUIRE(r->config);
    struct page_options p = {r->config->backends, &r->config->tags, r->sampler, NULL,
                             &r->f.clock,         SEGMENT_TAG_NONE};
    r->page = page_new(&p);
    REQUIRE(r->page);
    buf_free(&text);
    buf_free(&mistakes);
}

static void rig_open(struct rig *r)
{
    rig_open_with(r, "");
}

static void rig_close(struct rig *r)
{
    page_free(&r->page);
    sampler_free(&r->sampler);
    config_free(&r->config);
    ledger_free(&r->ledger);
    fixture_close(&r->f);
    say_to(NULL);
}

static struct serve_answer ask(struct rig *r, const char *accept, const char *coding)
{
    struct serve_request request = {"/metrics", accept, coding};
    struct serve_answer answer = {0};
    page_answer(r->page, &request, &answer);
    return answer;
}

/* The whole body, taken in pieces of at most n bytes; the answer is released. */
static struct buf body_of(struct serve_answer *a, size_t n)
{
    struct buf out = {0};
    REQUIRE(a->more);
    for (size_t got = 1; got; out.len += got) {
        char *room = buf_room(&out, n);
        REQUIRE(room);
        got = a->more(a->owner, room, n);
        REQUIRE(got <= n);
    }
    a->release(a->owner);
    if (out.data) out.data[out.len] = '\0';
    return out;
}

static struct buf page_of(struct rig *r, const char *accept)
{
    struct serve_answer a = ask(r, accept, NULL);
    return body_of(&a, 4096);
}

static void says(struct buf *page, const char *text)
{
    if (!strstr(buf_text(page), text)) UNIT_FAIL("expected\n%s\nin\n%s\n", text, buf_text(page));
    buf_free(page);
}

static void pass_time(struct rig *r)
{
    r->f.ahead += FRESH_NS + 1;
}

/* Without a segment the page says so; with one it has the series
 * as they are now, not as they were at the last snapshot. */
UNIT(page, fresh)
{
    struct rig r;
    rig_open(&r);
    struct buf page = page_of(&r, NULL);
    says(&page, "\nmtx_segment_attached 0\n");
    sampler_step(r.sampler);
    metrics_counter_add(metrics_counter(r.f.registry, "jobs"), 5);
    pass_time(&r);
    page = page_of(&r, NULL);
    CHECK(strstr(buf_text(&page), "\nmtx_segment_attached 1\n") != NULL);
    says(&page, "\njobs_total 5\n");
    metrics_counter_add(metrics_counter(r.f.registry, "jobs"), 1);
    pass_time(&r);
    page = page_of(&r, NULL);
    says(&page, "\njobs_total 6\n");
    rig_close(&r);
}

/* Within a quarter of a second all clients get the same numbers, each form has its own text, and a page that
 * is read slowly continues with the numbers that it began with. */
UNIT(page, shared)
{
    struct rig r;
    rig_open(&r);
    sampler_step(r.sampler);
    metrics_counter_t *jobs = metrics_counter(r.f.registry, "jobs");
    struct serve_answer slow = ask(&r, NULL, NULL);
    metrics_counter_inc(jobs);
    struct buf page = page_of(&r, "application/openmetrics-text");
    CHECK(strstr(buf_text(&page), "# EOF\n") != NULL);
    says(&page, "\njobs_total 0\n");
    pass_time(&r);
    page = page_of(&r, "text/plain");
    CHECK(!strstr(buf_text(&page), "# EOF\n"));
    says(&page, "\njobs_total 1\n");
    CHECK(strstr(slow.type, "text/plain") != NULL);
    page = body_of(&slow, 7);
    says(&page, "\njobs_total 0\n");
    rig_close(&r);
}

/* A page that is made piece by piece from a kept plan is, byte for byte, the page that is made at once
 * without one, whatever has changed since: new series and families, gauges that get and lose values, samples
 * that are no longer empty, help texts. */
static void compare(struct rig *r, int step)
{
    static const size_t pieces[] = {1, 13, 100, 333, 4096, 65536};
    for (unsigned form = 0; form < 2; form++)
        for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
            struct serve_answer a = ask(r, form ? "application/openmetrics-text" : NULL, NULL);
            struct buf page = body_of(&a, pieces[i]), whole = {0};
            CHECK(page_print(r->page, form, &whole, NULL));
            if (strcmp(buf_text(&page), buf_text(&whole)))
                UNIT_FAIL("step %d, form %u, pieces of %zu:\n%s\ninstead of\n%s\n", step, form, pieces[i],
                          buf_text(&page), buf_text(&whole));
            buf_free(&page);
            buf_free(&whole);
        }
}

static void change(struct rig *r, int step)
{
    metrics_registry_t *m = r->f.registry;
    const metrics_family_t all = {.size = sizeof all, .merge = METRICS_MERGE_ALL};
    const metrics_family_t helped = {.size = sizeof helped, .help = "How \"long\"\nit took."};
    switch (step) {
    case 0: metrics_counter_inc(metrics_counter(m, "jobs", "kind", "a\"b")); break;
    case 1: metrics_counter_inc(metrics_counter(m, "jobs", "kind", "")); break;
    case 2: metrics_timer(m, "wait", "queue", "x"); break;
    case 3: metrics_timer_update(metrics_timer(m, "wait", "queue", "x"), 1234567); break;
    case 4:
        metrics_describe(m, "busy", &all, NULL);
        metrics_gauge(m, "busy");
        break;
    case 5: metrics_gauge_set(metrics_gauge(m, "busy"), 0.1); break;
    case 6:
        metrics_counter_add(metrics_counter(m, "jobs", "kind", "a\"b"), UINT64_C(12345678901234567));
        break;
    case 7: metrics_updown_add(metrics_updown(m, "open"), -3); break;
    case 8: metrics_describe(m, "wait", &helped, NULL); break;
    case 9: metrics_counter_inc(metrics_counter(m, "a.b")); break;
    case 10: metrics_counter_inc(metrics_counter(m, "a-b")); break;
    case 11: metrics_info(m, "build", "version", "1"); break;
    default: metrics_set_add(metrics_set(m, "users"), "me", 2); break;
    }
}

static void compare_all(const char *options)
{
    struct rig r;
    rig_open_with(&r, options);
    sampler_step(r.sampler);
    for (int step = 0; step < 13; step++) {
        change(&r, step);
        pass_time(&r);
        compare(&r, step);
    }
    rig_close(&r);
}
UNIT(page, plan_kept)
{
    compare_all("");
}
UNIT(page, plan_kept_statistics)
{
    compare_all(
        ", attributes: [sum, quantiles, min, max, rates, sum_squares], tags: {zone: eu}, created: true");
}

/* A compressed page unpacks to the same text, whatever the size of its pieces. */
UNIT(page, compressed)
{
    struct rig r;
    rig_open(&r);
    sampler_step(r.sampler);
    char name[32];
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "series%d", i);
        metrics_counter_add(metrics_counter(r.f.registry, name), (uint64_t)i);
    }
    pass_time(&r);
    struct buf plain = page_of(&r, NULL);
    for (size_t n = 1; n < 100000; n *= 17) {
        struct serve_answer a = ask(&r, NULL, "gzip");
        CHECK_STR(a.coding, "gzip");
        struct buf packed = body_of(&a, n), text = {0};
        char *room = buf_room(&text, plain.len + 1);
        z_stream z = {.next_in = (Bytef *)packed.data,
                      .avail_in = (uInt)packed.len,
                      .next_out = (Bytef *)room,
                      .avail_out = (uInt)plain.len + 1};
        CHECK(packed.len < plain.len / 3);
        REQUIRE(inflateInit2(&z, 15 + 16) == Z_OK);
        CHECK_EQ_I64(inflate(&z, Z_FINISH), Z_STREAM_END);
        CHECK_EQ_U64(z.total_out, plain.len);
        CHECK(!memcmp(room, plain.data, plain.len));
        inflateEnd(&z);
        buf_free(&packed);
        buf_free(&text);
    }
    buf_free(&plain);
    rig_close(&r);
}

/* A client that takes too long is broken off; so is one that holds the
 * oldest of too many editions; no other is. */
UNIT(page, slow)
{
    struct rig r;
    char piece[16];
    struct serve_answer slow[PAGE_EDITIONS + 1];
    rig_open(&r);
    sampler_step(r.sampler);
    struct serve_answer late = ask(&r, NULL, NULL);
    CHECK_EQ_U64(late.more(late.owner, piece, sizeof piece), sizeof piece);
    r.f.ahead += PAGE_LONGEST;
    CHECK_EQ_U64(late.more(late.owner, piece, sizeof piece), SERVE_BROKEN);
    late.release(late.owner);
    for (int i = 0; i <= PAGE_EDITIONS; i++) {
        pass_time(&r);
        slow[i] = ask(&r, NULL, i % 2 ? "gzip" : NULL);
        CHECK(slow[i].more(slow[i].owner, piece, 1) == 1);
    }
    CHECK_EQ_U64(slow[0].more(slow[0].owner, piece, sizeof piece), SERVE_BROKEN);
    slow[0].release(slow[0].owner);
    for (int i = 1; i <= PAGE_EDITIONS; i++) {
        struct buf rest = body_of(&slow[i], 1000);
        CHECK(rest.len > 20);
        buf_free(&rest);
    }
    rig_close(&r);
}

static void *scrape(void *arg)
{
    struct rig *r = arg;
    for (int i = 0; i < 50; i++) {
        struct serve_answer a = ask(r, i % 2 ? "application/openmetrics-text" : NULL, i % 3 ? "gzip" : NULL);
        char piece[100];
        size_t n = 0, got;
        while ((got = a.more(a.owner, piece, sizeof piece)) && got != SERVE_BROKEN && n < 2000) n += got;
        if (!n && got != SERVE_BROKEN) UNIT_FAIL("an empty page\n");
        a.release(a.owner);
    }
    return NULL;
}

/* Eight threads scrape, some give up in the middle, while the
 * sampler works and the time passes: nothing breaks, nothing leaks. */
UNIT(page, concurrent)
{
    struct rig r;
    pthread_t threads[8];
    rig_open(&r);
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, scrape, &r);
    for (int i = 0; i < 100; i++) {
        metrics_counter_inc(metrics_counter(r.f.registry, i % 2 ? "jobs" : "mails"));
        sampler_step(r.sampler);
        usleep(1000);
    }
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    rig_close(&r);
}
