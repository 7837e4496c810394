/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack.c - a snapshot as bytes, and back.
 *
 *     0  "mtxsnap" and the version, '1'
 *     8  u64, little-endian: length of what follows when inflated
 *    16  zlib (RFC 1950) of a msgpack stream: one map for the header, then one map per reading
 *
 * Keys are short texts, absent parts are left out, unknown keys are skipped: see docs/format.md. Numbers keep
 * every bit. Doubles that are lists (centroids) are packed as binaries of little-endian doubles, which is
 * what they are in memory.
 *
 * The header's first pair is "crc" and the CRC-32 of the whole stream, with four zeros in its own place. zlib's own
 * checksum, Adler-32, is weak: one wrong byte of the compressed bytes may change several of the stream, and their sum
 * stay the same. (It may also change nothing: another distance to the same bytes, a bit that pads. That is not damage.)
 *
 * Before anything is unpacked the stream is walked: no container may claim more elements than there are bytes
 * left, nor nest deeper than 16, and no top-level object may hold more than 65536 elements in all. Otherwise
 * a few hostile bytes would make the unpacker allocate gigabytes: it takes 24 bytes or more for each element.
 */
#include <arpa/inet.h>
#include <math.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <mtx/metrics.h>

#include "error.h"
#include "reading.h"
#include "text.h"

static const char magic[8] = {'m', 't', 'x', 's', 'n', 'a', 'p', '1'};
enum { PREFIX = 16, DEPTH_MAX = 16, ELEMENTS_MAX = 65536, INFLATE_MAX = 1 << 30, INFLATE_RATIO = 1032 };
enum { READING_MIN = 14 }; /* bytes of the shortest reading: a map of "name" and "kind" */
enum { SCALE_MAX = 20 };   /* OpenTelemetry's */
static const char crc_key[] = "\xa3"
                              "crc\xce"; /* behind the byte that begins the header's map */
enum { CRC_AT = 1 + sizeof crc_key - 1, CRC_SIZE = 4 };

/* --- Encoding --- */

struct packing {
    msgpack_packer pk;
    msgpack_sbuffer raw;
    bool failed;   /* sticky: there was no memory */
    bool counting; /* first pass: only how many pairs there will be */
    size_t pairs;
};

static int write_raw(void *data, const char *bytes, size_t n)
{
    struct packing *p = data;
    if (!p->failed && msgpack_sbuffer_write(&p->raw, bytes, n)) p->failed = true;
    return p->failed ? -1 : 0;
}

static bool key(struct packing *p, const char *name)
{
    p->pairs++;
    if (p->counting) return false;
    msgpack_pack_str(&p->pk, strlen(name));
    msgpack_pack_str_body(&p->pk, name, strlen(name));
    return true;
}
static void put_u64(struct packing *p, const char *name, uint64_t v)
{
    if (v && key(p, name)) msgpack_pack_uint64(&p->pk, v);
}
static void put_f64(struct packing *p, const char *name, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (bits && key(p, name)) msgpack_pack_double(&p->pk, v);
}
static void put_text(struct packing *p, const char *name, const char *text)
{
    size_t n = strlen(text);
    if (!n || !key(p, name)) return;
    msgpack_pack_str(&p->pk, n);
    msgpack_pack_str_body(&p->pk, text, n);
}
static void put_bytes(struct packing *p, const char *name, const void *bytes, size_t n)
{
    if (!n || !key(p, name)) return;
    msgpack_pack_bin(&p->pk, n);
    msgpack_pack_bin_body(&p->pk, bytes, n);
}

static void put_header(struct packing *p, const struct metrics_snapshot *s)
{
    const metrics_snapshot_header_t *h = &s->header;
    if (key(p, "crc")) msgpack_pack_fix_uint32(&p->pk, 0); /* first; put_crc() knows where it is */
    put_u64(p, "readings", s->count);
    put_u64(p, "incarnation", h->incarnation);
    put_u64(p, "epoch", h->epoch);
    put_u64(p, "wall", h->wall_ns);
    put_u64(p, "monotonic", h->monotonic_ns);
    put_u64(p, "interval", h->interval_ns);
    put_u64(p, "created", h->created_wall_ns);
    put_u64(p, "damaged", h->series_damaged);
    put_u64(p, "first", (uint64_t)h->first_export);
    put_u64(p, "saturated", h->sums_saturated);
    put_u64(p, "age", h->age_ns);
}

