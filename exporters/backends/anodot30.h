/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anodot30.h - what the files of the backend anodot30 share; for these files only: out_anodot30.c (samples,
 * what the registry's series need), anodot30_schema.c (schemas and the second API, which lists and makes
 * them) and anodot30_hand.c (points by hand).
 *
 * Not thread-safe: one thread at a time for each session. What takes a talk sends requests over its link,
 * blocks until they are answered or time is up, and on failure leaves in its answer what became of the
 * request. Without memory a schema is made again, or is missing, and its points are reported.
 */
#ifndef EXPORTERS_ANODOT30_H
#define EXPORTERS_ANODOT30_H

#include "anodot.h"

#include <jansson.h>

struct anodot30_settings {
    struct anodot_settings anodot;
    char *access_key, *fill;
    int missing;
    bool watermark;
};

/* Owned by its session, like all that it refers to. */
struct anodot30_schema {
    struct anodot30_schema *next;
    char *name, *id;
    int64_t version;
    json_t *dimensions, *measurements; /* array of names; object of settings */
};

/* A session. */
struct anodot30 {
    struct anodot30_schema *schemas;
    void *newest;                /* tree of the newest schemas by name */
    struct anodot30_mark *marks; /* by hand: watermarks that are due */
    bool listed;
    char *bearer;
    uint64_t login_at; /* monotonic, ns */
};

/* What every request of a session needs. It owns nothing. */
struct anodot30_talk {
    struct anodot30 *session;
    const struct anodot30_settings *settings;
    void *link;
    struct answer *answer;
};

/* --- anodot30_schema.c --- */

/* Forgets all schemas; the next anodot30_know() lists them again. */
void anodot30_forget(struct anodot30 *a);

/* The newest schema of that name, or NULL; valid until anodot30_forget(). */
struct anodot30_schema *anodot30_find(const struct anodot30 *a, const char *name);

/* True if an array of texts holds that one. Pure. */
bool anodot30_has_dimension(json_t *dimensions, const char *name);

/* True if the schema covers what is needed; if not, what it has is added to what is needed. */
bool anodot30_covers(const struct anodot30_schema *s, json_t *dimensions, json_t *measurements);

/* Logs in unless there is a bearer that is not too old, and lists the schemas unless they are known. False,
 * with the answer to return. */
bool anodot30_know(const struct anodot30_talk *talk);

/* Makes a schema, which is found from then on; it takes references to dimensions and measurements, which stay
 * the caller's. False, with the answer to return. */
bool anodot30_create(const struct anodot30_talk *talk, const char *name, int64_t version, json_t *dimensions,
                     json_t *measurements);

/* The numbers of a point, *n of them: its fields, or its value under its own name, which is put into *one.
 * Valid as long as the point and *one. Pure. */
const struct point_field *anodot30_fields_of(const struct point *p, struct point_field *one, size_t *n);

/* The id that a point by hand names, or NULL; valid as long as the point. Pure. */
const char *anodot30_given_id(const struct point *p);

/* The id of a point's schema: the one it names, else that of its name; NULL if there is none. Valid as long
 * as the point and until anodot30_forget(). */
const char *anodot30_schema_id(const struct point *p, const struct anodot30 *a);

/* Reports that everything of a schema up to that wall time has been sent. */
void anodot30_send_watermark(const struct anodot30_talk *talk, const char *id, uint64_t time_ns);

/* --- anodot30_hand.c --- */

/* The backend's tables for points by hand; both lists end with a NULL. */
extern const struct point_word anodot30_words[];
extern const struct point_own anodot30_own[];
extern const struct points_by_hand anodot30_hand;

/* Forgets the watermarks that are due. */
void anodot30_forget_marks(struct anodot30 *a);

#endif
