/* SPDX-License-Identifier: Apache-2.0 */
/* mtxctl events - prints events as they are recorded, without taking them from anybody. */
#include "clock.h"
#include "event_json.h"
#include "event_view.h"
#include "input.h"
#include "match.h"

#include <signal.h>
#include <time.h>

static uint64_t events_interval;
static int64_t events_count;
static bool events_last, events_once;
static struct cmd_list events_types;
static int events_level;

static const char *const events_levels[] = {"all",   "debug",    "info",  "notice", "warning",
                                            "error", "critical", "fatal", NULL};
/* OpenTelemetry's numbers of these. */
static const uint32_t events_least[] = {0, 5, 9, 10, 13, 17, 18, 21};

static const struct cmd_option events_options[] = {
    {.name = "type",
     .letter = 't',
     .type = CMD_LIST,
     .value = &events_types,
     .arg = "TYPE,...",
     .help = "only these: annotations, spans, logs, points"},
    {.name = "level",
     .letter = 'l',
     .type = CMD_CHOICE,
     .value = &events_level,
     .arg = "LEVEL",
     .def = "all",
     .choices = events_levels,
     .help = "of log lines, only those of this level and above"},
    {.name = "last",
     .type = CMD_FLAG,
     .value = &events_last,
     .help = "first those that are still in the rings, whether an exporter has taken them or not"},
    {.name = "once",
     .type = CMD_FLAG,
     .value = &events_once,
     .help = "print what is there (as with --last) and end"},
    {.name = "count",
     .letter = 'n',
     .type = CMD_INTEGER,
     .value = &events_count,
     .arg = "N",
     .min = 1,
     .max = 1e12,
     .help = "end after this many events instead of by a signal"},
    {.name = "interval",
     .letter = 'i',
     .type = CMD_DURATION,
     .value = &events_interval,
     .arg = "TIME",
     .def = "100ms",
     .min = 1e6,
     .max = 3600e9,
     .help = "time between two looks"},
    {.name = NULL},
};

struct watcher {
    struct cli *cli;
    struct match match;
    uint32_t types; /* EVENT_BIT() */
    metrics_reader_t *reader;
    metrics_events_t *events;
    int64_t printed;
    uint64_t missed; /* as was reported */
};

/* --- Which ones --- */

static int parse_types(struct watcher *w)
{
    if (!events_types.n) w->types = EVENT_ALL;
    for (size_t i = 0; i < events_types.n; i++) {
        int type = event_type_named(events_types.items[i]);
        if (!type)
            return cli_usage(w->cli, "\"%s\" is not annotations, spans, logs or points",
                             events_types.items[i]);
        w->types |= EVENT_BIT(type);
    }
    return CLI_OK;
}

/* A tag may be one of its kind's, or a field of the event. */
static bool has_tag(const metrics_tag_t *wanted, const metrics_event_t *e)
{
    struct buf text = {0};
    bool found = match_tag(wanted, e->tags, e->tag_count);
    for (size_t i = 0; i < e->field_count && !found; i++) {
        if (!event_field_is_tag(&e->fields[i])) continue;
        buf_reset(&text);
        event_field_value(&text, &e->fields[i]);
        found = match_tag(wanted, &(metrics_tag_t){e->fields[i].key, buf_text(&text)}, 1);
    }
    buf_free(&text);
    return found;
}

static bool is_wanted(const struct watcher *w, const metrics_event_t *e)
{
    if (!(w->types & EVENT_BIT(e->type)) || !match_name(&w->match, e->name)) return false;
    if (e->type == METRICS_EVENT_LOG && e->level < events_least[events_level]) return false;
    for (size_t i = 0; i < w->match.tag_count; i++)
        if (!has_tag(&w->match.tags[i], e)) return false;
    return true;
}

static bool is_enough(const struct watcher *w)
{
    return w->cli->broken || (events_count && w->printed >= events_count);
}

/* --- Printing --- */