/* flags: bit 0 present, 1 has_stddev */
static void put_sample(struct packing *p, const char *name, const struct metrics__sample_read *s)
{
    if (!s->present || !key(p, name)) return;
    msgpack_pack_array(&p->pk, 7);
    msgpack_pack_uint64(&p->pk, 1u | (unsigned)s->has_stddev << 1);
    msgpack_pack_uint64(&p->pk, s->values);
    msgpack_pack_double(&p->pk, s->min);
    msgpack_pack_double(&p->pk, s->max);
    msgpack_pack_double(&p->pk, s->mean);
    msgpack_pack_double(&p->pk, s->stddev);
    msgpack_pack_bin(&p->pk, s->centroid_count * sizeof *s->centroids);
    msgpack_pack_bin_body(&p->pk, s->centroids, s->centroid_count * sizeof *s->centroids);
}

static void put_tags(struct packing *p, const struct metrics__series_read *r)
{
    if (!r->tag_count || !key(p, "tags")) return;
    msgpack_pack_array(&p->pk, r->tag_count * 2);
    for (size_t i = 0; i < r->tag_count * 2; i++) {
        const char *text = i % 2 ? r->tags[i / 2].value : r->tags[i / 2].key;
        msgpack_pack_str(&p->pk, strlen(text));
        msgpack_pack_str_body(&p->pk, text, strlen(text));
    }
}

enum { HAS_RATES = 1, HAS_MEAN_RATE = 2, HAS_EXTREMES = 4, IS_EXACT = 8 };

static void put_series(struct packing *p, const struct metrics__series_read *s)
{
    put_text(p, "name", metrics__series_name(s));
    put_tags(p, s);
    put_u64(p, "kind", s->kind);
    put_u64(p, "id", s->identity);
    put_text(p, "unit", s->family->unit);
    put_text(p, "help", s->family->help);
    put_u64(p, "merge", s->family->merge);
    put_u64(p, "created", s->created);
    put_u64(p, "start", s->family->wall_base + s->created);
}

static double or_zero(double v)
{
    return isnan(v) ? 0 : v;
}

static void put_reading(struct packing *p, const struct metrics_reading *r)
{
    const struct metrics__rates_read *rates = metrics__rates_of(r);
    const struct metrics__distribution_read *d = metrics__distribution_of(r);
    const struct metrics__gauge_read *g = metrics__gauge_of(r);
    const struct metrics__set_read *set = metrics__set_of(r);
    bool has_rates = !isnan(rates->ewma[0]), has_mean = !isnan(rates->mean);
    double packed_rates[4] = {or_zero(rates->ewma[0]), or_zero(rates->ewma[1]), or_zero(rates->ewma[2]),
                              or_zero(rates->mean)};
    double extremes[2] = {d->interval_min, d->interval_max};
    uint64_t flags = (has_rates ? HAS_RATES : 0) | (has_mean ? HAS_MEAN_RATE : 0) |
                     (d->has_extremes ? HAS_EXTREMES : 0) | (set->exact ? IS_EXACT : 0);
    put_series(p, r->series);
    put_u64(p, "count", r->count);
    put_f64(p, "sum", d->sum);
    put_f64(p, "squares", d->squares);
    put_u64(p, "ignored", d->ignored);
    put_u64(p, "flags", flags);
    if (has_rates || has_mean) put_bytes(p, "rates", packed_rates, sizeof packed_rates);
    if (d->has_extremes) put_bytes(p, "extremes", extremes, sizeof extremes);
    put_bytes(p, "levels", g->levels, g->count * sizeof *g->levels);
    put_sample(p, "recent", &d->recent);
    put_sample(p, "of", &d->interval);
    put_bytes(p, "buckets", d->buckets, d->bucket_count * sizeof *d->buckets);
    put_u64(p, "scale", (uint64_t)(d->scale + 1));
    put_f64(p, "distinct", set->distinct);
    put_bytes(p, "elements", set->elements, set->element_count * sizeof *set->elements);
}

