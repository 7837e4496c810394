/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "../fixture.h"
#include "page.h"
#include "say.h"

#include <pthread.h>

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

static void rig_open(struct rig *r)
{
    static const char text[] = "backends: [{type: prometheus}]\n";
    struct buf mistakes = {0};
    memset(r, 0, sizeof *r);
    say_to(quiet);
    fixture_create(&r->f);
    r->ledger = ledger_new();
    struct sampler_options o = {
        &r->f.clock, r->ledger, NULL, {ignore_source, ignore_source, ignore, ignore, ignore_busy, NULL}};
    r->sampler = sampler_new(&o);
    char *paths[] = {r->f.path};
    CHECK(sampler_configure(r->sampler, &(struct option_list){paths, 1}, UINT64_C(10000000000),
                            &(struct source_log){.limits = {1 << 20, UINT64_MAX}, .memory = true}));
    r->config = config_parse("test", text, sizeof text - 1, no_env, &mistakes);
    REQUIRE(r->config);
    struct page_options p = {r->config->backends, &r->config->tags, r->sampler, NULL, &r->f.clock};
    r->page = page_new(&p);
    REQUIRE(r->page);
    buf_free(&mistakes);
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

static bool says(const struct serve_answer *a, const char *text)
{
    return memmem(a->body, a->n, text, strlen(text)) != NULL;
}

/* Without a segment there is a page, which says so; with one it has its series, as they are now and not as
 * they were at the last snapshot. */
UNIT(page, fresh)
{
    struct rig r;
    rig_open(&r);
    struct serve_answer a = ask(&r, NULL, NULL);
    CHECK(says(&a, "\nmtx_segment_attached 0\n"));
    a.release(a.owner);
    sampler_step(r.sampler);
    metrics_counter_add(metrics_counter(r.f.registry, "jobs"), 5);
    r.f.ahead += UINT64_C(300000000);
    a = ask(&r, NULL, NULL);
    CHECK(says(&a, "\nmtx_segment_attached 1\n"));
    CHECK(says(&a, "\njobs_total 5\n"));
    a.release(a.owner);
    metrics_counter_add(metrics_counter(r.f.registry, "jobs"), 1);
    r.f.ahead += UINT64_C(300000000);
    a = ask(&r, NULL, NULL);
    CHECK(says(&a, "\njobs_total 6\n"));
    a.release(a.owner);
    rig_close(&r);
}

/* Within a quarter of a second all get the same bytes; each form has its own; an answer outlives its page. */
UNIT(page, shared)
{
    struct rig r;
    rig_open(&r);
    sampler_step(r.sampler);
    struct serve_answer a = ask(&r, NULL, NULL), b = ask(&r, "text/plain", "identity");
    struct serve_answer om = ask(&r, "application/openmetrics-text", NULL), gz = ask(&r, NULL, "gzip");
    CHECK(a.body == b.body);
    CHECK(om.body != a.body && gz.body != a.body);
    CHECK(says(&om, "# EOF\n") && !says(&a, "# EOF\n"));
    CHECK_STR(gz.coding, "gzip");
    CHECK(a.coding == NULL);
    CHECK(strstr(om.type, "openmetrics") != NULL);
    r.f.ahead += UINT64_C(251000000);
    struct serve_answer c = ask(&r, NULL, NULL);
    CHECK(c.body != a.body);
    page_free(&r.page);
    CHECK(says(&a, "mtx_segment_attached 1"));
    struct serve_answer *all[] = {&a, &b, &c, &om, &gz};
    for (int i = 0; i < 5; i++) all[i]->release(all[i]->owner);
    rig_close(&r);
}

static void *scrape(void *arg)
{
    struct rig *r = arg;
    for (int i = 0; i < 50; i++) {
        struct serve_answer a = ask(r, i % 2 ? "application/openmetrics-text" : NULL, i % 3 ? "gzip" : NULL);
        if (!a.n) UNIT_FAIL("an empty page\n");
        a.release(a.owner);
    }
    return NULL;
}

/* Eight threads scrape while the sampler works and the time passes: nothing breaks, nothing leaks. */
UNIT(page, concurrent)
{
    struct rig r;
    pthread_t threads[8];
    rig_open(&r);
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, scrape, &r);
    for (int i = 0; i < 100; i++) {
        metrics_counter_inc(metrics_counter(r.f.registry, "jobs"));
        sampler_step(r.sampler);
        usleep(1000);
    }
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    rig_close(&r);
}
