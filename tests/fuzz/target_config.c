/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: any bytes are read as a configuration with mistakes,
 * each with its line, or as settings that are printed and read again. */
#include <string.h>

#include "config_load.h"
#include "fuzz.h"

static const char *env(const char *name)
{
    return !strcmp(name, "A") ? "value: [of" : !strcmp(name, "B") ? "" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf mistakes = {0}, printed = {0}, again = {0};
    struct config *c = config_parse("f.yml", (const char *)data, n, env, &mistakes);
    FUZZ_HOLDS(c || mistakes.len, "a refusal says why");
    if (c) {
        config_print(c, &printed);
        FUZZ_HOLDS(buf_ok(&printed) && printed.len, "settings can be printed");
        buf_reset(&mistakes);
        struct config *back = config_parse("printed", printed.data, printed.len, env, &mistakes);
        if (back) config_print(back, &again);
        config_free(&back);
    }
    config_free(&c);
    buf_free(&mistakes);
    buf_free(&printed);
    buf_free(&again);
    return 0;
}
