/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member.h - what members a declared object may have, and of which type: one table row each. Pure, but for memory.
 */
#ifndef TOOLS_MEMBER_H
#define TOOLS_MEMBER_H

#include "buf.h"

#include <jansson.h>

enum member_type {
    MEMBER_TEXT = 1, /* at most .most bytes */
    MEMBER_NUMBER,
    MEMBER_WHOLE, /* an integer, at least .least */
    MEMBER_BOOL,
    MEMBER_LIST,
    MEMBER_TAGS, /* an object of texts, as long as tags may be */
    MEMBER_MAP,  /* any object */
    MEMBER_ANY,
};

struct member {
    const char *name; /* NULL ends the table */
    enum member_type type;
    size_t most;
    json_int_t least;
};

/* True if an object has only these members, each null or of its type. False with the reason: "an alert's active is true
 * or false"; `what` is the object's kind: "an alert's". */
bool member_check(const json_t *object, const char *what, const struct member *rows, struct buf *why);

#endif
