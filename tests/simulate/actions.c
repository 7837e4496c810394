/* SPDX-License-Identifier: Apache-2.0 */
#include "actions.h"

#include "story.h"

#include <glob.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

bool actions_wide;

#define SECOND UINT64_C(1000000000)

enum theme {
    THEME_SERVICES = 1 << 0,   /* services that fail */
    THEME_KILLS = 1 << 1,      /* exporters are killed */
    THEME_DISK = 1 << 2,       /* the disk is full, or cannot be used */
    THEME_SETUPS = 1 << 3,     /* exporters with other backends and segments */
    THEME_MEMORY = 1 << 4,     /* logs in memory, or elsewhere */
    THEME_SEGMENTS = 1 << 5,   /* segments are replaced and deleted */
    THEME_RELOADS = 1 << 6,    /* SIGHUP */
    THEME_TWINS = 1 << 7,      /* two exporters at once */
    THEME_UNREADABLE = 1 << 8, /* segments that cannot be opened for a while */
    THEME_STATE = 1 << 9,      /* logs in a state_dir */
    THEME_MERGING = 1 << 10,   /* logs so small, or max_lag so short, that intervals are merged */
    THEME_POWER = 1 << 11,     /* the power fails */
    THEME_CLOCK = 1 << 12,     /* the wall clock is set */
    THEME_PARTS = 1 << 13,     /* services take small requests only, so that an interval needs several */
    THEME_APART = 1 << 14,     /* two exporters at once, each with a segment, with the same state_dir */
    THEME_FILTERS = 1 << 15,   /* series that are selected, or not */
    THEME_STEADY = 13,         /* the themes from here on are in wide worlds only */
    THEME_COUNT = 16
};

static bool once_in(struct world *w, uint64_t n)
{
    return dice_once_in(&w->dice, n);
}

/* --- Setups --- */

static unsigned some_backends(struct world *w)
{
    unsigned all = world_backends(w), some = all & (unsigned)dice_next(&w->dice);
    bool subset = w->themes & THEME_SETUPS && once_in(w, 2);
    return subset && some ? some : all;
}

static enum setup_place some_log(struct world *w)
{
    enum setup_place home = w->themes & THEME_STATE ? SETUP_STATE_DIR : SETUP_FILE;
    if (!(w->themes & THEME_MEMORY)) return home;
    if (once_in(w, 3)) return SETUP_MEMORY;
    return once_in(w, 4) ? SETUP_STATE_DIR : home;
}

static struct setup some_setup(struct world *w)
{
    struct setup s = {.backends = some_backends(w),
                      .drops = w->drops,
                      .places = 3,
                      .log = some_log(w),
                      .timeout = w->timeout};
    if (w->themes & THEME_SETUPS && once_in(w, 4)) s.places = (unsigned)dice_between(&w->dice, 1, 3);
    if (w->themes & THEME_SETUPS && once_in(w, 4)) s.glob = true;
    if (w->themes & THEME_RELOADS && once_in(w, 2))
        s.max_lag = (unsigned)dice_between(&w->dice, 1000, 1002); /* a change */
    if (w->themes & THEME_FILTERS && once_in(w, 2)) s.excluded = 1u << dice_below(&w->dice, AUDIT_SERIES);
    if (w->themes & THEME_MERGING) {
        s.max_lag = (unsigned)dice_below(&w->dice, 4);
        s.log_kib =
            once_in(w, 2) ? (unsigned)dice_between(&w->dice, 1, actions_wide && once_in(w, 2) ? 4 : 64) : 0;
    }
    return s;
}

/* --- Writers --- */

static struct writer *some_writer(struct world *w)
{
    struct writer *one = &w->writers[dice_below(&w->dice, AUDIT_PLACES)];
    return one->registry ? one : NULL;
}

static bool do_add(struct world *w)
{
    struct writer *one = some_writer(w);
    if (!one) return false;
    unsigned series = (unsigned)dice_below(&w->dice, AUDIT_SERIES);
    uint64_t n = dice_between(&w->dice, 1, 1000);
    story_do("%c%u counts %d", 'a' + one->place, series, (int)n);
    writer_add(one, series, n);
    return true;
}

static bool do_set(struct world *w)
{
    struct writer *one = some_writer(w);
    if (!one) return false;
    story_do("level %c is %d", 'a' + one->place, (int)++w->level);
    writer_set(one, (double)w->level);
    return true;
}

