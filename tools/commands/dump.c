/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl dump - everything, as text, as JSON, or as a saved snapshot. */
#include "grid.h"
#include "match.h"
#include "values.h"
#include "show.h"
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *dump_from, *dump_msgpack;

static const struct cmd_option dump_options[] = {
    {.name = "msgpack",
     .letter = 'm',
     .type = CMD_TEXT,
     .value = &dump_msgpack,
     .arg = "FILE",
     .help = "save the whole snapshot to FILE (- is standard output), for --from and mtxctl diff"},
    INPUT_FROM_ROW(dump_from),
    {.name = NULL},
};

/* --- Bytes --- */

static bool dump_write(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t done = write(fd, bytes, n);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return false;
        bytes += done;
        n -= (size_t)done;
    }
    return true;
}

/* Writes under a temporary name and renames, so that FILE is either a whole snapshot or unchanged. If FILE
 * exists and is not a regular file (a pipe, /dev/null, a link), it must not be replaced: it is written in
 * place. */
static bool dump_file(const char *path, const void *bytes, size_t n, struct buf *why)
{
    struct stat there;
    struct buf part = {0};
    bool in_place = !lstat(path, &there) && !S_ISREG(there.st_mode);
    buf_str(&part, path);
    if (!in_place) buf_printf(&part, ".%ld.part", (long)getpid());
    int flags = in_place ? O_WRONLY | O_TRUNC | O_CLOEXEC : O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
    int fd = open(buf_text(&part), flags, 0666);
    bool good = fd >= 0 && dump_write(fd, bytes, n);
    if (fd >= 0 && close(fd)) good = false;
    if (good && !in_place && rename(buf_text(&part), path)) good = false;
    if (!good) {
        buf_printf(why, "cannot write %s: %s", path, strerror(errno));
        if (fd >= 0 && !in_place) unlink(buf_text(&part));
    }
    buf_free(&part);
    return good;
}

static int dump_bytes(struct cli *cli, const metrics_snapshot_t *snapshot)
{
    metrics_error_t error = {0};
    struct buf why = {0};
    void *bytes = NULL;
    size_t n = 0;
    int code = CLI_OK;
    if (metrics_snapshot_encode(snapshot, &bytes, &n, &error))
        code = cli_fail(cli, CLI_FAILED, "%s", error.text);
    else if (!strcmp(dump_msgpack, "-"))
        buf_mem(&cli->out, bytes, n);
    else if (!dump_file(dump_msgpack, bytes, n, &why))
        code = cli_fail(cli, CLI_FAILED, "%s", buf_text(&why));
    buf_free(&why);
    free(bytes);
    return code;
}

/* --- Text and JSON --- */

struct dump {
    struct cli *cli;
    struct match match;
    struct rows rows;
    metrics_row_options_t options;
    struct json json;
    size_t shown;
};

static void dump_text(struct dump *dump, const metrics_reading_t *reading)
{
    struct buf *out = &dump->cli->out;
    struct grid grid = {.columns = 3, .right = 1 << 1};
    const char *help = metrics_reading_help(reading);
    buf_printf(out, "%s ", metrics_reading_kind(reading));
    show_series(out, reading, -1);
    if (*help) {
        buf_str(out, "  # ");
        show_text(out, help);
    }
    buf_char(out, '\n');
    for (size_t i = 0; i < dump->rows.n; i++) {
        const metrics_row_t *row = &dump->rows.at[i];
        show_attribute(&grid.text, row);
        if (row->worker >= 0) buf_printf(&grid.text, " worker=%" PRId64, row->worker);
        grid_end_cell(&grid);
        show_value(&grid.text, row);
        grid_end_cell(&grid);
        grid_cell(&grid, row->unit ? row->unit : "");
    }
    grid_print(&grid, 4, out);
}

