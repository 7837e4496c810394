/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: values from the environment and from files are taken whole, or refused with a reason. */
#include "unit.h"

#include "expand.h"

#include <unistd.h>

static const char *env(const char *name)
{
    if (!strcmp(name, "HOST")) return "db-3";
    if (!strcmp(name, "EMPTY")) return "";
    return NULL;
}

/* ${VAR} is replaced at any place, and nothing else is. */
UNIT(expand, variables)
{
    struct buf out = {0}, why = {0};
    CHECK(expand_text("a ${HOST}/${EMPTY}x $5 $HOST $${HOST} 10$", env, &out, &why));
    CHECK_STR(buf_text(&out), "a db-3/x $5 $HOST ${HOST} 10$");
    CHECK_STR(buf_text(&why), "");
    buf_free(&out);
}

/* A variable that is not set, not closed, or has no valid name is refused with the reason. */
UNIT(expand, faults)
{
    static const struct {
        const char *text, *says;
    } bad[] = {{"${NOPE}", "NOPE is not set"},
               {"x${HOST", "without its }"},
               {"${}", "is not the name"},
               {"${A-B}", "is not the name"},
               {"${1A}", "is not the name"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf out = {0}, why = {0};
        CHECK(!expand_text(bad[i].text, env, &out, &why));
        if (!strstr(buf_text(&why), bad[i].says))
            UNIT_FAIL("expected \"%s\" in \"%s\"\n", bad[i].says, buf_text(&why));
        buf_free(&out);
        buf_free(&why);
    }
}

static void write_file(const char *path, const void *data, size_t n)
{
    FILE *f = fopen(path, "w");
    REQUIRE(f);
    REQUIRE(fwrite(data, 1, n, f) == n);
    fclose(f);
}

/* A secret's file gives its contents without the last newlines;
 * a missing, huge or binary one is refused by name. */
UNIT(expand, files)
{
    char path[] = "/tmp/expand.XXXXXX";
    static char huge[70000];
    struct buf out = {0}, why = {0};
    close(mkstemp(path));
    write_file(path, "to ken\n\r\n", 9);
    CHECK(expand_file(path, &out, &why));
    CHECK_STR(buf_text(&out), "to ken");
    write_file(path, "a\0b", 3);
    CHECK(!expand_file(path, &out, &why));
    CHECK(strstr(buf_text(&why), "NUL") != NULL);
    memset(huge, 'x', sizeof huge);
    write_file(path, huge, sizeof huge);
    CHECK(!expand_file(path, &out, &why));
    CHECK(strstr(buf_text(&why), "longer than 64KiB") != NULL);
    unlink(path);
    CHECK(!expand_file(path, &out, &why));
    CHECK(strstr(buf_text(&why), path) != NULL);
    CHECK_STR(buf_text(&out), "to ken");
    buf_free(&out);
    buf_free(&why);
}

/* A file of exactly the given size is read whole, a longer one is refused and adds nothing. */
UNIT(expand, bounds)
{
    char path[] = "/tmp/expand.XXXXXX";
    struct buf out = {0}, why = {0};
    close(mkstemp(path));
    buf_str(&out, "before ");
    write_file(path, "12\n45", 5);
    CHECK(!expand_read(path, 4, &out, &why));
    CHECK(strstr(buf_text(&why), "longer than 4B") != NULL);
    CHECK_STR(buf_text(&out), "before ");
    CHECK(expand_read(path, 5, &out, &why));
    CHECK_STR(buf_text(&out), "before 12\n45");
    unlink(path);
    CHECK(!expand_read(path, 5, &out, &why));
    CHECK(strstr(buf_text(&why), "cannot open") != NULL);
    buf_free(&out);
    buf_free(&why);
}