static void put_all(struct packing *p, const struct metrics_snapshot *s)
{
    for (size_t i = 0; i <= s->count; i++)
        for (int pass = 0; pass < 2; pass++) {
            p->counting = pass == 0;
            if (pass == 0)
                p->pairs = 0;
            else
                msgpack_pack_map(&p->pk, p->pairs);
            if (i == 0)
                put_header(p, s);
            else
                put_reading(p, &s->readings[i - 1]);
        }
}

/* Of a stream that has its CRC at CRC_AT. */
static uint32_t crc_of(const char *raw, size_t n)
{
    static const Bytef zeros[CRC_SIZE];
    uLong crc = crc32_z(0, (const Bytef *)raw, CRC_AT);
    crc = crc32_z(crc, zeros, CRC_SIZE);
    return (uint32_t)crc32_z(crc, (const Bytef *)raw + CRC_AT + CRC_SIZE, n - CRC_AT - CRC_SIZE);
}

static void put_crc(struct packing *p)
{
    uint32_t crc = p->failed ? 0 : htonl(crc_of(p->raw.data, p->raw.size));
    if (!p->failed) memcpy(p->raw.data + CRC_AT, &crc, CRC_SIZE);
}

/* True if the CRC is right; earlier versions wrote none. */
static bool crc_is_right(const char *raw, size_t n)
{
    uint32_t crc;
    if (n < CRC_AT + CRC_SIZE || memcmp(raw + 1, crc_key, sizeof crc_key - 1)) return true;
    memcpy(&crc, raw + CRC_AT, CRC_SIZE);
    return ntohl(crc) == crc_of(raw, n);
}

/* The prefix and the packed bytes, deflated; NULL without memory. */
static unsigned char *deflate_all(const struct packing *p, size_t *n)
{
    uLongf room = compressBound(p->raw.size);
    unsigned char *out = p->failed ? NULL : malloc(PREFIX + room);
    uint64_t length = p->raw.size;
    if (!out) return NULL;
    if (compress2(out + PREFIX, &room, (const Bytef *)p->raw.data, p->raw.size, 1) != Z_OK) {
        free(out);
        return NULL;
    }
    memcpy(out, magic, sizeof magic);
    memcpy(out + sizeof magic, &length, sizeof length);
    *n = PREFIX + room;
    return out;
}

int metrics_snapshot_encode(const metrics_snapshot_t *s, void **bytes, size_t *n, metrics_error_t *error)
{
    struct packing p = {.failed = false};
    msgpack_sbuffer_init(&p.raw);
    msgpack_packer_init(&p.pk, &p, write_raw);
    put_all(&p, s);
    put_crc(&p);
    *bytes = deflate_all(&p, n);
    msgpack_sbuffer_destroy(&p.raw);
    return *bytes ? 0 : metrics__fail(error, METRICS_E_MEMORY, 0, "no memory to encode a snapshot");
}

/* --- Walking: is the stream what it claims to be? --- */

struct walk {
    const unsigned char *at, *end;
    uint64_t left; /* elements that the current top-level object may still have */
};

static bool take_size(struct walk *w, unsigned bytes, uint64_t *n)
{
    if ((size_t)(w->end - w->at) < bytes) return false;
    *n = 0;
    while (bytes--) *n = *n << 8 | *w->at++;
    return true;
}

static bool skip_bytes(struct walk *w, uint64_t n)
{
    if ((uint64_t)(w->end - w->at) < n) return false;
    w->at += n;
    return true;
}

static bool walk_object(struct walk *w, int depth);

static bool walk_many(struct walk *w, uint64_t n, int depth)
{
    if (depth >= DEPTH_MAX || n > (uint64_t)(w->end - w->at) || n > w->left) return false;
    w->left -= n;
    while (n--)
        if (!walk_object(w, depth + 1)) return false;
    return true;
}

