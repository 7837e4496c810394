/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a table of options fills, checks, compares and prints its settings; a mistake changes nothing. */
#include "unit.h"

#include "option.h"

struct inner {
    char *listen;
    int64_t port;
};
struct settings {
    char *url, *token;
    bool verify;
    int64_t retries;
    double ratio;
    uint64_t timeout, size;
    struct option_list names, globs;
    struct option_tags tags;
    int mode;
    struct inner inner;
};

static bool even_length(const char *text, struct buf *why)
{
    if (strlen(text) % 2 == 0) return true;
    buf_printf(why, "\"%s\" is odd", text);
    return false;
}

static const char *const modes[] = {"fast", "safe", "lazy", NULL};
static const struct option inner_rows[] = {
    {.name = "listen",
     .type = OPTION_STRING,
     OPTION_FIELD(struct inner, listen),
     .def = "here",
     .help = "where"},
    {.name = "port",
     .type = OPTION_INTEGER,
     OPTION_FIELD(struct inner, port),
     .def = "80",
     .min = 1,
     .max = 65535,
     .help = "port"},
    {.name = NULL},
};
#define F(M) OPTION_FIELD(struct settings, M)
static const struct option rows[] = {
    {.name = "url", .type = OPTION_STRING, F(url), .required = true, .help = "where to send"},
    {.name = "token", .type = OPTION_SECRET, F(token), .help = "the key"},
    {.name = "verify", .type = OPTION_BOOL, F(verify), .def = "true", .help = "check certificates"},
    {.name = "retries",
     .type = OPTION_INTEGER,
     F(retries),
     .def = "3",
     .min = 0,
     .max = 10,
     .help = "how often"},
    {.name = "ratio", .type = OPTION_FLOAT, F(ratio), .def = "0.5", .min = 0, .max = 1, .help = "how much"},
    {.name = "timeout",
     .type = OPTION_DURATION,
     F(timeout),
     .def = "10s",
     .min = 1e6,
     .max = 60e9,
     .help = "how long"},
    {.name = "size", .type = OPTION_SIZE, F(size), .def = "16MiB", .help = "how big"},
    {.name = "names", .type = OPTION_LIST, F(names), .def = "aa, bb", .check = even_length, .help = "which"},
    {.name = "globs", .type = OPTION_GLOBS, F(globs), .min = 0, .max = 2, .help = "patterns"},
    {.name = "tags", .type = OPTION_TAGS, F(tags), .def = "a=b", .help = "labels"},
    {.name = "mode", .type = OPTION_CHOICE, F(mode), .def = "safe", .choices = modes, .help = "how"},
    {.name = "inner", .type = OPTION_SECTION, F(inner), .rows = inner_rows, .help = "inside"},
    {.name = NULL},
};

static const struct option *row(const char *name)
{
    bool file;
    return option_find(rows, name, &file);
}

/* Each type's default arrives in its field. */
UNIT(option, defaults)
{
    struct settings s = {0};
    option_defaults(rows, &s);
    CHECK(s.url == NULL);
    CHECK(s.verify);
    CHECK_EQ_I64(s.retries, 3);
    CHECK_NEAR(s.ratio, 0.5, 0);
    CHECK_EQ_U64(s.timeout, 10000000000);
    CHECK_EQ_U64(s.size, 16777216);
    CHECK_EQ_U64(s.names.n, 2);
    CHECK_STR(s.names.items[1], "bb");
    CHECK_STR(option_tag_value(&s.tags, "a"), "b");
    CHECK_EQ_I64(s.mode, 1);
    CHECK_STR(s.inner.listen, "here");
    CHECK_EQ_I64(s.inner.port, 80);
    option_release(rows, &s);
    CHECK(s.names.items == NULL);
    CHECK(s.inner.listen == NULL);
}

