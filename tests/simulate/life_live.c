/* SPDX-License-Identifier: Apache-2.0 */
/* life_live.c - what mtx-exporter's main.c does, with the world in the place of signals and of stderr. */
#include "life_inside.h"

#include "config_load.h"
#include "exporter.h"
#include "say.h"
#include "seam_net.h"
#include "seam_threads.h"
#include "shared.h"

#include <mtx/snapshot.h>

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct metrics_leader metrics_leader_t;
metrics_reader_t *metrics_leader_reader(metrics_leader_t *leader);
void __real_metrics_leader_logged(metrics_leader_t *leader, const metrics_snapshot_t *snapshot);
void __wrap_metrics_leader_logged(metrics_leader_t *leader, const metrics_snapshot_t *snapshot);
int __wrap_metrics_leader_prove(metrics_leader_t *leader);
void __real_ledger_free(struct ledger **ledger);
void __wrap_ledger_free(struct ledger **ledger);

static int world = -1;

/* Nobody listens any more: nothing is left to live for. */
static void tell(const struct life_message *message)
{
    if (send(world, message, sizeof *message, MSG_NOSIGNAL) != sizeof *message) _exit(3);
}

static void tell_line(const char *line, size_t n)
{
    struct life_message m = {.word = LIFE_SAYS};
    enum { STAMP = sizeof "2026-11-21T01:20:34.123Z " - 1 };
    (void)n;
    strncpy(m.text, line + STAMP, sizeof m.text - 1);
    m.text[strcspn(m.text, "\n")] = '\0';
    tell(&m);
}

/* --- What the auditor wants to know, at calls that the linker leads here --- */

void __wrap_metrics_leader_logged(metrics_leader_t *leader, const metrics_snapshot_t *snapshot)
{
    __real_metrics_leader_logged(leader, snapshot);
    tell(&(struct life_message){.word = LIFE_SAMPLED,
                                .number = metrics_snapshot_header(snapshot)->incarnation});
}

/* The kernel's test needs threads that really run at once, for a real while, which is no part of a world. */
int __wrap_metrics_leader_prove(metrics_leader_t *leader)
{
    (void)leader;
    return 0;
}

static void tell_account(const struct ledger_page *page)
{
    struct life_message m = {.word = LIFE_ACCOUNT, .account = page->account[LEDGER_METRICS]};
    struct ledger_account restored = page->restored[LEDGER_METRICS];
    strncpy(m.text, page->name, sizeof m.text - 1);
    for (size_t w = 0; w < LEDGER_WORDS; w++) *ledger_word(&m.account, w) -= *ledger_word(&restored, w);
    tell(&m);
}

void __wrap_ledger_free(struct ledger **ledger)
{
    struct ledger_page pages[LEDGER_BACKENDS];
    size_t n = *ledger ? ledger_read(*ledger, pages) : 0;
    for (size_t i = 0; i < n; i++) tell_account(&pages[i]);
    __real_ledger_free(ledger);
}

/* --- The program --- */

static const char *no_environment(const char *name)
{
    (void)name;
    return NULL;
}

static struct config *load(const char *path)
{
    struct buf mistakes = {0};
    struct config *config = config_load(path, no_environment, &mistakes);
    if (config && !config_sound(config, &mistakes)) config_free(&config);
    if (!config) say(SAY_ERROR, "the configuration is invalid", "reason", buf_text(&mistakes), NULL);
    buf_free(&mistakes);
    if (config && shared_mine->log) config->log.size = shared_mine->log;
    return config;
}

static void reload(struct exporter *exporter, const char *path)
{
    struct buf why = {0};
    struct config *config = load(path);
    if (config && !exporter_reload(exporter, config, &why)) {
        say(SAY_ERROR, "the configuration is invalid; the old one stays in effect", "reason", buf_text(&why),
            NULL);
        config_free(&config);
    }
    buf_free(&why);
}

/* Until it is ended. */
static void obey(struct exporter **exporter, const char *path)
{
    for (;;) {
        enum life_order order;
        tell(&(struct life_message){.word = LIFE_IDLE, .number = threads_settle()});
        if (recv(world, &order, sizeof order, 0) != sizeof order) _exit(3);
        if (order == LIFE_RELOAD) reload(*exporter, path);
        if (order != LIFE_END) continue;
        exporter_stop(exporter);
        return;
    }
}

static int run(const char *path)
{
    struct buf why = {0};
    struct config *config = load(path);
    if (!config) return 1;
    struct exporter *exporter = exporter_start(config, &why);
    if (!exporter) {
        say(SAY_ERROR, "cannot start", "reason", buf_text(&why), NULL);
        return 1;
    }
    obey(&exporter, path);
    return 0;
}

static int once(const char *path)
{
    struct config *config = load(path);
    return config ? exporter_once(config) : 1;
}

void life_live(const struct life_plan *plan, int control, int nudge)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    plan->alone(plan->arg);
    world = control;
    shared_mine = &shared->lives[plan->number];
    say_to(tell_line);
    threads_begin(plan->seed);
    net_begin(nudge);
    int status = plan->once ? once(plan->config) : run(plan->config);
    tell(&(struct life_message){.word = LIFE_ENDS, .number = (uint64_t)status});
    _exit(status);
}
