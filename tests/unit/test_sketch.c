/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promises of registry/stats/sketch.h: exact up to 256 values, within 3 sigma (3 * 1.04 / 64 = 4.9 %) up to 1e8 and
 * without bias; epochs do not mix, nothing needs clearing; threads, kills and garbage do no harm.
 */
#include "unit.h"

#include <errno.h>
#include <pthread.h>

#include "atomic.h"
#include "sketch.h"

static metrics__sketch_t block;
static metrics__sketch_set_t set, other;

/* A bijection on 64 bits (splitmix64's finish): distinct
 * numbers are distinct values with random-looking bits. */
static uint64_t hash(uint64_t seed, uint64_t i)
{
    uint64_t z = i + seed * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void clear(void)
{
    memset(&block, 0, sizeof block);
}

static double estimate(uint64_t epoch)
{
    metrics__sketch_read(&block, epoch, &set);
    return metrics__sketch_estimate(&set);
}

/* Breaks if a small set is anything but exact, its elements included; or an empty one is not 0. */
UNIT(sketch, small_sets_are_exact)
{
    clear();
    CHECK_NEAR(estimate(1), 0, 0);
    CHECK(set.exact);
    for (uint64_t i = 0; i < 256; i++) {
        for (int again = 0; again < 3; again++) metrics__sketch_add(&block, hash(1, i), 1);
        CHECK_NEAR(estimate(1), (double)(i + 1), 0);
        CHECK(set.exact && set.count == i + 1);
    }
    for (uint64_t i = 0; i < 256; i++) {
        bool found = false;
        for (uint32_t k = 0; k < set.count; k++) found |= set.elements[k] == hash(1, i) >> 16;
        CHECK(found);
    }
    metrics__sketch_add(&block, hash(1, 256), 1);
    CHECK_NEAR(estimate(1), 257, 257 * 0.049);
    CHECK(!set.exact && set.count == 0);
}

/* Breaks if hashes of all zeros or ones are lost or counted twice. */
UNIT(sketch, extreme_hashes)
{
    clear();
    const uint64_t hashes[] = {0,     UINT64_MAX, UINT64_C(1) << 63, UINT64_C(1) << 52, UINT64_C(1) << 17,
                               0xffff};
    for (size_t i = 0; i < 6; i++) metrics__sketch_add(&block, hashes[i], 0);
    CHECK_NEAR(estimate(0), 5, 0);         /* 0xffff has the 48 bits of 0 */
    CHECK_EQ_U64(set.registers[0], 36);    /* 0 is kept as 1 */
    CHECK_EQ_U64(set.registers[2048], 37); /* nothing but zeros behind the register's bits */
    CHECK_EQ_U64(set.registers[4095], 1);
}

/* 1 to 1e8 values. Each estimate within 3 sigma; the mean of 20 up to 1e6 within 3
 * sigma / sqrt(20) = 1.1 %, which breaks if there is a bias anywhere, for instance
 * where linear counting hands over to HyperLogLog in the textbook form (around 10,000). */
UNIT(sketch, within_three_sigma)
{
    enum { LOOKS = 18, SEEDS = 20 };
    const uint64_t looks[LOOKS] = {1,    2,    100,   256,   257,   300,   500,    1000,   2000,
                                   5000, 8000, 10240, 15000, 20000, 50000, 100000, 300000, 1000000};
    double sum[LOOKS] = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        clear();
        uint64_t i = 0;
        for (int l = 0; l < LOOKS; l++) {
            for (; i < looks[l]; i++) metrics__sketch_add(&block, hash(seed, i), seed);
            double e = estimate(seed), n = (double)looks[l];
            CHECK_NEAR(e, n, looks[l] <= 256 ? 0 : 0.049 * n);
            sum[l] += e / SEEDS;
        }
    }
    for (int l = 0; l < LOOKS; l++) CHECK_NEAR(sum[l], (double)looks[l], 0.011 * (double)looks[l]);
}
UNIT(sketch, within_three_sigma_up_to_1e8)
{
    clear();
    for (uint64_t i = 0; i < 100000000; i++) {
        metrics__sketch_add(&block, hash(77, i), 1);
        if (i + 1 == 10000000 || i + 1 == 30000000)
            CHECK_NEAR(estimate(1), (double)(i + 1), 0.049 * (double)i);
    }
    CHECK_NEAR(estimate(1), 1e8, 0.049 * 1e8);
}

/* Breaks if a bank shows values of the epoch before last, or an epoch needs its bank to be cleared. */
UNIT(sketch, epochs_do_not_mix)
{
    clear();
    for (uint64_t epoch = 0; epoch < 300; epoch++) {
        uint64_t n = epoch % 3 == 0 ? 0 : epoch % 3 == 1 ? 100 : 3000;
        for (uint64_t i = 0; i < n; i++) metrics__sketch_add(&block, hash(epoch, i), epoch);
        CHECK_NEAR(estimate(epoch), (double)n, n > 256 ? 0.049 * (double)n : 0);
        if (!epoch) continue;
        uint64_t before = (epoch - 1) % 3 == 0 ? 0 : (epoch - 1) % 3 == 1 ? 100 : 3000;
        CHECK_NEAR(estimate(epoch - 1), (double)before, before > 256 ? 0.049 * (double)before : 0);
    }
}