/* Every kind of mistake is refused with a reason that says what is right, and leaves the field alone. */
UNIT(option, mistakes)
{
    static const struct {
        const char *name, *text, *says;
    } bad[] = {
        {"retries", "10 apples", "\"10 apples\" is not a whole number"},
        {"retries", "11", "11 is out of range: retries goes from 0 to 10"},
        {"timeout", "10", "is not a duration with its unit"},
        {"timeout", "2m", "2m is out of range: timeout goes from 1ms to 1m"},
        {"size", "5", "is not a size with its unit"},
        {"ratio", "1.01", "out of range"},
        {"verify", "perhaps", "is not true or false"},
        {"mode", "saef", "is not one of fast, safe, lazy (did you mean safe?)"},
        {"names", "odd", "\"odd\" is odd"},
        {"globs", "a[", "has a [ without its ]"},
        {"tags", "novalue", "is not of the form key=value"},
        {"tags", "a=c", "the tag a is given twice"},
        {"tags", "=c", "key is empty"},
    };
    struct settings s = {0};
    option_defaults(rows, &s);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf why = {0};
        CHECK(!option_parse(row(bad[i].name), &s, bad[i].text, &why));
        if (!strstr(buf_text(&why), bad[i].says))
            UNIT_FAIL("%s: expected \"%s\" in \"%s\"\n", bad[i].name, bad[i].says, buf_text(&why));
        buf_free(&why);
    }
    CHECK_EQ_I64(s.retries, 3);
    CHECK_EQ_U64(s.timeout, 10000000000);
    CHECK_EQ_U64(s.names.n, 2);
    CHECK_EQ_U64(s.tags.n, 1);
    option_release(rows, &s);
}

/* Only texts and secrets have the form name_file; a misspelt name finds the right one. */
UNIT(option, names)
{
    bool file = true;
    struct buf near = {0};
    CHECK(option_find(rows, "token", &file) == row("token") && !file);
    CHECK(option_find(rows, "token_file", &file) == row("token") && file);
    CHECK(option_find(rows, "retries_file", &file) == NULL);
    CHECK(option_nearest(rows, "timout", &near));
    CHECK_STR(buf_text(&near), "timeout");
    buf_reset(&near);
    CHECK(option_nearest(rows, "token_fil", &near));
    CHECK_STR(buf_text(&near), "token_file");
    buf_reset(&near);
    CHECK(!option_nearest(rows, "completely", &near));
    buf_free(&near);
}

/* Missing options and too many items are found at the end. */
UNIT(option, complete)
{
    struct settings s = {0};
    struct buf why = {0};
    option_defaults(rows, &s);
    CHECK(!option_complete(rows, &s, "f: ", &why));
    CHECK_STR(buf_text(&why), "f: url is missing: where to send\n");
    buf_reset(&why);
    CHECK(option_parse(row("url"), &s, "http://x", &why));
    CHECK(option_complete(rows, &s, "f: ", &why));
    for (int i = 0; i < 3; i++) CHECK(option_parse(row("globs"), &s, "x*", &why));
    CHECK(!option_complete(rows, &s, "f: ", &why));
    CHECK_STR(buf_text(&why), "f: globs has 3 items; 0 to 2 are allowed\n");
    buf_free(&why);
    option_release(rows, &s);
}

/* The current settings are printed as YAML; a secret is not. */
UNIT(option, print)
{
    struct settings s = {0};
    struct buf out = {0}, why = {0};
    option_defaults(rows, &s);
    CHECK(option_parse(row("token"), &s, "s3cret", &why));
    CHECK(option_parse(row("url"), &s, "a \"b\"", &why));
    CHECK(option_parse(row("globs"), &s, "x*", &why));
    option_print_all(rows, &s, 2, &out);
    CHECK_STR(buf_text(&out),
              "  url: \"a \\\"b\\\"\"\n  token: \"***\"\n  verify: true\n  retries: 3\n  ratio: 0.5\n"
              "  timeout: 10s\n  size: 16MiB\n  names: [aa, bb]\n  globs: [\"x*\"]\n  tags: {a: b}\n"
              "  mode: safe\n  inner:\n    listen: here\n    port: 80\n");
    CHECK(strstr(buf_text(&out), "s3cret") == NULL);
    buf_reset(&out);
    option_help(rows, 0, &out);
    CHECK(strstr(buf_text(&out), "fast|safe|lazy") != NULL);
    CHECK(strstr(buf_text(&out), "(default 10s) (1ms to 1m)") != NULL);
    CHECK(strstr(buf_text(&out), "token_file") != NULL);
    buf_free(&out);
    buf_free(&why);
    option_release(rows, &s);
}

