/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

#include "accept.h"
#include "clock.h"
#include "complain.h"
#include "gzip.h"
#include "meta_family.h"
#include "page_values.h"
#include "say.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_FORMS = 4, PAGE_BUSY = 503 };

/* The backend's plan, shared by the editions with the same series. */
struct plan {
    unsigned references; /* of editions; protected by the page's lock */
    void *made;          /* by the backend's plan() */
};

/* The numbers of one moment. Only `next`, `references` and
 * `streams` change; the page's lock protects them. */
struct edition {
    struct edition *next; /* the next older one */
    unsigned references;  /* of the page (the newest edition) and of streams */
    struct stream *streams;
    metrics_snapshot_t **snapshots; /* one for each segment */
    char **paths;                   /* of the segments */
    size_t snapshot_count;
    struct page_part *parts; /* as many */
    metrics_row_t level;
    struct page_values values;
    struct plan *plan;
};

/* A page that is being sent to a client. */
struct stream {
    struct page *page;
    struct stream *next, **link; /* in the edition's list; protected by the page's lock */
    pthread_mutex_t lock;        /* protects what follows; taken alone or under the page's lock */
    struct edition *edition;     /* NULL: broken off */
    void *printer;               /* the backend's */
    struct gzip *gzip;           /* NULL: not compressed */
    uint64_t began, took, bytes; /* took: nanoseconds spent on it; bytes: before compression */
    bool whole;                  /* all of it was sent */
};

struct page {
    struct page_options options;
    struct selection selection;
    const struct backend_pages *pages;
    const char *media[PAGE_FORMS];
    size_t forms;
    /* Protects what follows. It is held while an edition is made, so that other scrapes wait for that one. */
    pthread_mutex_t lock;
    struct edition *editions; /* newest first; the page holds a reference to that one */
    char *notes;              /* what is left out of the page; logged when it changes */
    struct complain slow;     /* clients that were disconnected */
    struct complain changed;  /* notes that are new */
};

struct page *page_new(const struct page_options *options)
{
    struct page *p = calloc(1, sizeof *p);
    const struct backend *backend = options->backend->type;
    if (!p) return NULL;
    p->options = *options;
    p->pages = backend->pages;
    pthread_mutex_init(&p->lock, NULL);
    while (p->forms < PAGE_FORMS && backend->wants.media[p->forms]) {
        p->media[p->forms] = backend->wants.media[p->forms];
        p->forms++;
    }
    if (!selection_compile(&p->selection, backend, options->backend->settings, options->tags)) page_free(&p);
    return p;
}

/* Under the lock: gives back a reference. */
static void page_put_plan(struct page *p, struct plan *plan)
{
    if (!plan || --plan->references) return;
    p->pages->forget(&plan->made);
    free(plan);
}

static void page_release(struct edition *e)
{
    for (size_t i = 0; i < e->snapshot_count; i++) {
        metrics_snapshot_release(&e->snapshots[i]);
        free(e->paths[i]);
    }
    free(e->snapshots);
    free(e->paths);
}

/* A fresh snapshot of each segment, which page_release() gives back in any case. False without memory. */
static bool page_fresh(const struct page *p, struct edition *e)
{
    size_t most = sampler_attached(p->options.sampler);
    e->snapshots = calloc(most + 1, sizeof(*e->snapshots));
    e->paths = calloc(most + 1, sizeof(*e->paths));
    if (!e->snapshots || !e->paths) return false;
    e->snapshot_count = sampler_fresh(p->options.sampler, e->snapshots, e->paths, most);
    return true;
}

/* Under the lock: gives back a reference. */
static void page_put(struct page *p, struct edition *edition)
{
    if (!edition || --edition->references) return;
    struct edition **at = &p->editions;
    while (*at && *at != edition) at = &(*at)->next;
    if (*at) *at = edition->next;
    page_release(edition);
    free(edition->parts);
    page_put_plan(p, edition->plan);
    free(edition);
}

void page_free(struct page **page)
{
    struct page *p = *page;
    if (!p) return;
    page_put(p, p->editions);
    selection_free(&p->selection);
    pthread_mutex_destroy(&p->lock);
    free(p->notes);
    free(p);
    *page = NULL;
}

const char *page_path(const struct page *page)
{
    return page->options.backend->settings->path;
}

/* --- Views --- */

static bool page_view(struct page *p, const struct edition *e, struct view *view)
{
    view_begin(view, &p->selection, clock_wall(p->options.clock), 0);
    const struct meta_family *attached = &meta_families[META_ATTACHED];
    bool good = view_add_level(view, attached->name, attached->help, (double)e->snapshot_count);
    for (size_t i = 0; i < e->snapshot_count && good; i++)
        good = view_segment(view, segment_tag_value(p->options.segment_tag, e->paths[i])) &&
               view_add(view, e->snapshots[i], NULL);
    view_sort(view);
    return good;
}