/* A set that is created when the segment is old. Breaks if untouched words are taken for newer ones. */
UNIT(sketch, any_epoch_may_be_the_first)
{
    for (uint64_t epoch = 1; epoch < 200000; epoch += 997) {
        for (uint64_t n = 100; n <= 2000; n += 1900) {
            clear();
            for (uint64_t i = 0; i < n; i++) metrics__sketch_add(&block, hash(1, i), epoch);
            CHECK_NEAR(estimate(epoch), (double)n, n > 256 ? 98 : 0);
            CHECK(set.exact == (n <= 256));
            metrics__sketch_sweep(&block, epoch);
            CHECK_NEAR(estimate(epoch), (double)n, n > 256 ? 98 : 0);
        }
    }
}

/* A value that comes two epochs late counts in the epoch
 * that its bank is in. Breaks if it wipes newer ones. */
UNIT(sketch, late_values_do_no_harm)
{
    for (uint64_t n = 10; n <= 5000; n += 4990) {
        clear();
        for (uint64_t i = 0; i < n; i++) metrics__sketch_add(&block, hash(1, i), 7);
        double before = estimate(7);
        for (uint64_t i = 0; i < 10; i++) metrics__sketch_add(&block, hash(2, i), 5);
        double after = estimate(7);
        CHECK(after >= before && after <= before * 1.05 + 10);
        CHECK(set.exact == (n == 10));
        CHECK(estimate(5) <= 10);
    }
}

/* The same where only the register shows it: the newer writers were killed before
 * they could keep the element. Breaks if a late value lowers a newer register. */
UNIT(sketch, late_values_lower_no_register)
{
    for (int late = 0; late < 2; late++) {
        clear();
        for (uint64_t i = 0; i < 3000; i++) {
            metrics__sketch_add(&block, hash(1, i), 7);
            memset(block.elements, 0, sizeof block.elements);
            if (late) metrics__sketch_add(&block, hash(2, i), 5);
        }
        block.full[1] = 65536 + 7; /* so that the registers are read */
        metrics__sketch_read(&block, 7, late ? &set : &other);
    }
    size_t lower = 0;
    for (size_t r = 0; r < METRICS__SKETCH_REGISTERS; r++) lower += set.registers[r] < other.registers[r];
    CHECK_EQ_U64(lower, 0);
}

/* Tags have 16 bits. Breaks if values come to life again
 * when they come round, or the sweep loses living ones. */
UNIT(sketch, sweep)
{
    clear();
    for (uint64_t i = 0; i < 1000; i++) metrics__sketch_add(&block, hash(1, i), 10);
    for (uint64_t i = 0; i < 100; i++) metrics__sketch_add(&block, hash(1, i), 11);
    for (uint64_t epoch = 12; epoch <= 70000; epoch++) {
        if (epoch % 1024 == 0) metrics__sketch_sweep(&block, epoch);
        if (epoch == 60000) {
            for (uint64_t i = 0; i < 77; i++) metrics__sketch_add(&block, hash(3, i), epoch);
            for (uint64_t i = 0; i < 2000; i++) metrics__sketch_add(&block, hash(3, i), epoch - 1);
            metrics__sketch_sweep(&block, epoch);
            CHECK_NEAR(estimate(epoch), 77, 0);
            CHECK_NEAR(estimate(epoch - 1), 2000, 98);
            CHECK(!set.exact);
        } else {
            metrics__sketch_read(&block, epoch, &set);
            if (!set.exact || set.count) CHECK_EQ_U64(epoch, 0);
        }
    }
}

/* Breaks if a merge differs from adding everything to one set, whichever of the two is exact. */
UNIT(sketch, merge_is_union)
{
    const uint64_t sizes[] = {0, 1, 100, 200, 256, 257, 5000};
    static metrics__sketch_set_t left, right;
    for (int a = 0; a < 7; a++) {
        for (int b = 0; b < 7; b++) {
            clear();
            for (uint64_t i = 0; i < sizes[a]; i++) metrics__sketch_add(&block, hash(9, i), 2);
            for (uint64_t i = 0; i < sizes[b]; i++) metrics__sketch_add(&block, hash(9, i + 100), 3);
            metrics__sketch_read(&block, 2, &left);
            metrics__sketch_read(&block, 3, &right);
            clear();
            for (uint64_t i = 0; i < sizes[a]; i++) metrics__sketch_add(&block, hash(9, i), 2);
            for (uint64_t i = 0; i < sizes[b]; i++) metrics__sketch_add(&block, hash(9, i + 100), 2);
            metrics__sketch_read(&block, 2, &set);
            metrics__sketch_merge(&left, &right);
            /* Parts of up to 256 add up to an exact union; a
             * union that lost exactness has the same registers. */
            bool exact = sizes[a] <= 256 && sizes[b] <= 256 && set.exact;
            CHECK_EQ_U64(left.exact, exact);
            CHECK(!memcmp(left.registers, set.registers, sizeof left.registers));
            if (exact) CHECK(left.count == set.count && !memcmp(left.elements, set.elements, 8 * set.count));
        }
    }
    const uint64_t few[] = {5, 3, 5, 0, 3};
    metrics__sketch_from_elements(few, 5, &set);
    CHECK(set.exact && set.count == 3 && set.elements[0] == 1 && set.elements[2] == 5);
}

