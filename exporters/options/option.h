/* SPDX-License-Identifier: Apache-2.0 */
/*
 * option.h - one table row per option; the same table parses, checks, gives defaults, prints and explains.
 *
 *     static const struct option rows[] = {
 *         {.name = "timeout", .type = OPTION_DURATION, OPTION_FIELD(struct settings, timeout), .def = "10s",
 *          .min = 1e6, .max = 3600e9, .help = "give up on a request after this long"},
 *         {.name = NULL},
 *     };
 *
 * The settings are a plain struct, zeroed, filled by option_defaults() and then by option_parse(); whatever
 * its fields own is released by option_release(). Pure but for locale set-up; a settings struct belongs to
 * one thread until it is complete, after that it is only read.
 */
#ifndef EXPORTERS_OPTION_H
#define EXPORTERS_OPTION_H

#include "buf.h"

/* The type of the field. */
enum option_type {
    OPTION_STRING = 1, /* char *, owned; NULL = not given */
    OPTION_SECRET,     /* char *, owned; never printed */
    OPTION_BOOL,       /* bool */
    OPTION_INTEGER,    /* int64_t */
    OPTION_FLOAT,      /* double */
    OPTION_DURATION,   /* uint64_t nanoseconds; written with a unit: 500ms, 10s, 5m, 24h */
    OPTION_SIZE,       /* uint64_t bytes; written with a unit: 64KiB, 16MiB */
    OPTION_LIST,       /* struct option_list */
    OPTION_GLOBS,      /* struct option_list of sound patterns */
    OPTION_TAGS,       /* struct option_tags */
    OPTION_CHOICE,     /* int, index into .choices */
    OPTION_SECTION,    /* a struct described by .rows; a bare scalar sets its first row */
};

struct option_list {
    char **items;
    size_t n;
};
struct option_tag {
    char *key, *value;
};
struct option_tags {
    struct option_tag *items; /* in the order given, no key twice */
    size_t n;
};

struct option {
    const char *name; /* NULL ends the table */
    enum option_type type;
    size_t offset;   /* of the field; inside a section counted from the section's struct */
    const char *env; /* variables that give it when the file does not, the first that is set and not empty;
                        separated by blanks */
    const char *def; /* as it would be written (lists and tags: separated by commas); NULL = nothing */
    bool required;   /* strings and lists: must not stay empty */
    double min, max; /* inclusive, in the field's unit; both 0 = any. Lists: how many items */
    const char *const *choices; /* ends with NULL */
    const struct option *rows;  /* of a section */
    /* Texts and items of lists: a further condition; false with the reason appended to `why`. */
    bool (*check)(const char *text, struct buf *why);
    const char *help; /* one sentence, small letter first, no full stop */
};

#define OPTION_FIELD(STRUCT, MEMBER) .offset = offsetof(STRUCT, MEMBER)

/* The row of that name, or NULL. `<name>_file` finds a string or secret row too, and sets *file. */
const struct option *option_find(const struct option *rows, const char *name, bool *file);

/* The best known name for a wrong one (the `_file` forms included), in `out`; false if none is near. */
bool option_nearest(const struct option *rows, const char *wrong, struct buf *out);

/* Sets every field to its default; the struct must be zeroed. Aborts on a default that its own row
 * refuses. */
void option_defaults(const struct option *rows, void *settings);

/* Sets the fields whose environment variables are set: after the defaults, before the file. One line per
 * mistake is appended to `why`. */
bool option_environment(const struct option *rows, void *settings, const char *(*env)(const char *name),
                        struct buf *why);

/* Gives one value, or one more item of a list (tags: "key=value"). On a bad one the field is unchanged, and
 * the reason is appended to `why` as a sentence that begins with what was wrong. */
bool option_parse(const struct option *row, void *settings, const char *text, struct buf *why);

/* One more tag of a tags field. A key given before is refused. */
bool option_parse_tag(const struct option *row, void *settings, const char *key, const char *value,
                      struct buf *why);

/* Empties a field before it is given anew (lists and tags would else grow), freeing what it owns. */
void option_clear(const struct option *row, void *settings);

/* Checks what only shows at the end: required fields, numbers of items. Appends one line per mistake, each
 * beginning with `prefix`. */
bool option_complete(const struct option *rows, const void *settings, const char *prefix, struct buf *why);

/* True if two settings structs of that table hold the same values, secrets included. */
bool option_equal(const struct option *rows, const void *a, const void *b);

/* Frees what the fields own and zeroes them. */
void option_release(const struct option *rows, void *settings);

/* What kind of value the row takes, for messages: "a duration such as 10s". */
const char *option_wants(const struct option *row);

/* The field's value as it would be written in YAML's flow style; a secret as "***". */
void option_print(const struct option *row, const void *settings, struct buf *out);

/* All settings as YAML, one line each, indented. */
void option_print_all(const struct option *rows, const void *settings, unsigned indent, struct buf *out);

/* For people: name, type, default, range and help of each row. */
void option_help(const struct option *rows, unsigned indent, struct buf *out);

/* A commented sample in YAML: every option with its default. */
void option_sample(const struct option *rows, unsigned indent, struct buf *out);

/* True if they are the same tags in the same order. */
bool option_tags_equal(const struct option_tags *a, const struct option_tags *b);

/* The value of a tag, or NULL. */
const char *option_tag_value(const struct option_tags *tags, const char *key);

#endif