/* Any one option with another value, in a section or a secret too, makes the
 * settings different; the same values given again do not. So a changed backend is
 * never mistaken for the running one, and an unchanged one is never disturbed. */
UNIT(option, equal)
{
    static const char *const values[][2] = {
        {"url", "http://x"}, {"token", "key"},   {"verify", "false"}, {"retries", "4"},
        {"ratio", "0.25"},   {"timeout", "11s"}, {"size", "1MiB"},    {"names", "cc"},
        {"globs", "x*"},     {"tags", "c=d"},    {"mode", "lazy"},    {"inner", "there"},
    };
    struct settings a = {0}, b = {0};
    struct buf why = {0};
    bool file;
    option_defaults(rows, &a);
    option_defaults(rows, &b);
    CHECK(option_equal(rows, &a, &b));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const struct option *row = option_find(rows, values[i][0], &file);
        CHECK(option_parse(row, &a, values[i][1], &why));
        if (option_equal(rows, &a, &b) || option_equal(rows, &b, &a))
            UNIT_FAIL("%s makes no difference\n", row->name);
        CHECK(option_parse(row, &b, values[i][1], &why));
        if (!option_equal(rows, &a, &b)) UNIT_FAIL("%s differs\n", row->name);
    }
    option_release(rows, &a);
    option_release(rows, &b);
    buf_free(&why);
}

/* A newline in a token would begin another header. What is wrong is told by its place, without the secret. */
UNIT(option, control_characters)
{
    static const struct {
        const char *name, *text;
    } bad[] = {{"token", "sesame\nX-Injected: yes"},
               {"url", "a\x7f"},
               {"url", "\xff"},
               {"names", "a\rb"},
               {"tags", "k=v\n"},
               {"tags", "k\x01=v"},
               {"tags", "k=\xe4"},
               {"globs", "a\tb*"},
               {"retries", "3\n"}};
    struct settings s = {0};
    option_defaults(rows, &s);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bool file;
        struct buf why = {0};
        if (option_parse(option_find(rows, bad[i].name, &file), &s, bad[i].text, &why))
            UNIT_FAIL("%s took it\n", bad[i].name);
        CHECK(strstr(buf_text(&why), "byte ") && !strstr(buf_text(&why), "sesame"));
        buf_free(&why);
    }
    CHECK(!s.token);
    option_release(rows, &s);
}

static const char *wrong_env(const char *name)
{
    return !strcmp(name, "THE_PORT") ? "tcp://10.0.0.1:6379" : !strcmp(name, "THE_HOST") ? "db" : NULL;
}

static bool port_is_given(const void *arg, const struct option *row)
{
    return *(const bool *)arg && !strcmp(row->name, "port");
}

/* Kubernetes sets REDIS_PORT=tcp://...: it is ignored with a warning, and without one if the file has a port. */
UNIT(option, wrong_environment)
{
    static const struct option table[] = {{.name = "host",
                                           .type = OPTION_STRING,
                                           OPTION_FIELD(struct inner, listen),
                                           .env = "THE_HOST",
                                           .help = "h"},
                                          {.name = "port",
                                           .type = OPTION_INTEGER,
                                           OPTION_FIELD(struct inner, port),
                                           .env = "THE_PORT",
                                           .def = "80",
                                           .help = "p"},
                                          {.name = NULL}};
    for (int given = 0; given < 2; given++) {
        struct inner s = {0};
        struct buf warnings = {0};
        bool is = given;
        option_defaults(table, &s);
        option_environment(table, &s, wrong_env, port_is_given, &is, &warnings);
        CHECK_STR(s.listen, "db");
        CHECK(s.port == 80);
        CHECK_STR(buf_text(&warnings),
                  given ? "" : "$THE_PORT is ignored: \"tcp://10.0.0.1:6379\" is not a whole number\n");
        buf_free(&warnings);
        option_release(table, &s);
    }
}
