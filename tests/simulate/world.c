/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include "disk.h"
#include "story.h"

#include <ftw.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STUCK_MS = 150000 };

static char world_config[128]; /* the path of the configuration */

/* --- Begin and end --- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static void remove_all(const char *folder)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void world_begin(struct world *w, uint64_t seed)
{
    static const struct told_protocol *const protocols[AUDIT_BACKENDS] = {&told_anodot20, &told_librato,
                                                                          &told_apptuit, &told_wavefront};
    char path[128];
    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->dice = (struct dice){seed};
    snprintf(w->folder, sizeof w->folder, "/dev/shm/mtx-simulate-%010d", (int)getpid());
    snprintf(path, sizeof path, "%s/state", w->folder);
    remove_all(w->folder); /* of a process that had this number and was killed */
    if (mkdir(w->folder, 0700) || mkdir(path, 0700)) abort();
    snprintf(world_config, sizeof world_config, "%s/exporter.yml", w->folder);
    snprintf(path, sizeof path, "%s/journal", w->folder);
    disk_set_journal(path);
    story_begin();
    story_hide(strrchr(w->folder, '/') + 1, "world"); /* also where it is part of a file's name */
    shared_begin(dice_next(&w->dice));
    audit_begin();
    unsigned n = (unsigned)dice_between(&w->dice, 1, AUDIT_BACKENDS),
             from = (unsigned)dice_below(&w->dice, AUDIT_BACKENDS);
    for (unsigned b = 0; b < n; b++) {
        const struct told_protocol *protocol = protocols[(from + b) % AUDIT_BACKENDS];
        bool drops = protocol->additive && dice_once_in(&w->dice, 2);
        service_open(&w->services[b], b, protocol, w->folder);
        audit_backend(b, protocol);
        audit_drops(b, drops);
        if (drops) w->drops |= 1u << b;
    }
}

void world_end(struct world *w)
{
    for (unsigned i = 0; i < SHARED_LIVES; i++)
        if (world_lives(w, i)) {
            life_kill(&w->lives[i].life);
            life_bury(&w->lives[i].life);
        }
    remove_all(w->folder);
}

unsigned world_backends(const struct world *w)
{
    unsigned all = 0;
    for (unsigned b = 0; b < AUDIT_BACKENDS; b++)
        if (w->services[b].protocol) all |= 1u << b;
    return all;
}

/* --- What exporters say --- */

static unsigned world_place_of(const struct world *w, uint64_t incarnation)
{
    unsigned place = 0;
    while (place < AUDIT_PLACES && w->writers[place].incarnation != incarnation) place++;
    return place;
}

/* A log that lies elsewhere than the last one, or in memory, knows nothing of what that one had. */
static void world_sampled(struct world *w, unsigned i, uint64_t incarnation)
{
    struct running *r = &w->lives[i];
    unsigned place = world_place_of(w, incarnation);
    bool memory = r->memory >> place & 1;
    uint64_t log = memory ? 16 + r->ordinal : 1 + r->setup.log;
    if (place < AUDIT_PLACES) {
        if (w->log_of[place] && w->log_of[place] != log) audit_forgiven((int)place, world_backends(w));
        if (!memory && w->log_of[place] == log) audit_caught_up(incarnation);
        w->log_of[place] = log;
        r->led[place] = incarnation;
    }
    audit_sampled(incarnation, r->setup.backends);
}

/* Lines that the auditor has to know. test_simulate.sh looks for each of these texts in the exporter. */
static const char said_damaged[] = "the log's file is damaged";
static const char said_memory[] = "the log's file cannot be used; the log is in memory";
static const char said_unwritten[] = "the log's file cannot be written; the log goes on in memory";
static const char said_written[] = "the log's file is written again";
static const char said_unread[] = "cannot read the segment";
static const char said_late[] = "not all readings were delivered in time";

/* The segment that a line is about. */
static unsigned said_place(const char *line)
{
    const char *at = strstr(line, "segment="), *end = at ? strstr(at, ".seg") : NULL;
    return end ? (unsigned)(end[-1] - 'a') : 0;
}

/* The incarnation in the name of a log's file. */
static uint64_t said_incarnation(const char *line)
{
    const char *end = strstr(line, ".log ");
    return end && end - line > 16 ? strtoull(end - 16, NULL, 16) : 0;
}

static void world_said(struct world *w, unsigned i, const char *line)
{
    struct running *r = &w->lives[i];
    story_then("exporter %d: %s", (int)r->ordinal, line);
    if (strstr(line, said_damaged)) audit_complain("a log's file is damaged that nobody has damaged");
    if (strstr(line, said_memory)) r->memory |= 1u << said_place(line);
    if (strstr(line, said_unwritten)) audit_unwritten(i, said_incarnation(line), true);
    if (strstr(line, said_written)) audit_unwritten(i, said_incarnation(line), false);
    bool harmless = strstr(line, said_unread) || strstr(line, said_late);
    if (!strncmp(line, "error", 5) && !harmless)
        audit_complain("exporter %d says: %s", (int)r->ordinal, line);
}

