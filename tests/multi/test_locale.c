/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: what the libraries write, read and compare does not depend on the locale of their host program. The
 * locales are made here, in a directory of their own.
 */
#include <locale.h>

#include "multi.h"

static char place[] = "/tmp/mtx-test-locale-XXXXXX";

static void remove_place(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", place);
    if (system(command)) printf("%s is left\n", place);
}

static bool make_locale(const char *name)
{
    char command[256];
    snprintf(command, sizeof command, "localedef -i %s -f UTF-8 %s/%s.UTF-8 >/dev/null 2>&1", name, place,
             name);
    if (system(command) != 0) printf("localedef says that something is wrong with %s\n", name);
    snprintf(command, sizeof command, "%s.UTF-8", name);
    return setlocale(LC_ALL, command) != NULL;
}

static void check_suffixes(const char *name)
{
    static const struct {
        double q;
        const char *suffix;
    } all[] = {{0.5, "p50"},      {0.999, "p999"}, {0.025, "p025"},
               {0.9999, "p9999"}, {1, "p100"},     {0.001, "p001"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char text[32];
        metrics_row_t row = {.attribute = METRICS_PERCENTILE, .parameter = all[i].q};
        metrics_row_suffix(&row, text, sizeof text);
        EXPECT(!strcmp(text, all[i].suffix), "%s: the suffix of %.4f is %s, not %s", name, all[i].q, text,
               all[i].suffix);
    }
}

/* What was counted under a name before is counted under it now, whatever a letter's other case is. */
static void check_names(metrics_registry_t *r, const char *name)
{
    static const char *const words[] = {"FILE.I", "file.i", "f\xc4\xb1le", "F\xc4\xb0LE"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        double before = multi_number(words[i], NULL, "count");
        metrics_counter_inc(metrics_counter(r, words[i], "I", "\xc4\xb0"));
        double now = multi_number(words[i], NULL, "count");
        EXPECT(now == (isnan(before) ? 1 : before + 1), "%s: %s is %.0f", name, words[i], now);
    }
}

int main(void)
{
    static const char *const locales[] = {"C", "de_DE", "fr_FR", "tr_TR"};
    multi_begin(120);
    if (system("command -v localedef >/dev/null") != 0) {
        printf("left out: there is no localedef\n");
        return 77;
    }
    if (!mkdtemp(place)) return 1;
    atexit(remove_place);
    setenv("LOCPATH", place, 1);
    unsetenv("LC_ALL");
    metrics_registry_t *r = test_open(NULL);
    for (size_t i = 0; i < sizeof locales / sizeof *locales; i++) {
        if (i && !make_locale(locales[i])) {
            printf("left out: %s cannot be made here\n", locales[i]);
            continue;
        }
        char number[16];
        snprintf(number, sizeof number, "%.1f", 0.5);
        EXPECT(!strcmp(number, i ? "0,5" : "0.5"), "%s writes %s", locales[i], number);
        check_suffixes(locales[i]);
        check_names(r, locales[i]);
    }
    return multi_end();
}
