/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prometheus_family.h - groups the series of a view into the families of a Prometheus page: what type each
 * has, which names it takes, which of our series share it.
 *
 * Two of our names that look the same to Prometheus (a.b and a-b) share a family if they are of one type;
 * each of its series then says its own name in the label mtx_name. Of different types the later one is left
 * out, and the notes say so. One thread at a time.
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

/* One series: rows of one label set, to be printed together. */
struct prometheus_member {
    struct prometheus_member *next;
    const struct item *item;
    const metrics_row_t *rows; /* of this type only */
    size_t n;
};

struct prometheus_family {
    struct prometheus_family *next;
    const char *name; /* without the suffix of the type; ends with the unit */
    const char *unit; /* base unit, "" if none */
    const char *help; /* as the user wrote it, "" if nowhere */
    const char *own_name;
    enum prometheus_type type;
    bool mixed; /* members have different names of their own */
    struct prometheus_member *first, *last;
};

struct prometheus_page {
    struct prometheus_family *first, *last;
    struct region region;
    struct buf *notes; /* may be NULL */
    struct prometheus_names {
        struct prometheus_name *slots;
        size_t n, size;
    } names;
    bool failed;
};

/* Groups the items of a batch. page must be zero; prometheus_page_free() gives it back. False without memory.
 */
bool prometheus_page_build(struct prometheus_page *page, const struct batch *batch);
void prometheus_page_free(struct prometheus_page *page);

/* True if that label set of that family is new; it is remembered. */
bool prometheus_page_first(struct prometheus_page *page, const struct prometheus_family *family,
                           const char *labels, size_t n);

const char *prometheus_type_name(enum prometheus_type type);

#endif
