/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.h - a command of mtxctl: one const struct at the end of one file, and one line in commands.def.
 *
 * A command declares what it takes (option rows, arguments) and what it answers with (exit codes); the rows
 * feed getopt_long, the checks and the help text alike. Its run() finds everything parsed and returns the
 * exit code. mtxctl runs one command and ends, so rows point at static variables, and nothing here is shared
 * between threads.
 */
#ifndef TOOLS_CLI_H
#define TOOLS_CLI_H

#include "buf.h"

/* Exit codes, the same for every command; a command says in .exits what they mean for it. */
enum cli_code {
    CLI_OK,
    CLI_NO,      /* it worked and the answer is no: no match, differences, damage */
    CLI_USAGE,   /* the command line makes no sense; nothing was done */
    CLI_SEGMENT, /* no segment (or saved snapshot) there, or one that cannot be read */
    CLI_REFUSED, /* the segment refused the series: another kind, full, a limit */
    CLI_FAILED,  /* the system failed: memory, output */
    CLI_CODES
};

enum cli_type {
    CLI_FLAG = 1, /* bool, no argument */
    CLI_TEXT,     /* const char * */
    CLI_LIST,     /* struct cli_list: separated by commas, or given again */
    CLI_WORDS,    /* struct cli_list: given again, each taken whole */
    CLI_INTEGER,  /* int64_t */
    CLI_DURATION, /* uint64_t nanoseconds; written with a unit */
    CLI_CHOICE,   /* int, index into .choices */
};

struct cli_list {
    const char **items;
    size_t n;
};

struct cli_option {
    const char *name; /* long form; NULL ends the table */
    char letter;      /* short form, or 0 */
    enum cli_type type;
    void *value;                /* of the type's C type */
    const char *arg;            /* what the argument is called in the help */
    const char *def;            /* as it would be written; NULL = zero */
    double min, max;            /* CLI_INTEGER, CLI_DURATION: inclusive; both 0 = any */
    const char *const *choices; /* ends with NULL */
    const char *help;           /* one sentence, small letter first, no full stop */
};

struct cli;

struct command {
    const char *name;
    const char *args;     /* after the options, as in "NAME [KEY=VALUE...]" */
    const char *summary;  /* one line */
    const char *text;     /* paragraphs; a line that begins with a blank is printed as it stands */
    const char *examples; /* likewise, each line a command and perhaps a # remark */
    /* More of the help, behind the text, made from the arguments that stand beside --help. NULL = none. */
    void (*more)(char **args, int n, struct buf *out);
    const struct cli_option *options; /* its own rows, beside --segment, --json and --help */
    const char *exits[CLI_CODES];     /* what an exit code means; NULL = it does not occur */
    const char *exit_child;           /* said instead of a code: the command's own comes through */
    bool no_segment;                  /* takes no --segment */
    bool child;                       /* what stands after -- is a command line to run: cli->child */
    bool child_first;                 /* ... and so is everything from the first argument on */
    int least, most;                  /* arguments; most < 0 = any number */
    int (*run)(struct cli *cli);
};

/* One invocation. */
struct cli {
    const struct command *command;
    const char *segment; /* --segment; NULL = $MTX_SEGMENT or the default path */
    bool json;
    char **args; /* arguments in order, options taken out */
    int n;
    char **child;   /* the command line to run, ends with NULL; NULL = none given */
    struct buf out; /* standard output: append, then cli_flow() */
    bool broken;    /* standard output could not be written */
};

/* Parses, runs, writes the rest of cli->out. argv[0] is the command's name. Returns the exit code. */
int cli_run(const struct command *command, int argc, char **argv);

/* One line on stderr, "mtxctl ls: ...". Returns code, so that a command ends with `return cli_fail(...)`. */
int cli_fail(const struct cli *cli, enum cli_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same as a mistake of the user's: adds where the help is, returns CLI_USAGE. */
int cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes cli->out to standard output if there is much of it; cli_flush() in any case. */
void cli_flow(struct cli *cli);
void cli_flush(struct cli *cli);

/* The whole help text of a command, from its rows; args: what else stood on the command line. */
void cli_help(const struct command *command, char **args, int n, struct buf *out);

/* Wraps text to 80 columns, each line indented; a line of it that begins with a blank is left alone. */
void cli_wrap(struct buf *out, const char *text, size_t indent);

/* The rows that every command has (--json, --help; --segment unless no_segment), for the parser and the
 * help. */
const struct cli_option *cli_common(const struct command *command);

#endif
