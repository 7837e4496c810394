/* SPDX-License-Identifier: Apache-2.0 */
/*
 * out_wavefront.c - Wavefront: metrics, delta counters and distributions as lines, to the service itself or
 * through a proxy, over HTTP or as plain lines on a socket.
 *
 *     "orders.count" 1203.0 1700000010 source="web-7" "city"="nyc"
 *     "∆orders.count" 12.0 1700000010 source="web-7" "city"="nyc"
 *     !M 1700000010 #20 30.0 #10 5.1 "request.time" source="web-7" "route"="/cart"
 *
 * docs/backends/wavefront.md has the mapping, the options and the limits.
 */
#include "wavefront.h"

#include "attribute.h"
#include "host.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const modes[] = {"direct", "proxy", NULL};
static const char *const counters[] = {"total", "delta", NULL};
static const char *const limits[] = {"tenant", "fallback", NULL};
static const char *const granularities[] = {"minute", "hour", "day", NULL};
enum { METRICS, DISTRIBUTIONS }; /* which payload, and its channel */
enum { WAVEFRONT_POINTS = 10000, WAVEFRONT_CENTROIDS = 200 };

static bool check_granularity(const char *text, struct buf *why)
{
    for (size_t i = 0; granularities[i]; i++)
        if (!strcmp(granularities[i], text)) return true;
    buf_printf(why, "\"%s\" is not one of minute, hour, day", text);
    return false;
}

#define WAVEFRONT(MEMBER) OPTION_FIELD(struct wavefront_settings, MEMBER)
static const struct option wavefront_options[] = {
    {.name = "mode",
     .type = OPTION_CHOICE,
     WAVEFRONT(mode),
     .def = "direct",
     .choices = modes,
     .help = "send to the service itself, or through a Wavefront proxy"},
    LINES_URL("https://TENANT.wavefront.com, or http://PROXY:2878"),
    LINES_TCP("tcp", METRICS, "PROXY:2878: plain lines on a socket instead of HTTP (mode proxy)"),
    LINES_TCP("tcp_distributions", DISTRIBUTIONS,
              "PROXY:40000: a separate port for distributions; by default the same"),
    LINES_TCP("tcp_traces", WAVEFRONT_TRACES,
              "PROXY:30000: the port for spans and their logs; by default the same, which refuses them"),
    {.name = "token",
     .type = OPTION_SECRET,
     WAVEFRONT(token),
     .env = "WAVEFRONT_TOKEN",
     .help = "the API token"},
    {.name = "csp_api_token",
     .type = OPTION_SECRET,
     WAVEFRONT(csp_api_token),
     .help = "an API token of the cloud-services platform, to exchange for an access token"},
    {.name = "csp_app_id",
     .type = OPTION_STRING,
     WAVEFRONT(csp_app_id),
     .help = "id of an OAuth app of the cloud-services platform; requires csp_app_secret"},
    {.name = "csp_app_secret",
     .type = OPTION_SECRET,
     WAVEFRONT(csp_app_secret),
     .help = "the OAuth app's secret"},
    {.name = "csp_org_id",
     .type = OPTION_STRING,
     WAVEFRONT(csp_org_id),
     .help = "the OAuth app's organisation, if it needs one"},
    {.name = "csp_url",
     .type = OPTION_STRING,
     WAVEFRONT(csp_url),
     .show = http_show_url,
     .def = "https://console.cloud.vmware.com",
     .check = http_check_url,
     .help = "URL for logging in to the cloud-services platform"},
    {.name = "source",
     .type = OPTION_STRING,
     WAVEFRONT(source),
     .help = "source of the points; by default the host's name"},
    {.name = "counters",
     .type = OPTION_CHOICE,
     WAVEFRONT(counters),
     .def = "total",
     .choices = counters,
     .help = "send counts as growing totals, or as delta counters that the service adds up across hosts"},
    {.name = "distributions",
     .type = OPTION_LIST,
     WAVEFRONT(distributions),
     .def = "minute",
     .check = check_granularity,
     .help = "send histograms and timers as distributions with these bins (minute, hour, day); [] = none"},
    {.name = "limits",
     .type = OPTION_CHOICE,
     WAVEFRONT(limits),
     .def = "tenant",
     .choices = limits,
     .help = "limits for lengths and numbers of tags: those of a usual tenant, or of a bare proxy"},
    {.name = "application",
     .type = OPTION_STRING,
     WAVEFRONT(application),
     .help =
         "of spans that do not name one, and of a heartbeat every five minutes; without it there is none"},
    {.name = "service",
     .type = OPTION_STRING,
     WAVEFRONT(service),
     .help = "service of the heartbeat, and of spans that do not name one"},
    {.name = "cluster",
     .type = OPTION_STRING,
     WAVEFRONT(cluster),
     .def = "none",
     .help = "cluster of the heartbeat, and of spans"},
    {.name = "shard",
     .type = OPTION_STRING,
     WAVEFRONT(shard),
     .def = "none",
     .help = "shard of the heartbeat, and of spans"},
    BACKEND_ATTRIBUTES("sum, min, max, mean, p50, p95, p99, rates"),
    HTTP_COMPRESSION("gzip"),
    {.name = NULL},
};

