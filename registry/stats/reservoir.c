/* SPDX-License-Identifier: Apache-2.0 */
#include "reservoir.h"

#include <math.h>

/* What the parameters come to; computed where needed, since only the slow path and readers want it. */
struct shape {
    uint32_t banks, slots, groups; /* slots and groups of one bank */
    uint32_t sub;                  /* sliding time window: ticks of one bank, else 0 */
    uint32_t window;               /* sliding time window: ticks, else 0 */
    uint32_t step;                 /* a bound is computed for the last of this many ticks; a power of 2 */
    double decay;                  /* per tick */
    size_t slots_at;
};

static const uint32_t UNCONFIRMED = UINT32_MAX; /* a tick that readers take for the future */

static double round_to_21_bits(double x)
{
    return mem_bits_to_f64((mem_f64_to_bits(x) + UINT64_C(0x80000000)) & ~UINT64_C(0xffffffff));
}

static uint32_t divide_up(uint32_t a, uint32_t b)
{
    return a / b + (a % b != 0);
}

/* Within a step the bound may be up to 1/64 too permissive: cheaper than refreshing it every tick. */
static uint32_t step_for(double decay)
{
    uint32_t step = 1;
    while (step < 1024 && decay * step * 2 <= 1.0 / 64) step *= 2;
    return step;
}

static bool shape_of(const metrics__reservoir_params_t *p, struct shape *s)
{
    if (p->slots < METRICS__RESERVOIR_SLOTS_MIN || p->slots > METRICS__RESERVOIR_SLOTS_MAX) return false;
    *s = (struct shape){.banks = 1, .slots = p->slots, .step = 1};
    switch (p->kind) {
    case METRICS_RESERVOIR_DECAYING:
        if (!(p->alpha >= 0 && p->alpha <= METRICS__RESERVOIR_ALPHA_MAX)) return false;
        s->decay = round_to_21_bits(p->alpha / 8);
        s->step = step_for(s->decay);
        break;
    case METRICS_RESERVOIR_UNIFORM:
    case METRICS_RESERVOIR_SLIDING: break;
    case METRICS_RESERVOIR_SLIDING_TIME:
        if (!(p->window_s > 0 && p->window_s <= METRICS__RESERVOIR_WINDOW_MAX)) return false;
        s->banks = METRICS__RESERVOIR_BANKS;
        s->slots = divide_up(p->slots, s->banks) + 1;
        s->window = (uint32_t)ceil(p->window_s * 8);
        s->sub = divide_up(s->window, s->banks - 1);
        break;
    default: return false;
    }
    s->groups = divide_up(s->slots, METRICS__RESERVOIR_GROUP);
    s->slots_at = (sizeof(metrics__reservoir_t) + (size_t)8 * s->banks * s->groups + 63) / 64 * 64;
    return true;
}

static size_t size_of(const struct shape *s)
{
    return (s->slots_at + sizeof(metrics__reservoir_slot_t) * s->banks * s->slots + 63) / 64 * 64;
}

size_t metrics__reservoir_size(const metrics__reservoir_params_t *p)
{
    struct shape s;
    return shape_of(p, &s) ? size_of(&s) : 0;
}

size_t metrics__reservoir_capacity(const metrics__reservoir_params_t *p)
{
    struct shape s;
    return shape_of(p, &s) ? (size_t)s.banks * s.slots : 0;
}

static metrics__reservoir_slot_t *slots_of(metrics__reservoir_t *r, const struct shape *s, uint32_t bank)
{
    return (metrics__reservoir_slot_t *)((char *)r + s->slots_at) + (size_t)bank * s->slots;
}
static const metrics__reservoir_slot_t *copied_slots(const metrics__reservoir_t *r, const struct shape *s,
                                                     uint32_t bank)
{
    return (const metrics__reservoir_slot_t *)((const char *)r + s->slots_at) + (size_t)bank * s->slots;
}

/* --- Keys --- */

static const uint64_t SIGN64 = UINT64_C(1) << 63;
static const uint32_t SIGN32 = UINT32_C(1) << 31;

