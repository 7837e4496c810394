/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "command_help.h"

static bool on, first;
static const char *path;
static int64_t count;
static uint64_t pause_ns;
static int colour;
static struct cmd_list list, words;

static const char *const colours[] = {"red", "green", NULL};
static const struct cmd_option own[] = {
    {.name = "on", .letter = 'o', .type = CMD_FLAG, .value = &on, .help = "switch it on"},
    {.name = "first", .letter = '1', .type = CMD_FLAG, .value = &first, .help = "the first one only"},
    {.name = "path", .letter = 'p', .type = CMD_TEXT, .value = &path, .arg = "PATH", .help = "where it is"},
    {.name = "count",
     .type = CMD_INTEGER,
     .value = &count,
     .arg = "N",
     .def = "7",
     .min = 1,
     .max = 100,
     .help = "how many"},
    {.name = "pause",
     .type = CMD_DURATION,
     .value = &pause_ns,
     .arg = "TIME",
     .min = 1e6,
     .max = 1e9,
     .help = "how long to wait between two of them, which is a sentence that does not fit into one line"},
    {.name = NULL},
};
static const struct cmd_option common[] = {
    {.name = "colour",
     .type = CMD_CHOICE,
     .value = &colour,
     .arg = "COLOUR",
     .def = "green",
     .choices = colours,
     .help = "of its lines"},
    {.name = "list",
     .letter = 'l',
     .type = CMD_LIST,
     .value = &list,
     .arg = "A,B",
     .def = "x,y",
     .help = "some"},
    {.name = "word", .letter = 'w', .type = CMD_WORDS, .value = &words, .arg = "WORD", .help = "one more"},
    {.name = NULL},
};
static const struct cmd_line line = {
    .program = "prog sub", .args = "NAME [N]", .tables = {own, common}, .least = 1, .most = 2};
static struct cmd_line runs = {
    .program = "prog run", .args = "-- COMMAND", .tables = {own, common}, .child = true};

enum { MOST = 12 };
static char *argv[MOST];

/* Parses words separated by blanks. "" = all is well. */
static const char *parse(const struct cmd_line *of, const char *text, struct cmd_given *given)
{
    static char copy[200];
    static struct buf why;
    int argc = 0;
    snprintf(copy, sizeof copy, "prog %s", text);
    memset(argv, 0, sizeof argv);
    for (char *rest = copy, *word; argc + 1 < MOST && (word = strsep(&rest, " "));)
        if (*word) argv[argc++] = word;
    buf_reset(&why);
    bool good = cmd_parse(of, argc, argv, given, &why) && cmd_check_arity(of, given, &why);
    CHECK(good == !why.len);
    return buf_text(&why);
}

/* Options stand anywhere, in every form; the order of the arguments is kept. */
UNIT(command_line, forms)
{
    struct cmd_given given;
    first = false; /* a test before this one may have set it */
    CHECK_STR(parse(&line, "a -o --count=5 b -p/tmp/x", &given), "");
    CHECK(on && count == 5 && !first);
    CHECK_STR(path, "/tmp/x");
    CHECK_EQ_I64(given.n, 2);
    CHECK_STR(given.args[0], "a");
    CHECK_STR(given.args[1], "b");
    CHECK_STR(parse(&line, "-1o --path y --pause 20ms -- -x --on", &given), "");
    CHECK(first);
    CHECK_STR(path, "y");
    CHECK_EQ_U64(pause_ns, 20000000);
    CHECK_STR(given.args[0], "-x");
    CHECK_STR(given.args[1], "--on");
}

/* A digit is a number, unless a row is called so. */
UNIT(command_line, numbers)
{
    struct cmd_given given;
    CHECK_STR(parse(&line, "-5 -.5", &given), "");
    CHECK_STR(given.args[0], "-5");
    CHECK_STR(given.args[1], "-.5");
    CHECK(!first);
    CHECK_STR(parse(&line, "-1 a", &given), "");
    CHECK(first && given.n == 1);
}

/* Defaults; those of a list only if none was given. */
UNIT(command_line, defaults)
{
    struct cmd_given given;
    CHECK_STR(parse(&line, "a --word p,q -w r", &given), "");
    CHECK_EQ_I64(count, 7);
    CHECK_EQ_I64(colour, 1);
    CHECK_EQ_U64(list.n, 2);
    CHECK_STR(list.items[1], "y");
    CHECK_EQ_U64(words.n, 2);
    CHECK_STR(words.items[0], "p,q");
    list.n = 0;
    CHECK_STR(parse(&line, "a -l u --list v,w", &given), "");
    CHECK_EQ_U64(list.n, 3);
    CHECK_STR(list.items[2], "w");
}

/* A mistake is named by its option, with what was probably meant. */
UNIT(command_line, mistakes)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"a --cuont 3", "there is no option --cuont; did you mean --count?"},
        {"a --nothing", "there is no option --nothing"},
        {"a -Z", "there is no option -Z"},
        {"a --on=yes", "--on takes no argument"},
        {"a --path", "--path needs its argument, PATH"},
        {"a -p", "-p needs its argument, PATH"},
        {"a --count many", "--count takes an integer from 1 to 100, not \"many\""},
        {"a --count 101", "--count takes an integer from 1 to 100, not \"101\""},
        {"a --pause 5", "--pause takes a duration such as 500ms, 2s, 1m, from 1ms to 1s, not \"5\""},
        {"a --colour blue", "--colour takes one of red, green; not \"blue\""},
        {"a --list u,,v", "--list takes a list separated by commas, not \"u,,v\""},
        {"", "it takes NAME [N]"},
        {"a b c", "it takes NAME [N]"},
    };
    struct cmd_given given;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_STR(parse(&line, cases[i].text, &given), cases[i].why);
}

/* What belongs to a command that is run is left alone. */
UNIT(command_line, child)
{
    struct cmd_given given;
    CHECK_STR(parse(&runs, "-o -- ls -o --no", &given), "");
    CHECK_EQ_I64(given.n, 0);
    CHECK_STR(given.child[0], "ls");
    CHECK_STR(given.child[2], "--no");
    CHECK(!given.child[3]);
    CHECK_STR(parse(&runs, "-o", &given), "the command to run must follow --: prog run -- COMMAND");
    runs.child_first = true;
    CHECK_STR(parse(&runs, "ls -p", &given), "");
    CHECK_STR(given.child[1], "-p");
    CHECK_STR(parse(&runs, "-o", &given), "no command to run was given: prog run -- COMMAND");
    runs.child_first = false;
}

/* No line is wider than 80; what begins with a blank is left alone; each item keeps its column. */
UNIT(command_line, help)
{
    static const char *const exits[] = {"done", NULL, "failed"};
    struct buf out = {0};
    cmd_wrap(&out, "one two\n\n  left  alone\n", 2);
    cmd_help_exits(&out, exits, 3);
    CHECK_STR(buf_text(&out), "  one two\n\n    left  alone\n  0  done\n  2  failed\n");
    buf_reset(&out);
    cmd_help_options(&out, &line);
    CHECK(strstr(buf_text(&out), "  -o, --on                switch it on\n") != NULL);
    CHECK(strstr(buf_text(&out), "      --count N           how many (default 7)\n") != NULL);
    CHECK(strstr(buf_text(&out), "of its lines: red, green (default green)\n") != NULL);
    CHECK(strstr(buf_text(&out),
                 "between two of them, which is a\n                          sentence that") != NULL);
    for (const char *at = buf_text(&out); *at; at += strcspn(at, "\n") + 1) CHECK(strcspn(at, "\n") <= 80);
    buf_free(&out);
}