/* True if it waits for its next command, or ends. */
static bool world_told(struct world *w, unsigned i, const struct life_message *m)
{
    switch (m->word) {
    case LIFE_SAYS: world_said(w, i, m->text); return false;
    case LIFE_SAMPLED: world_sampled(w, i, m->number); return false;
    case LIFE_ACCOUNT: audit_account(i, m->text, &m->account); return false;
    case LIFE_IDLE: w->lives[i].life.next = m->number; return true;
    case LIFE_ENDS: return true;
    }
    return true;
}

/* --- Their requests --- */

static void world_gather(struct world *w)
{
    for (unsigned b = 0; b < AUDIT_BACKENDS; b++)
        if (w->services[b].protocol) service_gather(&w->services[b]);
}

/* One of those that came. */
static enum service_served world_serve(struct world *w, unsigned i)
{
    enum service_served served = SERVICE_NONE;
    for (unsigned b = 0; b < AUDIT_BACKENDS && served == SERVICE_NONE; b++)
        if (w->services[b].protocol) served = service_serve(&w->services[b], &w->lives[i].life, i);
    return served;
}

static void world_serve_all(struct world *w, unsigned i)
{
    while (world_serve(w, i) != SERVICE_NONE) {
    }
}

/* --- Their death --- */

/* What its logs lack goes with it. */
static void world_left(struct world *w, unsigned i)
{
    const struct running *r = &w->lives[i];
    audit_left(i);
    audit_unfollowed();
    if (r->robbed) audit_forgiven(-1, world_backends(w));
    for (unsigned p = 0; p < AUDIT_PLACES; p++)
        if (r->memory >> p & 1) audit_forgiven((int)p, r->setup.backends);
}

static void world_gone(struct world *w, unsigned i, bool busy)
{
    struct running *r = &w->lives[i];
    int status = life_bury(&r->life);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        audit_complain("exporter %d crashed: status %d", (int)r->ordinal, status);
    story_then("exporter %d is dead", (int)r->ordinal);
    world_gather(w); /* what it has sent, its service gets */
    world_serve_all(w, i);
    audit_killed(i, busy, w->logs_move ? ~0u : r->memory);
    world_left(w, i);
}

static void world_ended(struct world *w, unsigned i)
{
    struct running *r = &w->lives[i];
    int status = life_bury(&r->life);
    story_then("exporter %d has ended", (int)r->ordinal);
    (void)status;
    world_left(w, i);
}

/* --- Listening --- */

/* Waits for an exporter or its requests. */
static void world_await(struct world *w, const struct running *r)
{
    struct pollfd fds[1 + AUDIT_BACKENDS * (SERVICE_CONNECTIONS + 1)] = {
        {.fd = r->life.control, .events = POLLIN}};
    nfds_t n = 1;
    for (unsigned b = 0; b < AUDIT_BACKENDS; b++)
        if (w->services[b].protocol) n = service_await(&w->services[b], fds, n);
    if (poll(fds, n, STUCK_MS) > 0) return;
    audit_complain("an exporter is stuck");
    life_kill(&w->lives[r - w->lives].life);
}

/* What it said before its request comes first, in the story, too. True if it is done. */
static bool world_hear(struct world *w, unsigned i)
{
    struct running *r = &w->lives[i];
    struct life_message m;
    struct pollfd fd = {.fd = r->life.control, .events = POLLIN};
    while (poll(&fd, 1, 0) > 0) {
        if (!life_hear(&r->life, &m)) {
            world_gone(w, i, true);
            return true;
        }
        if (!world_told(w, i, &m)) continue;
        world_gather(w);
        world_serve_all(w, i);
        if (m.word == LIFE_ENDS) world_ended(w, i);
        return true;
    }
    return false;
}

/* Until it waits for a command, or is gone. What it says before a request is there when the request is, so requests are
 * taken in, then it is heard, and then one request is answered: while that waits, it says nothing more. */
static void world_listen(struct world *w, unsigned i)
{
    for (;;) {
        world_await(w, &w->lives[i]);
        world_gather(w);
        if (world_hear(w, i)) return;
        if (world_serve(w, i) != SERVICE_KILLED) continue;
        while (!world_hear(w, i)) {
        }
        return;
    }
}

/* --- Commands --- */

static void world_let_go(void *arg)
{
    struct world *w = arg;
    for (unsigned b = 0; b < AUDIT_BACKENDS; b++)
        if (w->services[b].protocol) service_let_go(&w->services[b]);
    for (unsigned i = 0; i < SHARED_LIVES; i++)
        if (world_lives(w, i)) close(w->lives[i].life.control);
}

