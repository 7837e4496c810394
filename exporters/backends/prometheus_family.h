/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prometheus_family.h - the plan of a Prometheus page: all of it but the numbers.
 *
 * The series of a view are grouped into the families of a page: what type each has, which names it takes,
 * which of our series share it, what the labels of each look like. None of this changes while the series stay
 * the same, so a plan is made once and printed many times (prometheus_print.h).
 *
 * Two of our names that look the same to Prometheus (a.b and a-b) share a family if they are of one type;
 * each of its series then has its own name in the label mtx_name. If they are of different types, the later
 * one is left out, and the notes say so.
 *
 * A plan keeps nothing of the view. Not thread-safe: one thread at a time makes or frees a plan; the
 * functions that take it as const are thread-safe.
 */
#ifndef EXPORTERS_PROMETHEUS_FAMILY_H
#define EXPORTERS_PROMETHEUS_FAMILY_H

#include "view.h"

enum prometheus_type {
    PROMETHEUS_COUNTER,
    PROMETHEUS_GAUGE,
    PROMETHEUS_HISTOGRAM,
    PROMETHEUS_SUMMARY,
    PROMETHEUS_INFO
};

/* A stretch of the plan's text. */
struct prometheus_text {
    uint32_t at, n;
};

/* One series: the rows of one label set, which are printed together. */
struct prometheus_member {
    uint32_t next;                 /* of its family, a place among the plan's members; 0: none */
    uint32_t item;                 /* which item its rows belong to */
    uint32_t row : 23;             /* where they begin among the item's rows */
    uint32_t counted : 1;          /* the number is metrics_reading_count(), as it is */
    uint32_t unit : 8;             /* prometheus_unit_numbered() */
    struct prometheus_text labels; /* {a="1",b="2"} and a blank; {} and a blank without labels */
};

struct prometheus_family {
    struct prometheus_family *next;
    struct prometheus_text name; /* without the suffix of the type; ends with the unit */
    struct prometheus_text head; /* with the suffix that every sample has: the name and some more */
    struct prometheus_text help; /* as the user wrote it; empty if there is none */
    struct prometheus_text own_name;
    const char *unit; /* base unit, "" if none */
    enum prometheus_type type;
    bool plain; /* the help can be printed as it is */
    bool mixed; /* members have different names of their own */
    uint32_t first, last, n;
};

/* What the rows of an item were like, for those whose rows may come and go; see prometheus_page_fits(). */
struct prometheus_shape {
    uint32_t item, hash;
};

/* The text has so many bytes more than it uses, so that short pieces can be copied in a fixed size. */
enum { PROMETHEUS_SLACK = 16 };

/* A plan. Zero is an empty one; prometheus_page_free() gives it back. */
struct prometheus_page {
    struct prometheus_family *first, *last;
    struct prometheus_member *members; /* from 1 on */
    uint32_t member_count;
    struct prometheus_shape *shapes;
    uint32_t shape_count;
    struct buf text;
    struct region region; /* of the families */
    bool failed;
};

/* Groups the items [from, to) of a batch; the page must be empty. `numbered`: members hold the number of
 * their item, else its place in the view. False without memory. */
bool prometheus_page_build(struct prometheus_page *page, const struct batch *batch, bool numbered);

/* Frees what the plan owns and makes it empty. */
void prometheus_page_free(struct prometheus_page *page);

/* A number for what decides about families in the rows of an item: equal numbers, equal places on the page.
 * Pure. */
uint32_t prometheus_shape_hash(const metrics_row_t *rows, size_t n);

/* "counter": the type as a page has it. A constant. */
const char *prometheus_type_name(enum prometheus_type type);

/* What the type adds to the name of each sample: "_total" of a counter; "" where that differs by sample. A
 * constant. */
const char *prometheus_type_suffix(enum prometheus_type type);

/* The bytes of a text, which does not end with a NUL; valid until the page's text grows. */
static inline const char *prometheus_at(const struct prometheus_page *page, struct prometheus_text text)
{
    return page->text.data + text.at;
}

#endif
