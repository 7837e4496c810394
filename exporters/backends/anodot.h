/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anodot.h - what the backends anodot20 and anodot30 share: settings, the service's rules for names, the data
 * collection key, the meaning of answers. docs/backends/anodot.md has the wire.
 *
 * Pure.
 */
#ifndef EXPORTERS_ANODOT_H
#define EXPORTERS_ANODOT_H

#include "json.h"
#include "points.h"
#include "transport_http.h"

enum { ANODOT_POINTS = 1000, ANODOT_PROPERTIES = 20, ANODOT_KEY = 50, ANODOT_VALUE = 150 };

struct anodot_settings {
    struct http_settings http;
    char *token; /* data collection key */
    bool strict;
    struct option_tags labels; /* Anodot's own `tags`, which are not part of a metric's identity */
    int64_t version;
};

/* Rows of the options above, for the table of either backend. */
#define ANODOT_OPTIONS                                                                                      \
    HTTP_URL("https://app.anodot.com"),                                                                     \
        {.name = "token",                                                                                   \
         .type = OPTION_SECRET,                                                                             \
         OPTION_FIELD(struct anodot_settings, token),                                                       \
         .env = "ANODOT_TOKEN",                                                                             \
         .required = true,                                                                                  \
         .help = "the data collection key"},                                                                \
        {.name = "strict_names",                                                                            \
         .type = OPTION_BOOL,                                                                               \
         OPTION_FIELD(struct anodot_settings, strict),                                                      \
         .def = "false",                                                                                    \
         .help = "also replace =, control characters and non-ASCII characters, which the service refuses"}, \
        {.name = "labels",                                                                                  \
         .type = OPTION_TAGS,                                                                               \
         OPTION_FIELD(struct anodot_settings, labels),                                                      \
         .help = "Anodot's own tags, sent with every sample; not part of its identity"},                    \
        {.name = "version",                                                                                 \
         .type = OPTION_INTEGER,                                                                            \
         OPTION_FIELD(struct anodot_settings, version),                                                     \
         .def = "1",                                                                                        \
         .min = 1,                                                                                          \
         .max = 1e9,                                                                                        \
         .help = "version of the metrics; changing it starts all of them anew"},                            \
        BACKEND_ATTRIBUTES("sum, min, max, mean, stddev, p50, p95, p99, rates")

/* Appends a text in which blanks and points became underscores; with strict names, also what the service
 * refuses. */
void anodot_text(const struct anodot_settings *s, const char *text, struct buf *out);

/* The map() of both backends: deltas of totals, else levels; names carry the statistic: latency_p99. */
void anodot_map(struct points *out, const struct view *view, const struct item *item, const struct rows *rows,
                const void *settings, const void *session);

/*
 * Writes the dimensions of a point as members of the object that is open. Those named like one of `reserved`
 * (ends with NULL) get the prefix "tag_"; of two keys that become one the first counts; an empty value
 * becomes "empty". `scratch` is overwritten. False, with the reason, if there are more than `most` or one is
 * too long.
 */
bool anodot_dimensions(struct json *j, const struct point *p, const struct anodot_settings *s,
                       const char *const *reserved, size_t most, struct buf *scratch, struct buf *why);

/* Writes "tags": {"owner": ["ops"]} into the object that is open, if there are any. */
void anodot_labels(struct json *j, const struct point *p, const struct anodot_settings *s);

/* Completes a request to the first API: path, key, type. */
void anodot_request(struct payload *out, const struct anodot_settings *s, const char *path,
                    const char *protocol);

/* Completes the list of samples in a payload, if there are any, and the request for it. */
void anodot_samples_end(struct payload *out, const struct anodot_settings *s, const char *protocol);

/* The judge() of both backends: the errors by index inside a 200. */
void anodot_judge(const struct payload *payload, struct answer *answer);

/* The same for a watermark: an error in its 200 is OUTCOME_DROP, or OUTCOME_RETRY if it is temporary. */
void anodot_judge_watermark(const struct payload *request, struct answer *answer);

/* By hand: which samples an answer names as refused, and what the service's own client makes of true, false
 * and null. */
void anodot_blame(const struct answer *answer, void (*blamed)(void *arg, size_t at, const char *why),
                  void *arg);
extern const char *const anodot_constants[];

#endif