static bool do_add_and_die(struct world *w)
{
    struct writer *one = some_writer(w);
    if (!one) return false;
    unsigned series = (unsigned)dice_below(&w->dice, AUDIT_SERIES);
    uint64_t n = dice_between(&w->dice, 1, 1000);
    story_do("%c%u counts %d in a process that is killed then", 'a' + one->place, series, (int)n);
    writer_add_and_die(one, series, n);
    return true;
}

static void make(struct world *w, unsigned place)
{
    writer_make(&w->writers[place], place, w->folder);
    w->log_of[place] = 0;
}

static bool do_make(struct world *w)
{
    unsigned place = (unsigned)dice_below(&w->dice, AUDIT_PLACES);
    if (w->writers[place].registry) return false;
    story_do("segment %c is made", 'a' + place);
    make(w, place);
    return true;
}

static bool is_followed(const struct world *w, const struct writer *writer)
{
    bool followed = false;
    for (unsigned i = 0; i < SHARED_LIVES; i++)
        if (world_lives(w, i) && w->lives[i].led[writer->place] == writer->incarnation) followed = true;
    return followed;
}

static bool do_delete(struct world *w)
{
    struct writer *one = some_writer(w);
    if (!one) return false;
    story_do("segment %c is deleted", 'a' + one->place);
    audit_deleted(one->place, is_followed(w, one));
    writer_delete(one);
    return true;
}

/* --- Time --- */

static bool do_pass(struct world *w)
{
    bool longer = once_in(w, 16);
    uint64_t most = w->themes & THEME_DISK ? 40000 : 10000; /* a file that failed is tried again after 30 s */
    uint64_t ms = longer ? dice_between(&w->dice, 3000, most) : dice_between(&w->dice, 100, 3000);
    story_do("%d.%03d s pass", (int)(ms / 1000), (int)(ms % 1000));
    world_pass(w, ms * 1000000);
    return true;
}

/* --- Exporters --- */

static int some_exporter(struct world *w)
{
    unsigned i = (unsigned)dice_below(&w->dice, SHARED_LIVES);
    if (world_lives(w, i)) return (int)i;
    return world_lives(w, 1 - i) ? (int)(1 - i) : -1;
}

/* In a world whose exporters have a segment each. */
static void set_apart(struct world *w, unsigned i, struct setup *setup)
{
    if (!(w->themes & THEME_APART)) return;
    setup->places = 1u << i;
    setup->glob = false;
}

/* Without a second one, unless the world has twins. */
static int free_place(struct world *w)
{
    bool twins = w->themes & (THEME_TWINS | THEME_APART);
    for (unsigned i = 0; i < SHARED_LIVES; i++)
        if (!world_lives(w, i) && (twins || !world_lives(w, 1 - i))) return (int)i;
    return -1;
}

static bool do_start(struct world *w)
{
    int i = free_place(w);
    if (i < 0) return false;
    struct setup setup = some_setup(w);
    set_apart(w, (unsigned)i, &setup);
    shared->lives[i] = (struct shared_life){.shuffle = once_in(w, 4)};
    if (w->themes & THEME_KILLS && once_in(w, 4)) shared->lives[i].kill_at = dice_between(&w->dice, 1, 4000);
    world_start(w, (unsigned)i, &setup);
    return true;
}

static bool do_once(struct world *w)
{
    int i = free_place(w);
    if (i < 0) return false;
    struct setup setup = some_setup(w);
    shared->lives[i] = (struct shared_life){0};
    world_once(w, (unsigned)i, &setup);
    return true;
}

static bool do_stop(struct world *w)
{
    int i = some_exporter(w);
    if (i < 0) return false;
    world_stop(w, (unsigned)i);
    return true;
}

static bool do_kill(struct world *w)
{
    int i = some_exporter(w);
    if (i < 0) return false;
    world_kill(w, (unsigned)i);
    return true;
}

static bool do_kill_soon(struct world *w)
{
    int i = some_exporter(w);
    if (i < 0) return false;
    uint64_t steps = dice_between(&w->dice, 1, once_in(w, 2) ? 200 : 3000);
    story_do("exporter %d will be killed %d steps on", (int)w->lives[i].ordinal, (int)steps);
    shared->lives[i].kill_at = shared->lives[i].steps + steps;
    return true;
}

static bool do_reload(struct world *w)
{
    int i = some_exporter(w);
    if (i < 0) return false;
    struct setup setup = some_setup(w);
    const struct shared_disk *d = &shared->disk;
    set_apart(w, (unsigned)i, &setup);
    /* See docs/reliability.md, "What cannot be promised". */
    if (d->full || d->closed || d->failing) setup.places = w->lives[i].setup.places;
    world_reload(w, (unsigned)i, &setup);
    return true;
}

