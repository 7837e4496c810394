/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promises of registry/stats/reservoir.h: the K highest keys stay, whatever the bound lets through; the weights are
 * unbiased; time, bursts, silence, threads, stale bounds and garbage do not change that.
 *
 * Random streams have fixed seeds, so a bound either holds or does not: nothing here fails now and then. Each
 * bound is written beside its check, with the sampling error that it comes from.
 */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "estimate.h"
#include "reservoir.h"

#define ALPHA 0.015
#define SLOTS 1028

typedef metrics__reservoir_params_t params_t;
static const params_t DECAYING = {METRICS_RESERVOIR_DECAYING, SLOTS, ALPHA, 0};
static const params_t UNIFORM = {METRICS_RESERVOIR_UNIFORM, SLOTS, 0, 0};

/* splitmix64: passes the usual test suites, and any seed is good. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}
static double next_unit(uint64_t *state)
{
    return ((double)(next_random(state) >> 11) + 0.5) * 0x1p-53;
}

/* A block, and a thread that records into it. */
struct rig {
    params_t params;
    metrics__reservoir_t *block;
    uint64_t random;
    bool leader;   /* the tick is always fresh; else looked up at acceptances and every 64th update */
    uint32_t tick; /* the thread's own, without a leader */
    uint64_t updates, offers;
};

static struct rig rig_new(params_t params, uint64_t seed)
{
    struct rig rig = {.params = params, .random = seed * 1000003, .leader = true};
    size_t size = metrics__reservoir_size(&params);
    rig.block = aligned_alloc(64, size);
    memset(rig.block, 0, size);
    return rig;
}

static void rig_clear(struct rig *rig, uint64_t seed)
{
    memset(rig->block, 0, metrics__reservoir_size(&rig->params));
    rig->random = seed * 1000003;
    rig->tick = 0;
    rig->updates = rig->offers = 0;
}

static inline void record(struct rig *rig, uint32_t now, double value)
{
    uint64_t draw = next_random(&rig->random);
    if (rig->leader || rig->updates++ % 64 == 0) rig->tick = now;
    if (!metrics__reservoir_wants(rig->block, draw, rig->tick)) return;
    rig->tick = now;
    rig->offers++;
    metrics__reservoir_offer(rig->block, &rig->params, draw, now, value);
}

/* Segment time: seconds since its creation, counted in eighths from 1. */
static uint32_t tick_at(double seconds)
{
    return 1 + (uint32_t)(seconds * 8);
}

static metrics_centroid_t samples[66000];

static size_t take(const struct rig *rig, uint32_t from, uint32_t now)
{
    size_t n = metrics__reservoir_samples(rig->block, metrics__reservoir_size(&rig->params), &rig->params,
                                          from, now, samples);
    return metrics__estimate_sort(samples, n);
}

/* --- What may be asked for --- */

