/* SPDX-License-Identifier: Apache-2.0 */
#include "source_log.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOURCE_4   "[0-9a-f][0-9a-f][0-9a-f][0-9a-f]"
#define SOURCE_ANY "." SOURCE_4 SOURCE_4 SOURCE_4 SOURCE_4 ".log"

char *source_absolute(const char *path)
{
    struct buf out = {0};
    char *folder = *path == '/' ? NULL : getcwd(NULL, 0);
    if (folder) buf_printf(&out, "%s/", folder);
    free(folder);
    buf_str(&out, path);
    return buf_take(&out);
}

/* In a folder for many segments, different paths have different names. */
static void source_log_encode(const char *path, struct buf *out)
{
    for (const char *c = path + (*path == '/'); *c; c++)
        if (*c == '/')
            buf_char(out, '_');
        else if (*c == '_' || *c == '%')
            buf_printf(out, "%%%02X", (unsigned)*c);
        else
            buf_char(out, *c);
}

char *source_log_path(const char *path, uint64_t incarnation, const struct source_log *log)
{
    struct buf name = {0};
    char *absolute = log->state_dir ? source_absolute(path) : NULL;
    if (log->state_dir) buf_printf(&name, "%s/", log->state_dir);
    if (absolute)
        source_log_encode(absolute, &name);
    else
        buf_str(&name, path);
    buf_printf(&name, ".%016" PRIx64 ".log", incarnation);
    free(absolute);
    return buf_take(&name);
}

/* Beside the segments, or all in the folder, whose name is no pattern. */
void source_log_pattern(const char *segments, const struct source_log *log, struct buf *out)
{
    if (!log->state_dir) {
        buf_printf(out, "%s" SOURCE_ANY, segments);
        return;
    }
    for (const char *c = log->state_dir; *c; c++) {
        if (strchr("*?[\\", *c)) buf_char(out, '\\');
        buf_char(out, *c);
    }
    buf_str(out, "/*" SOURCE_ANY);
}

bool source_is_log(const char *path)
{
    return fnmatch("*" SOURCE_ANY "*", path, 0) == 0;
}

static void source_boot(char *out, size_t size)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);
    if (fd >= 0) close(fd);
    out[n > 0 ? n : 0] = 0;
    out[strcspn(out, "\n")] = 0;
}

bool source_owner(const char *path, uint64_t incarnation, struct log_owner *owner)
{
    struct stat st;
    *owner = (struct log_owner){.incarnation = incarnation};
    if (stat(path, &st)) return false;
    owner->device = st.st_dev;
    owner->inode = st.st_ino;
    source_boot(owner->boot, sizeof owner->boot);
    owner->segment = source_absolute(path);
    return owner->segment != NULL;
}

/* The device of the file at a path, or of the folder that it would be in; 0 if there is none. */
static uint64_t source_device(const char *path)
{
    struct stat st;
    if (!stat(path, &st)) return st.st_dev;
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : NULL;
    uint64_t device = folder && !stat(folder, &st) ? st.st_dev : 0;
    free(folder);
    return device;
}

bool source_is_elsewhere(const struct log_owner *owner)
{
    char boot[sizeof owner->boot];
    source_boot(boot, sizeof boot);
    uint64_t device = source_device(owner->segment);
    return *boot && !strcmp(boot, owner->boot) && device && device != owner->device;
}