/* A backend leaves and comes back. */
static bool do_blink(struct world *w)
{
    int i = some_exporter(w);
    unsigned left = 1u << dice_below(&w->dice, AUDIT_BACKENDS);
    if (i < 0 || !(w->lives[i].setup.backends & ~left)) return false;
    struct setup setup = w->lives[i].setup;
    setup.backends &= ~left;
    world_reload(w, (unsigned)i, &setup);
    if (!world_lives(w, (unsigned)i)) return true;
    setup.backends = world_backends(w);
    world_reload(w, (unsigned)i, &setup);
    return true;
}

/* --- Services --- */

static struct service *some_service(struct world *w)
{
    struct service *s = &w->services[dice_below(&w->dice, AUDIT_BACKENDS)];
    return s->protocol ? s : NULL;
}

static bool do_mood(struct world *w)
{
    struct service *s = some_service(w);
    if (!s) return false;
    unsigned moods = w->themes & THEME_KILLS ? MOOD_COUNT : MOOD_KILLS;
    s->mood = (enum mood)dice_between(&w->dice, 1, moods - 1);
    s->lasts = s->mood >= MOOD_KILLS ? 1 : (unsigned)dice_between(&w->dice, 1, 4);
    s->then = w->themes & THEME_KILLS && s->mood < MOOD_KILLS && once_in(w, 3) ? MOOD_KILLS_LATE : MOOD_GOOD;
    s->calm = s->then ? (unsigned)((w->seed + s->lasts) % 3) : 0;
    s->fatal = w->themes & THEME_KILLS && once_in(w, 3) ? (unsigned)dice_between(&w->dice, 1, 60) : 0;
    story_do("%s: to the next %u requests it %s", s->protocol->type, s->lasts, mood_words(s->mood));
    if (s->fatal) story_then("%u steps after the last of them, the exporter is killed", s->fatal);
    if (s->then) story_then("then, after %u more, it %s", s->calm, mood_words(s->then));
    return true;
}

static bool do_storm(struct world *w)
{
    struct service *s = some_service(w);
    if (!s) return false;
    s->mood = once_in(w, 2) ? MOOD_BUSY : MOOD_DOWN;
    s->lasts = (unsigned)dice_between(&w->dice, 5, 40);
    s->then = MOOD_GOOD;
    s->pause = once_in(w, 4) ? 0 : (unsigned)dice_between(&w->dice, 1, 12);
    story_do("%s: to the next %u requests it %s, Retry-After: %u", s->protocol->type, s->lasts,
             mood_words(s->mood), s->pause);
    return true;
}

static bool do_limit(struct world *w)
{
    struct service *s = some_service(w);
    if (!s) return false;
    s->limit = (unsigned)dice_below(&w->dice, 4);
    if (s->limit)
        story_do("%s takes at most %u points at once", s->protocol->type, s->limit);
    else
        story_do("%s takes any number of points at once", s->protocol->type);
    return true;
}

static bool do_leave(struct world *w)
{
    struct service *s = some_service(w);
    if (!s || s->listener < 0) return false;
    story_do("%s refuses connections", s->protocol->type);
    service_leave(s);
    return true;
}

static bool do_return(struct world *w)
{
    struct service *s = some_service(w);
    if (!s || s->listener >= 0) return false;
    story_do("%s is there again", s->protocol->type);
    service_return(s);
    return true;
}

static bool do_hang_up(struct world *w)
{
    struct service *s = some_service(w);
    if (!s || s->listener < 0) return false;
    story_do("%s hangs up on all connections", s->protocol->type);
    service_hang_up(s);
    return true;
}

/* --- The disk --- */

static bool do_fill(struct world *w)
{
    if (shared->disk.full || shared->disk.failing) return false;
    bool fails = once_in(w, 3);
    story_do(fails ? "writes to the disk fail" : "the disk is full");
    shared->disk.full = !fails;
    shared->disk.failing = fails;
    return true;
}

