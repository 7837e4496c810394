/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wavefront.h - what the files of the backend share; for these files only: out_wavefront.c (options and lines),
 * wavefront_events.c (spans, events), wavefront_text.c (names and texts), wavefront.c (the session).
 */
#ifndef EXPORTERS_WAVEFRONT_H
#define EXPORTERS_WAVEFRONT_H

#include "host.h"
#include "points.h"
#include "transport_lines.h"

/* The settings `mode` and `counters`. */
enum { WAVEFRONT_DIRECT, WAVEFRONT_PROXY };
enum { WAVEFRONT_TOTAL, WAVEFRONT_DELTA };

struct wavefront_settings {
    struct lines_settings lines;
    int mode, counters, limits;
    char *token, *csp_api_token, *csp_app_id, *csp_app_secret, *csp_org_id, *csp_url;
    char *source, *application, *service, *cluster, *shard;
    struct option_list distributions;
};

/* A session. Not thread-safe: one thread at a time. */
struct wavefront {
    char host[HOST_NAME];
    uint64_t heartbeat_ns; /* wall time of the heartbeat that is due; 0 = none */
    uint64_t last_beat_ns; /* wall time */
    char *bearer;          /* token of the cloud-services platform; NULL: none */
    uint64_t renew_at;     /* monotonic, ns */
};

/* True if there is a way to the service, and a token where one is needed; false with the reason. Pure. */
bool wavefront_sound(const void *settings, struct buf *why);

extern const struct backend_session wavefront_session;

/* What a receiver accepts, by the setting `limits`: characters, and how many tags. */
extern const struct wavefront_limits {
    size_t name, source, tags, key, value;
} wavefront_limits[];

/* The channel of spans and their logs; metrics have 0, distributions 1. */
enum { WAVEFRONT_TRACES = 2 };

/* The bytes of the delta sign at the beginning of a name; 0 if there is none. Pure, like all below. */
size_t wavefront_sign(const char *name);

/* Appends a name in quotes, with other characters in place of those that are not allowed. */
void wavefront_put_name(struct buf *out, const char *name, bool delta);

/* Appends a text in quotes, at most so many bytes of it. Returns how many. */
size_t wavefront_put_text(struct buf *out, const char *text, size_t most);

/* The text without the blanks at both ends; *n = its length. */
const char *wavefront_trim(const char *text, size_t *n);
bool wavefront_is_blank(const char *text);

/* The header that says who sends. */
void wavefront_auth(struct payload *payload, const struct wavefront_settings *s, const struct wavefront *w);

extern const struct backend_events wavefront_events;

#endif