/* One object of the msgpack specification. */
static bool walk_object(struct walk *w, int depth)
{
    static const unsigned char sized[] = {1, 2, 4}; /* bin, str, array, map: bytes of their length */
    static const unsigned char fixed[] = {4, 8, 1, 2, 4, 8, 1, 2, 4, 8}; /* f32 f64 u8..u64 i8..i64 */
    uint64_t n;
    if (w->at >= w->end) return false;
    unsigned char c = *w->at++;
    if (c <= 0x7f || c >= 0xe0 || c == 0xc0 || c == 0xc2 || c == 0xc3) return true;
    if (c <= 0x8f) return walk_many(w, (uint64_t)(c & 0xf) * 2, depth);
    if (c <= 0x9f) return walk_many(w, c & 0xf, depth);
    if (c <= 0xbf) return skip_bytes(w, c & 0x1f);
    if (c >= 0xc4 && c <= 0xc6) return take_size(w, sized[c - 0xc4], &n) && skip_bytes(w, n);
    if (c >= 0xca && c <= 0xd3) return skip_bytes(w, fixed[c - 0xca]);
    if (c >= 0xd9 && c <= 0xdb) return take_size(w, sized[c - 0xd9], &n) && skip_bytes(w, n);
    if (c == 0xdc || c == 0xdd) return take_size(w, sized[c - 0xdc + 1], &n) && walk_many(w, n, depth);
    if (c == 0xde || c == 0xdf) return take_size(w, sized[c - 0xde + 1], &n) && walk_many(w, n * 2, depth);
    return false; /* extensions: we write none */
}

/* How many objects the stream consists of; 0 = the stream is malformed. */
static uint64_t walk_all(const char *raw, size_t n)
{
    struct walk w = {(const unsigned char *)raw, (const unsigned char *)raw + n, 0};
    uint64_t objects = 0;
    for (; w.at < w.end; objects++) {
        w.left = ELEMENTS_MAX;
        if (!walk_object(&w, 0)) return 0;
    }
    return objects;
}

/* --- Decoding --- */

struct unpacking {
    struct metrics_snapshot *s;
    struct metrics__pool passing; /* what is needed for one reading only */
    bool good;
};

/* A reading as it is packed: all that any kind may have. */
struct parts {
    const char *texts[2 * METRICS_TAGS_MAX + 1], *unit, *help; /* name, key, value ... */
    size_t tag_count;
    uint64_t identity, created, start, count;
    uint8_t kind, merge;
    bool has_rates, has_mean_rate, exact;
    double rates[4], distinct;
    struct metrics__distribution_read d; /* but its rates */
    struct metrics__level *levels;
    uint64_t *elements;
    size_t level_count, element_count;
};

static bool is_key(const msgpack_object_kv *kv, const char *name)
{
    return kv->key.type == MSGPACK_OBJECT_STR && kv->key.via.str.size == strlen(name) &&
           !memcmp(kv->key.via.str.ptr, name, kv->key.via.str.size);
}

static uint64_t get_u64(struct unpacking *u, const msgpack_object *o)
{
    u->good &= o->type == MSGPACK_OBJECT_POSITIVE_INTEGER;
    return o->type == MSGPACK_OBJECT_POSITIVE_INTEGER ? o->via.u64 : 0;
}
static uint64_t get_up_to(struct unpacking *u, const msgpack_object *o, uint64_t most)
{
    uint64_t v = get_u64(u, o);
    u->good &= v <= most;
    return v <= most ? v : 0;
}
static double get_f64(struct unpacking *u, const msgpack_object *o)
{
    bool is = o->type == MSGPACK_OBJECT_FLOAT64;
    u->good &= is && !isnan(o->via.f64);
    return is ? o->via.f64 : 0;
}
static const char *get_text(struct unpacking *u, const msgpack_object *o)
{
    const char *text = o->type == MSGPACK_OBJECT_STR && !memchr(o->via.str.ptr, 0, o->via.str.size) &&
                               metrics__is_utf8(o->via.str.ptr, o->via.str.size)
                           ? metrics__pool_text(&u->passing, o->via.str.ptr, o->via.str.size)
                           : NULL;
    u->good &= text != NULL;
    return text ? text : "";
}
/* A binary of whole units; its copy in that pool and how many. */
static void *get_bytes(struct unpacking *u, struct metrics__pool *pool, const msgpack_object *o, size_t unit,
                       size_t *n)
{
    bool is = o->type == MSGPACK_OBJECT_BIN && o->via.bin.size % unit == 0;
    void *copy = is ? metrics__pool_take(pool, o->via.bin.size + 1) : NULL;
    u->good &= copy != NULL;
    if (copy) memcpy(copy, o->via.bin.ptr, o->via.bin.size);
    *n = copy ? o->via.bin.size / unit : 0;
    return copy;
}
/* A binary of exactly n doubles, all of them numbers. */
static void get_doubles(struct unpacking *u, const msgpack_object *o, double *out, size_t n)
{
    size_t have;
    const double *from = get_bytes(u, &u->passing, o, sizeof *out, &have);
    u->good &= have == n;
    for (size_t i = 0; from && have == n && i < n; i++) {
        u->good &= !isnan(from[i]);
        out[i] = from[i];
    }
}