/* Of an exporter that has its files open: see FOUND.md for what is left out. */
static bool do_fail_some(struct world *w)
{
    struct shared_disk *d = &shared->disk;
    if (some_exporter(w) < 0) return false;
    d->good = (unsigned)dice_below(&w->dice, 40);
    d->bad = (unsigned)dice_between(&w->dice, 1, 4);
    d->fatal = w->themes & THEME_KILLS && once_in(w, 2) ? (unsigned)dice_between(&w->dice, 1, 80) : 0;
    story_do("after %u writes, %u writes to the disk fail", d->good, d->bad);
    if (d->fatal) story_then("%u steps after the last of them, the exporter is killed", d->fatal);
    return true;
}

static bool do_free(struct world *w)
{
    (void)w;
    if (!shared->disk.full && !shared->disk.failing) return false;
    story_do("the disk can be written again");
    shared->disk.full = shared->disk.failing = false;
    return true;
}

static bool do_close_disk(struct world *w)
{
    (void)w;
    story_do(shared->disk.closed ? "the disk can be used again" : "nothing on the disk can be opened");
    shared->disk.closed = !shared->disk.closed;
    return true;
}

static bool do_lose_power(struct world *w)
{
    story_do("the power fails");
    world_lose_power(w);
    return true;
}

/* Under an exporter that has them open, too: it notices. */
static bool do_forget(struct world *w)
{
    bool used = world_lives(w, 0) || world_lives(w, 1);
    if (used && !actions_wide) return false;
    story_do(used ? "the files of all logs are removed, while they are used"
                  : "the files of all logs are removed");
    world_forget(w);
    for (unsigned p = 0; p < AUDIT_PLACES; p++)
        if (w->log_of[p]) w->log_of[p] = 1 + SETUP_PLACES;
    return true;
}

/* Ahead, or back by less than the minute that mtx makes up for by itself. */
static bool do_set_clock(struct world *w)
{
    uint64_t least = (shared->wall > w->latest ? shared->wall : w->latest) - 50 * SECOND;
    int64_t by = (int64_t)dice_between(&w->dice, 0, 400) - 60;
    if (by > 100) by *= 10;
    if (shared->wall > w->latest) w->latest = shared->wall;
    if (by < 0 && shared->wall + (uint64_t)by * SECOND < least) return false;
    story_do("the wall clock is set by %d s", (int)by);
    shared->wall += (uint64_t)by * SECOND;
    return true;
}

/* --- Segments that cannot be opened: writable for everybody, which mtx does not trust --- */

static bool do_chmod(struct world *w, bool good)
{
    struct writer *one = some_writer(w);
    struct stat st;
    if (!one || stat(one->path, &st) || ((st.st_mode & 0777) == 0600) == good) return false;
    story_do("segment %c %s", 'a' + one->place,
             good ? "can be opened again" : "cannot be opened: everybody may write it");
    return chmod(one->path, good ? 0600 : 0666) == 0;
}
static bool do_spoil(struct world *w)
{
    return do_chmod(w, false);
}
static bool do_repair(struct world *w)
{
    return do_chmod(w, true);
}

/* --- All of it --- */

static const struct action {
    bool (*run)(struct world *w);
    unsigned weight, theme; /* 0: in all worlds */
    bool wide;              /* in wide worlds only */
} actions[] = {
    {do_add, 12, 0, false},
    {do_add_and_die, 1, 0, false},
    {do_set, 2, 0, false},
    {do_pass, 10, 0, false},
    {do_start, 10, 0, false},
    {do_stop, 3, 0, false},
    {do_make, 6, 0, false},
    {do_once, 1, THEME_SETUPS | THEME_TWINS, false},
    {do_kill, 2, THEME_KILLS, false},
    {do_kill_soon, 3, THEME_KILLS, false},
    {do_reload, 4, THEME_RELOADS, false},
    {do_blink, 2, THEME_RELOADS, true},
    {do_limit, 6, THEME_PARTS, true},
    {do_mood, 8, THEME_SERVICES, false},
    {do_storm, 1, THEME_SERVICES, true},
    {do_leave, 4, THEME_SERVICES, false},
    {do_return, 4, THEME_SERVICES, false},
    {do_hang_up, 1, THEME_SERVICES, false},
    {do_fill, 3, THEME_DISK, false},
    {do_free, 3, THEME_DISK, false},
    {do_fail_some, 4, THEME_DISK, true},
    {do_close_disk, 1, THEME_DISK, false},
    {do_delete, 4, THEME_SEGMENTS, false},
    {do_forget, 1, THEME_MEMORY, false},
    {do_lose_power, 2, THEME_POWER, false},
    {do_set_clock, 3, THEME_CLOCK, false},
    {do_spoil, 3, THEME_UNREADABLE, false},
    {do_repair, 4, THEME_UNREADABLE, false},
};
enum { ACTIONS = sizeof actions / sizeof *actions };

