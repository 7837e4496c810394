/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - writes JSON into a buffer, value by value. What it writes is always valid JSON.
 *
 * The caller opens and closes containers and writes keys and values; the writer adds commas and colons. Text
 * that is not UTF-8 is repaired: each invalid byte becomes U+FFFD. NaN and the infinities, which JSON lacks,
 * become null. Misuse (a key outside an object, one close too many, deeper than JSON_DEPTH) marks the buffer
 * as failed.
 *
 * The names begin with jsonw_, because json_ belongs to jansson, which reads JSON.
 *
 * Not thread-safe: a writer and its buffer belong to one thread at a time.
 */
#ifndef EXPORTERS_JSON_H
#define EXPORTERS_JSON_H

#include "buf.h"

#define JSON_DEPTH 32

struct json {
    struct buf *out;
    uint32_t depth;
    bool first;      /* the innermost container is still empty */
    bool named;      /* a key was written, its value is next */
    uint32_t object; /* bit d set: the container at depth d is an object */
};

/* Starts a document at the end of `out`, which must outlive the writer. The writer owns nothing. Several
 * documents may follow each other. */
void jsonw_begin(struct json *j, struct buf *out);

/* Open and close containers. */
void jsonw_object(struct json *j);
void jsonw_object_end(struct json *j);
void jsonw_array(struct json *j);
void jsonw_array_end(struct json *j);

/* Writes the name of the next value; only inside an object, once per value. */
void jsonw_key(struct json *j, const char *key);

/* Write one value. jsonw_float() always writes a point or an exponent, such as 4.0: for services that tell
 * integers from floats by it. */
void jsonw_str(struct json *j, const char *s);
void jsonw_mem(struct json *j, const char *s, size_t n);
void jsonw_u64(struct json *j, uint64_t v);
void jsonw_i64(struct json *j, int64_t v);
void jsonw_f64(struct json *j, double v);
void jsonw_float(struct json *j, double v);
void jsonw_bool(struct json *j, bool v);
void jsonw_null(struct json *j);

/* Key and value in one call. */
void jsonw_key_str(struct json *j, const char *key, const char *s);
void jsonw_key_u64(struct json *j, const char *key, uint64_t v);
void jsonw_key_f64(struct json *j, const char *key, double v);

/* The same with a value that is JSON already; it is not checked. */
void jsonw_key_raw(struct json *j, const char *key, const char *json);

/* True if the document is complete: all containers are
 * closed, no key lacks its value, the buffer has not failed. */
bool jsonw_complete(const struct json *j);

/* Appends `n` bytes of text with the escapes of a JSON string, without the quotes. */
void jsonw_escape(struct buf *out, const char *s, size_t n);

/* Appends `n` bytes of text as valid UTF-8: each invalid
 * byte becomes U+FFFD. For all formats that require UTF-8. */
void jsonw_utf8(struct buf *out, const char *s, size_t n);

#endif