/* Breaks if a block may be smaller than its slots, or if nonsense gets a block. */
UNIT(reservoir, sizes)
{
    params_t p = DECAYING;
    CHECK_EQ_U64(metrics__reservoir_size(&p), 16704); /* 64 + 17 floors -> 256, + 1028 slots */
    CHECK_EQ_U64(metrics__reservoir_capacity(&p), 1028);
    for (uint32_t k = 8; k <= 65536; k = k * 3 / 2 + 1) {
        p.slots = k;
        CHECK(metrics__reservoir_size(&p) % 64 == 0);
        CHECK(metrics__reservoir_size(&p) >= 64 + 16 * k);
    }
    params_t bad[] = {
        {METRICS_RESERVOIR_DECAYING, 7, ALPHA, 0},
        {METRICS_RESERVOIR_DECAYING, 65537, ALPHA, 0},
        {METRICS_RESERVOIR_DECAYING, SLOTS, -1, 0},
        {METRICS_RESERVOIR_DECAYING, SLOTS, NAN, 0},
        {METRICS_RESERVOIR_DECAYING, SLOTS, 101, 0},
        {METRICS_RESERVOIR_SLIDING_TIME, SLOTS, 0, 0},
        {METRICS_RESERVOIR_SLIDING_TIME, SLOTS, 0, -1},
        {METRICS_RESERVOIR_SLIDING_TIME, SLOTS, 0, INFINITY},
        {METRICS_BUCKETS, SLOTS, 0, 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_EQ_U64(metrics__reservoir_size(&bad[i]), 0);
        CHECK_EQ_U64(metrics__reservoir_capacity(&bad[i]), 0);
    }
}

/* Breaks if the noise loses its digits at either end: then the sample freezes after some 1e10 events. */
UNIT(reservoir, noise_keeps_its_digits)
{
    for (int bit = 0; bit < 64; bit++) {
        uint64_t draw = UINT64_C(1) << bit;
        long double q = ((long double)draw + 0.5L) * 0x1p-64L;
        long double want = -logl(-log1pl(-q));
        CHECK_NEAR(metrics__reservoir_noise(draw), (double)want, fabs((double)want) * 0x1p-24 + 1e-9);
        long double p = ((long double)draw - 0.5L) * 0x1p-64L; /* q = 1 - p */
        want = -logl(-logl(p));
        CHECK_NEAR(metrics__reservoir_noise(-draw), (double)want, fabs((double)want) * 0x1p-24 + 1e-9);
    }
    CHECK_NEAR(metrics__reservoir_noise(0), 65 * log(2), 1e-5);
    CHECK_NEAR(metrics__reservoir_noise(UINT64_MAX), -log(65 * log(2)), 1e-6);
}

/* Breaks if an untouched block reports anything. */
UNIT(reservoir, empty_is_absent)
{
    for (int kind = METRICS_RESERVOIR_DECAYING; kind <= METRICS_RESERVOIR_SLIDING_TIME; kind++) {
        struct rig rig = rig_new((params_t){(enum metrics_reservoir)kind, SLOTS, ALPHA, 60}, 1);
        CHECK_EQ_U64(take(&rig, 0, 1000), 0);
        CHECK_EQ_U64(take(&rig, 500, 1000), 0);
        metrics__reservoir_offer(rig.block, &rig.params, 0, 0, 1); /* no time, no event */
        metrics__reservoir_offer(rig.block, &rig.params, 0, 5, NAN);
        metrics__reservoir_offer(rig.block, &rig.params, 0, 5, INFINITY);
        CHECK_EQ_U64(take(&rig, 0, 1000), 0);
        record(&rig, 5, 42);
        REQUIRE(take(&rig, 0, 1000) == (kind == METRICS_RESERVOIR_SLIDING_TIME ? 0 : 1));
        CHECK_EQ_U64(take(&rig, 0, 400), 1);
        CHECK_NEAR(samples[0].mean, 42, 0);
        CHECK_EQ_U64(take(&rig, 6, 400), 0);
        free(rig.block);
    }
}

/* --- The K highest keys stay --- */

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static const metrics__reservoir_slot_t *slots_of(const struct rig *rig)
{
    size_t slots = 16 * metrics__reservoir_capacity(&rig->params);
    size_t floors = 8 * ((rig->params.slots + 63) / 64);
    REQUIRE(rig->params.kind == METRICS_RESERVOIR_DECAYING || rig->params.kind == METRICS_RESERVOIR_UNIFORM);
    REQUIRE((64 + floors + 63) / 64 * 64 + slots <= metrics__reservoir_size(&rig->params));
    return (const void *)((const char *)rig->block + (64 + floors + 63) / 64 * 64);
}

/* decay must be a number of at most 21 significant bits, as in the format. */
static double key(double decay, uint32_t tick, float noise)
{
    return decay * tick + (double)noise;
}

static void check_highest_stay(const struct rig *rig, double decay, double *keys, size_t n)
{
    const metrics__reservoir_slot_t *slots = slots_of(rig);
    double *kept = calloc(rig->params.slots, sizeof *kept);
    size_t wrong = 0;
    for (uint32_t i = 0; i < rig->params.slots; i++) {
        kept[i] = slots[i].tick ? key(decay, slots[i].tick, slots[i].noise) : -INFINITY;
    }
    qsort(keys, n, sizeof *keys, descending);
    qsort(kept, rig->params.slots, sizeof *kept, descending);
    for (size_t i = 0; i < rig->params.slots; i++) wrong += kept[i] != (i < n ? keys[i] : -INFINITY);
    CHECK_EQ_U64(wrong, 0);
    free(kept);
}

/* Breaks if the bound, a floor or the replacement ever
 * refuses a key that belongs, or keeps one that does not. */
UNIT(reservoir, the_highest_keys_stay)
{
    enum { EVENTS = 60000 };
    static double keys[EVENTS];
    const uint32_t sizes[] = {8, 63, 64, 65, 1028, 5000};
    const double alphas[] = {0, 0.0078125, 0.5, 64};
    for (size_t s = 0; s < 6; s++) {
        for (size_t a = 0; a < 4; a++) {
            struct rig rig =
                rig_new((params_t){METRICS_RESERVOIR_DECAYING, sizes[s], alphas[a], 0}, s * 4 + a);
            for (uint32_t i = 0; i < EVENTS; i++) {
                uint32_t tick = 1 + i / 100 - (i % 7 == 0 && i > 700 ? 5 : 0); /* some come late */
                uint64_t draw = next_random(&rig.random);
                keys[i] = key(alphas[a] / 8, tick, metrics__reservoir_noise(draw));
                if (metrics__reservoir_wants(rig.block, draw, tick))
                    metrics__reservoir_offer(rig.block, &rig.params, draw, tick, i);
            }
            check_highest_stay(&rig, alphas[a] / 8, keys, EVENTS);
            free(rig.block);
        }
    }
}

/* Breaks if the bound is computed for another time than the last one that it is said to hold for:
 * it is then too tight by a percent or so at the beginning of each step, which only shows here. */
UNIT(reservoir, the_bound_is_never_above_the_floor)
{
    struct rig rig = rig_new((params_t){METRICS_RESERVOIR_DECAYING, SLOTS, 0.0078125, 0}, 5);
    size_t refused_wrongly = 0;
    for (uint32_t i = 0; i < 2000000; i++) {
        uint32_t tick = 1 + i / 100;
        uint64_t draw = next_random(&rig.random), floor = rig.block->floor;
        if (metrics__reservoir_wants(rig.block, draw, tick)) {
            metrics__reservoir_offer(rig.block, &rig.params, draw, tick, i);
            continue;
        }
        double lowest = mem_bits_to_f64(floor >> 63 ? floor & ~(UINT64_C(1) << 63) : ~floor);
        if (draw >> 56 < 16)
            refused_wrongly += key(0.0078125 / 8, tick, metrics__reservoir_noise(draw)) > lowest;
    }
    CHECK_EQ_U64(refused_wrongly, 0);
    free(rig.block);
}

/* Integers, so it is the same for the same set of values, in whatever slots. */
static double sum_of_values(const struct rig *rig)
{
    double sum = 0;
    for (uint32_t i = 0; i < SLOTS; i++) sum += slots_of(rig)[i].value;
    return sum;
}

/* A writer that is killed leaves bounds as they were before. Breaks if any of bound, floor
 * and group floors, set back to any earlier value at any time, changes what is kept. */
UNIT(reservoir, stale_bounds_change_nothing)
{
    enum { EVENTS = 200000, WORDS = 8 + 17 };
    struct rig intact = rig_new(DECAYING, 7), hurt = rig_new(DECAYING, 7);
    uint64_t old[WORDS] = {0}, chaos = 99, *words = (uint64_t *)hurt.block;
    for (uint32_t i = 0; i < EVENTS; i++) {
        uint64_t dice = next_random(&chaos);
        if (dice % 50 == 0) {
            size_t w = (dice >> 32) % WORDS;
            words[w] = old[w];
        }
        if (dice % 500 == 1) memcpy(words, old, sizeof old); /* all of them */
        if (dice % 997 == 0) memcpy(old, words, sizeof old);
        uint32_t tick = 1 + i / 300;
        record(&intact, tick, i);
        record(&hurt, tick, i);
        if (i % 200 == 0) CHECK_NEAR(sum_of_values(&hurt), sum_of_values(&intact), 0);
    }
    CHECK(hurt.offers > intact.offers);
    free(intact.block);
    free(hurt.block);
}

/* Breaks if the bound is not used or does not follow: in the steady state some K * alpha
 * = 15.4 events a second get past it, whatever the rate, plus one refresh a second. */
UNIT(reservoir, few_get_past_the_bound)
{
    for (int rate = 1000; rate <= 100000; rate *= 10) {
        struct rig rig = rig_new(DECAYING, (uint64_t)rate);
        for (int i = 0; i < rate * 400; i++) record(&rig, tick_at((double)i / rate), i);
        uint64_t before = rig.offers;
        for (int i = rate * 400; i < rate * 500; i++) record(&rig, tick_at((double)i / rate), i);
        double per_second = (double)(rig.offers - before) / 100;
        CHECK_NEAR(per_second, 16.5, 1.8); /* 4 sigma: 4 * sqrt(1650) / 100, and 1/64 of slack */
        free(rig.block);
    }
}

/* Breaks if recording disturbs errno: the exponentials are asked for chances that underflow. */
UNIT(reservoir, errno_is_kept)
{
    struct rig rig = rig_new(DECAYING, 3);
    errno = 77;
    for (int i = 0; i < 5000; i++) record(&rig, 1 + (uint32_t)i, i);
    for (int i = 0; i < 5000; i++) record(&rig, UINT32_MAX - 5000 + (uint32_t)i, i); /* a 17-year gap */
    for (int i = 0; i < 5000; i++) record(&rig, 5000 + (uint32_t)i, i);              /* and back */
    CHECK_EQ_I64(errno, 77);
    free(rig.block);
}

/* --- Unbiased: a decayed sample --- */

/* Moments and distribution function of all events, weighed by exp(-alpha * age): the truth. */
struct truth {
    double now, w, wx, wxx, largest;
};
static void truth_add(struct truth *t, double when)
{
    double w = exp(-ALPHA * (t->now - when));
    t->w += w;
    t->wx += w * (t->now - when);
    t->wxx += w * (t->now - when) * (t->now - when);
    if (w > t->largest) t->largest = w;
}
static double truth_mean(const struct truth *t)
{
    return t->wx / t->w;
}
static double truth_deviation(const struct truth *t)
{
    return sqrt(t->wxx / t->w - truth_mean(t) * truth_mean(t));
}

/* Events at a steady rate: times of the first event and of the end, and events per second. */
struct phase {
    double from, to, rate;
};
static uint64_t phase_events(const struct phase *f)
{
    return (uint64_t)llround((f->to - f->from) * f->rate);
}
/* Every event at its time; with a rate of 1 these are whole seconds, the last one being the end. */
static double phase_time(const struct phase *f, uint64_t i)
{
    return f->from + (double)(i + 1) / f->rate;
}

static struct truth truth_of(const struct phase *phases, size_t n, double now)
{
    struct truth t = {.now = now};
    for (size_t p = 0; p < n; p++) {
        for (uint64_t i = 0; i < phase_events(&phases[p]); i++) truth_add(&t, phase_time(&phases[p], i));
    }
    return t;
}

/* Share of the true weight that lies at or before each event. */
static double *truth_ranks(const struct phase *f, const struct truth *t)
{
    uint64_t n = phase_events(f);
    double w = 0, *ranks = malloc(n * sizeof *ranks);
    for (uint64_t i = 0; i < n; i++) ranks[i] = (w += exp(-ALPHA * (t->now - phase_time(f, i)))) / t->w;
    return ranks;
}
static double truth_rank(const struct phase *f, const double *ranks, double when)
{
    uint64_t after = (uint64_t)fmax(0, (when - f->from) * f->rate); /* about how many events came before */
    while (after && phase_time(f, after - 1) > when) after--;
    while (after < phase_events(f) && phase_time(f, after) <= when) after++;
    return after ? ranks[after - 1] : 0;
}

static void run_phase(struct rig *rig, const struct phase *f)
{
    uint64_t events = phase_events(f);
    for (uint64_t i = 0; i < events; i++) {
        double when = phase_time(f, i);
        record(rig, tick_at(when), when);
    }
}

static double mean_age(const struct rig *rig, double now)
{
    metrics__estimate_t e;
    size_t n = take(rig, 0, tick_at(now));
    REQUIRE(metrics__estimate_summary(samples, n, &e));
    return now - e.mean;
}

enum { SEEDS = 80 };

/* The plain main is for instruments that are ten times slower: fewer events there. */
#ifdef PLAIN_TESTS
#define HIGH_RATE 300.0
#define BURST_END 100.2
#define AT_MOST   1.0 /* a short burst after 100 s: the ages vary too much for 1.5 % of a small mean */
#else
#define HIGH_RATE 1000.0
#define BURST_END 102.0
#define AT_MOST   0.015
#endif

/* 1200 s of events whose value is their time. Breaks if weights are
 * biased: a sample weighed by its decay again says 33 s instead of 66.7 s. */
static void check_mean_age(double rate, bool leader, double tolerance)
{
    const struct phase f = {0, 1200, rate};
    struct truth truth = truth_of(&f, 1, 1200);
    struct rig rig = rig_new(DECAYING, 0);
    double sum = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        rig_clear(&rig, seed);
        rig.leader = leader;
        run_phase(&rig, &f);
        sum += mean_age(&rig, 1200);
    }
    CHECK_NEAR(sum / SEEDS, truth_mean(&truth), tolerance * truth_mean(&truth));
    free(rig.block);
}