bool page_print(struct page *p, unsigned form, struct buf *out, struct buf *notes)
{
    struct view view = {0};
    struct edition e = {0};
    bool good = page_fresh(p, &e) && page_view(p, &e, &view);
    struct batch batch = {
        .view = &view, .to = view.n, .settings = p->options.backend->settings, .form = form, .notes = notes};
    struct payload payload = {.body = *out};
    if (good) p->options.backend->type->encode(&batch, &payload);
    *out = payload.body;
    view_free(&view);
    page_release(&e);
    return good && buf_ok(out);
}

/* --- Plans --- */

static void page_say(const struct page *p, const char *notes, uint64_t repeated)
{
    size_t lines = 0;
    for (const char *c = notes; *c; c++) lines += *c == '\n';
    char *first = strndup(notes, strcspn(notes, "\n"));
    say(SAY_WARN, "series are left out of the page; --check lists them", "backend",
        p->options.backend->settings->name, "count", SAY_U64(lines), "repeated",
        repeated ? SAY_U64(repeated) : NULL, "first", first, NULL);
    free(first);
}

/* Under the lock: logs the notes if they have changed, at growing intervals; any program can change them each time. */
static void page_tell(struct page *p, struct buf *notes)
{
    uint64_t now = clock_mono(p->options.clock), repeated;
    const char *text = buf_text(notes);
    bool news = notes->len && (!p->notes || strcmp(p->notes, text));
    complain_rest(&p->changed, now);
    if (news && !complain_due(&p->changed, now, &repeated)) return;
    if (news) page_say(p, text, repeated);
    free(p->notes);
    p->notes = buf_take(notes);
}

static struct plan *page_plan(struct page *p, struct edition *edition)
{
    struct view view;
    struct buf notes = {0};
    struct plan *plan = calloc(1, sizeof *plan);
    bool good = plan && page_view(p, edition, &view);
    struct batch batch = {.view = &view, .settings = p->options.backend->settings, .notes = &notes};
    if (good) {
        batch.to = view.n;
        plan->made = p->pages->plan(&batch);
        plan->references = 1;
        page_tell(p, &notes);
    }
    if (plan) view_free(&view);
    buf_free(&notes);
    if (plan && plan->made) return plan;
    free(plan);
    return NULL;
}

/* --- Editions --- */

/* True if a plan for one snapshot is valid for the other. Texts do not move while a snapshot is held, so
 * texts at the same address are equal. */
static bool page_alike(const metrics_snapshot_t *a, const metrics_snapshot_t *b)
{
    size_t n = metrics_snapshot_count(a), tags;
    if (metrics_snapshot_alike(a, b)) return true;
    if (metrics_snapshot_count(b) != n) return false;
    for (size_t i = 0; i < n; i++) {
        const metrics_reading_t *x = metrics_snapshot_reading(a, i), *y = metrics_snapshot_reading(b, i);
        if (metrics_reading_name(x) != metrics_reading_name(y) ||
            metrics_reading_tags(x, &tags) != metrics_reading_tags(y, &tags) ||
            metrics_reading_unit(x) != metrics_reading_unit(y) ||
            metrics_reading_help(x) != metrics_reading_help(y))
            return false;
    }
    return true;
}

static bool edition_alike(const struct edition *a, const struct edition *b)
{
    if (a->snapshot_count != b->snapshot_count) return false;
    for (size_t i = 0; i < a->snapshot_count; i++)
        if (!page_alike(a->snapshots[i], b->snapshots[i])) return false;
    return true;
}

/* Numbers the items: 0 is the level, then follow the readings of all snapshots. */
static bool edition_number(struct edition *e, const struct selection *selection)
{
    size_t n = 1;
    e->parts = calloc(e->snapshot_count + 1, sizeof *e->parts);
    if (!e->parts) return false;
    for (size_t i = 0; i < e->snapshot_count; i++) {
        size_t count = metrics_snapshot_count(e->snapshots[i]);
        if (count > UINT32_MAX - n) return false;
        e->parts[i] = (struct page_part){e->snapshots[i], (uint32_t)n, (uint32_t)count};
        n += count;
    }
    e->level = (metrics_row_t){.attribute = METRICS_VALUE,
                               .nature = METRICS_LEVEL,
                               .type = METRICS_F64,
                               .value.f = (double)e->snapshot_count,
                               .unit = "",
                               .worker = -1};
    e->values = (struct page_values){
        .selection = selection, .parts = e->parts, .part_count = e->snapshot_count, .level = &e->level};
    return true;
}

/* Under the lock: the plan of the last edition if it is still valid, else a new one. */
static bool page_find_plan(struct page *p, struct edition *e)
{
    const struct edition *last = p->editions;
    if (last && edition_alike(last, e) && p->pages->fits(last->plan->made, &e->values)) {
        e->plan = last->plan;
        e->plan->references++;
    } else {
        e->plan = page_plan(p, e);
    }
    return e->plan != NULL;
}