static void get_sample(struct unpacking *u, const msgpack_object *o, struct metrics__sample_read *s)
{
    const msgpack_object *e = o->via.array.ptr;
    if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size != 7) {
        u->good = false;
        return;
    }
    uint64_t flags = get_u64(u, &e[0]);
    s->present = flags & 1;
    s->has_stddev = flags >> 1 & 1;
    s->values = get_u64(u, &e[1]);
    s->min = get_f64(u, &e[2]);
    s->max = get_f64(u, &e[3]);
    s->mean = get_f64(u, &e[4]);
    s->stddev = get_f64(u, &e[5]);
    s->centroids = get_bytes(u, &u->s->pool, &e[6], sizeof *s->centroids, &s->centroid_count);
    for (size_t i = 0; i < s->centroid_count; i++) {
        const metrics_centroid_t *c = &s->centroids[i];
        u->good &= isfinite(c->mean) && isfinite(c->weight) && c->weight > 0 &&
                   (i == 0 || s->centroids[i - 1].mean <= c->mean);
    }
}

/* Pairs of key and value, sorted by key. A repeated "tags" replaces the ones before. */
static void get_tags(struct unpacking *u, const msgpack_object *o, struct parts *r)
{
    bool is = o->type == MSGPACK_OBJECT_ARRAY && o->via.array.size % 2 == 0 &&
              o->via.array.size <= 2 * METRICS_TAGS_MAX;
    u->good &= is;
    r->tag_count = is ? o->via.array.size / 2 : 0;
    for (size_t i = 0; i < r->tag_count; i++) {
        const char *tag = r->texts[2 * i + 1] = get_text(u, &o->via.array.ptr[2 * i]);
        const char *value = r->texts[2 * i + 2] = get_text(u, &o->via.array.ptr[2 * i + 1]);
        u->good &= !metrics__text_wrong(tag, strlen(tag), false) &&
                   !metrics__text_wrong(value, strlen(value), true) &&
                   (i == 0 || strcmp(r->texts[2 * i - 1], tag) < 0);
    }
}

static void get_flags(struct unpacking *u, const msgpack_object *o, struct parts *r)
{
    uint64_t flags = get_u64(u, o);
    r->has_rates = flags & HAS_RATES;
    r->has_mean_rate = (flags & HAS_MEAN_RATE) != 0;
    r->d.has_extremes = (flags & HAS_EXTREMES) != 0;
    r->exact = (flags & IS_EXACT) != 0;
}

static void get_rates(struct unpacking *u, const msgpack_object *o, struct parts *r)
{
    get_doubles(u, o, r->rates, 4);
}

static void get_extremes(struct unpacking *u, const msgpack_object *o, struct parts *r)
{
    double v[2] = {0};
    get_doubles(u, o, v, 2);
    r->d.interval_min = v[0];
    r->d.interval_max = v[1];
}

static void get_levels(struct unpacking *u, const msgpack_object *o, struct parts *r)
{
    r->levels = get_bytes(u, &u->passing, o, sizeof *r->levels, &r->level_count);
    for (size_t i = 0; i < r->level_count; i++)
        u->good &= r->levels[i].worker >= -1 && !isnan(r->levels[i].value);
}