/* 1.5 % is 3.9 sigma: 66.7 s / sqrt(1027 * 80) = 0.23 s = 0.35 %. At 1/s every event that matters is kept. */
UNIT(reservoir, decayed_mean_age)
{
    check_mean_age(1, true, 1e-4);
    check_mean_age(5, true, 0.015);
    check_mean_age(20, true, 0.015);
    check_mean_age(100, true, 0.015);
    check_mean_age(HIGH_RATE, true, 0.015);
}
UNIT(reservoir, decayed_mean_age_without_leader)
{
    check_mean_age(1, false, 1e-4);
    check_mean_age(5, false, 0.015);
    check_mean_age(20, false, 0.015);
    check_mean_age(100, false, 0.015);
    check_mean_age(HIGH_RATE, false, 0.015);
}

/* p50, p95, p99: the true rank of the estimate is p within the sampling
 * error of 1027 values, sqrt(p (1 - p) / 1027), for one sample 4 times that,
 * for the mean of 80 samples 3.5 times over sqrt(80); and half an event. */
static void check_quantiles(double rate, bool leader)
{
    static const double ps[] = {0.5, 0.95, 0.99};
    const struct phase f = {0, 1200, rate};
    struct truth truth = truth_of(&f, 1, 1200);
    double granule = truth.largest / truth.w, sum[3] = {0, 0, 0}, *ranks = truth_ranks(&f, &truth);
    struct rig rig = rig_new(DECAYING, 0);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        rig_clear(&rig, seed * 31);
        rig.leader = leader;
        run_phase(&rig, &f);
        size_t n = take(&rig, 0, tick_at(1200));
        for (int i = 0; i < 3; i++) {
            double q = NAN, error = sqrt(ps[i] * (1 - ps[i]) / 1027);
            REQUIRE(metrics__estimate_quantile(samples, n, n, ps[i], &q));
            double rank = truth_rank(&f, ranks, q);
            CHECK_NEAR(rank, ps[i], 4 * error + granule);
            sum[i] += rank;
        }
    }
    for (int i = 0; i < 3; i++) {
        double error = sqrt(ps[i] * (1 - ps[i]) / 1027 / SEEDS);
        CHECK_NEAR(sum[i] / SEEDS, ps[i], 3.5 * error + granule);
    }
    free(ranks);
    free(rig.block);
}
UNIT(reservoir, decayed_quantiles)
{
    check_quantiles(1, true);
    check_quantiles(5, true);
    check_quantiles(20, true);
    check_quantiles(100, true);
    check_quantiles(100, false);
}

