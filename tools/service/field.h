/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field.h - the fields of a request as FIELD=VALUE on the command line: one table row per field, which feeds the
 * checks, the help, the JSON body and the query alike.
 *
 * What was given is a JSON object of jansson's: the field's name, and its value as the service wants it. What is
 * wrong is appended to `why` as a sentence. Thread-safe, but a JSON value belongs to one thread at a time.
 */
#ifndef TOOLS_FIELD_H
#define TOOLS_FIELD_H

#include "buf.h"

#include <jansson.h>

enum field_type {
    FIELD_TEXT = 1, /* text, at most .most bytes */
    FIELD_NUMBER,
    FIELD_INTEGER, /* from .least to .top; both 0: any */
    FIELD_TIME,    /* whole seconds since 1970; the time may be relative to now: -1h */
    FIELD_MILLIS,  /* the same in milliseconds */
    FIELD_BOOL,
    FIELD_CHOICE, /* one of .choices */
    FIELD_WORDS,  /* an array of texts: given again, or separated by commas */
    FIELD_MAP,    /* an object of texts: NAME.KEY=VALUE */
    FIELD_UUID,
    FIELD_UUIDS, /* an array of them */
    FIELD_OWN,   /* an array of what .read makes of each text */
};

struct field {
    const char *name; /* NULL ends the table */
    const char *key;  /* of the request, NULL: the name; a dot leads into an object: attributes.color */
    enum field_type type;
    bool required;
    size_t most; /* FIELD_TEXT, and the values of FIELD_MAP; 0 = FIELD_MOST */
    int64_t least, top;
    const char *const *choices;
    json_t *(*read)(const char *text, struct buf *why);
    const char *arg;  /* what the value is called in the help; NULL: a word for the type */
    const char *help; /* small letter first, no full stop */
};

enum { FIELD_MOST = 64 << 10, FIELD_TAG_KEY = 64, FIELD_TAG_VALUE = 255 };

/* Reads n words FIELD=VALUE, adds the values to `given`, and checks that what is required is there. */
bool fields_read(const struct field *rows, char *const *words, int n, json_t *given, struct buf *why);

/* Adds the values to an object under their keys. */
void fields_put(const struct field *rows, const json_t *given, json_t *body);

/* Appends the values to a path as its query: k=v, k[]=v for each of an array, k[x]=v for each of an object. */
void fields_query(const struct field *rows, const json_t *given, struct buf *path);

/* Appends one item for each field, as the rest of a help text. */
void fields_help(const struct field *rows, struct buf *out);

/* Appends "?key=value" or "&key=value" to a path, the value escaped. */
void field_query(struct buf *path, const char *key, const char *value);

/* A point in time as FIELD_TIME accepts it, in nanoseconds: a number, RFC 3339, now, or -1h. */
bool field_time(const char *text, uint64_t *ns, struct buf *why);

/* True if a text is one of the choices, which end with NULL. `what` is what is chosen: "type". */
bool field_choice(const char *what, const char *text, const char *const *choices, struct buf *why);

/* True for 8-4-4-4-12 hexadecimal digits. */
bool field_uuid(const char *text, struct buf *why);

/* True for UTF-8 of 1 to `most` bytes, not only blanks, without control characters but tab and newline. */
bool field_text(const char *what, const char *text, size_t most, struct buf *why);

#endif
