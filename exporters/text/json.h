/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - writes JSON into a buffer, piece by piece, and cannot write anything that is not JSON.
 *
 * The names begin with jsonw_: jansson, which reads JSON, owns json_. The writer puts the commas; the caller
 * opens, closes and names. Text that is not UTF-8 is repaired (every wrong byte becomes U+FFFD), a double
 * without a JSON form (NaN, infinities) is written as null. Misuse (a key outside an object, a close too
 * many, deeper than JSON_DEPTH) marks the buffer as failed.
 */
#ifndef EXPORTERS_JSON_H
#define EXPORTERS_JSON_H

#include "buf.h"

#define JSON_DEPTH 32

struct json {
    struct buf *out;
    uint32_t depth;
    bool first;      /* nothing stands yet in the innermost container */
    bool named;      /* a key was written, its value is due */
    uint32_t object; /* bit d set: the container at depth d is an object */
};

/* Starts a document at the end of `out`, which must outlive the writer. Several documents may follow. */
void jsonw_begin(struct json *j, struct buf *out);

void jsonw_object(struct json *j);
void jsonw_object_end(struct json *j);
void jsonw_array(struct json *j);
void jsonw_array_end(struct json *j);

/* The name of the next value; only inside an object, once per value. */
void jsonw_key(struct json *j, const char *key);

void jsonw_str(struct json *j, const char *s);
void jsonw_mem(struct json *j, const char *s, size_t n);
void jsonw_u64(struct json *j, uint64_t v);
void jsonw_i64(struct json *j, int64_t v);
void jsonw_f64(struct json *j, double v);
/* The same with a point or an exponent, always: 4.0. For services that tell integers and floats apart. */
void jsonw_float(struct json *j, double v);
void jsonw_bool(struct json *j, bool v);
void jsonw_null(struct json *j);

/* Key and value in one call. */
void jsonw_key_str(struct json *j, const char *key, const char *s);
void jsonw_key_u64(struct json *j, const char *key, uint64_t v);
void jsonw_key_f64(struct json *j, const char *key, double v);

/* A value that is JSON already, taken as it is. */
void jsonw_key_raw(struct json *j, const char *key, const char *json);

/* True once every container is closed and no key waits for its value. */
bool jsonw_complete(const struct json *j);

/* Appends `n` bytes of text with the escapes of a JSON string, without the quotes around. */
void jsonw_escape(struct buf *out, const char *s, size_t n);

/* Appends text as valid UTF-8: what is not becomes U+FFFD. For every format that demands UTF-8. */
void jsonw_utf8(struct buf *out, const char *s, size_t n);

#endif
