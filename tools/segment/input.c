/* SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <unistd.h>

/* A saved snapshot has some 80 bytes per series before compression, so no real one is this large. */
enum { INPUT_LARGEST = 1 << 30, INPUT_CHUNK = 1 << 16 };

const char *input_path(const struct cli *cli)
{
    return cli->segment ? cli->segment : metrics_default_path();
}

/* Appends the segment files of one directory, except the one at `path`. */
static void input_others_in(const char *dir, const char *path, struct buf *out)
{
    DIR *d = opendir(*dir ? dir : ".");
    for (struct dirent *e; d && (e = readdir(d));) {
        struct buf full = {0};
        buf_printf(&full, "%s%s", dir, e->d_name);
        if (!fnmatch("*.seg", e->d_name, FNM_PERIOD) && strcmp(buf_text(&full), path))
            buf_printf(out, "%s%s", out->len ? ", " : "", buf_text(&full));
        buf_free(&full);
    }
    if (d) closedir(d);
}

/* Where the documentation puts them. */
static const char *const input_usual[] = {"/dev/shm/", "/run/mtx/", NULL};

void input_others(const char *path, struct buf *out)
{
    struct buf dir = {0};
    const char *slash = strrchr(path, '/');
    bool usual = false;
    buf_mem(&dir, path, slash ? (size_t)(slash - path + 1) : 0);
    for (size_t i = 0; input_usual[i]; i++) {
        input_others_in(input_usual[i], path, out);
        usual = usual || !strcmp(buf_text(&dir), input_usual[i]);
    }
    if (buf_ok(&dir) && !usual) input_others_in(buf_text(&dir), path, out);
    buf_free(&dir);
}

static int input_missing(const struct cli *cli, const char *path)
{
    struct buf others = {0};
    input_others(path, &others);
    if (others.len)
        cli_fail(cli, CLI_SEGMENT,
                 "there is no segment at %s; other segments: %s (choose one with --segment or MTX_SEGMENT)",
                 path, buf_text(&others));
    else
        cli_fail(
            cli, CLI_SEGMENT,
            "there is no segment at %s, and no other *.seg beside it, in /dev/shm or in /run/mtx; the first process that records "
            "something creates it (is its MTX_SEGMENT the same?)",
            path);
    buf_free(&others);
    return CLI_SEGMENT;
}

int input_fail(const struct cli *cli, const char *path, const metrics_error_t *error)
{
    if (error->code == METRICS_E_MISSING) return input_missing(cli, path);
    return cli_fail(cli, error->code == METRICS_E_MEMORY ? CLI_FAILED : CLI_SEGMENT, "%s", error->text);
}

int input_open(const struct cli *cli, metrics_reader_t **reader)
{
    metrics_error_t error = {0};
    *reader = metrics_reader_open(cli->segment, NULL, &error);
    return *reader ? CLI_OK : input_fail(cli, input_path(cli), &error);
}

static bool input_slurp(int fd, struct buf *bytes)
{
    bytes->limit = INPUT_LARGEST;
    for (;;) {
        char *room = buf_room(bytes, INPUT_CHUNK);
        ssize_t n = room ? read(fd, room, INPUT_CHUNK) : -1;
        if (!room) errno = EFBIG;
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n == 0;
        bytes->len += (size_t)n;
    }
}

static int input_load(const struct cli *cli, const char *from, metrics_snapshot_t **snapshot)
{
    metrics_error_t error = {0};
    struct buf bytes = {0};
    bool piped = !strcmp(from, "-");
    const char *name = piped ? "standard input" : from;
    int fd = piped ? STDIN_FILENO : open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return cli_fail(cli, CLI_SEGMENT, "cannot open %s: %s", name, strerror(errno));
    int code = CLI_OK;
    if (!input_slurp(fd, &bytes))
        code = cli_fail(cli, CLI_SEGMENT, "cannot read %s: %s", name, strerror(errno));
    else if (!(*snapshot = metrics_snapshot_decode(buf_text(&bytes), bytes.len, &error)))
        code = cli_fail(cli, CLI_SEGMENT, "%s is not a snapshot saved by mtxctl dump --msgpack: %s", name,
                        error.text);
    if (!piped) close(fd);
    buf_free(&bytes);
    return code;
}

int input_take(const struct cli *cli, const char *from, metrics_snapshot_t **snapshot)
{
    if (from) return input_load(cli, from, snapshot);
    metrics_error_t error = {0};
    metrics_reader_t *reader;
    int code = input_open(cli, &reader);
    if (code != CLI_OK) return code;
    *snapshot = metrics_snapshot_take(reader, &error);
    if (!*snapshot) code = input_fail(cli, input_path(cli), &error);
    metrics_reader_close(&reader);
    return code;
}
