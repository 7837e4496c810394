/* SPDX-License-Identifier: Apache-2.0 */
#include "source_log.h"

#include <fnmatch.h>
#include <inttypes.h>

/* Beside the segment it is as short-lived as that; in a folder for many, the whole path is the name. */
static void source_log_stem(const char *path, const struct source_log *log, struct buf *out)
{
    if (!log->state_dir) {
        buf_printf(out, "%s.", path);
        return;
    }
    buf_printf(out, "%s/", log->state_dir);
    for (const char *c = path[0] == '/' ? path + 1 : path; *c; c++) buf_char(out, *c == '/' ? '_' : *c);
    buf_char(out, '.');
}

void source_log_pattern(const char *segments, const struct source_log *log, struct buf *out)
{
    source_log_stem(segments, log, out);
    for (int i = 0; i < 16; i++) buf_str(out, "[0-9a-f]");
    buf_str(out, ".log");
}

bool source_is_log(const char *path)
{
    struct buf pattern = {0};
    static const struct source_log beside;
    source_log_pattern("*", &beside, &pattern);
    buf_char(&pattern, '*');
    bool is = fnmatch(buf_text(&pattern), path, 0) == 0;
    buf_free(&pattern);
    return is;
}

char *source_log_path(const char *path, uint64_t incarnation, const struct source_log *log)
{
    struct buf name = {0};
    source_log_stem(path, log, &name);
    buf_printf(&name, "%016" PRIx64 ".log", incarnation);
    return buf_take(&name);
}
