/* SPDX-License-Identifier: Apache-2.0 */
/* wavefront.h - what the two halves of the backend share: out_wavefront.c (lines) and wavefront.c (ways
 * there). */
#ifndef EXPORTERS_WAVEFRONT_H
#define EXPORTERS_WAVEFRONT_H

#include "host.h"
#include "points.h"
#include "transport_http.h"

enum { WAVEFRONT_DIRECT, WAVEFRONT_PROXY };
enum { WAVEFRONT_TOTAL, WAVEFRONT_DELTA };

struct wavefront_settings {
    struct http_settings http;
    int mode, counters, limits;
    char *tcp, *tcp_distributions;
    char *token, *csp_api_token, *csp_app_id, *csp_app_secret, *csp_org_id, *csp_url;
    char *source, *application, *service, *cluster, *shard;
    struct option_list distributions;
};

/* The session: who we are, whether a heartbeat is due, the token of the cloud-services platform. */
struct wavefront {
    char host[HOST_NAME];
    uint64_t heartbeat_ns; /* wall time of the one that is due; 0 = none */
    uint64_t last_beat_ns;
    char *bearer;
    uint64_t renew_at; /* monotonic */
};

/* What only shows when all options are known: a way there, and a token where one is needed. */
bool wavefront_sound(const void *settings, struct buf *why);

/* HTTP, or lines on sockets if `tcp` is given. */
extern const struct transport transport_wavefront;
extern const struct backend_session wavefront_session;

#endif