static void get_elements(struct unpacking *u, const msgpack_object *o, struct parts *r)
{
    r->elements = get_bytes(u, &u->s->pool, o, sizeof *r->elements, &r->element_count);
    u->good &= r->element_count <= METRICS__SKETCH_ELEMENTS;
    for (size_t i = 0; i < r->element_count; i++) u->good &= r->elements[i] >> 48 == 0;
}

/* Neighbours touch, from -Inf to +Inf. */
static void get_buckets(struct unpacking *u, const msgpack_object *o, struct parts *r)
{
    size_t n;
    r->d.buckets = get_bytes(u, &u->s->pool, o, sizeof *r->d.buckets, &n);
    r->d.bucket_count = n;
    for (size_t i = 0; i < n; i++) {
        const metrics_bucket_t *b = &r->d.buckets[i];
        u->good &= b->lower < b->upper && b->lower == (i ? b[-1].upper : -(double)INFINITY);
    }
    if (n) u->good &= r->d.buckets[n - 1].upper == (double)INFINITY;
}

static void get_pair(struct unpacking *u, const msgpack_object_kv *kv, struct parts *r)
{
    const msgpack_object *o = &kv->val;
    if (is_key(kv, "name"))
        r->texts[0] = get_text(u, o);
    else if (is_key(kv, "tags"))
        get_tags(u, o, r);
    else if (is_key(kv, "kind"))
        r->kind = (uint8_t)get_up_to(u, o, UINT8_MAX);
    else if (is_key(kv, "id"))
        r->identity = get_u64(u, o);
    else if (is_key(kv, "unit"))
        r->unit = get_text(u, o);
    else if (is_key(kv, "help"))
        r->help = get_text(u, o);
    else if (is_key(kv, "merge"))
        r->merge = (uint8_t)get_up_to(u, o, METRICS_MERGE_ALL);
    else if (is_key(kv, "created"))
        r->created = get_u64(u, o);
    else if (is_key(kv, "start"))
        r->start = get_u64(u, o);
    else if (is_key(kv, "count"))
        r->count = get_u64(u, o);
    else if (is_key(kv, "sum"))
        r->d.sum = get_f64(u, o);
    else if (is_key(kv, "squares"))
        r->d.squares = get_f64(u, o);
    else if (is_key(kv, "ignored"))
        r->d.ignored = get_u64(u, o);
    else if (is_key(kv, "flags"))
        get_flags(u, o, r);
    else if (is_key(kv, "rates"))
        get_rates(u, o, r);
    else if (is_key(kv, "extremes"))
        get_extremes(u, o, r);
    else if (is_key(kv, "levels"))
        get_levels(u, o, r);
    else if (is_key(kv, "recent"))
        get_sample(u, o, &r->d.recent);
    else if (is_key(kv, "of"))
        get_sample(u, o, &r->d.interval);
    else if (is_key(kv, "buckets"))
        get_buckets(u, o, r);
    else if (is_key(kv, "scale"))
        r->d.scale = (int)get_up_to(u, o, SCALE_MAX + 1) - 1;
    else if (is_key(kv, "distinct"))
        r->distinct = get_f64(u, o);
    else if (is_key(kv, "elements"))
        get_elements(u, o, r);
}

/* --- From parts to a reading: what its kind has, whatever else was packed --- */

/* NULL without memory. */
static struct metrics__rates_read rates_from(const struct parts *p)
{
    struct metrics__rates_read r = {{NAN, NAN, NAN}, p->has_mean_rate ? p->rates[3] : (double)NAN};
    if (p->has_rates) memcpy(r.ewma, p->rates, sizeof r.ewma);
    return r;
}

static struct metrics__rates_read *rates_of(struct metrics__pool *pool, const struct parts *p)
{
    struct metrics__rates_read *r = metrics__pool_take(pool, sizeof *r);
    if (r) *r = rates_from(p);
    return r;
}

static struct metrics__gauge_read *gauge_of(struct metrics__pool *pool, const struct parts *p)
{
    size_t n = p->level_count * sizeof *p->levels;
    struct metrics__gauge_read *g = metrics__pool_take(pool, sizeof *g + n);
    if (!g) return NULL;
    g->count = p->level_count;
    if (n) memcpy(g->levels, p->levels, n);
    return g;
}

