/* SPDX-License-Identifier: Apache-2.0 */
/* audit_told.c - what was told: each interval once, except what may come again. */
#include "audit_inside.h"

#include <stdlib.h>
#include <string.h>

/* The line of that series at the backend; NULL for those that nobody asked for. */
static struct line *line_of(struct book_backend *b, const char *name, bool *level)
{
    *level = !strncmp(name, "level", 5);
    if (*level)
        return strlen(name) == 8 && name[6] >= 'a' && name[6] < 'a' + AUDIT_PLACES ? &b->levels[name[6] - 'a']
                                                                                   : NULL;
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
    if (r->beside && t->value == 0) return;
    if (!was) line_add(l, r);
    if (!was || (book.logs_move && !was->unsure)) { /* if it is the same one, more is told than was counted */
        l->told += t->value;
        return;
    }
    if (was->value != t->value)
        audit_complain("%s was told %s at %ld again, with %.0f in place of %.0f", b->protocol->type, t->name,
                       (long)(t->time - 1800000000), t->value, was->value);
    else if (!was->unsure)
        audit_complain(
            "%s was told %s at %ld twice (%.0f), although the first was answered or must not be repeated",
            b->protocol->type, t->name, (long)(t->time - 1800000000), t->value);
    *was = *r;
}

/* What is told of two moments must agree, in whatever order it comes: totals only grow, and so do a world's levels. */
static void told_compare(const struct book_backend *b, const struct told *t, const struct receipt *was)
{
    if (was->time == t->time && book.logs_move) return;
    bool falls = was->time < t->time   ? was->value > t->value
                 : was->time > t->time ? was->value < t->value
                                       : was->value != t->value || !was->unsure;
    if (falls)
        audit_complain("%s was told that %s is %.0f at %ld after it was %.0f at %ld", b->protocol->type,
                       t->name, t->value, (long)(t->time - 1800000000), was->value,
                       (long)(was->time - 1800000000));
}

/* A total or a level. What comes late, since it waited in another log, comes under its own time. Those of an earlier
 * segment may still come beside those of its successor. */
static void told_value(struct book_backend *b, struct line *l, const struct told *t, const struct receipt *r)
{
    if (r->letter < l->letter || t->replaced || r->beside) return;
    if (r->letter > l->letter) l->n = l->last_time = 0;
    struct receipt *same = NULL;
    for (size_t i = 0; i < l->n; i++) {
        told_compare(b, t, &l->receipts[i]);
        if (l->receipts[i].time == t->time) same = &l->receipts[i];
    }
    if (same)
        *same = *r;
    else
        line_add(l, r);
    l->letter = r->letter;
    if (t->time < l->last_time) return;
    l->last = t->value;
    l->last_time = t->time;
}

static void told_one(struct book_backend *b, const struct told *t, struct receipt *r)
{
    bool level;
    struct line *l = line_of(b, t->name, &level);
    if (!l) return;
    r->letter = t->name[level ? 7 : 2];
    if (level || t->nature == TOLD_TOTAL)
        told_value(b, l, t, r);
    else if (t->nature == TOLD_DELTA)
        told_delta(b, l, t, r);
    else
        audit_complain("%s was told %s as a level", b->protocol->type, t->name);
}

/* Given up, once. */
static void told_lose(struct line *l, const struct told *t)
{
    if (line_find(l, t) || (l->lost_time == t->time && l->lost_letter == t->name[2])) return;
    audit_lost(l, t->value);
    l->lost_time = t->time;
    l->lost_letter = t->name[2];
}

/* Readings that the exporter gives up. */
static void told_lost(struct book_backend *b, const struct told_list *list, int only)
{
    bool level;
    for (size_t i = 0; i < list->n; i++) {
        struct line *l = only < 0 || (size_t)only == i ? line_of(b, list->at[i].name, &level) : NULL;
        if (l && list->at[i].nature == TOLD_DELTA) told_lose(l, &list->at[i]);
    }
}

static void tally_told(struct book_backend *b, unsigned life, const struct told_list *list,
                       enum audit_answer answer, int partly)
{
    struct tally *t = &b->tally[life];
    bool drops = answer == AUDIT_UNSURE && b->drops && b->protocol->additive;
    if (answer == AUDIT_WELL) t->well += list->n;
    if (drops) t->unsure += list->n;
    if (answer == AUDIT_NOT_NOW || (answer == AUDIT_UNSURE && !drops)) t->again++;
    if (answer == AUDIT_NEVER || partly >= 0) t->refused++;
    if (partly >= 0) t->partly++;
}

void audit_told(unsigned backend, unsigned life, const struct told_list *list, bool applied,
                enum audit_answer answer, int partly)
{
    struct book_backend *b = &book.backends[backend];
    bool again = answer == AUDIT_UNSURE && !b->drops, never = answer == AUDIT_NEVER && list->n == 1;
    struct receipt r = {
        .life = life, .request = ++book.requests, .unsure = again, .beside = book.beside[life]};
    b->last_request[life] = r.request;
    b->last_unsure[life] = answer == AUDIT_UNSURE;
    tally_told(b, life, list, answer, partly);
    for (size_t i = 0; applied && i < list->n; i++) {
        r.time = list->at[i].time;
        r.value = list->at[i].value;
        if (partly != (int)i) told_one(b, &list->at[i], &r);
    }
    if ((!applied && answer == AUDIT_UNSURE && b->drops && b->protocol->additive) || never)
        told_lost(b, list, -1);
    if (partly >= 0) told_lost(b, list, partly);
}