static bool may_happen(const struct world *w, const struct action *a)
{
    return (!a->theme || a->theme & w->themes) && (actions_wide || !a->wide);
}

static void act(struct world *w)
{
    unsigned sum = 0, pick;
    for (int i = 0; i < ACTIONS; i++)
        if (may_happen(w, &actions[i])) sum += actions[i].weight;
    pick = (unsigned)dice_below(&w->dice, sum);
    for (int i = 0; i < ACTIONS; i++) {
        if (!may_happen(w, &actions[i])) continue;
        if (pick < actions[i].weight) {
            actions[i].run(w);
            return;
        }
        pick -= actions[i].weight;
    }
}

/* Two or three, so that each world is about something. */
static void choose_themes(struct world *w)
{
    unsigned n = (unsigned)dice_between(&w->dice, 1, 3);
    while (n--) w->themes |= 1u << dice_below(&w->dice, actions_wide ? THEME_COUNT : THEME_STEADY);
    if (once_in(w, w->themes & THEME_SEGMENTS ? 2 : 3)) w->themes |= THEME_SERVICES;
    if (once_in(w, 4)) w->themes |= THEME_KILLS;
    if (w->themes & THEME_UNREADABLE && once_in(w, 2)) w->themes |= THEME_STATE;
    if (w->themes & THEME_FILTERS)
        w->themes = (w->themes | THEME_RELOADS | THEME_PARTS) & ~(unsigned)(THEME_TWINS | THEME_APART);
    if (actions_wide && w->themes & THEME_MERGING && once_in(w, 2)) w->themes |= THEME_PARTS;
    if (w->themes & THEME_APART) w->themes = (w->themes | THEME_STATE) & ~(unsigned)THEME_TWINS;
    if (w->themes & THEME_PARTS) w->themes |= THEME_SERVICES | THEME_KILLS;
    if (w->themes & THEME_PARTS && once_in(w, 2)) w->themes |= once_in(w, 2) ? THEME_SEGMENTS : THEME_DISK;
    if (w->themes & THEME_POWER)
        w->themes = (w->themes | THEME_STATE) & ~(unsigned)(THEME_DISK | THEME_MEMORY | THEME_MERGING);
    w->timeout =
        actions_wide && w->themes & THEME_SERVICES && once_in(w, 4) ? 20 : 3; /* flush_timeout is 10 */
    w->logs_move = w->themes & THEME_MEMORY;
    if (w->logs_move) audit_logs_move();
    shared->disk.journal = w->themes & THEME_POWER;
}

/* Everything works again. */
static void heal(struct world *w)
{
    shared->disk = (struct shared_disk){0};
    for (unsigned b = 0; b < AUDIT_BACKENDS; b++) {
        w->services[b].lasts = 0;
        w->services[b].then = MOOD_GOOD;
        w->services[b].fatal = 0;
        w->services[b].limit = w->services[b].pause = 0;
        if (w->services[b].protocol) service_return(&w->services[b]);
    }
    for (unsigned p = 0; p < AUDIT_PLACES; p++)
        if (w->writers[p].registry && chmod(w->writers[p].path, 0600)) break;
    for (unsigned i = 0; i < SHARED_LIVES; i++) shared->lives[i].kill_at = 0;
}

/* One more exporter that has all backends delivers everything. */
static void finish(struct world *w)
{
    struct setup setup = {
        .backends = world_backends(w), .drops = w->drops, .places = 3, .log = some_log(w), .timeout = 3};
    if (setup.log == SETUP_MEMORY) setup.log = SETUP_FILE;
    shared->lives[0] = (struct shared_life){0};
    world_logs_elsewhere(w, &setup);
    world_start(w, 0, &setup);
    for (int i = 0; i < 2; i++) {
        do_add(w);
        story_do("2 s pass");
        world_pass(w, 2 * SECOND);
    }
    world_stop(w, 0);
}

unsigned actions_run(struct world *w)
{
    choose_themes(w);
    unsigned n = (unsigned)dice_between(&w->dice, 10, 50);
    make(w, 0);
    if (once_in(w, 3)) make(w, 1);
    while (n--) act(w);
    story_do("everything works again");
    heal(w);
    for (unsigned i = 0; i < SHARED_LIVES; i++)
        if (world_lives(w, i)) world_stop(w, i);
    finish(w);
    if (once_in(w, 4)) finish(w);
    return audit_end();
}