static void dump_reading(struct dump *dump, const metrics_reading_t *reading)
{
    if (!match_reading(&dump->match, reading)) return;
    if (!rows_expand(&dump->rows, reading, NULL, &dump->options)) dump->cli->out.failed = true;
    dump->shown++;
    if (dump->cli->json)
        show_json_reading(&dump->json, reading, &dump->rows);
    else
        dump_text(dump, reading);
    cli_flow(dump->cli);
}

static void dump_head(struct dump *dump, const metrics_snapshot_t *snapshot)
{
    const metrics_snapshot_header_t *head = metrics_snapshot_header(snapshot);
    struct buf *out = &dump->cli->out;
    if (dump->cli->json) {
        jsonw_begin(&dump->json, out);
        jsonw_object(&dump->json);
        show_json_snapshot(&dump->json, head);
        jsonw_key(&dump->json, "readings");
        jsonw_array(&dump->json);
        return;
    }
    buf_str(out, "# taken ");
    buf_time(out, head->wall_ns);
    buf_printf(out, ", segment %016" PRIx64 ", %zu series", head->incarnation,
               metrics_snapshot_count(snapshot));
    if (head->series_damaged) buf_printf(out, ", %" PRIu64 " left out as damaged", head->series_damaged);
    if (head->sums_saturated)
        buf_printf(out, ", %" PRIu64 " with a sum beyond the largest number", head->sums_saturated);
    buf_char(out, '\n');
}

/* Whole distributions are for programs; text shows buckets and quantiles. */
static int dump_all(struct dump *dump, const metrics_snapshot_t *snapshot)
{
    struct cli *cli = dump->cli;
    dump->options = (metrics_row_options_t){
        .size = sizeof dump->options,
        .attributes = METRICS_ATTRS_DEFAULT | METRICS_ATTR(METRICS_BUCKETS_LE) |
                      (cli->json ? METRICS_ATTR(METRICS_WHOLE) : 0),
    };
    dump_head(dump, snapshot);
    for (size_t i = 0; i < metrics_snapshot_count(snapshot); i++)
        dump_reading(dump, metrics_snapshot_reading(snapshot, i));
    if (cli->json) {
        jsonw_array_end(&dump->json);
        jsonw_object_end(&dump->json);
        buf_char(&cli->out, '\n');
    }
    rows_free(&dump->rows);
    return dump->shown ? CLI_OK : match_none(cli, &dump->match, snapshot);
}

static int dump_run(struct cli *cli)
{
    struct dump dump = {.cli = cli};
    metrics_snapshot_t *snapshot = NULL;
    if (dump_msgpack && (cli->n || cli->json))
        return cli_usage(
            cli, "--msgpack saves the whole snapshot, so it cannot be combined with patterns or --json");
    int code = match_parse(cli, 0, &dump.match);
    if (code == CLI_OK) code = input_take(cli, dump_from, &snapshot);
    if (code != CLI_OK) return code;
    code = dump_msgpack ? dump_bytes(cli, snapshot) : dump_all(&dump, snapshot);
    metrics_snapshot_release(&snapshot);
    return code;
}

const struct command command_dump = {
    .name = "dump",
    .args = MATCH_ARGS,
    .summary = "print every value of every series, or save a snapshot",
    .text = "Prints each series with all its values, including buckets. This also works when all processes "
            "of the segment are dead: what they recorded is still there, except gauges, whose values end "
            "with their process.\n"
            "\n"
            "--msgpack saves the snapshot in the format in which mtx-exporter keeps snapshots (compressed "
            "msgpack). ls, get, dump and diff can read it.\n"
            "\n" MATCH_TEXT,
    .examples = "mtxctl dump 'http.*'\n"
                "mtxctl dump --msgpack before.mtx; sleep 60; mtxctl diff before.mtx\n"
                "mtxctl dump --from before.mtx --json\n",
    .options = dump_options,
    .exits = {[CLI_NO] = "no series matches",
              [CLI_SEGMENT] = "the segment (or saved snapshot) does not exist or cannot be read"},
    .most = -1,
    .run = dump_run,
};