/*
 * 100 s at 20/s, 2 s at 1,000,000/s (all two million of them), ten idle minutes, then 0.1/s. Looked at after
 * the burst, after the silence, when burst and trickle weigh about the same, and when the burst is forgotten.
 * Without a leader the thread's clock does not advance over the silence until its 64th update, so up to 63
 * updates may be judged by the burst's bound: there the looks begin after the trickle has been running for
 * 1200 s. Tolerance: 4 sigma of the mean of 60 samples, sigma = deviation of the age / sqrt(1027 * 60), plus
 * 0.03 s for ages cut to 1/8 s; and never more than 1.5 %.
 */
static void check_burst(bool leader)
{
    enum { RUNS = 60, LOOKS = 4 };
    const struct phase f[] = {{0, 100, 20}, {100, BURST_END, 1e6}, {702, 1002, 0.1}, {1002, 1902, 0.1}};
    const double looks[LOOKS] = {BURST_END, 702, 1002, 1902};
    const size_t phases[LOOKS] = {2, 2, 3, 4};
    struct rig rig = rig_new(DECAYING, 0);
    double sum[LOOKS] = {0};
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        rig_clear(&rig, seed * 77);
        rig.leader = leader;
        size_t done = 0;
        for (int l = 0; l < LOOKS; l++) {
            while (done < phases[l]) run_phase(&rig, &f[done++]);
            sum[l] += mean_age(&rig, looks[l]);
        }
    }
    for (int l = 0; l < LOOKS; l++) {
        struct truth truth = truth_of(f, phases[l], looks[l]);
        double mean = truth_mean(&truth), tolerance = 4 * truth_deviation(&truth) / sqrt(1027 * RUNS) + 0.03;
        if (!leader && (l == 2)) continue;
        CHECK_NEAR(sum[l] / RUNS, mean, fmin(tolerance, AT_MOST * mean));
    }
    free(rig.block);
}
UNIT(reservoir, burst_silence_trickle)
{
    check_burst(true);
}
UNIT(reservoir, burst_silence_trickle_without_leader)
{
    check_burst(false);
}