static void print_event(struct watcher *w, const metrics_event_t *e)
{
    struct buf *out = &w->cli->out;
    if (w->cli->json)
        event_json(out, e);
    else
        event_line(out, e, false);
    buf_char(out, '\n');
    w->printed++;
}

/* What went by while nobody looked. */
static void tell_missed(struct watcher *w)
{
    uint64_t missed = metrics_events_stats(w->events)->missed;
    if (missed > w->missed)
        cli_fail(
            w->cli, CLI_OK,
            "events were recorded faster than they were read: some are missing; use a shorter --interval");
    w->missed = missed;
}

static int print_taken(struct watcher *w)
{
    metrics_error_t error = {0};
    const metrics_event_t *e;
    if (metrics_events_take(w->events, &error)) return input_fail(w->cli, input_path(w->cli), &error);
    while (!is_enough(w) && (e = metrics_events_next(w->events)))
        if (is_wanted(w, e)) print_event(w, e);
    tell_missed(w);
    cli_flush(w->cli);
    return CLI_OK;
}

/* --- The loop --- */

static int begin(struct watcher *w, bool last)
{
    metrics_error_t error = {0};
    w->missed = 0;
    w->events = metrics_events_open(w->reader, last ? METRICS_EVENTS_LAST : METRICS_EVENTS_FOLLOW, &error);
    return w->events ? CLI_OK : input_fail(w->cli, input_path(w->cli), &error);
}

/* Follows the path to a new segment, whose events are all new. */
static int follow(struct watcher *w)
{
    metrics_reader_t *fresh =
        metrics_reader_replaced(w->reader) ? metrics_reader_open(w->cli->segment, NULL, NULL) : NULL;
    if (!fresh) return CLI_OK;
    metrics_events_close(&w->events);
    metrics_reader_close(&w->reader);
    w->reader = fresh;
    return begin(w, true);
}

/* False if a signal asks to end. */
static bool rest(const sigset_t *ends)
{
    struct timespec t = {(time_t)(events_interval / CLOCK_SECOND), (long)(events_interval % CLOCK_SECOND)};
    return sigtimedwait(ends, NULL, &t) <= 0;
}

static int loop(struct watcher *w, const sigset_t *ends)
{
    int code = begin(w, events_last || events_once);
    if (code == CLI_OK) code = print_taken(w);
    while (code == CLI_OK && !events_once && !is_enough(w) && rest(ends)) {
        code = follow(w);
        if (code == CLI_OK) code = print_taken(w);
    }
    return code;
}

static int events_run(struct cli *cli)
{
    struct watcher w = {.cli = cli};
    sigset_t ends;
    int code = match_parse(cli, 0, &w.match);
    if (code == CLI_OK) code = parse_types(&w);
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    if (code == CLI_OK) code = input_open(cli, &w.reader);
    if (code != CLI_OK) return code;
    code = loop(&w, &ends);
    metrics_events_close(&w.events);
    metrics_reader_close(&w.reader);
    return code;
}

const struct command command_events = {
    .name = "events",
    .args = MATCH_ARGS,
    .summary = "print spans, log lines and other events as they are recorded",
    .text =
        "Prints a line for each event that is recorded from now on, in the order of their times within a look. "
        "Nothing is taken from an exporter. SIGINT (Ctrl-C) or SIGTERM ends it with status 0. If the segment is "
        "deleted and created again, it is followed.\n"
        "\n"
        "With --json each event is one document on one line, as in the exporter's `file`.\n"
        "\n"
        "GLOBs are for the names of spans, loggers, streams of annotations, and points. KEY=VALUE selects the events "
        "with that tag or field; VALUE may be a pattern; if there are several, all must match.",
    .examples = "mtxctl events --type logs --level warning\n"
                "mtxctl events --type spans 'GET *' service=shop\n"
                "mtxctl events --once --json | jq -r .message\n",
    .options = events_options,
    .most = -1,
    .run = events_run,
};
