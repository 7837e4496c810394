/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a configuration is read as it was meant, or
 * refused with the place and the reason of each mistake. */
#include "unit.h"

#include "config_load.h"
#include "ledger.h"

#include <unistd.h>

static const char *none(const char *name)
{
    (void)name;
    return NULL;
}

static const char *env(const char *name)
{
    if (!strcmp(name, "WHERE")) return "/tmp/x.jsonl";
    if (!strcmp(name, "OTEL_SERVICE_NAME")) return "cart";
    if (!strcmp(name, "OTEL_RESOURCE_ATTRIBUTES")) return "service.name=other, host%20name=a%2Cb,zone=env";
    return NULL;
}

static struct config *parse(const char *text, expand_env_fn *e, struct buf *mistakes)
{
    return config_parse("f.yml", text, strlen(text), e, mistakes);
}

/* A whole file: each value is where it belongs, and the file has priority over the environment. */
UNIT(config, good)
{
    struct buf m = {0};
    struct config *c = parse("segment: /dev/shm/x.seg\n"
                             "interval: 2s\n"
                             "tags: {zone: file, team: \"${WHERE}\"}\n"
                             "log: memory\n"
                             "http: 127.0.0.1:0\n"
                             "backends:\n"
                             "  - type: prometheus\n"
                             "    attributes: [sum, p50, p99.9]\n"
                             "    include: http.*\n"
                             "  - {type: file, path: \"${WHERE}\", name: disk, exclude: [a*, b*], prefix: "
                             "p., tags: {k: v}, time_unit: ms}\n",
                             env, &m);
    CHECK_STR(buf_text(&m), "");
    REQUIRE(c);
    CHECK_STR(c->segments.items[0], "/dev/shm/x.seg");
    CHECK_EQ_U64(c->interval, 2000000000);
    CHECK_STR(option_tag_value(&c->tags, "zone"), "file");
    CHECK_STR(option_tag_value(&c->tags, "team"), "/tmp/x.jsonl");
    CHECK_STR(option_tag_value(&c->tags, "service.name"), "cart");
    CHECK_STR(option_tag_value(&c->tags, "host name"), "a,b");
    CHECK_STR(c->http.listen, "127.0.0.1:0");
    struct config_backend *disk = config_backend_named(c, "disk");
    REQUIRE(disk && config_backend_named(c, "prometheus"));
    CHECK_STR(disk->settings->prefix, "p.");
    CHECK_EQ_U64(disk->settings->exclude.n, 2);
    CHECK_EQ_I64(disk->settings->time_unit, BACKEND_MILLISECONDS);
    CHECK_EQ_U64(config_backend_named(c, "prometheus")->settings->include.n, 1);
    struct buf out = {0};
    config_print(c, &out);
    /* What --check prints is itself a configuration that means the same. */
    struct config *again = parse(buf_text(&out), none, &m);
    CHECK_STR(buf_text(&m), "");
    if (again) {
        struct buf twice = {0};
        config_print(again, &twice);
        CHECK_STR(buf_text(&twice), buf_text(&out));
        buf_free(&twice);
    }
    config_free(&again);
    config_free(&c);
    buf_free(&out);
    buf_free(&m);
}

/* Each mistake is reported with its place and with what would be right. */
UNIT(config, mistakes)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"intreval: 10s\nbackends: [{type: console}]\n",
         "f.yml:1:1: unknown key \"intreval\" (did you mean interval?)\n"},
        {"interval: 10 apples\nbackends: [{type: console}]\n",
         "f.yml:1:11: interval: \"10 apples\" is not a duration"},
        {"interval: [10s]\nbackends: [{type: console}]\n",
         "f.yml:1:11: interval: this is a list, expected a duration"},
        {"interval: 5ms\nbackends: [{type: console}]\n", "f.yml:1:11: interval: 5ms is out of range"},
        {"interval:\nbackends: [{type: console}]\n", "interval: this is nothing, expected"},
        {"tags: {a: \"${NOPE}\"}\nbackends: [{type: console}]\n",
         "f.yml:1:8: tags: the environment variable NOPE is not set"},
        {"tags: [a, b]\nbackends: [{type: console}]\n", "f.yml:1:7: tags: this is a list, expected a map"},
        {"backends:\n  - type: promteheus\n",
         "f.yml:2:11: there is no backend \"promteheus\" (did you mean prometheus?)\n"},
        {"backends:\n  - type: gopher\n", "f.yml:2:11: there is no backend \"gopher\"; the known ones are "},
        {"backends:\n  - {name: x}\n", "f.yml:2:5: backends: the type is missing"},
        {"backends:\n  - type: file\n", "f.yml:2:5: file: path is missing: file to append to"},
        {"backends:\n  - type: console\n    pth: x\n", "f.yml:3:5: unknown key \"pth\""},
        {"backends:\n  - type: prometheus\n    attributes: [p99, mena]\n",
         "f.yml:3:23: attributes: \"mena\" is not an attribute (did you mean mean?)\n"},
        {"backends:\n  - type: console\n    include: [\"a[\"]\n", "has a [ without its ]"},
        {"tags: {zone: ~}\nbackends:\n  - type: console\n", "a tag's value is nothing"},
        {"tags: {~: x}\nbackends:\n  - type: console\n", "a tag's key is nothing"},
        {"backends:\n  - type: console\n    prefix: Null\n", "prefix: this is nothing"},
        {"backends:\n  - type: console\n  - type: console\n", "f.yml:3:5: another backend is called console"},
        {"backends: {type: console}\n", "f.yml:1:11: backends: this is a map, expected a list"},
        {"interval: 1s\n", "f.yml:1:1: backends is missing or empty"},
        {"", "f.yml:1:1: the file is empty"},
        {"- a\n- b\n", "f.yml:1:1: this is a list, expected a map of options"},
        {"interval: 1s\ninterval: 2s\nbackends: [{type: console}]\n",
         "f.yml:2:1: interval is given twice, first as interval on line 1\n"},
        {"backends: [{type: file, path: a, path_file: b}]\n",
         "path_file is given twice, first as path on line 1"},
        {"a: [b\n", "f.yml:2:1: "},
        {"backends: [{type: console}]\n---\nx: y\n", "f.yml:3:1: a second document begins here"},
        {"http: nowhere\nbackends: [{type: console}]\n", "f.yml:1:7: listen: \"nowhere\" is not an address"},
        {"log: disk\nbackends: [{type: console}]\n", "f.yml:1:6: place: \"disk\" is not one of file, memory"},
        {"{a: b}: c\nbackends: [{type: console}]\n", "f.yml:1:1: a key must be a word, this is a map"},
        {"backends: [{type: file, path_file: /nonexistent/secret}]\n", "cannot open /nonexistent/secret"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf m = {0};
        struct config *c = parse(bad[i].text, none, &m);
        if (c) UNIT_FAIL("accepted: %s\n", bad[i].text);
        if (!strstr(buf_text(&m), bad[i].says))
            UNIT_FAIL("for %sexpected \"%s\"\ngot \"%s\"\n", bad[i].text, bad[i].says, buf_text(&m));
        config_free(&c);
        buf_free(&m);
    }
}

