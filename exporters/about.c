/* SPDX-License-Identifier: Apache-2.0 */
#include "about.h"

#include "backend.h"
#include "command_help.h"
#include "config.h"
#include "nearest.h"

enum { ABOUT_COLUMN = 15 };

static const char about_text[] =
    "mtx-exporter reads the shared-memory segment into which the processes of a server write their metrics, "
    "and reports it to every configured backend. Run one beside each segment.\n"
    "\n"
    "  mtx-exporter [OPTION...]         report until SIGTERM\n"
    "  mtx-exporter backends [NAME]     list the backends, or explain the options of one\n"
    "\n"
    "Without a configuration it reports the segment $MTX_SEGMENT (or /dev/shm/mtx-<uid>.seg) every 10 s: as "
    "a table on standard output, and for Prometheus to scrape at http://127.0.0.1:9464/metrics. If the "
    "segment does not exist yet, it waits for it.\n";

static const char about_signals[] =
    "\nSignals:\n"
    "SIGHUP reads the configuration again (an invalid one is rejected and the old one stays in effect) and "
    "reopens files. SIGTERM and SIGINT take a last snapshot, deliver what is queued, and exit with 0.\n"
    "\nExit status:\n";

static const char *const about_exits[] = {
    [0] = "done",
    [EXIT_MISTAKE] = "the configuration is invalid, or something failed",
    [EXIT_USAGE] = "invalid command line; nothing was done",
};

static const char about_example[] = "\nExample:\n"
                                    "  segment: /dev/shm/shop.seg\n"
                                    "  interval: 10s\n"
                                    "  tags: {service: shop}\n"
                                    "  backends:\n"
                                    "    - type: prometheus\n"
                                    "    - type: file\n"
                                    "      path: /var/log/shop/metrics.jsonl\n"
                                    "      exclude: [\"mtx.*\"]\n";

static void about_list(struct buf *out)
{
    for (const struct backend *const *b = backends; *b; b++)
        cmd_help_item(out, (*b)->name, (*b)->summary, ABOUT_COLUMN);
}

void about_help(const struct cmd_line *line, struct buf *out)
{
    cmd_wrap(out, about_text, 0);
    buf_str(out, "\nOptions:\n");
    cmd_help_options(out, line);
    buf_str(out, "\nBackends:\n");
    about_list(out);
    buf_str(out, "\nConfiguration (YAML; ${VAR} in any value is taken from the environment):\n");
    config_help(out);
    cmd_wrap(out, about_signals, 0);
    cmd_help_exits(out, about_exits, sizeof about_exits / sizeof *about_exits);
    buf_str(out, about_example);
}

static void about_unknown(const char *name, struct buf *why)
{
    const char *near = NULL;
    for (const struct backend *const *b = backends; *b; b++) near = nearest_of(name, near, (*b)->name);
    buf_printf(why, "there is no backend \"%s\"", name);
    if (near) buf_printf(why, "; did you mean %s?", near);
}

bool about_backends(const char *name, struct buf *out, struct buf *why)
{
    const struct backend *b = name ? backend_find(name) : NULL;
    if (b) {
        buf_printf(out, "%s: %s\n\n", b->name, b->summary);
        option_help(backend_options(b), 2, out);
    } else if (name) {
        about_unknown(name, why);
    } else {
        about_list(out);
    }
    return b || !name;
}

void about_sample(struct buf *out)
{
    config_sample(out);
    buf_str(out, "# where to report; `mtx-exporter backends NAME` explains the options of each type\n"
                 "backends:\n");
    for (const struct backend *const *b = backends; *b; b++) {
        buf_printf(out, "  # %s\n  - type: %s\n", (*b)->summary, (*b)->name);
        option_sample(backend_options(*b), 4, out);
    }
}