/* --- Readings to points --- */

/* A sample's weights as whole counts with the true sum: the largest remainders get what rounding left
 * over. */
static int by_remainder(const void *a, const void *b)
{
    const metrics_centroid_t *x = *(const metrics_centroid_t *const *)a,
                             *y = *(const metrics_centroid_t *const *)b;
    double p = x->weight - floor(x->weight), q = y->weight - floor(y->weight);
    return (p < q) - (p > q);
}

static void whole_counts(metrics_centroid_t *c, size_t n, uint64_t count)
{
    const metrics_centroid_t *order[WAVEFRONT_CENTROIDS];
    double sum = 0;
    uint64_t given = 0;
    for (size_t i = 0; i < n; i++) sum += c[i].weight;
    for (size_t i = 0; i < n; i++) {
        c[i].weight *= (double)count / sum;
        given += (uint64_t)c[i].weight;
        order[i] = &c[i];
    }
    qsort(order, n, sizeof *order, by_remainder);
    for (size_t i = 0; i < n; i++) {
        metrics_centroid_t *one = (metrics_centroid_t *)(uintptr_t)order[i];
        one->weight = floor(one->weight) + (i < count - given ? 1 : 0);
    }
}

/* The middle of a bucket; of an open one its finite end. */
static double middle(const metrics_bucket_t *b)
{
    if (!isfinite(b->lower)) return isfinite(b->upper) ? b->upper : 0;
    return isfinite(b->upper) ? b->lower + (b->upper - b->lower) / 2 : b->lower;
}

/* Each bucket that has values is a centroid; if there are too many, some neighbours together are one. */
static size_t bucket_centroids(const metrics_distribution_t *d, double factor, metrics_centroid_t *out)
{
    size_t used = 0, seen = 0, n = 0;
    for (size_t i = 0; i < d->bucket_count; i++) used += d->buckets[i].count > 0;
    size_t together = (used + WAVEFRONT_CENTROIDS - 1) / WAVEFRONT_CENTROIDS;
    for (size_t i = 0; i < d->bucket_count; i++) {
        double count = (double)d->buckets[i].count, mean = middle(&d->buckets[i]) * factor;
        if (count <= 0) continue;
        if (seen++ % together == 0) out[n++] = (metrics_centroid_t){mean, 0};
        metrics_centroid_t *c = &out[n - 1];
        c->weight += count;
        c->mean += (mean - c->mean) * count / c->weight;
    }
    return n;
}

static size_t centroids_of(const metrics_distribution_t *d, double factor, metrics_centroid_t *out)
{
    size_t n = bucket_centroids(d, factor, out);
    for (size_t i = 0; i < d->centroid_count && n < WAVEFRONT_CENTROIDS; i++)
        out[n++] = (metrics_centroid_t){d->centroids[i].mean * factor, d->centroids[i].weight};
    return n;
}