static void world_launch(struct world *w, unsigned i, const struct setup *setup, bool once)
{
    struct running *r = &w->lives[i];
    struct life_plan plan = {.number = (int)i,
                             .config = world_config,
                             .once = once,
                             .seed = dice_next(&w->dice),
                             .alone = world_let_go,
                             .arg = w};
    *r = (struct running){
        .setup = *setup, .memory = setup->log == SETUP_MEMORY ? ~0u : 0, .ordinal = ++w->exporters};
    setup_write(setup, w->services, w->folder, world_config);
    audit_excludes(setup->excluded);
    audit_lives(i, once && world_lives(w, 1 - i));
    shared->lives[i].steps = 0;
    shared->disk.good = shared->disk.bad = shared->disk.fatal = 0;
    shared->lives[i].log = (uint64_t)setup->log_kib << 10;
    if (!life_start(&r->life, &plan)) abort();
    world_listen(w, i);
}

void world_logs_elsewhere(struct world *w, const struct setup *setup)
{
    for (unsigned p = 0; p < AUDIT_PLACES; p++)
        if (w->log_of[p] && w->log_of[p] != 1 + setup->log) audit_forgiven((int)p, world_backends(w));
}

void world_start(struct world *w, unsigned i, const struct setup *setup)
{
    story_do("exporter %d starts: %s", (int)w->exporters + 1, setup_words(setup, w->services));
    world_launch(w, i, setup, false);
}

void world_once(struct world *w, unsigned i, const struct setup *setup)
{
    story_do("exporter %d runs --once: %s", (int)w->exporters + 1, setup_words(setup, w->services));
    world_launch(w, i, setup, true);
}

static void world_order(struct world *w, unsigned i, enum life_order order)
{
    if (life_order(&w->lives[i].life, order))
        world_listen(w, i);
    else
        world_gone(w, i, true);
}

void world_reload(struct world *w, unsigned i, const struct setup *setup)
{
    struct running *r = &w->lives[i];
    unsigned removed = r->setup.backends & ~setup->backends;
    story_do("SIGHUP for exporter %d: %s", (int)r->ordinal, setup_words(setup, w->services));
    setup_write(setup, w->services, w->folder, world_config);
    shared->lives[i].log = (uint64_t)setup->log_kib << 10;
    unsigned left = setup_places(&r->setup) & ~setup_places(setup);
    enum setup_place log = r->setup.log;
    audit_excludes(setup->excluded);
    r->setup = *setup;
    r->setup.log = log;
    world_order(w, i, LIFE_RELOAD);
    if (removed) audit_forgiven(-1, removed);
    for (unsigned p = 0; p < AUDIT_PLACES; p++)
        if (left >> p & 1) audit_forgiven((int)p, world_backends(w));
}

void world_stop(struct world *w, unsigned i)
{
    story_do("SIGTERM for exporter %d", (int)w->lives[i].ordinal);
    world_order(w, i, LIFE_END);
}

void world_kill(struct world *w, unsigned i)
{
    story_do("SIGKILL for exporter %d", (int)w->lives[i].ordinal);
    life_kill(&w->lives[i].life);
    world_gone(w, i, false);
}

/* --- What happens to files --- */

static void world_remove(const struct world *w, const char *pattern)
{
    char path[160];
    glob_t found;
    snprintf(path, sizeof path, "%s/%s", w->folder, pattern);
    if (glob(path, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++) unlink(found.gl_pathv[i]);
    globfree(&found);
}

void world_lose_power(struct world *w)
{
    for (unsigned i = 0; i < SHARED_LIVES; i++)
        if (world_lives(w, i)) {
            life_kill(&w->lives[i].life);
            world_gone(w, i, true);
        }
    for (unsigned p = 0; p < AUDIT_PLACES; p++) {
        if (w->writers[p].registry) writer_delete(&w->writers[p]);
        w->log_of[p] = 0;
    }
    world_remove(w, "*.log*"); /* beside the segments, in memory */
    story_then("of what was written, %u pieces are lost or torn", disk_lose_power(&w->dice));
    audit_power_lost();
}

void world_forget(struct world *w)
{
    world_remove(w, "*.log*");
    world_remove(w, "state/*.log*");
    for (unsigned i = 0; i < SHARED_LIVES; i++) w->lives[i].robbed = true;
    audit_forgiven(-1, world_backends(w));
}

/* --- Time --- */

/* The one that wants to go on first, up to that moment; -1 if none does. */
static int world_next(const struct world *w, uint64_t until)
{
    int next = -1;
    for (unsigned i = 0; i < SHARED_LIVES; i++) {
        if (!world_lives(w, i) || w->lives[i].life.next > until) continue;
        if (next < 0 || w->lives[i].life.next < w->lives[next].life.next) next = (int)i;
    }
    return next;
}

void world_pass(struct world *w, uint64_t ns)
{
    uint64_t until = shared->mono + ns;
    bool twins = world_lives(w, 0) && world_lives(w, 1);
    shared->until = twins ? 0 : until;
    for (int i; (i = world_next(w, until)) >= 0;) {
        uint64_t at = w->lives[i].life.next;
        if (at > shared->mono) shared_pass(at - shared->mono);
        world_order(w, (unsigned)i, LIFE_RUN);
    }
    shared->until = 0;
    if (until > shared->mono) shared_pass(until - shared->mono);
}
