/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wavefront.h - what the two files of the backend share; for these files only: out_wavefront.c (options and
 * lines) and wavefront.c (the session).
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

#endif
