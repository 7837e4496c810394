/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "error.h"

#include <errno.h>
#include <string.h>

static bool ends(const char *text, const char *with)
{
    size_t n = strlen(text), m = strlen(with);
    return n >= m && !strcmp(text + n - m, with);
}

/* However long a name is, what failed and why is there. */
UNIT(error, long_names)
{
    metrics_error_t error;
    char name[4096];
    for (size_t n = 1; n < sizeof name - 1; n += n < 300 ? 1 : 97) {
        memset(name, 'x', n);
        name[n] = 0;
        CHECK_EQ_I64(metrics__fail(&error, METRICS_E_NAME, 0, "counter %s was refused: it is too long", name),
                     METRICS_E_NAME);
        CHECK(!strncmp(error.text, "counter x", 9) && ends(error.text, " was refused: it is too long"));
        metrics__fail(&error, METRICS_E_SYSTEM, ENOENT, "cannot open %s", name);
        CHECK(!strncmp(error.text, "cannot open x", 13) && ends(error.text, ": No such file or directory"));
        CHECK(strlen(error.text) < sizeof error.text);
    }
}

/* What is cut is cut between characters. */
UNIT(error, characters)
{
    metrics_error_t error;
    char name[900];
    for (int shift = 0; shift < 3; shift++) {
        memset(name, 'x', (size_t)shift);
        for (size_t i = (size_t)shift; i + 3 < sizeof name; i += 3) memcpy(name + i, "\xe2\x82\xac", 4);
        metrics__fail(&error, METRICS_E_NAME, 0, "%s: refused", name);
        CHECK(ends(error.text, "\xe2\x82\xac: refused"));
        CHECK(strstr(error.text, "\xac...\xe2") != NULL);
    }
}

UNIT(error, control_characters)
{
    metrics_error_t error;
    metrics__fail(&error, METRICS_E_NAME, 0, "a\nb\x1b[31m\x7f\xc2\x9b\xff\xc3\xa9\xed\xa0\x80.");
    CHECK_STR(error.text, "a?b?[31m????\xc3\xa9???.");
}