/* All mistakes are reported, not only the first. */
UNIT(config, all_mistakes_at_once)
{
    struct buf m = {0};
    struct config *c = parse("intervall: 1s\nsegmnt: x\nbackends:\n  - type: file\n    prefx: y\n", none, &m);
    CHECK(c == NULL);
    CHECK_STR(buf_text(&m),
              "f.yml:1:1: unknown key \"intervall\" (did you mean interval?)\n"
              "f.yml:2:1: unknown key \"segmnt\" (did you mean segment?)\n"
              "f.yml:5:5: unknown key \"prefx\" (did you mean prefix?)\n"
              "f.yml:4:5: file: path is missing: file to append to; created if it does not exist\n");
    buf_free(&m);
}

/* A list of resource attributes with a mistake is ignored as a whole, with a warning; all else is used. */
static const char *faulty(const char *name)
{
    return !strcmp(name, "OTEL_RESOURCE_ATTRIBUTES") ? "a=b,oops" : NULL;
}
UNIT(config, environment)
{
    struct buf m = {0};
    struct config *c = config_default(faulty, &m);
    REQUIRE(c);
    CHECK_EQ_U64(c->tags.n, 0);
    CHECK(strstr(buf_text(&m), "OTEL_RESOURCE_ATTRIBUTES is ignored") != NULL);
    CHECK(config_backend_named(c, "console") != NULL);
    CHECK(config_backend_named(c, "prometheus") != NULL);
    CHECK_STR(c->http.listen, "127.0.0.1:9464");
    CHECK_EQ_U64(c->interval, 10000000000);
    config_free(&c);
    buf_free(&m);
}

/* Random edits of a good file never crash, and a refusal always has a reason. */
UNIT(config, rubbish)
{
    static const char good[] =
        "segment: /x\ntags: {a: b, c: \"d\"}\nbackends:\n  - {type: file, path: /x, include: [a, b*]}\n"
        "  - type: console\n    attributes: &x [sum, p50]\n  - type: prometheus\n    attributes: *x\n";
    uint64_t x = 88172645463325252;
    for (int round = 0; round < 20000; round++) {
        char text[sizeof good];
        memcpy(text, good, sizeof good);
        for (int edits = 1 + round % 4; edits; edits--) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            text[x % (sizeof good - 1)] = (char)(x >> 32);
        }
        struct buf m = {0};
        struct config *c = config_parse("f.yml", text, sizeof good - 1, none, &m);
        if (!c && !m.len) UNIT_FAIL("refused without a reason: %s\n", text);
        config_free(&c);
        buf_free(&m);
    }
}

static const char *bytes_env(const char *name)
{
    return !strcmp(name, "OTEL_RESOURCE_ATTRIBUTES") ? "a=%E4"
           : !strcmp(name, "OTEL_SERVICE_NAME")      ? "shop\x1b[31m"
           : !strcmp(name, "LATIN")                  ? "\xe4"
                                                     : NULL;
}

/* Tags that are not UTF-8, or would control a terminal, are no tags, wherever they come from. */
UNIT(config, tags_are_utf8)
{
    static const char text[] = "backends:\n  - type: console\n", tag[] = "tags: {city: \"${LATIN}\"}\n";
    struct buf m = {0}, both = {0};
    struct config *c = config_parse("x.yml", text, strlen(text), bytes_env, &m);
    REQUIRE(c);
    CHECK(!c->tags.n);
    CHECK_STR(buf_text(&m),
              "OTEL_SERVICE_NAME is ignored: \"shop [31m\" is not UTF-8, or has control characters\n"
              "OTEL_RESOURCE_ATTRIBUTES is ignored: \"a=%E4\" is not k=v,k2=v2 in UTF-8\n");
    config_free(&c);
    buf_reset(&m);
    buf_printf(&both, "%s%s", tag, text);
    CHECK(!config_parse("x.yml", buf_text(&both), both.len, bytes_env, &m));
    CHECK(strstr(buf_text(&m), "tags: byte 1 (0xe4) is not UTF-8"));
    buf_free(&both);
    buf_free(&m);
}
