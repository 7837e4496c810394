/* SPDX-License-Identifier: Apache-2.0 */
/* audit.c - what is owed: what was counted, less what may be lost. */
#include "audit_inside.h"

#include "story.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct book book;

void audit_complain(const char *format, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    book.violations++;
    story_then("VIOLATION: %s", text);
}

void audit_begin(void)
{
    memset(&book, 0, sizeof book);
}

void audit_backend(unsigned backend, const struct told_protocol *protocol)
{
    book.backends[backend].protocol = protocol;
}

void audit_drops(unsigned backend, bool drops)
{
    book.backends[backend].drops = drops;
}

void audit_logs_move(void)
{
    book.logs_move = true;
}

void audit_lost(struct line *line, double n)
{
    line->owed -= n;
}

/* --- Segments --- */

struct book_segment *audit_find(uint64_t incarnation)
{
    for (struct book_segment *s = book.segments; incarnation && s < book.segments + AUDIT_SEGMENTS; s++)
        if (s->incarnation == incarnation) return s;
    return NULL;
}

char audit_segment(unsigned place, uint64_t incarnation)
{
    struct book_segment *s = &book.segments[book.segment_count++ % AUDIT_SEGMENTS];
    *s = (struct book_segment){.incarnation = incarnation, .place = place};
    s->letter = (char)('a' + book.made[place]++ % 26);
    book.here[place] = s;
    return s->letter;
}

void audit_counted(unsigned place, unsigned series, uint64_t n)
{
    struct book_segment *s = book.here[place];
    s->counted[series] += (double)n;
    book.counted[place][series] += (double)n;
    if (!s->exported) s->early[series] += (double)n;
    for (unsigned b = 0; b < AUDIT_BACKENDS; b++)
        if ((!s->exported || s->known >> b & 1) && !(book.excluded >> series & 1))
            book.backends[b].counters[place][series].owed += (double)n;
}

void audit_level(unsigned place, double value)
{
    book.here[place]->level = value;
}

/* What nobody has read is lost, for those that would have been told. */
static void segment_lose_tail(struct book_segment *s)
{
    for (unsigned b = 0; b < AUDIT_BACKENDS; b++)
        for (unsigned i = 0; i < AUDIT_SERIES; i++)
            if (!s->exported || s->known >> b & 1)
                audit_lost(&book.backends[b].counters[s->place][i], s->counted[i] - s->logged[i]);
    s->tail_pending = false;
}

void audit_deleted(unsigned place, bool followed)
{
    struct book_segment *s = book.here[place];
    book.here[place] = NULL;
    s->gone = true;
    s->tail_pending = followed;
    if (!followed) segment_lose_tail(s);
    audit_stale_gone(s);
}

void audit_unfollowed(void)
{
    for (struct book_segment *s = book.segments; s < book.segments + AUDIT_SEGMENTS; s++)
        if (s->tail_pending) segment_lose_tail(s);
}

/* A backend that is not there at the first snapshot counts from the first that it sees. */
static void segment_first(struct book_segment *s, unsigned backends)
{
    for (unsigned b = 0; b < AUDIT_BACKENDS; b++)
        for (unsigned i = 0; i < AUDIT_SERIES; i++)
            if (!(backends >> b & 1)) audit_lost(&book.backends[b].counters[s->place][i], s->early[i]);
}

void audit_sampled(uint64_t incarnation, unsigned backends)
{
    struct book_segment *s = audit_find(incarnation);
    if (!s) return;
    if (!s->exported) segment_first(s, backends);
    s->exported = true;
    s->known |= backends;
    s->tail_pending = false;
    memcpy(s->logged, s->counted, sizeof s->logged);
}

/* --- What may be lost --- */

static void line_forgive(struct line *line)
{
    if (line->owed > line->told) line->owed = line->told;
}

void audit_forgiven(int place, unsigned backends)
{
    for (struct book_segment *s = book.segments; s < book.segments + AUDIT_SEGMENTS; s++)
        if (place < 0 || s->place == (unsigned)place) s->known &= ~backends;
    for (unsigned b = 0; b < AUDIT_BACKENDS; b++)
        for (unsigned p = 0; p < AUDIT_PLACES; p++)
            for (unsigned i = 0; i < AUDIT_SERIES; i++)
                if (backends >> b & 1 && (place < 0 || p == (unsigned)place))
                    line_forgive(&book.backends[b].counters[p][i]);
}

void audit_excludes(unsigned series)
{
    unsigned changed = book.excluded ^ series;
    book.excluded = series;
    for (unsigned b = 0; b < AUDIT_BACKENDS; b++)
        for (unsigned p = 0; p < AUDIT_PLACES; p++)
            for (unsigned i = 0; i < AUDIT_SERIES; i++)
                if (changed >> i & 1) line_forgive(&book.backends[b].counters[p][i]);
}

/* --- The verdict --- */

static void line_check(const struct book_backend *b, unsigned place, unsigned series)
{
    const struct line *l = &b->counters[place][series];
    double counted = book.counted[place][series];
    const char *type = b->protocol->type;
    if (l->told > counted + l->excess)
        audit_complain("%s was told %.0f of %c%u, which counted only %.0f%s", type, l->told, 'a' + place,
                       series, counted, l->excess > 0 ? " (and some repeats that are documented)" : "");
    if (l->told < l->owed)
        audit_complain("%s was told %.0f of %c%u, and is owed %.0f of %.0f", type, l->told, 'a' + place,
                       series, l->owed, counted);
}

static void total_check(const struct book_backend *b, unsigned place, unsigned series)
{
    const struct line *l = &b->counters[place][series];
    const struct book_segment *s = book.here[place];
    if (s && s->counted[series] > 0 && (l->letter != s->letter || l->last != s->counted[series]))
        audit_complain("%s holds the total %.0f of %c%u, which is %.0f", b->protocol->type, l->last,
                       'a' + place, series, s->counted[series]);
}

static void level_check(const struct book_backend *b, unsigned place)
{
    const struct line *l = &b->levels[place];
    const struct book_segment *s = book.here[place];
    if (s && s->level > 0 && (l->letter != s->letter || l->last != s->level))
        audit_complain("%s holds the level %.0f of %c, which is %.0f", b->protocol->type, l->last,
                       'a' + place, s->level);
}

unsigned audit_end(void)
{
    for (struct book_backend *b = book.backends; b < book.backends + AUDIT_BACKENDS; b++)
        for (unsigned p = 0; b->protocol && p < AUDIT_PLACES; p++) level_check(b, p);
    for (struct book_backend *b = book.backends; b < book.backends + AUDIT_BACKENDS; b++)
        for (unsigned p = 0; b->protocol && p < AUDIT_PLACES; p++)
            for (unsigned i = 0; i < AUDIT_SERIES; i++)
                if (b->protocol->additive)
                    line_check(b, p, i);
                else
                    total_check(b, p, i);
    return book.violations;
}