/* --- The end of an exporter --- */

static void line_killed(struct line *l, unsigned life, uint64_t last, bool otherwise)
{
    for (size_t i = 0; i < l->n; i++) {
        struct receipt *r = &l->receipts[i];
        if (r->life != life || r->request != last) continue;
        r->unsure = true;
        if (otherwise) l->excess += r->value;
    }
}

void audit_killed(unsigned life, bool busy, unsigned otherwise)
{
    for (const struct book_segment *s = book.segments; s < book.segments + AUDIT_SEGMENTS; s++)
        if (s->unwritten == 1 + life) otherwise |= 1u << s->place;
    for (struct book_backend *b = book.backends; b < book.backends + AUDIT_BACKENDS; b++) {
        if (!busy && !b->last_unsure[life]) continue;
        for (unsigned p = 0; p < AUDIT_PLACES; p++) {
            line_killed(&b->levels[p], life, b->last_request[life], false);
            for (unsigned i = 0; i < AUDIT_SERIES; i++)
                line_killed(&b->counters[p][i], life, b->last_request[life], otherwise >> p & 1);
        }
    }
}

/* The segment that knew what its log's file lacks is gone: since then everything may come again. */
static void segment_forgets(const struct book_segment *s)
{
    for (struct book_backend *b = book.backends; b < book.backends + AUDIT_BACKENDS; b++)
        for (unsigned i = 0; i < AUDIT_SERIES; i++) {
            struct line *l = &b->counters[s->place][i];
            l->excess += l->told - l->before_unwritten;
            for (size_t k = 0; k < l->n; k++)
                if (l->receipts[k].letter == s->letter) l->receipts[k].unsure = true;
        }
}

static void line_come_again(struct line *l)
{
    for (size_t i = 0; i < l->n; i++) l->receipts[i].unsure = true;
    l->letter = 0;
    l->last = 0;
    l->last_time = 0;
}

void audit_power_lost(void)
{
    for (unsigned p = 0; p < AUDIT_PLACES; p++)
        if (book.here[p]) audit_deleted(p, false);
    audit_unfollowed();
    audit_forgiven(-1, (1u << AUDIT_BACKENDS) - 1);
    for (struct book_backend *b = book.backends; b < book.backends + AUDIT_BACKENDS; b++)
        for (unsigned p = 0; p < AUDIT_PLACES; p++) {
            line_come_again(&b->levels[p]);
            for (unsigned i = 0; i < AUDIT_SERIES; i++) line_come_again(&b->counters[p][i]);
        }
}

void audit_unwritten(unsigned life, uint64_t incarnation, bool unwritten)
{
    struct book_segment *s = audit_find(incarnation);
    if (!s) return;
    s->unwritten = unwritten ? 1 + life : 0;
    for (struct book_backend *b = book.backends; unwritten && b < book.backends + AUDIT_BACKENDS; b++)
        for (unsigned i = 0; i < AUDIT_SERIES; i++)
            b->counters[s->place][i].before_unwritten = b->counters[s->place][i].told;
}

void audit_left(unsigned life)
{
    for (struct book_segment *s = book.segments; s < book.segments + AUDIT_SEGMENTS; s++) {
        if (s->unwritten != 1 + life) continue;
        audit_forgiven((int)s->place, (1u << AUDIT_BACKENDS) - 1);
        s->unwritten = 0;
        s->stale = !s->gone;
        if (s->gone) segment_forgets(s);
    }
}

void audit_caught_up(uint64_t incarnation)
{
    struct book_segment *s = audit_find(incarnation);
    if (s) s->stale = false;
}

void audit_stale_gone(struct book_segment *s)
{
    if (s->stale) segment_forgets(s);
    s->stale = false;
}

void audit_lives(unsigned life, bool beside)
{
    book.beside[life] = beside;
    for (struct book_backend *b = book.backends; b < book.backends + AUDIT_BACKENDS; b++) {
        b->last_request[life] = UINT64_MAX;
        b->tally[life] = (struct tally){0};
    }
}

/* What it says must be what the service saw. Requests that no service saw count as repeated, too. */
static void account_check(const struct book_backend *b, const struct tally *t, const struct ledger_account *a)
{
    const char *type = b->protocol->type;
    uint64_t refused = a->dropped[LEDGER_REFUSED] + a->dropped[LEDGER_TOO_LARGE],
             unsure = a->dropped[LEDGER_AMBIGUOUS];
    if (a->points != t->well && !t->refused)
        audit_complain("the ledger says that %s took %d points; it took %d", type, (int)a->points,
                       (int)t->well);
    if (unsure < t->unsure || (unsure && !t->unsure))
        audit_complain("the ledger says that %d readings for %s are ambiguous, of which %d points were sent",
                       (int)unsure, type, (int)t->unsure);
    if (a->retries < t->again)
        audit_complain("the ledger says that %s was sent %d requests again; it was %d or more", type,
                       (int)a->retries, (int)t->again);
    if (refused < t->partly)
        audit_complain("the ledger says that %s refused %d readings; it was %d or more", type, (int)refused,
                       (int)t->partly);
    if (refused && !t->refused)
        audit_complain("the ledger says that %s refused %d readings", type, (int)refused);
}

void audit_account(unsigned life, const char *type, const struct ledger_account *account)
{
    for (struct book_backend *b = book.backends; b < book.backends + AUDIT_BACKENDS; b++)
        if (b->protocol && !strcmp(b->protocol->type, type)) account_check(b, &b->tally[life], account);
}
