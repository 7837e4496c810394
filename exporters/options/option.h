/* SPDX-License-Identifier: Apache-2.0 */
/*
 * option.h - one table row per option. The same table parses, checks, gives defaults, prints and explains.
 *
 *     static const struct option rows[] = {
 *         {.name = "timeout", .type = OPTION_DURATION, OPTION_FIELD(struct settings, timeout), .def = "10s",
 *          .min = 1e6, .max = 3600e9, .help = "give up on a request after this long"},
 *         {.name = NULL},
 *     };
 *
 * The settings are a plain struct of zeros, which option_defaults() and then option_parse() fill. Its fields
 * own their strings and lists until option_release(). Texts that functions take are copied.
 *
 * Thread-safe, but a settings struct that is being changed belongs to one thread at a time.
 */
#ifndef EXPORTERS_OPTION_H
#define EXPORTERS_OPTION_H

#include "buf.h"
#include "expand.h"

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
    OPTION_GLOBS,      /* struct option_list of valid patterns */
    OPTION_TAGS,       /* struct option_tags */
    OPTION_CHOICE,     /* int, index into .choices */
    OPTION_SECTION,    /* a struct described by .rows; a single value sets its first row */
};

/* A list owns its items; so does a set of tags. */
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
    size_t offset; /* of the field in the settings struct; in a section's rows, in the section's struct */
    /* The environment variables that give the value if the file does not, separated by blanks: the first one
     * that is set and not empty. */
    const char *env;
    const char *def;            /* the default as text (lists and tags: separated by commas); NULL = none */
    bool required;              /* strings and lists: must not be empty */
    double min, max;            /* inclusive, in the field's unit; both 0 = any. Lists: the number of items */
    const char *const *choices; /* ends with NULL */
    const struct option *rows;  /* of a section */
    /* A further check of texts and of each item of a list. False, with the reason appended to `why`. */
    bool (*check)(const char *text, struct buf *why);
    /* Appends the text as people may see it, for one that may hold a secret. NULL: as it is. */
    void (*show)(const char *text, struct buf *out);
    const char *help; /* one sentence: starts with a small letter, no full stop */
};

#define OPTION_FIELD(STRUCT, MEMBER) .offset = offsetof(STRUCT, MEMBER)

/* --- Rows --- */

/* The row of that name, or NULL. `<name>_file` also finds the row of a string or secret, and sets *file. */
const struct option *option_find(const struct option *rows, const char *name, bool *file);

/* Appends the known name (`_file` forms included) that a wrong one probably meant. False if there is none. */
bool option_nearest(const struct option *rows, const char *wrong, struct buf *out);

/* What the row's value must be, for messages: "a duration such as 10s". A constant. */
const char *option_wants(const struct option *row);

/* --- Filling a settings struct --- */

/* Sets each field to its default; the struct must be zeroed. Aborts if a row refuses its own default. */
void option_defaults(const struct option *rows, void *settings);

/* True if the file, or the command line, gives the value of that row. */
typedef bool option_given_fn(const void *arg, const struct option *row);

/* Sets the fields whose environment variables are set, but for those that are given elsewhere (`given` NULL:
 * none is). A variable whose value is wrong is ignored, with one line for each appended to `warnings`: others
 * set some of them, too. Kubernetes sets REDIS_PORT=tcp://... for every pod beside a service named redis. */
void option_environment(const struct option *rows, void *settings, expand_env_fn *env, option_given_fn *given,
                        const void *arg, struct buf *warnings);

/* Sets the value, or adds one item to a list ("key=value" to tags). False, with the reason appended to `why`
 * and the field unchanged, if it is wrong. No text may hold a newline or another control character; all but
 * secrets have to be UTF-8. */
bool option_parse(const struct option *row, void *settings, const char *text, struct buf *why);

/* Frees what a field owns and makes a list empty: before it is given again, because lists would grow. */
void option_clear(const struct option *row, void *settings);

/* Checks required fields and numbers of items when everything is read. False, with one line for each mistake
 * appended to `why`, which begins with `prefix`. */
bool option_complete(const struct option *rows, const void *settings, const char *prefix, struct buf *why);

/* Does option_clear() for each field. */
void option_release(const struct option *rows, void *settings);

/* True if two settings structs of that table hold the same values, secrets included. */
bool option_equal(const struct option *rows, const void *a, const void *b);

/* --- Tags --- */

/* Adds a copy of a tag. False, with the reason appended to `why`, if the key is empty or in use, if one of
 * both is not UTF-8 or holds a control character, or without memory. */
bool option_tags_add(struct option_tags *tags, const char *key, const char *value, struct buf *why);

/* Frees the tags; *tags is empty afterwards. */
void option_tags_free(struct option_tags *tags);

/* True if they are the same tags in the same order. */
bool option_tags_equal(const struct option_tags *a, const struct option_tags *b);

/* The value of a tag, which belongs to the tags, or NULL. */
const char *option_tag_value(const struct option_tags *tags, const char *key);

/* --- Printing: all of them append to `out` --- */

/* The field's value in YAML's flow style; a secret as "***". */
void option_print(const struct option *row, const void *settings, struct buf *out);

/* A number as the value of an option of that type: 10s, 16MiB, 5. */
void option_print_number(enum option_type type, double v, struct buf *out);

/* All settings as YAML, one line each, indented by `indent` blanks. */
void option_print_all(const struct option *rows, const void *settings, unsigned indent, struct buf *out);

/* For people: name, type, default, range and help of each row. */
void option_help(const struct option *rows, unsigned indent, struct buf *out);

/* A commented sample in YAML: each option with its default. */
void option_sample(const struct option *rows, unsigned indent, struct buf *out);

#endif
