/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_line.h - the command line of a program: one table row per option, which feeds getopt_long, the
 * checks and the help (command_help.h) alike.
 *
 *     static bool once;
 *     static const struct cmd_option rows[] = {
 *         {.name = "once", .letter = '1', .type = CMD_FLAG, .value = &once, .help = "take one snapshot"},
 *         {.name = NULL},
 *     };
 *
 * The rows point at static variables: a program has one command line. Nothing is printed here; what is wrong
 * is appended to a buffer as a sentence, so that the program adds its name and where its help is. Not for two
 * threads at once, as getopt_long is not.
 */
#ifndef EXPORTERS_COMMAND_LINE_H
#define EXPORTERS_COMMAND_LINE_H

#include "buf.h"

/* The C type of the variable. */
enum cmd_type {
    CMD_FLAG = 1, /* bool, no argument */
    CMD_TEXT,     /* const char *, points into argv */
    CMD_LIST,     /* struct cmd_list: separated by commas, or given again */
    CMD_WORDS,    /* struct cmd_list: given again, each taken whole */
    CMD_INTEGER,  /* int64_t */
    CMD_DURATION, /* uint64_t nanoseconds; written with a unit */
    CMD_CHOICE,   /* int, index into .choices */
};

/* The items live as long as the program. */
struct cmd_list {
    const char **items;
    size_t n;
};

struct cmd_option {
    const char *name; /* long form; NULL ends the table */
    char letter;      /* short form, or 0 */
    enum cmd_type type;
    void *value;                /* of the type's C type */
    const char *arg;            /* what the argument is called in the help */
    const char *def;            /* as it would be written; NULL = zero */
    double min, max;            /* CMD_INTEGER, CMD_DURATION: inclusive; both 0 = any */
    const char *const *choices; /* ends with NULL */
    const char *help;           /* one sentence, small letter first, no full stop */
};

enum { CMD_TABLES = 2 };

/* What a program, or one of its commands, takes. */
struct cmd_line {
    const char *program; /* as it is called: "mtxctl ls" */
    const char *args;    /* after the options, as in "NAME [KEY=VALUE...]"; "" = none */
    const struct cmd_option *tables[CMD_TABLES]; /* its own rows, those shared with others; may be NULL */
    int least, most;                             /* arguments; most < 0 = any number */
    bool child;                                  /* what follows -- is a command line to run */
    bool child_first;                            /* ... and so is everything from the first argument on */
};

/* What was given. */
struct cmd_given {
    char **args; /* arguments in order, options taken out; gathered at the beginning of argv */
    int n;
    char **child; /* the command line to run, points into argv and ends with NULL; NULL = none */
};

/*
 * Sets the defaults and then the variables of all options that are given. Options may appear anywhere before
 * "--". A word that begins with '-' and a digit is an argument (a number), unless a row has that digit as its
 * letter. argv[0] is skipped; the words after it may be moved. False with the reason in `why`.
 */
bool cmd_parse(const struct cmd_line *line, int argc, char **argv, struct cmd_given *given, struct buf *why);

/* Is the number of arguments right? Asked after cmd_parse(), when --help has had its turn. */
bool cmd_check_arity(const struct cmd_line *line, const struct cmd_given *given, struct buf *why);

#endif