static void map_distribution(struct points *out, const struct view *view, const struct item *item,
                             const metrics_row_t *count, const metrics_row_t *whole)
{
    size_t room = whole->distribution ? whole->distribution->bucket_count : 0;
    metrics_bucket_t *buckets = region_alloc(&out->region, (room + 1) * sizeof *buckets);
    metrics_centroid_t *centroids = region_alloc(&out->region, WAVEFRONT_CENTROIDS * sizeof *centroids);
    metrics_distribution_t d;
    if (!buckets || !centroids || !item->now || item->rebased || !count->value.u) return;
    if (metrics_reading_distribution(item->now, item->base, buckets, room + 1, &d)) return;
    size_t n = centroids_of(&d, item_factor(view, item), centroids);
    if (!n || !d.count) return;
    whole_counts(centroids, n, d.count);
    struct point *p = points_of_row(out, view, item, count);
    p->type = POINT_DISTRIBUTION;
    p->centroids = centroids;
    p->centroid_count = n;
    p->summary.count = d.count;
}

static bool is_ours(const struct item *item)
{
    return !strncmp(item->own_name, "mtx.", 4);
}

static void map_count(struct points *out, const struct view *view, const struct item *item,
                      const metrics_row_t *row, const struct wavefront_settings *s)
{
    struct rows lifetime = {0};
    const metrics_row_t *total = row;
    if (s->counters == WAVEFRONT_TOTAL && item_rows(view, item, METRICS_LIFETIME, &lifetime))
        total = rows_find(&lifetime, row->attribute);
    if (total && !(total == row && item->rebased)) {
        struct point *p = points_of_row(out, view, item, total);
        p->name = points_text(out, "%s%s.%s", is_ours(item) ? "~" : "", p->name,
                              metrics_attribute_name(row->attribute));
    }
    rows_free(&lifetime);
}

static void wavefront_map(struct points *out, const struct view *view, const struct item *item,
                          const struct rows *rows, const void *settings, const void *session)
{
    const struct wavefront_settings *s = settings;
    const metrics_row_t *count = rows_find(rows, METRICS_COUNT), *whole = rows_find(rows, METRICS_WHOLE);
    (void)session;
    if (count && whole && s->distributions.n) map_distribution(out, view, item, count, whole);
    for (size_t i = 0; i < rows->n; i++) {
        const metrics_row_t *row = &rows->at[i];
        if (row->nature == METRICS_BUCKET || row->nature == METRICS_DISTRIBUTION) continue;
        if (row->attribute == METRICS_COUNT || row->nature == METRICS_TOTAL) {
            map_count(out, view, item, row, s);
            continue;
        }
        struct point *p = points_of_row(out, view, item, row);
        if (is_ours(item)) p->name = points_text(out, "~%s", p->name);
        if (row->attribute != METRICS_VALUE) p->name = points_suffixed(out, p->name, ".", row);
    }
}

/* --- Points to lines --- */

const struct wavefront_limits wavefront_limits[] = {{256, 128, 20, 64, 255}, {1023, 1023, 100, 253, 255}};

static bool put_tail(struct buf *out, const struct point *p, const struct wavefront_settings *s,
                     const struct wavefront *session, struct buf *why)
{
    const struct wavefront_limits *limit = &wavefront_limits[s->limits];
    const char *source = p->source && !wavefront_is_blank(p->source)   ? p->source
                         : s->source && !wavefront_is_blank(s->source) ? s->source
                                                                       : session->host;
    size_t tags = 0;
    buf_str(out, " source=");
    if (wavefront_put_text(out, source, SIZE_MAX) > limit->source) {
        buf_printf(why, "its source is longer than %zu characters", limit->source);
        return false;
    }
    for (size_t i = 0; i < p->tag_count; i++) {
        const char *key = p->tags[i].key, *value = p->tags[i].value;
        size_t room = limit->value - 1 > strlen(key) ? limit->value - 1 - strlen(key) : 0, length;
        if (wavefront_is_blank(value)) continue; /* it would be refused */
        if (strlen(key) > limit->key || !room) {
            buf_printf(why, "its tag %s is longer than %zu characters", key, limit->key);
            return false;
        }
        wavefront_trim(value, &length);
        if (length > room) { /* cut, two series could become one */
            buf_printf(why, "its tag %s has a value of %zu characters; the other side accepts %zu", key,
                       length, room);
            return false;
        }
        buf_char(out, ' ');
        wavefront_put_name(out, strcmp(key, "source") ? key : "_source", false);
        buf_char(out, '=');
        wavefront_put_text(out, value, room);
        tags++;
    }
    if (tags > limit->tags) {
        buf_printf(why, "it has %zu tags; the other side accepts %zu", tags, limit->tags);
        return false;
    }
    buf_char(out, '\n');
    return true;
}

