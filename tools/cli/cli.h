/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.h - a command of mtxctl: one const struct at the end of one file, and one line in commands.def.
 *
 * A command declares what it takes (option rows, arguments) and what its exit codes mean; the rows feed the
 * parser, the checks and the help text alike. Its run() finds everything parsed and returns the exit code.
 * mtxctl runs one command and ends, so rows point at static variables, and nothing here is shared between
 * threads.
 */
#ifndef TOOLS_CLI_H
#define TOOLS_CLI_H

#include "buf.h"
#include "command_line.h"

/* Exit codes, the same for every command; a command says in .exits what they mean for it. */
enum cli_code {
    CLI_OK,
    CLI_NO,      /* completed with a negative result: no match, differences found, damage found */
    CLI_USAGE,   /* invalid command line; nothing was done */
    CLI_SEGMENT, /* the segment (or saved snapshot) does not exist or cannot be read */
    CLI_REFUSED, /* the segment refused the series: another kind, full, a limit */
    CLI_FAILED,  /* a system failure: memory, output */
    CLI_CODES
};

/* What they mean in general, for help texts. */
extern const char *const cli_exits[CLI_CODES];

struct cli;

struct command {
    const char *name;
    const char *args;     /* after the options, as in "NAME [KEY=VALUE...]" */
    const char *summary;  /* one line */
    const char *text;     /* paragraphs; a line that begins with a blank is printed as it is */
    const char *examples; /* each line a command, perhaps with a # remark */
    /* Appends more help after the text, made from the arguments given beside --help. NULL = none. */
    void (*more)(char **args, int n, struct buf *out);
    const struct cmd_option *options; /* its own rows, beside --segment, --json and --help */
    const char *exits[CLI_CODES];     /* what an exit code means; NULL = as in cli_exits, or never used */
    const char *exit_child;           /* shown instead: the exit status is that of the command that was run */
    bool no_segment;                  /* takes no --segment */
    bool child;                       /* what follows -- is a command line to run: cli->child */
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

/* The options that every command has beside its own. */
struct cli_common {
    const char *segment;
    bool json, help;
};
extern struct cli_common cli_common;

/* What a command takes, its own rows and the common ones, for the parser and the help. .program points at
 * static memory. */
struct cmd_line cli_line(const struct command *command);

/* Prints lines on stderr, without what controls a terminal, and frees the buffer. */
void cli_warn(struct buf *lines);

/* Prints one line on stderr, "mtxctl ls: ...". Returns code, for `return cli_fail(...)`. */
int cli_fail(const struct cli *cli, enum cli_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a mistake in the command line: adds where the help is, returns CLI_USAGE. */
int cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes cli->out to standard output if it holds 64 KiB or more; cli_flush() writes it in any case. An error
 * sets cli->broken, and nothing is written after that. */
void cli_flow(struct cli *cli);
void cli_flush(struct cli *cli);

#endif
