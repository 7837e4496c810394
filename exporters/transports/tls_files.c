/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef bool check_fn(const char *path, struct buf *why);

bool tls_check_path(const char *path, struct buf *why)
{
    struct stat st;
    if (stat(path, &st) || S_ISREG(st.st_mode)) return true;
    buf_printf(why, "%s is not a regular file", path);
    return false;
}

static bool check_readable(const char *path, struct buf *why)
{
    if (!tls_check_path(path, why)) return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        buf_printf(why, "cannot open %s: %s", path, strerror(errno));
        return false;
    }
    close(fd);
    return true;
}

static bool check_all(const struct tls_files *files, check_fn *check, struct buf *why)
{
    const char *const paths[] = {files->ca_file, files->client_cert, files->client_key};
    static const char *const names[] = {"ca_file", "client_cert", "client_key"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        size_t from = why->len;
        if (!paths[i] || !*paths[i]) continue;
        buf_printf(why, "%s: ", names[i]);
        if (!check(paths[i], why)) return false;
        buf_cut(why, from);
    }
    return true;
}

bool tls_files_regular(const struct tls_files *files, struct buf *why)
{
    return check_all(files, tls_check_path, why);
}

bool tls_files_readable(const struct tls_files *files, struct buf *why)
{
    return check_all(files, check_readable, why);
}