/* Under the page's lock: takes the stream off its edition; the client gets no more of the page. */
static void stream_cut(struct stream *s)
{
    pthread_mutex_lock(&s->lock);
    gzip_close(&s->gzip);
    if (s->printer) s->page->pages->end(&s->printer);
    struct edition *edition = s->edition;
    s->edition = NULL;
    pthread_mutex_unlock(&s->lock);
    if (!edition) return;
    *s->link = s->next;
    if (s->next) s->next->link = s->link;
    page_put(s->page, edition);
}

/* Under the lock. */
static void page_tell_slow(struct page *p)
{
    uint64_t now = clock_mono(p->options.clock);
    complain_rest(&p->slow, now);
    complain(&p->slow, now, "a client that reads its page too slowly is disconnected", "backend",
             p->options.backend->settings->name, "too many sets of numbers would be held");
}

/* Under the lock: makes room for one more edition by breaking off the clients that hold the oldest one. */
static void page_make_room(struct page *p)
{
    size_t n = 1;
    struct edition *oldest = p->editions;
    for (; oldest && oldest->next; oldest = oldest->next) n++;
    if (n < PAGE_EDITIONS || !oldest || oldest == p->editions) return;
    page_tell_slow(p);
    oldest->references++;
    while (oldest->streams) stream_cut(oldest->streams);
    page_put(p, oldest);
}

static bool edition_is_of(const struct edition *e, metrics_snapshot_t *const *snapshots, size_t n)
{
    return e && e->snapshot_count == n && !memcmp(e->snapshots, snapshots, n * sizeof(*snapshots));
}

/* Under the lock: the edition of the fresh snapshots, a new one
 * or the last; it belongs to the page. NULL without memory. */
static struct edition *page_edition(struct page *p)
{
    struct edition *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    e->references = 1;
    if (!page_fresh(p, e)) {
        page_put(p, e);
        return NULL;
    }
    if (edition_is_of(p->editions, e->snapshots, e->snapshot_count)) {
        page_put(p, e);
        return p->editions;
    }
    if (!edition_number(e, &p->selection) || !page_find_plan(p, e)) {
        page_put(p, e);
        return NULL;
    }
    page_make_room(p);
    struct edition *last = p->editions;
    e->next = last;
    p->editions = e;
    page_put(p, last);
    return e;
}

/* --- Streams --- */

/* A gzip_source; also the next piece of a page that is not compressed. */
static size_t stream_print(void *arg, char *to, size_t n)
{
    struct stream *s = arg;
    size_t got = s->page->pages->print(s->printer, to, n);
    if (got != PAGES_BROKEN) s->bytes += got;
    s->whole = got == 0;
    return got;
}

static size_t stream_more(void *owner, char *to, size_t n)
{
    struct stream *s = owner;
    size_t got = SERVE_BROKEN;
    pthread_mutex_lock(&s->lock);
    uint64_t start = clock_mono(s->page->options.clock);
    if (s->edition && start - s->began < PAGE_LONGEST)
        got = s->gzip ? gzip_read(s->gzip, to, n) : stream_print(s, to, n);
    s->took += clock_mono(s->page->options.clock) - start;
    pthread_mutex_unlock(&s->lock);
    return got;
}

static void stream_release(void *owner)
{
    struct stream *s = owner;
    struct page *p = s->page;
    if (s->whole && p->options.meta)
        meta_scraped(p->options.meta, p->options.backend->settings->name, s->took, s->bytes);
    pthread_mutex_lock(&p->lock);
    stream_cut(s);
    pthread_mutex_unlock(&p->lock);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* Under the lock. NULL without memory. */
static struct stream *stream_new(struct page *p, struct edition *edition, unsigned form, bool gzip)
{
    struct stream *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    *s = (struct stream){.page = p, .edition = edition, .began = clock_mono(p->options.clock)};
    s->printer = p->pages->begin(edition->plan->made, &edition->values, p->options.backend->settings, form);
    if (s->printer && gzip) s->gzip = gzip_open(1, stream_print, s);
    if (!s->printer || (gzip && !s->gzip)) {
        if (s->printer) p->pages->end(&s->printer);
        free(s);
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    edition->references++;
    s->next = edition->streams;
    s->link = &edition->streams;
    if (s->next) s->next->link = &s->next;
    edition->streams = s;
    return s;
}

void page_answer(void *arg, const struct serve_request *request, struct serve_answer *answer)
{
    struct page *p = arg;
    size_t form = accept_choose(request->accept, p->media, p->forms);
    bool gzip = accept_coding(request->accept_encoding, "gzip");
    uint64_t start = clock_mono(p->options.clock);
    pthread_mutex_lock(&p->lock);
    struct edition *edition = page_edition(p);
    struct stream *s = edition ? stream_new(p, edition, (unsigned)form, gzip) : NULL;
    if (s) s->took = s->began - start;
    pthread_mutex_unlock(&p->lock);
    if (!s) {
        *answer = (struct serve_answer){
            .status = PAGE_BUSY, .type = "text/plain", .body = "out of memory\n", .n = 14};
        return;
    }
    *answer = (struct serve_answer){.type = p->media[form],
                                    .coding = gzip ? "gzip" : NULL,
                                    .more = stream_more,
                                    .release = stream_release,
                                    .owner = s};
}
