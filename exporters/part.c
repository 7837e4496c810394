/* SPDX-License-Identifier: Apache-2.0 */
#include "part.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static uint64_t part_seed(const metrics_clock_t *clock)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed) seed = clock_mono(clock);
    return seed;
}

static bool part_begin(struct part *p, const struct part_options *o, struct buf *why)
{
    const struct option_tags *tags = &p->config->tags;
    enum segment_tag segment = segment_tag(&p->config->segments);
    if (backend_is_scraped(p->backend->type)) {
        p->page = page_new(&(struct page_options){p->backend, tags, o->sampler, o->meta, o->clock, segment});
        if (!p->page) buf_str(why, "out of memory");
        return p->page != NULL;
    }
    struct consumer_options options = {p->backend, tags,     o->ledger,           o->meta,
                                       o->wake,    o->clock, part_seed(o->clock), segment};
    p->consumer = consumer_new(&options, why);
    return p->consumer != NULL;
}

struct part *part_new(const struct part_options *options, struct config *config,
                      const struct config_backend *backend, struct buf *why)
{
    struct part *p = calloc(1, sizeof *p);
    if (!p) {
        buf_str(why, "out of memory");
        return NULL;
    }
    p->config = config_retain(config);
    p->backend = backend;
    if (!part_begin(p, options, why)) part_free(&p);
    return p;
}

void part_free(struct part **part)
{
    struct part *p = *part;
    if (!p) return;
    consumer_free(&p->consumer);
    page_free(&p->page);
    config_free(&p->config);
    free(p);
    *part = NULL;
}

void part_free_all(struct part **list)
{
    for (struct part *p = *list, *next; p; p = next) {
        next = p->next;
        part_free(&p);
    }
    *list = NULL;
}

const char *part_name(const struct part *part)
{
    return part->backend->settings->name;
}

struct part *part_named(struct part *list, const char *name)
{
    while (list && strcmp(part_name(list), name)) list = list->next;
    return list;
}

void part_append(struct part **list, struct part *part)
{
    while (*list) list = &(*list)->next;
    part->next = NULL;
    *list = part;
}