/* A writer killed between its steps has raised a register and kept no element. Breaks if
 * anything but that value is then missing, or if the value cannot be added afterwards. */
UNIT(sketch, killed_between_the_steps)
{
    clear();
    for (uint64_t i = 0; i < 50; i++) metrics__sketch_add(&block, hash(1, i), 1);
    static metrics__sketch_t before;
    before = block;
    metrics__sketch_add(&block, hash(1, 50), 1);
    memcpy(block.elements, before.elements, sizeof block.elements);
    CHECK_NEAR(estimate(1), 50, 0);
    metrics__sketch_add(&block, hash(1, 50), 1);
    CHECK_NEAR(estimate(1), 51, 0);
    /* killed after the 257th raised its register, before it could say that there is no room */
    for (uint64_t i = 51; i < 256; i++) metrics__sketch_add(&block, hash(1, i), 1);
    before = block;
    metrics__sketch_add(&block, hash(1, 256), 1);
    block.full[1] = before.full[1];
    CHECK_NEAR(estimate(1), 256, 0);
    metrics__sketch_add(&block, hash(1, 257), 1);
    CHECK_NEAR(estimate(1), 258, 258 * 0.049);
    CHECK(!set.exact);
}

/* Breaks if adding disturbs errno, or an element that is known writes. */
UNIT(sketch, known_values_write_nothing)
{
    clear();
    errno = 77;
    for (uint64_t n = 100; n <= 10000; n *= 10) {
        for (uint64_t i = 0; i < n; i++) metrics__sketch_add(&block, hash(1, i), 1);
        static metrics__sketch_t before;
        before = block;
        for (uint64_t i = 0; i < n; i++) metrics__sketch_add(&block, hash(1, i), 1);
        CHECK(!memcmp(&before, &block, sizeof block));
    }
    CHECK_EQ_I64(errno, 77);
}

/* Breaks if any bytes make a reader or a writer hang, crash, or return a number that is none. */
UNIT(sketch, garbage)
{
    uint64_t *words = (uint64_t *)&block;
    for (uint64_t round = 0; round < 2000; round++) {
        for (uint64_t i = 0; i < sizeof block / 8; i++) {
            uint64_t r = hash(round, i);
            words[i] = r % 3 ? r : (r & 0xffffffffffff) | UINT64_C(5) << 48;
            if (round == 5) words[i] = UINT64_MAX;
        }
        for (uint64_t i = 0; i < 100; i++) metrics__sketch_add(&block, hash(round + 1, i), 5 + round % 2);
        double e = estimate(round % 3 ? 5 : 65535);
        CHECK(e >= 0 && e <= 0x1p48);
        metrics__sketch_sweep(&block, hash(round, 1));
        metrics__sketch_read(&block, 6, &other);
        metrics__sketch_merge(&set, &other);
        e = metrics__sketch_estimate(&set);
        CHECK(e >= 0 && e <= 0x1p48);
    }
    memset(&set, 0, sizeof set);
    memset(set.registers, 255, sizeof set.registers);
    CHECK_NEAR(metrics__sketch_estimate(&set), 0x1p48, 0);
}

/* --- Many threads --- */

struct adder {
    uint64_t first, values, epoch;
};
static void *add_all(void *arg)
{
    const struct adder *a = arg;
    for (uint64_t round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < a->values; i++) metrics__sketch_add(&block, hash(4, a->first + i), a->epoch);
    }
    return NULL;
}

/* Four threads with overlapping values, epoch after epoch. Breaks if an update is lost
 * or counted twice: the result must be the same set, bit for bit, as that of one thread. */
UNIT(sketch, threads)
{
    for (uint64_t epoch = 1; epoch <= 400; epoch++) {
        uint64_t values = epoch % 4 == 0 ? 4000 : 100;
        struct adder adders[4];
        pthread_t threads[4];
        for (uint64_t t = 0; t < 4; t++) {
            adders[t] = (struct adder){epoch * 10000 + t * values / 2, values, epoch};
            REQUIRE(!pthread_create(&threads[t], NULL, add_all, &adders[t]));
        }
        for (int t = 0; t < 4; t++) pthread_join(threads[t], NULL);
        metrics__sketch_read(&block, epoch, &set);
        static metrics__sketch_t alone;
        memset(&alone, 0, sizeof alone);
        for (uint64_t i = 0; i < values * 5 / 2; i++)
            metrics__sketch_add(&alone, hash(4, epoch * 10000 + i), epoch);
        metrics__sketch_read(&alone, epoch, &other);
        CHECK_EQ_U64(set.exact, other.exact);
        CHECK_EQ_U64(set.count, other.count);
        CHECK(!memcmp(set.elements, other.elements, sizeof set.elements));
        CHECK(!memcmp(set.registers, other.registers, sizeof set.registers));
    }
}