/* Breaks if weights vanish after a long silence, or keys lose their digits after years. */
UNIT(reservoir, years_later)
{
    const double year = 365.25 * 86400;
    struct rig rig = rig_new(DECAYING, 11);
    for (int i = 0; i < 100000; i++) record(&rig, tick_at(10 * year + i * 0.001), i);
    size_t n = take(&rig, 0, tick_at(11 * year));
    CHECK_EQ_U64(n, SLOTS - 1);
    metrics__estimate_t e;
    REQUIRE(metrics__estimate_summary(samples, n, &e));
    /* 100 s of it: the mean of x under exp(alpha x) on 0..100; 4 sigma = 4 * 28.3 / sqrt(1027) = 3.5 s. */
    double want = 100 / (1 - exp(-ALPHA * 100)) - 1 / ALPHA;
    CHECK_NEAR(e.mean / 1000, want, 3.5);
    for (int i = 0; i < 200; i++) record(&rig, tick_at(11 * year + i), -1); /* the old is forgotten at once */
    n = take(&rig, 0, tick_at(11 * year + 200));
    REQUIRE(metrics__estimate_summary(samples, n, &e));
    CHECK_NEAR(e.mean, -1, 1e-6);
    free(rig.block);
}

/* --- Unbiased: an interval --- */

/*
 * Each sample of the last 10 s represents 1 / P events. Breaks if they are weighed by the decay: their
 * number, mean time and median would lean to the end of the interval. At 1000/s about 143 of 10,000 events
 * are kept: sigma of the count 10000 / sqrt(143) = 8.4 %, over 80 seeds 0.94 %; of the mean 2.89 s / sqrt(143
 * * 80) = 0.027 s. Bounds: 4 sigma.
 */
UNIT(reservoir, interval_counts_each_event_once)
{
    struct rig rig = rig_new(DECAYING, 0);
    double count = 0, mean = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        rig_clear(&rig, seed * 13);
        for (int i = 0; i < 300 * 1000; i++) record(&rig, tick_at(i * 0.001), i * 0.001);
        size_t n = take(&rig, tick_at(290), tick_at(300));
        metrics__estimate_t e;
        REQUIRE(metrics__estimate_summary(samples, n, &e));
        CHECK(e.min >= 290 && e.max < 300);
        count += e.weight / SEEDS;
        mean += e.mean / SEEDS;
    }
    CHECK_NEAR(count, 10000, 380);
    CHECK_NEAR(mean, 295, 0.11);
    free(rig.block);
}

/* Eight slots written by hand: the weights against the formula, in long
 * double. Breaks if w, P, K0 or the event that is left out are others; the
 * second has survived against odds of e^40 and must not become infinite. */
UNIT(reservoir, weights_by_the_formula)
{
    const uint32_t ticks[8] = {1000, 100, 999, 990, 1000, 700, 995, 980};
    const float noise[8] = {1, 45, 2, 0.5f, 3, 4, 1.5f, 0.25f};
    struct rig rig = rig_new((params_t){METRICS_RESERVOIR_DECAYING, 8, 0.5, 0}, 1);
    metrics__reservoir_slot_t *slots = (void *)((char *)rig.block + 128);
    for (int i = 0; i < 8; i++) slots[i] = (metrics__reservoir_slot_t){.tick = ticks[i], .value = i};
    for (int i = 0; i < 8; i++) slots[i].noise = noise[i];
    /* decay 1/16 per tick; slot 5 has the smallest key, then slot 1 with 45 - 900 / 16 = -11.25 */
    long double k0 = 4 - 300 / 16.0L;
    for (uint32_t from = 0; from < 2; from++) {
        REQUIRE(take(&rig, from, 1000) == 7);
        for (int i = 0; i < 7; i++) {
            int slot = (int)samples[i].mean;
            CHECK(slot != 5);
            long double log_w = -(long double)(1000 - ticks[slot]) / 16, p = -expm1l(-expl(log_w - k0));
            long double want = (from ? 1 : expl(log_w)) / p;
            CHECK_NEAR(samples[i].weight, (double)want, 1e-12 * (double)want);
        }
    }
    free(rig.block);
}

/* Breaks if there are weights other than 1 while everything is still kept. */
UNIT(reservoir, exact_while_there_is_room)
{
    struct rig rig = rig_new(DECAYING, 5);
    for (int i = 0; i < 1000; i++) record(&rig, tick_at(i), i);
    metrics__estimate_t e;
    size_t n = take(&rig, tick_at(500), tick_at(1000));
    REQUIRE(metrics__estimate_summary(samples, n, &e));
    CHECK_NEAR(e.weight, 500, 1e-9);
    CHECK_NEAR(e.mean, 749.5, 1e-9);
    free(rig.block);
}

/* --- Uniform --- */

/* Chi-square of the positions of all samples of 60 runs in
 * 20 equal parts; 50.8 is exceeded once in 10,000. */
enum { PARTS = 20, UNIFORM_RUNS = 60 };
static void check_uniform(uint64_t counts[PARTS], uint64_t total)
{
    double expected = (double)total / PARTS, chi2 = 0;
    for (int i = 0; i < PARTS; i++) chi2 += ((double)counts[i] - expected) * ((double)counts[i] - expected);
    CHECK_NEAR(chi2 / expected, PARTS - 1, 50.8 - (PARTS - 1));
}

UNIT(reservoir, uniform_is_uniform)
{
    enum { EVENTS = 200000 };
    uint64_t counts[PARTS] = {0}, total = 0;
    double weight = 0;
    struct rig rig = rig_new(UNIFORM, 0);
    for (uint64_t seed = 1; seed <= UNIFORM_RUNS; seed++) {
        rig_clear(&rig, seed * 5);
        for (int i = 0; i < EVENTS; i++) record(&rig, tick_at(i * 0.01), i);
        size_t n = take(&rig, 0, tick_at(EVENTS * 0.01));
        CHECK_EQ_U64(n, SLOTS - 1);
        for (size_t i = 0; i < n; i++, total++) {
            counts[(int)(samples[i].mean * PARTS / EVENTS)]++;
            weight += samples[i].weight;
        }
    }
    check_uniform(counts, total);
    /* The weights add up to the number of events: 4 sigma = 4 / sqrt(1027 * 60) = 1.6 %. */
    CHECK_NEAR(weight / UNIFORM_RUNS, EVENTS, 0.016 * EVENTS);
    free(rig.block);
}