static struct metrics__set_read *set_of(struct metrics__pool *pool, const struct parts *p)
{
    struct metrics__set_read *s = metrics__pool_take(pool, sizeof *s);
    if (s) *s = (struct metrics__set_read){p->distinct, p->exact, p->element_count, p->elements};
    return s;
}

static struct metrics__distribution_read *distribution_of(struct metrics__pool *pool, const struct parts *p)
{
    struct metrics__distribution_read *d = metrics__pool_take(pool, sizeof *d);
    if (!d) return NULL;
    *d = p->d;
    d->rates = rates_from(p);
    metrics__distribution_complete(d, p->count);
    return d;
}

static bool make_more(struct metrics__pool *pool, const struct parts *p, struct metrics_reading *r)
{
    switch (p->kind) {
    case KIND_meter: return (r->more.rates = rates_of(pool, p)) != NULL;
    case KIND_gauge: return (r->more.gauge = gauge_of(pool, p)) != NULL;
    case KIND_set: return (r->more.set = set_of(pool, p)) != NULL;
    case KIND_histogram:
    case KIND_timer: return (r->more.distribution = distribution_of(pool, p)) != NULL;
    default: return true;
    }
}

static bool make_reading(struct unpacking *u, const struct parts *p, struct metrics_reading *r)
{
    struct metrics__pool *pool = &u->s->pool;
    struct metrics__family_read *last = r == u->s->readings ? NULL : r[-1].series->family;
    struct metrics__family_read *family =
        metrics__family_like(pool, last, p->unit, p->help, p->start - p->created, p->merge);
    struct metrics__series_read *s =
        family ? metrics__series_new(pool, p->texts, 2 * p->tag_count + 1, family) : NULL;
    if (!s) return false;
    s->identity = p->identity;
    s->created = p->created;
    s->kind = p->kind;
    *r = (struct metrics_reading){.series = s, .count = p->count};
    return make_more(pool, p, r);
}

static void get_reading(struct unpacking *u, const msgpack_object *o, struct metrics_reading *r)
{
    struct parts p = {.texts = {""}, .unit = "", .help = "", .d.scale = -1};
    uint64_t counted = 0;
    u->good = o->type == MSGPACK_OBJECT_MAP;
    for (uint32_t i = 0; u->good && i < o->via.map.size; i++) get_pair(u, &o->via.map.ptr[i], &p);
    for (size_t i = 0; i < p.d.bucket_count; i++) counted += p.d.buckets[i].count;
    u->good &= !metrics__text_wrong(p.texts[0], strlen(p.texts[0]), false) && metrics__kind_read_of(p.kind) &&
               (!p.d.bucket_count || counted == p.count);
    if (u->good) u->good = make_reading(u, &p, r);
    u->s->pool.failed |= u->passing.failed;
    metrics__pool_reset(&u->passing);
}

static void get_header(struct unpacking *u, const msgpack_object *o, uint64_t *readings)
{
    metrics_snapshot_header_t *h = &u->s->header;
    *readings = 0;
    for (uint32_t i = 0; o->type == MSGPACK_OBJECT_MAP && i < o->via.map.size; i++) {
        const msgpack_object_kv *kv = &o->via.map.ptr[i];
        if (is_key(kv, "readings"))
            *readings = get_u64(u, &kv->val);
        else if (is_key(kv, "incarnation"))
            h->incarnation = get_u64(u, &kv->val);
        else if (is_key(kv, "epoch"))
            h->epoch = get_u64(u, &kv->val);
        else if (is_key(kv, "wall"))
            h->wall_ns = get_u64(u, &kv->val);
        else if (is_key(kv, "monotonic"))
            h->monotonic_ns = get_u64(u, &kv->val);
        else if (is_key(kv, "interval"))
            h->interval_ns = get_u64(u, &kv->val);
        else if (is_key(kv, "created"))
            h->created_wall_ns = get_u64(u, &kv->val);
        else if (is_key(kv, "damaged"))
            h->series_damaged = get_u64(u, &kv->val);
        else if (is_key(kv, "first"))
            h->first_export = get_u64(u, &kv->val) != 0;
        else if (is_key(kv, "saturated"))
            h->sums_saturated = get_u64(u, &kv->val);
        else if (is_key(kv, "age"))
            h->age_ns = get_u64(u, &kv->val);
    }
    u->good &= o->type == MSGPACK_OBJECT_MAP;
}

