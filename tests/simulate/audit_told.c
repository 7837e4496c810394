/* SPDX-License-Identifier: Apache-2.0 */
/* audit_told.c - what was told: each interval once, except what may come again. */
#include "audit_inside.h"

#include <stdlib.h>
#include <string.h>

/* The line of that series at the backend; NULL for those that nobody asked for. */
static struct line *line_of(struct book_backend *b, const char *name, bool *level)
{
    *level = !strncmp(name, "level", 5);
    if (*level) return name[6] >= 'a' && name[6] < 'a' + AUDIT_PLACES ? &b->levels[name[6] - 'a'] : NULL;
    if (name[0] < 'a' || name[0] >= 'a' + AUDIT_PLACES || name[1] < '0' || name[1] >= '0' + AUDIT_SERIES ||
        name[2] < 'a' || name[3])
        return NULL;
    return &b->counters[name[0] - 'a'][name[1] - '0'];
}

static struct receipt *line_find(struct line *l, const struct told *t)
{
    for (size_t i = l->n; i--;)
        if (l->receipts[i].time == t->time && l->receipts[i].letter == t->name[2]) return &l->receipts[i];
    return NULL;
}

static void line_add(struct line *l, const struct receipt *r)
{
    if (l->n == l->room) {
        l->room = l->room ? l->room * 2 : 64;
        l->receipts = realloc(l->receipts, l->room * sizeof *l->receipts);
        if (!l->receipts) abort();
    }
    l->receipts[l->n++] = *r;
}

static void told_delta(struct book_backend *b, struct line *l, const struct told *t, const struct receipt *r)
{
    struct receipt *was = line_find(l, t);
    if (!was) {
        line_add(l, r);
        l->told += t->value;
        return;
    }
    if (was->value != t->value)
        audit_complain("%s was told %s at %ld again, with %.0f in place of %.0f", b->protocol->type, t->name,
                       (long)(t->time - 1800000000), t->value, was->value);
    else if (!was->unsure)
        audit_complain("%s was told %s at %ld twice (%.0f), although the first was answered or must not be repeated",
                       b->protocol->type, t->name, (long)(t->time - 1800000000), t->value);
    *was = *r;
}

/* Totals of an earlier segment may still come beside those of its successor. */
static void told_total(struct book_backend *b, struct line *l, const struct told *t)
{
    if (t->name[2] < l->letter) return;
    if (t->name[2] == l->letter && t->value < l->last)
        audit_complain("%s was told that the total %s fell from %.0f to %.0f", b->protocol->type, t->name, l->last, t->value);
    l->last = t->value;
    l->letter = t->name[2];
}

static void told_one(struct book_backend *b, const struct told *t, const struct receipt *r)
{
    bool level;
    struct line *l = line_of(b, t->name, &level);
    if (!l || level) return;
    if (t->nature == TOLD_TOTAL)
        told_total(b, l, t);
    else if (t->nature == TOLD_DELTA)
        told_delta(b, l, t, r);
    else
        audit_complain("%s was told %s as a level", b->protocol->type, t->name);
}

/* Readings that the exporter gives up. */
static void told_lost(struct book_backend *b, const struct told_list *list, int only)
{
    bool level;
    for (size_t i = 0; i < list->n; i++) {
        struct line *l = only < 0 || (size_t)only == i ? line_of(b, list->at[i].name, &level) : NULL;
        if (l && list->at[i].nature == TOLD_DELTA && !line_find(l, &list->at[i])) audit_lost(l, list->at[i].value);
    }
}

void audit_told(unsigned backend, unsigned life, const struct told_list *list, bool applied, enum audit_answer answer,
                int partly)
{
    struct book_backend *b = &book.backends[backend];
    bool again = answer == AUDIT_UNSURE && !b->drops, never = answer == AUDIT_NEVER && list->n == 1;
    struct receipt r = {.life = life, .request = ++book.requests, .unsure = again};
    b->last_request[life] = r.request;
    for (size_t i = 0; applied && i < list->n; i++) {
        r.time = list->at[i].time;
        r.value = list->at[i].value;
        r.letter = list->at[i].name[2];
        if (partly != (int)i) told_one(b, &list->at[i], &r);
    }
    if ((!applied && answer == AUDIT_UNSURE && b->drops && b->protocol->additive) || never) told_lost(b, list, -1);
    if (partly >= 0) told_lost(b, list, partly);
}

/* --- The end of an exporter --- */

static void line_killed(struct line *l, unsigned life, uint64_t last, bool unwritten)
{
    for (size_t i = 0; i < l->n; i++) {
        struct receipt *r = &l->receipts[i];
        if (r->life == life && r->request == last) r->unsure = true;
    }
    if (unwritten) l->excess += l->told - l->before_unwritten;
}

void audit_killed(unsigned life, bool busy, bool unwritten)
{
    for EACH (struct book_backend, b, book.backends)
        for (unsigned p = 0; p < AUDIT_PLACES; p++)
            for (unsigned i = 0; i < AUDIT_SERIES; i++)
                line_killed(&b->counters[p][i], life, busy ? b->last_request[life] : 0, unwritten);
}

void audit_unwritten(unsigned life, bool unwritten)
{
    if (unwritten && !book.unwritten[life])
        for EACH (struct book_backend, b, book.backends)
            for (unsigned p = 0; p < AUDIT_PLACES; p++)
                for (unsigned i = 0; i < AUDIT_SERIES; i++)
                    b->counters[p][i].before_unwritten = b->counters[p][i].told;
    book.unwritten[life] = unwritten;
}

void audit_lives(unsigned life)
{
    book.unwritten[life] = false;
    for EACH (struct book_backend, b, book.backends)
        b->last_request[life] = UINT64_MAX;
}