/* 1e11 events, simulated: the number of events up to the next one that passes the bound is drawn at once, and
 * that one's draw is uniform below the limit. What passes goes the real way. Breaks if noise or bound lose
 * their digits (with a 32-bit draw, nothing enters after some 1e10 events: the last parts would be empty). */
UNIT(reservoir, uniform_after_1e11_events)
{
    const double events = 1e11;
    uint64_t counts[PARTS] = {0}, total = 0;
    double weight = 0;
    struct rig rig = rig_new(UNIFORM, 0);
    for (uint64_t seed = 1; seed <= UNIFORM_RUNS; seed++) {
        rig_clear(&rig, seed * 3);
        record(&rig, 1, 0);
        for (double i = 0;;) {
            double limit = (double)(uint32_t)~rig.block->bound + 1, pass = limit * 0x1p-32;
            i += pass < 1 ? 1 + floor(log(next_unit(&rig.random)) / log1p(-pass)) : 1;
            if (i >= events) break;
            uint64_t draw = (uint64_t)(limit * next_unit(&rig.random)) << 32 | next_random(&rig.random) >> 32;
            CHECK(metrics__reservoir_wants(rig.block, draw, 1));
            metrics__reservoir_offer(rig.block, &rig.params, draw, 1, i);
        }
        size_t n = take(&rig, 0, 1);
        for (size_t i = 0; i < n; i++, total++) {
            counts[(int)(samples[i].mean / events * PARTS)]++;
            weight += samples[i].weight;
        }
    }
    CHECK_EQ_U64(total, UNIFORM_RUNS * (SLOTS - 1));
    check_uniform(counts, total);
    CHECK_NEAR(weight / UNIFORM_RUNS, events, 0.016 * events);
    free(rig.block);
}

/* --- Windows --- */

/* Breaks if the last K are not exactly the last K, with weight 1. */
UNIT(reservoir, sliding_keeps_the_last)
{
    struct rig rig = rig_new((params_t){METRICS_RESERVOIR_SLIDING, 100, 0, 0}, 1);
    for (int i = 0; i < 70; i++) record(&rig, 1 + (uint32_t)i, i);
    CHECK_EQ_U64(take(&rig, 0, 1000), 70);
    for (int i = 70; i < 1234; i++) record(&rig, 1 + (uint32_t)i, i);
    REQUIRE(take(&rig, 0, 2000) == 100);
    for (int i = 0; i < 100; i++) {
        CHECK_NEAR(samples[i].mean, 1134 + i, 0);
        CHECK_NEAR(samples[i].weight, 1, 0);
    }
    CHECK_EQ_U64(take(&rig, 1225, 2000), 10); /* ticks 1225..1234 */
    rig.block->tickets +=
        30; /* thirty writers took a ticket and were killed: their slots hold older events */
    CHECK_EQ_U64(take(&rig, 0, 2000), 70);
    free(rig.block);
}

/* Breaks if a writer that was stopped for a lap puts its old event over a newer one. */
UNIT(reservoir, sliding_keeps_the_newer)
{
    struct rig rig = rig_new((params_t){METRICS_RESERVOIR_SLIDING, 10, 0, 0}, 1);
    for (int i = 0; i < 20; i++) record(&rig, 5, i);
    rig.block->tickets = 3; /* as a writer that drew ticket 3 and wakes up after 17 others */
    record(&rig, 5, 999);
    rig.block->tickets = 20;
    REQUIRE(take(&rig, 0, 5) == 10);
    CHECK_NEAR(samples[0].mean, 10, 0);
    CHECK_NEAR(samples[9].mean, 19, 0);
    free(rig.block);
}

/*
 * A window of 56 s at 500/s, looked at at odd moments. Breaks if events outside the window show, if banks are
 * mixed, or if the weights do not add up. 800 slots: a bank of 101 covers 8 s. Count: 28000, sigma over the
 * roughly 700 samples in the window 3.8 %, of the mean of 100 looks 0.38 %: 4 sigma = 1.5 %; mean age 28 s,
 * sigma 16.2 / sqrt(700 * 100) = 0.061 s: 0.25 s. (Looks share samples with their neighbours, seeds do not.)
 */
UNIT(reservoir, sliding_time_window)
{
    struct rig rig = rig_new((params_t){METRICS_RESERVOIR_SLIDING_TIME, 800, 0, 56}, 0);
    double count = 0, age = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        rig_clear(&rig, seed * 17);
        int seconds = 150 + (int)(seed % 20);
        for (int i = 0; i < seconds * 500; i++) record(&rig, tick_at(i * 0.002), i * 0.002);
        metrics__estimate_t e;
        size_t n = take(&rig, 0, tick_at(seconds) - 1); /* the tick of the last event */
        REQUIRE(metrics__estimate_summary(samples, n, &e));
        CHECK(e.min >= seconds - 56 && e.max < seconds);
        CHECK(n > 550 && n <= 8 * 100);
        count += e.weight / 100;
        age += (seconds - e.mean) / 100;
    }
    CHECK_NEAR(count, 28000, 420);
    CHECK_NEAR(age, 28, 0.25);
    free(rig.block);
}

/* At a low rate all of the window is kept, exactly; also
 * right after a silence and after a much busier past. */