/* Readings must be in the order that metrics_snapshot_find() relies on. */
static bool in_order(const struct metrics_reading *a, const struct metrics_reading *b)
{
    return metrics__series_compare(a->series, b->series) < 0;
}

static bool unpack_all(struct unpacking *u, const char *raw, size_t n, uint64_t objects)
{
    size_t at = 0;
    uint64_t readings = 0;
    msgpack_unpacked object;
    msgpack_unpacked_init(&object);
    u->good = msgpack_unpack_next(&object, raw, n, &at) == MSGPACK_UNPACK_SUCCESS;
    if (u->good) get_header(u, &object.data, &readings);
    u->good &= objects > 0 && readings == objects - 1 && readings <= n / READING_MIN;
    if (u->good) {
        free(u->s->readings);
        u->s->readings = calloc(readings + 1, sizeof *u->s->readings);
        u->s->room = readings;
        u->s->pool.failed = u->s->readings == NULL;
        u->good = !u->s->pool.failed;
    }
    for (uint64_t i = 0; u->good && i < readings; i++) {
        struct metrics_reading *r = &u->s->readings[i];
        u->good = msgpack_unpack_next(&object, raw, n, &at) == MSGPACK_UNPACK_SUCCESS;
        if (u->good) get_reading(u, &object.data, r);
        if (u->good && i && !in_order(r - 1, r)) u->good = false;
        u->s->count += u->good;
    }
    msgpack_unpacked_destroy(&object);
    return u->good && at == n && !u->s->pool.failed;
}

static char *inflate_all(const unsigned char *bytes, size_t n, uint64_t *length, metrics_error_t *error)
{
    if (n <= PREFIX || memcmp(bytes, magic, sizeof magic)) {
        metrics__fail(error, METRICS_E_FORMAT, 0, "these bytes are not an mtx snapshot");
        return NULL;
    }
    memcpy(length, bytes + sizeof magic, sizeof *length);
    if (*length > INFLATE_MAX || *length > (uint64_t)(n - PREFIX) * INFLATE_RATIO) {
        metrics__fail(error, METRICS_E_FORMAT, 0, "the snapshot claims to inflate to %llu bytes",
                      (unsigned long long)*length);
        return NULL;
    }
    char *raw = malloc(*length + 1);
    uLongf got = *length, used = n - PREFIX;
    if (!raw) {
        metrics__fail(error, METRICS_E_MEMORY, 0, "no memory to decode a snapshot");
    } else if (uncompress2((Bytef *)raw, &got, bytes + PREFIX, &used) != Z_OK || got != *length ||
               used != n - PREFIX) {
        metrics__fail(error, METRICS_E_FORMAT, 0, "the snapshot is damaged: it does not inflate");
        free(raw);
        raw = NULL;
    } else if (!crc_is_right(raw, got)) {
        metrics__fail(error, METRICS_E_FORMAT, 0, "the snapshot is damaged: its checksum is wrong");
        free(raw);
        raw = NULL;
    }
    return raw;
}

metrics_snapshot_t *metrics_snapshot_decode(const void *bytes, size_t n, metrics_error_t *error)
{
    uint64_t length;
    char *raw = inflate_all(bytes, n, &length, error);
    if (!raw) return NULL;
    uint64_t objects = walk_all(raw, length);
    struct unpacking u = {.s = metrics__snapshot_new(0)};
    bool good = u.s && objects && unpack_all(&u, raw, length, objects);
    free(raw);
    metrics__pool_free(&u.passing);
    if (good) return u.s;
    if (!u.s || u.s->pool.failed)
        metrics__fail(error, METRICS_E_MEMORY, 0, "no memory to decode a snapshot");
    else
        metrics__fail(error, METRICS_E_FORMAT, 0, "the snapshot is damaged: its content is invalid");
    if (u.s) metrics_snapshot_release(&u.s);
    return NULL;
}
