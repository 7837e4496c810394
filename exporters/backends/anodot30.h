/* SPDX-License-Identifier: Apache-2.0 */
/*
 * anodot30.h - what the files of the backend anodot30 share; for nobody else: out_anodot30.c (samples, what
 * the registry's series need), anodot30_schema.c (schemas and the second API, which knows and makes them) and
 * anodot30_hand.c (points by hand).
 *
 * A session belongs to one thread at a time. What takes a talk sends requests over its link and blocks for as
 * long as they take; it leaves in its answer, if it fails, what became of the request. Nothing here is safe in a
 * signal handler. Without memory a schema is made again, or is missing, and its points are told of.
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

/* Owned by its session, as is all that it refers to. */
struct anodot30_schema {
    struct anodot30_schema *next;
    char *name, *id;
    int64_t version;
    json_t *dimensions, *measurements; /* array of names; object of settings */
};

/* A session. */
struct anodot30 {
    struct anodot30_schema *schemas;
    void *newest;                /* tree of them by name */
    struct anodot30_mark *marks; /* by hand: watermarks that are due */
    bool listed;
    char *bearer;
    uint64_t login_at; /* monotonic, ns */
};

/* What a request needs that is made for a session: of all that a hook was given. */
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

/* Whether an array of texts holds that one. */
bool anodot30_has_dimension(json_t *dimensions, const char *name);

/* Whether the schema covers what is needed; if not, what is needed grows by what it has. */
bool anodot30_covers(const struct anodot30_schema *s, json_t *dimensions, json_t *measurements);

/* Sees to it that there is a bearer that is not too old, and the list of schemas. False, with the answer to
 * be handed on. */
bool anodot30_know(const struct anodot30_talk *talk);

/* Makes a schema, which is found from then on; both needs are shared, not taken over. False, with the
 * answer. */
bool anodot30_create(const struct anodot30_talk *talk, const char *name, int64_t version, json_t *dimensions,
                     json_t *measurements);

/* The numbers of a point; one that has a value has it under its own name, as the registry's have, in *one. */
const struct point_field *anodot30_fields_of(const struct point *p, struct point_field *one, size_t *n);

/* The id that a point by hand names, or NULL; valid as long as the point is. */
const char *anodot30_given_id(const struct point *p);

/* The id of a point's schema: the one it names, else that of its name; NULL if there is none. */
const char *anodot30_schema_id(const struct point *p, const struct anodot30 *a);

/* Tells that all of a schema up to that wall time has been sent; *answer says what became of it. */
void anodot30_send_watermark(const struct anodot30_talk *talk, const char *id, uint64_t time_ns);

/* --- anodot30_hand.c --- */

/* The backend's tables for points by hand; both lists end with a NULL. */
extern const struct point_word anodot30_words[];
extern const struct point_own anodot30_own[];
extern const struct points_by_hand anodot30_hand;

/* Forgets the watermarks that are due. */
void anodot30_forget_marks(struct anodot30 *a);

#endif