static bool put_metric(struct buf *out, const struct point *p, const struct wavefront_settings *s,
                       const struct wavefront *session, struct buf *why)
{
    bool delta = p->type == POINT_DELTA || wavefront_sign(p->name);
    wavefront_put_name(out, p->name, delta);
    buf_char(out, ' ');
    buf_float(out, point_number(p));
    if (p->time_ns) buf_printf(out, " %llu", (unsigned long long)(p->time_ns / 1000000000));
    return put_tail(out, p, s, session, why);
}

enum { CENTROID_PIECES = 1024 };

static bool put_distribution(struct buf *out, const struct point *p, char granularity,
                             const struct wavefront_settings *s, const struct wavefront *session,
                             struct buf *why)
{
    size_t counted = 0;
    buf_printf(out, "!%c", granularity);
    if (p->time_ns) buf_printf(out, " %llu", (unsigned long long)(p->time_ns / 1000000000));
    for (size_t i = 0; i < p->centroid_count; i++) {
        const metrics_centroid_t *c = &p->centroids[i];
        if (!(c->weight >= 1) || !isfinite(c->mean)) continue;
        /* There a count has 32 bits: larger ones are sent in pieces, but not in millions of them. */
        if (c->weight > CENTROID_PIECES * (double)INT32_MAX) {
            buf_str(why, "a centroid's count is too large");
            return false;
        }
        for (double left = c->weight; left >= 1; left -= INT32_MAX) {
            buf_printf(out, " #%d ", (int)fmin(left, INT32_MAX));
            buf_float(out, c->mean);
            counted++;
        }
    }
    buf_char(out, ' ');
    wavefront_put_name(out, p->name, false);
    if (!counted) buf_str(why, "it has no centroids");
    return counted && put_tail(out, p, s, session, why);
}

static bool put_granularities(struct payload *out, const struct point *p, const struct wavefront_settings *s,
                              const struct wavefront *session, struct buf *why)
{
    static const char letters[] = "MHD";
    const json_t *given = p->extra ? json_object_get(p->extra, "granularities") : NULL;
    bool good = true;
    size_t n = 0;
    for (size_t g = 0; granularities[g] && good; g++) {
        bool wanted = false;
        for (size_t i = 0; i < s->distributions.n && !given; i++)
            wanted = wanted || !strcmp(s->distributions.items[i], granularities[g]);
        json_t *one;
        size_t i;
        json_array_foreach(given, i, one) if (json_is_string(one)) wanted =
            wanted || !strcmp(json_string_value(one), granularities[g]);
        if (!wanted) continue;
        good = put_distribution(&out->body, p, letters[g], s, session, why);
        n++;
    }
    if (!n) buf_str(why, "no granularity is given: choose minute, hour or day");
    return good && n;
}

static bool wavefront_add(struct payload *payloads, const struct point *p, const void *settings,
                          const void *session, struct buf *why)
{
    const struct wavefront_settings *s = settings;
    bool distribution = p->type == POINT_DISTRIBUTION;
    struct payload *out = &payloads[distribution ? DISTRIBUTIONS : METRICS];
    size_t name = strlen(p->name) - wavefront_sign(p->name);
    /* If nothing was added, nothing is sent, and nothing is missing. */
    bool nothing =
        !distribution && (p->type == POINT_DELTA || wavefront_sign(p->name)) && point_number(p) <= 0;
    if (nothing && p->extra && point_number(p) < 0) {
        buf_str(why, "a delta counter cannot decrease: leave it out");
        return false;
    }
    if (nothing) return true;
    bool good = name > 0 && name <= wavefront_limits[s->limits].name;
    if (good && wavefront_is_blank(p->name + wavefront_sign(p->name))) {
        buf_str(why, "its name is blank");
        return false;
    }
    if (!good)
        buf_printf(why, "its name has %zu characters; the other side accepts 1 to %zu", name,
                   wavefront_limits[s->limits].name);
    good = good && (distribution ? put_granularities(out, p, s, session, why)
                                 : put_metric(&out->body, p, s, session, why));
    out->points += good;
    return good;
}