UNIT(reservoir, sliding_time_window_exact)
{
    struct rig rig = rig_new((params_t){METRICS_RESERVOIR_SLIDING_TIME, SLOTS, 0, 60}, 3);
    for (int i = 0; i < 200000; i++) record(&rig, tick_at(i * 0.001), -1);
    for (int i = 0; i < 300; i++) record(&rig, tick_at(1000 + i), i);
    size_t n = take(&rig, 0, tick_at(1299));
    REQUIRE(n == 60);
    for (size_t i = 0; i < n; i++) {
        CHECK_NEAR(samples[i].mean, (double)(240 + i), 0);
        CHECK_NEAR(samples[i].weight, 1, 0);
    }
    CHECK_EQ_U64(take(&rig, tick_at(1290), tick_at(1299)), 10);
    CHECK_EQ_U64(take(&rig, 0, tick_at(1359) - 1), 1);
    CHECK_EQ_U64(take(&rig, 0, tick_at(1360)), 0);
    free(rig.block);
}

/* An event that is a moment late for its bank is kept in
 * the next one. Breaks if the newer floor turns it away. */
UNIT(reservoir, sliding_time_late_event)
{
    struct rig rig = rig_new((params_t){METRICS_RESERVOIR_SLIDING_TIME, 64, 0, 7}, 3); /* banks of 8 ticks */
    for (int i = 0; i < 50; i++) record(&rig, 80, i);
    record(&rig, 88, 50);
    metrics__reservoir_offer(rig.block, &rig.params, UINT64_MAX, 87, 1000); /* the lowest key there is */
    size_t n = take(&rig, 88, 100);
    REQUIRE(n == 2);
    CHECK_NEAR(samples[0].mean, 50, 0);
    CHECK_NEAR(samples[1].mean, 1000, 0);
    free(rig.block);
}

/* --- Garbage --- */

/* Breaks if any bytes make a reader or a writer hang, crash, or return a number that is none. */
UNIT(reservoir, garbage_in_no_garbage_out)
{
    uint64_t random = 4711;
    for (int round = 0; round < 4000; round++) {
        params_t p = {(enum metrics_reservoir)(round % 4), 8 + (uint32_t)round % 200, ALPHA, 60};
        struct rig rig = rig_new(p, (uint64_t)round);
        size_t words = metrics__reservoir_size(&p) / 8;
        uint64_t *w = (uint64_t *)rig.block;
        for (int i = 0; i < 300; i++) record(&rig, 1000 + (uint32_t)i, i);
        uint64_t *again = malloc(words * 8);
        memcpy(again, w, words * 8);
        for (size_t i = 0; i < words; i++) {
            uint64_t r = next_random(&random);
            if (round % 3 == 0 || r % 20 == 0) w[i] = r >> (r & 31);
            if (r % 50 == 0) w[i] = UINT64_C(0x7ff8000000000000);
            if (r % 51 == 0) w[i] = UINT64_MAX << (r & 63);
        }
        for (int i = 0; i < 50; i++) record(&rig, 2000 + (uint32_t)i, i);
        metrics__reservoir_confirm(rig.block, (void *)again, words * 8, &p);
        size_t n = metrics__reservoir_samples(rig.block, words * 8, &p, round & 8 ? 0 : 900, 3000, samples);
        CHECK(n <= metrics__reservoir_capacity(&p));
        for (size_t i = 0; i < n; i++) {
            if (!isfinite(samples[i].mean) || !(samples[i].weight > 0) || !isfinite(samples[i].weight))
                CHECK(!"a sample that is not a number");
        }
        free(again);
        free(rig.block);
    }
}

/* A slot with senseless noise is the first to be replaced. Breaks if damage stays in the sample for ever. */
UNIT(reservoir, damage_heals)
{
    struct rig rig = rig_new(DECAYING, 1);
    for (int i = 0; i < 5000; i++) record(&rig, 100, 1);
    metrics__reservoir_slot_t *slot = (void *)((char *)rig.block + 256 + 16 * 500);
    slot->noise = NAN;
    rig.block->floors[500 / 64] = 0;
    size_t n = take(&rig, 0, 100);
    CHECK_EQ_U64(n, SLOTS - 2);
    metrics__reservoir_offer(rig.block, &rig.params, 1, 101, 2);
    CHECK_NEAR(slot->value, 2, 0);
    free(rig.block);
}

/* --- Many threads --- */

/* A value that {tick, noise} determines: a pair of two events shows. */
static double witness(uint64_t lo)
{
    return (double)(next_random(&lo) >> 11);
}

enum { THREADS = 4, PER_THREAD = 100000 };
struct hammer {
    struct rig *rig;
    double decay;
    uint64_t random;
    double keys[PER_THREAD];
    int *waiting, *running;
};

static void *hammer_write(void *arg)
{
    struct hammer *h = arg;
    __atomic_fetch_sub(h->waiting, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(h->waiting, __ATOMIC_RELAXED)) sched_yield();
    for (uint32_t i = 0; i < PER_THREAD; i++) {
        uint64_t draw = next_random(&h->random);
        metrics__reservoir_slot_t s = {.tick = 1 + i / 64};
        s.noise = metrics__reservoir_noise(draw);
        h->keys[i] = key(h->decay, s.tick, s.noise);
        if (metrics__reservoir_wants(h->rig->block, draw, s.tick))
            metrics__reservoir_offer(h->rig->block, &h->rig->params, draw, s.tick, witness(s.pair.lo));
    }
    __atomic_fetch_sub(h->running, 1, __ATOMIC_RELAXED);
    return NULL;
}

/* As pread() copies: in units of 8 bytes at best. */
static void copy_block(uint64_t *to, const metrics__reservoir_t *from, size_t size)
{
    for (size_t i = 0; i < size / 8; i++) to[i] = mem_load((const uint64_t *)from + i);
}

