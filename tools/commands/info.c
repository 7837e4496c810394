/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl info - prints facts about the segment itself. */
#include "grid.h"
#include "input.h"
#include "show.h"

#include <inttypes.h>

struct info {
    struct cli *cli;
    struct json json;
    struct grid grid;
    metrics_segment_info_t facts;
    size_t items; /* processes or refusals printed */
};

/* --- Text --- */

static void info_line(struct info *info, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void info_line(struct info *info, const char *label, const char *format, ...)
{
    va_list ap;
    grid_cell(&info->grid, label);
    va_start(ap, format);
    buf_vprintf(&info->grid.text, format, ap);
    va_end(ap);
    grid_end_cell(&info->grid);
}

/* "3.25 MiB": at most four significant digits. */
static void info_bytes(struct buf *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double v = (double)bytes;
    int u = 0;
    while (v >= 1024 && u < 4) v /= 1024, u++;
    buf_f64_short(out, v, 4);
    buf_printf(out, " %s", units[u]);
}

static double info_fill(const metrics_segment_info_t *f)
{
    return f->bytes_limit ? (double)f->bytes_used / (double)f->bytes_limit : 0;
}

static void info_memory(struct info *info)
{
    const metrics_segment_info_t *f = &info->facts;
    struct buf *text = &info->grid.text;
    grid_cell(&info->grid, "memory");
    info_bytes(text, f->bytes_used);
    buf_str(text, " of ");
    info_bytes(text, f->bytes_limit);
    buf_str(text, " used (");
    buf_f64_short(text, info_fill(f) * 100, 3);
    buf_str(text, "%), ");
    info_bytes(text, f->bytes_resident);
    buf_str(text, " resident");
    grid_end_cell(&info->grid);
}

static void info_age(struct info *info)
{
    const metrics_segment_info_t *f = &info->facts;
    grid_cell(&info->grid, "created");
    buf_time(&info->grid.text, f->created_wall_ns);
    buf_str(&info->grid.text, " (");
    buf_f64_short(&info->grid.text, (double)f->age_ns / 1e9, 6);
    buf_str(&info->grid.text, " s ago)");
    grid_end_cell(&info->grid);
}

static void info_losses(struct info *info)
{
    const metrics_segment_info_t *f = &info->facts;
    size_t n = 0;
    grid_cell(&info->grid, "refused");
    for (uint32_t i = 0; i < f->loss_count && i < 32 && metrics_loss_name(i); i++)
        if (f->losses[i])
            buf_printf(&info->grid.text, "%s%s %" PRIu64, n++ ? ", " : "", metrics_loss_name(i),
                       f->losses[i]);
    if (!n) buf_str(&info->grid.text, "nothing");
    grid_end_cell(&info->grid);
}

/* Which lanes a program that starts now uses, and why. */
static const char *info_lanes(uint32_t lanes)
{
    switch (lanes) {
    case METRICS_LANES_TRUSTED:
        return "programs use those for CPUs (this kernel is not known to break restartable sequences)";
    case METRICS_LANES_PROVED:
        return "programs use those for CPUs (the kernel has passed the test of mtxctl check)";
    case METRICS_LANES_FORCED: return "programs use those for CPUs (MTX_RSEQ=on)";
    case METRICS_LANES_NOT_PROVED:
        return "programs use the atomic ones (arm64 kernels from 6.19 on may break restartable sequences; "
               "run mtxctl check or mtx-exporter, then restart the programs)";
    case METRICS_LANES_FAILED:
        return "programs use the atomic ones (the kernel has failed the test of mtxctl check)";
    default: return "programs use the atomic ones (MTX_RSEQ=off)";
    }
}

static void info_text(struct info *info, const char *path)
{
    const metrics_segment_info_t *f = &info->facts;
    grid_cell(&info->grid, "segment");
    show_text(&info->grid.text, path);
    grid_end_cell(&info->grid);
    info_line(info, "format", "%u.%u, incarnation %016" PRIx64, f->major, f->minor, f->incarnation);
    info_age(info);
    info_memory(info);
    info_line(info, "series", "%" PRIu64 " in %" PRIu64 " families", f->series, f->families);
    info_line(info, "lanes", "%u for CPUs, %u atomic; %s", f->cpu_lanes, f->atomic_lanes,
              info_lanes(f->lanes));
    info_line(info, "writers", "%s; %u living processes hold one of %u slots",
              f->attached ? "attached" : "none attached", f->writers, f->slots_limit);
    info_line(info, "exporter", "%s; interval %" PRIu64 ", rates folded %" PRIu64 " times",
              f->leader ? "leads" : "none leads", f->epoch, f->folds);
    info_losses(info);
    grid_print(&info->grid, 0, &info->cli->out);
}

static void info_text_process(void *arg, const metrics_process_t *p)
{
    struct info *info = arg;
    struct grid *grid = &info->grid;
    if (!info->items++) {
        static const char *const heads[] = {"slot", "pid", "state", "since", "name"};
        for (size_t i = 0; i < 5; i++) grid_cell(grid, heads[i]);
    }
    buf_u64(&grid->text, p->slot);
    grid_end_cell(grid);
    buf_u64(&grid->text, p->pid);
    grid_end_cell(grid);
    grid_cell(grid, !p->alive ? "gone" : p->weak ? "alive, weak lock" : "alive");
    buf_time(&grid->text, p->started_wall_ns);
    grid_end_cell(grid);
    show_text(&grid->text, p->name);
    grid_end_cell(grid);
}

static void info_text_refusal(void *arg, uint64_t seq, const char *reason, const char *name)
{
    struct info *info = arg;
    info->items++;
    buf_u64(&info->grid.text, seq);
    grid_end_cell(&info->grid);
    grid_cell(&info->grid, reason ? reason : "unknown");
    show_text(&info->grid.text, name);
    grid_end_cell(&info->grid);
}

static void info_text_lists(struct info *info, metrics_reader_t *reader)
{
    struct buf *out = &info->cli->out;
    info->grid = (struct grid){.columns = 5, .right = 3};
    info->items = 0;
    metrics_reader_processes(reader, info_text_process, info);
    if (info->items) buf_str(out, "\nProcesses that set gauges:\n");
    grid_print(&info->grid, 2, out);
    info->grid = (struct grid){.columns = 3, .right = 1};
    info->items = 0;
    metrics_reader_refusals(reader, info_text_refusal, info);
    if (info->items) buf_str(out, "\nRefused, the last ones:\n");
    grid_print(&info->grid, 2, out);
}

/* --- JSON --- */

static void info_json_process(void *arg, const metrics_process_t *p)
{
    struct json *j = arg;
    jsonw_object(j);
    jsonw_key_u64(j, "slot", p->slot);
    jsonw_key_u64(j, "pid", p->pid);
    jsonw_key_str(j, "name", p->name);
    jsonw_key(j, "alive");
    jsonw_bool(j, p->alive);
    jsonw_key(j, "weak");
    jsonw_bool(j, p->weak);
    jsonw_key_u64(j, "started_ns", p->started_wall_ns);
    jsonw_object_end(j);
}

static void info_json_refusal(void *arg, uint64_t seq, const char *reason, const char *name)
{
    struct json *j = arg;
    jsonw_object(j);
    jsonw_key_u64(j, "seq", seq);
    jsonw_key_str(j, "reason", reason ? reason : "unknown");
    jsonw_key_str(j, "name", name);
    jsonw_object_end(j);
}

static void info_json_facts(struct json *j, const metrics_segment_info_t *f)
{
    struct buf text = {0};
    buf_printf(&text, "%u.%u", f->major, f->minor);
    jsonw_key_str(j, "format", buf_text(&text));
    buf_reset(&text);
    buf_printf(&text, "%016" PRIx64, f->incarnation);
    jsonw_key_str(j, "incarnation", buf_text(&text));
    buf_free(&text);
    jsonw_key_u64(j, "created_ns", f->created_wall_ns);
    jsonw_key_f64(j, "age_seconds", (double)f->age_ns / 1e9);
    jsonw_key_u64(j, "bytes_limit", f->bytes_limit);
    jsonw_key_u64(j, "bytes_used", f->bytes_used);
    jsonw_key_u64(j, "bytes_resident", f->bytes_resident);
    jsonw_key_f64(j, "fill", info_fill(f));
    jsonw_key_u64(j, "series", f->series);
    jsonw_key_u64(j, "families", f->families);
    jsonw_key_u64(j, "cpu_lanes", f->cpu_lanes);
    jsonw_key_u64(j, "atomic_lanes", f->atomic_lanes);
    jsonw_key_str(j, "lanes_used", metrics_lanes_restartable(f->lanes) ? "cpu" : "atomic");
    jsonw_key_str(j, "lanes_why", metrics_lanes_why(f->lanes));
    jsonw_key_u64(j, "slots", f->slots_limit);
    jsonw_key_u64(j, "writers", f->writers);
    jsonw_key(j, "attached");
    jsonw_bool(j, f->attached);
    jsonw_key(j, "exporter");
    jsonw_bool(j, f->leader);
    jsonw_key_u64(j, "epoch", f->epoch);
    jsonw_key_u64(j, "folds", f->folds);
}

static void info_json(struct info *info, const char *path, metrics_reader_t *reader)
{
    struct json *j = &info->json;
    jsonw_begin(j, &info->cli->out);
    jsonw_object(j);
    jsonw_key_str(j, "segment", path);
    info_json_facts(j, &info->facts);
    jsonw_key(j, "losses");
    jsonw_object(j);
    for (uint32_t i = 0; i < info->facts.loss_count && i < 32 && metrics_loss_name(i); i++)
        jsonw_key_u64(j, metrics_loss_name(i), info->facts.losses[i]);
    jsonw_object_end(j);
    jsonw_key(j, "processes");
    jsonw_array(j);
    metrics_reader_processes(reader, info_json_process, j);
    jsonw_array_end(j);
    jsonw_key(j, "refusals");
    jsonw_array(j);
    metrics_reader_refusals(reader, info_json_refusal, j);
    jsonw_array_end(j);
    jsonw_object_end(j);
    buf_char(&info->cli->out, '\n');
}

static int info_run(struct cli *cli)
{
    struct info info = {.cli = cli, .grid = {.columns = 2}};
    metrics_error_t error = {0};
    metrics_reader_t *reader;
    int code = input_open(cli, &reader);
    if (code != CLI_OK) return code;
    if (metrics_reader_info(reader, &info.facts, &error))
        code = input_fail(cli, input_path(cli), &error);
    else if (cli->json)
        info_json(&info, metrics_reader_path(reader), reader);
    else {
        info_text(&info, metrics_reader_path(reader));
        info_text_lists(&info, reader);
    }
    metrics_reader_close(&reader);
    return code;
}

const struct command command_info = {
    .name = "info",
    .args = "",
    .summary = "show facts about the segment: size, usage, writers, refusals",
    .text =
        "Prints when the segment was created, its format, how much of its memory is used and how much "
        "is resident, how many series and lanes it has, who writes to it, whether an exporter leads it, "
        "and what was refused, by reason:\n"
        "  segment_full    no memory left for a new series\n"
        "  cardinality     a family reached its limit of series\n"
        "  kind_clash      the name is used by another kind of metric\n"
        "  settings_clash  the family exists with other settings\n"
        "  bad_name        a name or tag was invalid\n"
        "  no_slot         no process slot was left for a gauge\n"
        "  bad_value       an update was not a finite number\n"
        "  damaged         bytes in the segment were invalid\n"
        "  process_memory  a process had no memory for a handle\n"
        "It also lists the processes that set gauges (a lock proves that a process is alive; pid and name "
        "are those of its own namespace) and the names that were refused last.",
    .examples = "mtxctl info\n"
                "mtxctl info --json | jq .fill\n",
    .most = 0,
    .run = info_run,
};