static void wavefront_begin(struct payload *payloads, const void *settings, const void *session)
{
    const struct wavefront_settings *s = settings;
    const struct wavefront *w = session;
    struct buf why = {0};
    if (!w->heartbeat_ns) return;
    const metrics_tag_t tags[] = {{"application", s->application},
                                  {"cluster", s->cluster},
                                  {"component", "mtx"},
                                  {"service", backend_given(s->service) ? s->service : "none"},
                                  {"shard", s->shard}};
    struct point beat = {.type = POINT_GAUGE,
                         .name = "~component.heartbeat",
                         .tags = tags,
                         .tag_count = sizeof tags / sizeof *tags,
                         .time_ns = w->heartbeat_ns,
                         .value_type = METRICS_F64,
                         .value.f = 1};
    if (!wavefront_add(payloads, &beat, settings, session, &why)) buf_cut(&payloads[METRICS].body, 0);
    payloads[METRICS].points = 0; /* it does not fill a payload */
    buf_free(&why);
}

static void wavefront_end(struct payload *payloads, const void *settings, const void *session)
{
    static const char *const paths[] = {"/report?f=wavefront", "/report?f=histogram"};
    const struct wavefront_settings *s = settings;
    const struct wavefront *w = session;
    for (int i = 0; i < PAYLOADS; i++) {
        if (!payloads[i].body.len) continue;
        buf_str(&payloads[i].path, paths[i]);
        payloads[i].channel = i;
        payloads[i].content_type = "application/octet-stream";
        wavefront_auth(&payloads[i], s, w);
    }
}

/* A proxy and the service also use 406 to slow us down. */
static void wavefront_judge(const struct payload *payload, struct answer *answer)
{
    (void)payload;
    if (answer->response.status == 406) answer->outcome = OUTCOME_RETRY;
    if (answer->response.status == 401 && answer->outcome == OUTCOME_RETRY) answer->outcome = OUTCOME_LOGIN;
}

/* --- By hand --- */

static const struct point_word wavefront_words[] = {
    {"metric", POINT_GAUGE, 0, POINT_NUMBER, NULL, "a value"},
    {"gauge", POINT_GAUGE, 0, POINT_NUMBER, NULL, "another word for metric"},
    {"delta", POINT_DELTA, 0, POINT_NUMBER, NULL,
     "what was added, which the service adds up; 0 is not sent, less is refused"},
    {"distribution", POINT_DISTRIBUTION, 0, POINT_NUMBERS, "centroids", "the distribution of some values"},
    {.word = NULL}};
static const struct point_own wavefront_own[] = {
    {"source", POINT_TEXT, NULL, NULL, "where it was measured; overrides the option source"},
    {"centroids", POINT_PAIRS, NULL, "distribution", "mean and count of each"},
    {"granularities", POINT_TEXTS, granularities, "distribution", "in place of the option distributions"},
    {.name = NULL}};

/* The login at the platform, without a heartbeat, which only the exporter sends. */
static void prepare_by_hand(void *session, const void *settings, void *link, const struct point *at, size_t n,
                            struct answer *answer)
{
    const struct view nothing = {.n = 0};
    (void)at, (void)n;
    wavefront_session.prepare(session, settings, link, &nothing, answer);
}

static const struct points_by_hand wavefront_hand = {.prepare = prepare_by_hand};

static const struct backend_points wavefront_points = {.map = wavefront_map,
                                                       .begin = wavefront_begin,
                                                       .add = wavefront_add,
                                                       .end = wavefront_end,
                                                       .most = WAVEFRONT_POINTS,
                                                       .words = wavefront_words,
                                                       .own = wavefront_own,
                                                       .hand = &wavefront_hand};

const struct backend backend_wavefront = {
    .name = "wavefront",
    .summary = "Wavefront, directly or through a proxy: metrics, delta counters, distributions",
    .options = wavefront_options,
    .settings_size = sizeof(struct wavefront_settings),
    .wants = {.resolution_ns = 1000000000,
              .totals = METRICS_INTERVAL,
              .sampled = METRICS_RECENT,
              .natures = METRICS_ATTR(METRICS_WHOLE),
              .additive = true},
    .transport = &transport_lines,
    .session = &wavefront_session,
    .sound = wavefront_sound,
    .judge = wavefront_judge,
    .encode = points_encode,
    .points = &wavefront_points,
    .events = &wavefront_events,
};