static size_t wrong_pairs(const metrics__reservoir_slot_t *slots, uint32_t n)
{
    size_t wrong = 0;
    for (uint32_t i = 0; i < n; i++)
        wrong += slots[i].tick && slots[i].tick != UINT32_MAX && slots[i].value != witness(slots[i].pair.lo);
    return wrong;
}

/* Reads while they write; what comes back in the end goes to *wrong and keys. */
static void hammer_run(struct rig *rig, double decay, double *keys, size_t *wrong)
{
    static struct hammer h[THREADS];
    pthread_t threads[THREADS];
    int waiting = THREADS, running = THREADS;
    size_t size = metrics__reservoir_size(&rig->params);
    size_t at = (size_t)((const char *)slots_of(rig) - (char *)rig->block);
    uint64_t *a = malloc(size), *b = malloc(size);
    for (uint64_t t = 0; t < THREADS; t++) {
        h[t] = (struct hammer){rig, decay, t + 1, {0}, &waiting, &running};
        REQUIRE(!pthread_create(&threads[t], NULL, hammer_write, &h[t]));
    }
    while (__atomic_load_n(&running, __ATOMIC_RELAXED)) {
        copy_block(a, rig->block, size);
        copy_block(b, rig->block, size);
        metrics__reservoir_confirm((void *)a, (void *)b, size, &rig->params);
        *wrong += wrong_pairs((void *)((char *)a + at), rig->params.slots);
    }
    for (int t = 0; t < THREADS; t++) {
        pthread_join(threads[t], NULL);
        memcpy(keys + (size_t)t * PER_THREAD, h[t].keys, sizeof h[t].keys);
    }
    *wrong += wrong_pairs(slots_of(rig), rig->params.slots);
    free(a);
    free(b);
}

/*
 * Four threads into one block, with far more acceptances than in life, and a reader beside them: many slots
 * that all of them fill at once (alpha 0), and few that they fight for (alpha 4/s, ticks passing by fast).
 * Breaks if a pair of two events is ever stored or confirmed, or if what is left in the end is not the K
 * highest of all 400,000 keys.
 */
UNIT(reservoir, hammer)
{
    const params_t params[] = {{METRICS_RESERVOIR_DECAYING, 60000, 0, 0},
                               {METRICS_RESERVOIR_DECAYING, 256, 4, 0},
                               {METRICS_RESERVOIR_DECAYING, 8, 4, 0}};
    static double keys[THREADS * PER_THREAD];
    for (int i = 0; i < 3; i++) {
        struct rig rig = rig_new(params[i], 0);
        size_t wrong = 0;
        hammer_run(&rig, params[i].alpha / 8, keys, &wrong);
        CHECK_EQ_U64(wrong, 0);
        check_highest_stay(&rig, params[i].alpha / 8, keys, THREADS * PER_THREAD);
        free(rig.block);
    }
}

/* Breaks if a block that is copied in part shows other samples than the whole: however far it is filled. */
UNIT(reservoir, first_part_is_enough)
{
    const params_t params[] = {DECAYING,
                               {METRICS_RESERVOIR_UNIFORM, 200, 0, 0},
                               {METRICS_RESERVOIR_DECAYING, 10, 0.015, 0},
                               {METRICS_RESERVOIR_SLIDING, 200, 0, 0},
                               {METRICS_RESERVOIR_SLIDING_TIME, 200, 0, 60}};
    static metrics_centroid_t whole[66000];
    for (int k = 0; k < 5; k++) {
        struct rig rig = rig_new(params[k], (uint64_t)k);
        size_t size = metrics__reservoir_size(&rig.params), part = metrics__reservoir_first(&rig.params);
        CHECK(k < 2 ? part < size : part == size);
        for (int n = 0; n < 300; n++) {
            bool enough = metrics__reservoir_has_room(rig.block, &rig.params);
            if (part < size) CHECK_EQ_I64(enough, n < 64);
            size_t bytes = enough ? part : size;
            size_t all = metrics__reservoir_samples(rig.block, size, &rig.params, 0, 5000, whole);
            size_t some = metrics__reservoir_samples(rig.block, bytes, &rig.params, 0, 5000, samples);
            CHECK_EQ_U64(some, all);
            CHECK(!memcmp(samples, whole, all * sizeof *whole));
            record(&rig, 100 + (uint32_t)n, n);
        }
        free(rig.block);
    }
}

/* A half-changed copy. Breaks if confirming lets through a
 * slot that two copies disagree on, or drops others. */
UNIT(reservoir, confirm_drops_what_differs)
{
    struct rig rig = rig_new(DECAYING, 1);
    size_t size = metrics__reservoir_size(&rig.params);
    for (int i = 0; i < 5000; i++) record(&rig, 100, i);
    metrics__reservoir_t *a = malloc(size), *b = malloc(size);
    memcpy(a, rig.block, size);
    memcpy(b, rig.block, size);
    CHECK_EQ_U64(metrics__reservoir_confirm(a, b, size, &rig.params), 0);
    metrics__reservoir_slot_t *slots = (void *)((char *)a + 256);
    slots[3].value = -5;
    slots[7].noise += 1;
    CHECK_EQ_U64(metrics__reservoir_confirm(a, b, size, &rig.params), 2);
    size_t n = metrics__reservoir_samples(a, size, &rig.params, 0, 100, samples);
    CHECK_NEAR((double)n, SLOTS - 3, 0);                         /* the two, and the threshold */
    for (size_t i = 0; i < n; i++) CHECK(samples[i].weight > 2); /* and it is still known to be full */
    free(a);
    free(b);
    free(rig.block);
}