static uint64_t order64(double x)
{
    uint64_t bits = mem_f64_to_bits(x);
    return bits & SIGN64 ? ~bits : bits | SIGN64;
}
static double unorder64(uint64_t o)
{
    return mem_bits_to_f64(o & SIGN64 ? o & ~SIGN64 : ~o);
}
static uint32_t order32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & SIGN32 ? ~bits : bits | SIGN32;
}
static float unorder32(uint32_t o)
{
    uint32_t bits = o & SIGN32 ? o & ~SIGN32 : ~o;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The ordered key of a slot, from its first word alone: {tick, noise}. */
static uint64_t key_of(const struct shape *s, uint64_t lo)
{
    metrics__reservoir_slot_t slot = {.pair = {.lo = lo}};
    if (!slot.tick) return 0;
    if (!(slot.noise > -64 && slot.noise < 64)) return 1;
    if (s->sub) return ((uint64_t)(slot.tick / s->sub) + 1) << 32 | order32(slot.noise);
    return order64(s->decay * slot.tick + (double)slot.noise);
}

/* Near 1 it is the complement of q that is known exactly, near 0 it is q: use what keeps the digits. */
float metrics__reservoir_noise(uint64_t draw)
{
    if (draw < SIGN64) return (float)-log(-log1p(-((double)draw + 0.5) * 0x1p-64));
    return (float)-log(-log(((double)~draw + 0.5) * 0x1p-64));
}

/* The chance of noise above g. The limits keep exp() from underflowing, which would set errno. */
static double chance_above(double g)
{
    if (g > 60) return 0;
    if (g < -5) return 1;
    return -expm1(-exp(-g));
}

/* --- Bound --- */

/*
 * A bound word: the chance as a limit for the upper half of a draw, rounded up by more than the rounding of
 * noise to f32 can take away (2^-19 of it at most), and by one.
 */
static uint64_t bound_word(uint32_t until, double chance)
{
    double limit = chance * (1 + 1e-5) * 0x1p32 + 1;
    uint32_t whole = limit < 4294967295.0 ? (uint32_t)limit : UINT32_MAX;
    return (uint64_t)until << 32 | (uint32_t)~whole;
}

/* Bring the bound up to date for tick, from the floor: O(1). Stores only what is above what is there. */
static void refresh_bound(metrics__reservoir_t *r, const struct shape *s, uint32_t tick)
{
    uint64_t floor = mem_load(&r->floor); /* ORD-8 */
    uint32_t until = tick | (s->step - 1);
    double chance = 1;
    if (s->sub) {
        uint64_t n = tick / s->sub, last = (n + 1) * s->sub - 1;
        until = last < UINT32_MAX ? (uint32_t)last : UINT32_MAX;
        if (floor >> 32 == n + 1) chance = chance_above(unorder32((uint32_t)floor));
    } else {
        if (s->decay == 0) until = UINT32_MAX;
        if (floor > 1) chance = chance_above(unorder64(floor) - s->decay * until);
    }
    mem_max(&r->bound, bound_word(until, chance)); /* ORD-8 */
}

/* --- Slots --- */

struct lowest {
    uint32_t index;
    uint64_t key, next; /* the smallest key, and the smallest of the others */
};

static void lower(struct lowest *l, uint32_t index, uint64_t key)
{
    if (key < l->key) {
        l->next = l->key;
        l->key = key;
        l->index = index;
    } else if (key < l->next) {
        l->next = key;
    }
}

static struct lowest lowest_floor(const uint64_t *floors, uint32_t groups)
{
    struct lowest l = {0, UINT64_MAX, UINT64_MAX};
    for (uint32_t i = 0; i < groups; i++) lower(&l, i, mem_load(&floors[i])); /* ORD-8 */
    return l;
}

/* The lowest slot of a group; two empty ones end the search, as nothing is lower. */
static struct lowest lowest_slot(const struct shape *s, const metrics__reservoir_slot_t *slots,
                                 uint32_t group)
{
    uint32_t begin = group * METRICS__RESERVOIR_GROUP, end = begin + METRICS__RESERVOIR_GROUP;
    if (end > s->slots) end = s->slots;
    struct lowest l = {begin, UINT64_MAX, UINT64_MAX};
    for (uint32_t i = begin; i < end && l.next; i++)
        lower(&l, i, key_of(s, mem_load(&slots[i].pair.lo))); /* ORD-8 */
    return l;
}

static uint64_t min64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/*
 * Put the pair in place of the bank's lowest one, if its key is higher. Returns a floor of the bank: 0 while
 * there is room. Lock-free: each round that does not end has raised a group's floor, or lost its CAS to a
 * writer that got on. The pair that the CAS expects need not be read whole: if it was not, the CAS fails.
 */
static uint64_t insert(metrics__reservoir_t *r, const struct shape *s, uint32_t bank, mem_pair_t pair,
                       uint64_t key)
{
    uint64_t *floors = r->floors + (size_t)bank * s->groups;
    metrics__reservoir_slot_t *slots = slots_of(r, s, bank);
    for (;;) {
        struct lowest group = lowest_floor(floors, s->groups);
        struct lowest slot = lowest_slot(s, slots, group.index);
        mem_max(&floors[group.index], slot.key); /* ORD-8 */
        if (slot.key > group.next) continue;     /* another group may have a lower one */
        if (key <= slot.key) return slot.key;
        mem_pair_t *place = &slots[slot.index].pair;
        mem_pair_t old = {mem_load(&place->lo), mem_load(&place->hi)};
        if (key_of(s, old.lo) != slot.key || !mem_pair_cas(place, old, pair)) continue; /* ORD-8 */
        uint64_t floor = min64(key, slot.next);
        mem_max(&floors[group.index], floor);
        return min64(floor, group.next);
    }
}

/* A sliding window's slot keeps the latest ticket: a writer that was overtaken by a whole lap gives up. */
static void ring_put(metrics__reservoir_t *r, const struct shape *s, uint32_t tick, double value)
{
    uint64_t ticket = mem_add(&r->tickets, 1); /* ORD-8 */
    metrics__reservoir_slot_t put = {.tick = tick, .ticket = (uint32_t)ticket, .value = value};
    mem_pair_t *place = &slots_of(r, s, 0)[ticket % s->slots].pair;
    for (;;) {
        metrics__reservoir_slot_t old = {.pair = {mem_load(&place->lo), mem_load(&place->hi)}}; /* ORD-8 */
        if (old.tick && (int32_t)(old.ticket - put.ticket) > 0) return;
        if (mem_pair_cas(place, old.pair, put.pair)) return; /* ORD-8 */
    }
}

/*
 * The bound is that of the newest bank. An update that is a little late for it counts in that bank, so that
 * it is judged by the bound that fits. What is later than a bank's length goes where it belongs, if it gets
 * here.
 */
static uint32_t tick_in_bank(const struct shape *s, uint32_t tick, uint32_t until)
{
    uint32_t start = until - until % (s->sub ? s->sub : 1);
    return s->sub && tick < start && start - tick <= s->sub ? start : tick;
}

void metrics__reservoir_offer(metrics__reservoir_t *r, const metrics__reservoir_params_t *p, uint64_t draw,
                              uint32_t tick, double value)
{
    struct shape s;
    if (!tick || !isfinite(value) || !shape_of(p, &s)) return;
    if (p->kind == METRICS_RESERVOIR_SLIDING) {
        ring_put(r, &s, tick, value);
        return;
    }
    uint32_t until = (uint32_t)(mem_load(&r->bound) >> 32); /* ORD-8 */
    if (tick > until) {
        refresh_bound(r, &s, tick);
        if (!metrics__reservoir_wants(r, draw, tick)) return;
        until = tick;
    }
    metrics__reservoir_slot_t put = {.tick = tick_in_bank(&s, tick, until), .value = value};
    put.noise = metrics__reservoir_noise(draw);
    uint64_t key = key_of(&s, put.pair.lo), floor = mem_load(&r->floor); /* ORD-8 */
    if (key <= floor && (!s.sub || key >> 32 == floor >> 32)) return;    /* the floor is that of one bank */
    uint32_t bank = s.sub ? put.tick / s.sub % s.banks : 0;
    mem_max(&r->floor, insert(r, &s, bank, put.pair, key)); /* ORD-8 */
    refresh_bound(r, &s, until > tick ? until : tick);
}

/* --- Reading --- */

size_t metrics__reservoir_first(const metrics__reservoir_params_t *p)
{
    struct shape s;
    if (!shape_of(p, &s)) return 0;
    bool in_order = p->kind == METRICS_RESERVOIR_DECAYING || p->kind == METRICS_RESERVOIR_UNIFORM;
    if (!in_order || s.slots <= METRICS__RESERVOIR_GROUP) return size_of(&s);
    return s.slots_at + METRICS__RESERVOIR_GROUP * sizeof(metrics__reservoir_slot_t);
}

bool metrics__reservoir_has_room(const metrics__reservoir_t *copy, const metrics__reservoir_params_t *p)
{
    struct shape s;
    if (!shape_of(p, &s)) return true;
    const metrics__reservoir_slot_t *slots = copied_slots(copy, &s, 0);
    for (uint32_t i = 0; i < s.slots && i < METRICS__RESERVOIR_GROUP; i++)
        if (!slots[i].tick) return true;
    return false;
}

/* How many slots of all banks are in so many bytes. */
static size_t slots_in(const struct shape *s, size_t bytes)
{
    size_t all = (size_t)s->banks * s->slots, n = sizeof(metrics__reservoir_slot_t);
    return bytes < s->slots_at ? 0 : (bytes - s->slots_at) / n < all ? (bytes - s->slots_at) / n : all;
}

size_t metrics__reservoir_confirm(metrics__reservoir_t *copy, const metrics__reservoir_t *again, size_t bytes,
                                  const metrics__reservoir_params_t *p)
{
    struct shape s;
    if (!shape_of(p, &s)) return 0;
    metrics__reservoir_slot_t *a = slots_of(copy, &s, 0);
    const metrics__reservoir_slot_t *b = copied_slots(again, &s, 0);
    size_t marked = 0, n = slots_in(&s, bytes);
    for (size_t i = 0; i < n; i++) {
        if (a[i].pair.lo == b[i].pair.lo && a[i].pair.hi == b[i].pair.hi) continue;
        a[i].tick = UNCONFIRMED;
        marked++;
    }
    return marked;
}

/* What a reader wants, and what it finds in one bank. */
struct view {
    const struct shape *shape;
    const metrics__reservoir_slot_t *slots;
    uint32_t count;     /* of them are there; the others are empty */
    uint32_t from, now; /* ticks wanted */
    bool decayed;       /* weigh by w / P, else by 1 / P */
    uint32_t number;    /* sliding time window: which sub-window this bank must hold */
    bool full;
    uint32_t newest;   /* tick of the newest sample */
    uint32_t smallest; /* index of the slot with the smallest key */
    double threshold;  /* its key, less the decay of the newest tick */
};

static bool plausible(const struct view *v, const metrics__reservoir_slot_t *slot)
{
    if (!slot->tick || slot->tick > v->now || !isfinite(slot->value)) return false;
    if (!(slot->noise > -64 && slot->noise < 64)) return false;
    return !v->shape->sub || slot->tick / v->shape->sub == v->number;
}

/* A slot that is empty, or still holds a sub-window of eight ago, means that nothing was turned away yet. */
static bool has_room(const struct view *v, const metrics__reservoir_slot_t *slot)
{
    return !slot->tick || (v->shape->sub && slot->tick / v->shape->sub < v->number);
}

static void survey(struct view *v)
{
    uint64_t lowest = UINT64_MAX;
    v->full = v->count == v->shape->slots;
    for (uint32_t i = 0; i < v->count; i++) {
        const metrics__reservoir_slot_t *slot = &v->slots[i];
        if (has_room(v, slot)) v->full = false;
        if (!plausible(v, slot)) continue;
        if (slot->tick > v->newest) v->newest = slot->tick;
        uint64_t key = key_of(v->shape, slot->pair.lo);
        if (key >= lowest) continue;
        lowest = key;
        v->smallest = i;
    }
    if (lowest == UINT64_MAX) return;
    const metrics__reservoir_slot_t *slot = &v->slots[v->smallest];
    v->threshold = (double)slot->noise - v->shape->decay * (v->newest - slot->tick);
}

/*
 * w / P or 1 / P, w relative to the newest sample. Far below the threshold P is w * exp(-threshold) to the
 * last digit, so w / P is computed without the two numbers that would underflow.
 */
static double weight_of(const struct view *v, uint32_t tick)
{
    double log_w = -v->shape->decay * (v->newest - tick);
    double excess = log_w - v->threshold;
    if (!v->full || excess > 5) return v->decayed ? exp(log_w) : 1;
    if (excess < -30) return exp(v->decayed ? v->threshold : fmin(-excess, 300));
    return (v->decayed ? exp(log_w) : 1) / -expm1(-exp(excess));
}

/* A weight follows from the tick alone, and busy ticks have many samples. */
struct weights {
    uint32_t tick[256]; /* 0 = none yet */
    double weight[256];
};

static double known_weight(struct weights *known, const struct view *v, uint32_t tick)
{
    uint32_t i = tick % 256;
    if (known->tick[i] != tick) {
        known->tick[i] = tick;
        known->weight[i] = weight_of(v, tick);
    }
    return known->weight[i];
}

static size_t bank_samples(struct view *v, metrics_centroid_t *out)
{
    size_t n = 0;
    struct weights known;
    memset(known.tick, 0, sizeof known.tick);
    survey(v);
    for (uint32_t i = 0; i < v->count; i++) {
        const metrics__reservoir_slot_t *slot = &v->slots[i];
        if (!plausible(v, slot) || slot->tick < v->from || (v->full && i == v->smallest)) continue;
        double weight = known_weight(&known, v, slot->tick);
        if (weight > 0) out[n++] = (metrics_centroid_t){slot->value, weight};
    }
    return n;
}

/* A slot whose writer died between ticket and CAS still holds an event from before the window. */
static size_t ring_samples(const struct view *v, uint64_t tickets, metrics_centroid_t *out)
{
    size_t n = 0;
    for (uint32_t i = 0; i < v->count; i++) {
        const metrics__reservoir_slot_t *slot = &v->slots[i];
        if (!slot->tick || slot->tick < v->from || slot->tick > v->now || !isfinite(slot->value)) continue;
        if ((int32_t)((uint32_t)tickets - slot->ticket) > (int32_t)v->shape->slots) continue;
        out[n++] = (metrics_centroid_t){slot->value, 1};
    }
    return n;
}

size_t metrics__reservoir_samples(const metrics__reservoir_t *copy, size_t bytes,
                                  const metrics__reservoir_params_t *p, uint32_t from, uint32_t now,
                                  metrics_centroid_t *out)
{
    struct shape s;
    if (!shape_of(p, &s)) return 0;
    size_t there = slots_in(&s, bytes);
    struct view wanted = {.shape = &s, .count = s.slots, .from = from, .now = now, .decayed = !from};
    if (there < s.slots) wanted.count = (uint32_t)there;
    if (s.window && now >= s.window && from <= now - s.window) wanted.from = now - s.window + 1;
    if (p->kind == METRICS_RESERVOIR_SLIDING) {
        wanted.slots = copied_slots(copy, &s, 0);
        return ring_samples(&wanted, copy->tickets, out);
    }
    size_t n = 0;
    for (uint32_t bank = 0; bank < s.banks && (bank + 1) * (size_t)wanted.count <= there; bank++) {
        struct view v = wanted;
        v.slots = copied_slots(copy, &s, bank);
        if (s.sub) {
            uint32_t newest = now / s.sub, age = (newest - bank) % s.banks;
            if (age > newest) continue;
            v.number = newest - age;
        }
        n += bank_samples(&v, out + n);
    }
    return n;
}
