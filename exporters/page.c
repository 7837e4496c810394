/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

#include "accept.h"
#include "gzip.h"
#include "say.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_FORMS = 4, PAGE_SEGMENTS = 64, PAGE_BUSY = 503 };

/* A page's text, shared by the answers that are being sent. */
struct page_text {
    pthread_mutex_t lock; /* of the count */
    unsigned references;
    bool packed;
    struct buf body;
};

struct page_form {
    struct page_text *plain, *packed; /* NULL: not made (again) yet */
    uint64_t made;
};

struct page {
    struct page_options options;
    struct selection selection;
    const char *media[PAGE_FORMS];
    size_t forms;
    pthread_mutex_t
        lock; /* of the forms and the notes; held while a page is made, so that others wait for it */
    struct page_form form[PAGE_FORMS];
    char *notes; /* what was left out of the last page; told when it changes */
};

struct page *page_new(const struct page_options *options)
{
    struct page *p = calloc(1, sizeof *p);
    const struct backend *backend = options->backend->type;
    if (!p) return NULL;
    p->options = *options;
    pthread_mutex_init(&p->lock, NULL);
    while (p->forms < PAGE_FORMS && backend->wants.media[p->forms]) {
        p->media[p->forms] = backend->wants.media[p->forms];
        p->forms++;
    }
    if (!selection_compile(&p->selection, backend, options->backend->settings, options->tags)) page_free(&p);
    return p;
}

static void page_text_get(struct page_text *text)
{
    pthread_mutex_lock(&text->lock);
    text->references++;
    pthread_mutex_unlock(&text->lock);
}

static void page_text_put(void *arg)
{
    struct page_text *text = arg;
    if (!text) return;
    pthread_mutex_lock(&text->lock);
    bool last = !--text->references;
    pthread_mutex_unlock(&text->lock);
    if (!last) return;
    pthread_mutex_destroy(&text->lock);
    buf_free(&text->body);
    free(text);
}

static void page_forget(struct page_form *form)
{
    page_text_put(form->plain);
    page_text_put(form->packed);
    *form = (struct page_form){0};
}

void page_free(struct page **page)
{
    struct page *p = *page;
    if (!p) return;
    for (size_t i = 0; i < PAGE_FORMS; i++) page_forget(&p->form[i]);
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

/* --- Making it ---------------------------------------------------------------------------------------------
 */

bool page_print(struct page *p, unsigned form, struct buf *out, struct buf *notes)
{
    metrics_snapshot_t *snapshots[PAGE_SEGMENTS];
    struct view view;
    size_t n = sampler_fresh(p->options.sampler, snapshots, PAGE_SEGMENTS);
    view_begin(&view, &p->selection, clock_wall(p->options.clock), 0);
    bool good = view_add_level(&view, "mtx.segment.attached",
                               "How many segments the exporter is attached to.", (double)n);
    for (size_t i = 0; i < n && good; i++) good = view_add(&view, snapshots[i], NULL);
    view_sort(&view);
    struct batch batch = {
        .view = &view, .to = view.n, .settings = p->options.backend->settings, .form = form, .notes = notes};
    struct payload payload = {.body = *out};
    if (good) p->options.backend->type->encode(&batch, &payload);
    *out = payload.body;
    view_free(&view);
    for (size_t i = 0; i < n; i++) metrics_snapshot_release(&snapshots[i]);
    return good && buf_ok(out);
}

static void page_tell(struct page *p, struct buf *notes)
{
    const char *text = buf_text(notes);
    if (notes->len && (!p->notes || strcmp(p->notes, text))) {
        size_t lines = 0;
        for (const char *c = text; *c; c++) lines += *c == '\n';
        char *first = strndup(text, strcspn(text, "\n"));
        say(SAY_WARN, "series are left out of the page; --check names all", "backend",
            p->options.backend->settings->name, "count", SAY_U64(lines), "first", first, NULL);
        free(first);
    }
    free(p->notes);
    p->notes = buf_take(notes);
}

static struct page_text *page_text_new(struct buf *body, bool packed)
{
    struct page_text *text = calloc(1, sizeof *text);
    if (!text) {
        buf_free(body);
        return NULL;
    }
    pthread_mutex_init(&text->lock, NULL);
    text->references = 1;
    text->packed = packed;
    text->body = *body;
    return text;
}

static void page_make(struct page *p, size_t form, uint64_t now)
{
    struct buf body = {0}, notes = {0};
    uint64_t start = now;
    page_forget(&p->form[form]);
    bool good = page_print(p, (unsigned)form, &body, &notes);
    page_tell(p, &notes);
    size_t n = body.len;
    if (good)
        p->form[form].plain = page_text_new(&body, false);
    else
        buf_free(&body);
    p->form[form].made = now;
    if (p->options.meta)
        meta_scraped(p->options.meta, p->options.backend->settings->name,
                     clock_mono(p->options.clock) - start, n);
}

/* The text of a form, a reference of the caller's; NULL without memory. */
static struct page_text *page_get(struct page *p, size_t form, bool gzip)
{
    pthread_mutex_lock(&p->lock);
    struct page_form *f = &p->form[form];
    uint64_t now = clock_mono(p->options.clock);
    if (!f->plain || now - f->made >= FRESH_NS) page_make(p, form, now);
    if (gzip && f->plain && !f->packed) {
        struct buf packed = {0};
        if (gzip_pack(f->plain->body.data, f->plain->body.len, 1, GZIP_GZIP, &packed))
            f->packed = page_text_new(&packed, true);
    }
    struct page_text *text = gzip && f->packed ? f->packed : f->plain;
    if (text) page_text_get(text);
    pthread_mutex_unlock(&p->lock);
    return text;
}

void page_answer(void *arg, const struct serve_request *request, struct serve_answer *answer)
{
    struct page *p = arg;
    size_t form = accept_choose(request->accept, p->media, p->forms);
    bool gzip = accept_coding(request->accept_encoding, "gzip");
    struct page_text *text = page_get(p, form, gzip);
    if (!text) {
        *answer = (struct serve_answer){
            .status = PAGE_BUSY, .type = "text/plain", .body = "out of memory\n", .n = 14};
        return;
    }
    *answer = (struct serve_answer){.type = p->media[form],
                                    .coding = text->packed ? "gzip" : NULL,
                                    .body = text->body.data,
                                    .n = text->body.len,
                                    .release = page_text_put,
                                    .owner = text};
}
