/* SPDX-License-Identifier: Apache-2.0 */
#include "digits.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* --- Integers --- */

static const char digits_pairs[] = "00010203040506070809101112131415161718192021222324"
                                   "25262728293031323334353637383940414243444546474849"
                                   "50515253545556575859606162636465666768697071727374"
                                   "75767778798081828384858687888990919293949596979899";

static unsigned digits_count(uint64_t v)
{
    static const uint64_t tens[] = {0,
                                    10,
                                    100,
                                    1000,
                                    10000,
                                    100000,
                                    1000000,
                                    10000000,
                                    100000000,
                                    1000000000,
                                    10000000000,
                                    100000000000,
                                    1000000000000,
                                    10000000000000,
                                    100000000000000,
                                    1000000000000000,
                                    10000000000000000,
                                    100000000000000000,
                                    1000000000000000000,
                                    UINT64_C(10000000000000000000)};
    /* 1233 / 4096 is a little less than log10(2), so n is at most one too small. */
    unsigned n = (64 - (unsigned)__builtin_clzll(v | 1)) * 1233 >> 12;
    return n + (v >= tens[n]);
}

char *digits_u64(char *at, uint64_t v)
{
    if (v < 10) {
        *at = (char)('0' + v);
        return at + 1;
    }
    char *end = at + digits_count(v), *to = end;
    for (; v >= 100; v /= 100) memcpy(to -= 2, digits_pairs + v % 100 * 2, 2);
    if (v >= 10)
        memcpy(to - 2, digits_pairs + v * 2, 2);
    else
        to[-1] = (char)('0' + v);
    return end;
}

/* --- Powers of ten --- */

/* 10^k for all k that doubles need: the highest 128 bits, rounded up if there are more. */
enum { POWER_LEAST = -292, POWER_MOST = 324, BIG_WORDS = 36 };
struct power {
    uint64_t high, low;
};
static struct power powers[POWER_MOST - POWER_LEAST + 1];

/* A whole number, lowest word first. */
struct big {
    uint32_t words[BIG_WORDS];
    int n; /* words in use; the highest is not 0 */
};

static uint32_t big_word(const struct big *b, int i)
{
    return i < 0 ? 0 : b->words[i];
}

static struct power big_top(const struct big *b)
{
    unsigned shift = (unsigned)__builtin_clz(b->words[b->n - 1]);
    uint64_t top[3]; /* 64 bits each, highest first; one more than the result, for the shift */
    bool rest = false;
    for (int i = 0; i < 3; i++)
        top[i] = (uint64_t)big_word(b, b->n - 1 - 2 * i) << 32 | big_word(b, b->n - 2 - 2 * i);
    struct power p = {top[0], top[1]};
    if (shift) {
        p.high = top[0] << shift | top[1] >> (64 - shift);
        p.low = top[1] << shift | top[2] >> (64 - shift);
    }
    rest = top[2] << shift != 0;
    for (int i = b->n - 7; i >= 0; i--) rest |= b->words[i] != 0;
    p.low += rest;
    p.high += rest && !p.low;
    return p;
}

static void big_times_ten(struct big *b)
{
    uint64_t carry = 0;
    for (int i = 0; i < b->n; i++) {
        carry += (uint64_t)b->words[i] * 10;
        b->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) b->words[b->n++] = (uint32_t)carry;
}

static void big_by_ten(struct big *b)
{
    uint64_t rest = 0;
    for (int i = b->n - 1; i >= 0; i--) {
        rest = rest << 32 | b->words[i];
        b->words[i] = (uint32_t)(rest / 10);
        rest %= 10;
    }
    if (!b->words[b->n - 1]) b->n--;
}

static void powers_make(void)
{
    struct big up = {.words = {1}, .n = 1}, down = {.n = BIG_WORDS};
    for (int k = 0; k <= POWER_MOST; k++, big_times_ten(&up)) powers[k - POWER_LEAST] = big_top(&up);
    /* Divides 2^n by 10 again and again. The remainders that are lost lie far below the highest 128 bits, but
     * they are never 0, so the lowest bit is set to round up. */
    down.words[BIG_WORDS - 1] = 1;
    for (int k = -1; k >= POWER_LEAST; k--) {
        big_by_ten(&down);
        down.words[0] |= 1;
        powers[k - POWER_LEAST] = big_top(&down);
        down.words[0] &= ~UINT32_C(1);
    }
}

/* --- Doubles --- */

/* For the exponents of doubles: floor(e x log10(2)),
 * floor(e x log10(2) + log10(3/4)), floor(e x log2(10)). */
static int log10_pow2(int e)
{
    return e * 1262611 >> 22;
}
static int log10_three_quarters_pow2(int e)
{
    return (e * 1262611 - 524031) >> 22;
}
static int log2_pow10(int e)
{
    return e * 1741647 >> 19;
}

/* The highest 64 bits of g x c; the lowest of them is also set if the bits below are not all 0. */
static uint64_t round_to_odd(struct power g, uint64_t c)
{
    __extension__ typedef unsigned __int128 wide;
    wide low = (wide)g.low * c, high = (wide)g.high * c + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

static struct digits without_zeros(uint64_t digits, int exponent)
{
    if (digits % 100000000 == 0) digits /= 100000000, exponent += 8;
    if (digits % 10000 == 0) digits /= 10000, exponent += 4;
    while (digits % 10 == 0) digits /= 10, exponent++;
    return (struct digits){digits, exponent};
}

/* The shortest decimal of c x 2^q. `closer`: the next double below is half as far away as the next above. */
static struct digits shortest_of(uint64_t c, int q, bool closer)
{
    bool odd = c & 1;
    int k = closer ? log10_three_quarters_pow2(q) : log10_pow2(q);
    int h = q + log2_pow10(-k) + 1;
    struct power g = powers[-k - POWER_LEAST];
    /* Four times the number, and four times the ends of the range that reads back as it, in units of 10^k. */
    uint64_t lower = round_to_odd(g, (4 * c - 2 + closer) << h) + odd;
    uint64_t middle = round_to_odd(g, 4 * c << h);
    uint64_t upper = round_to_odd(g, (4 * c + 2) << h) - odd;
    uint64_t s = middle / 4;
    if (s >= 10) { /* one digit less, if exactly one such number is in the range */
        uint64_t t = s / 10;
        bool below = lower <= 40 * t, above = 40 * t + 40 <= upper;
        if (below != above) return without_zeros(t + above, k + 1);
    }
    bool below = lower <= 4 * s, above = 4 * s + 4 <= upper;
    if (below == above) { /* both or none: the nearer one; if both are as near, the even one */
        uint64_t half = 4 * s + 2;
        above = middle > half || (middle == half && s & 1);
    }
    return without_zeros(s + above, k);
}

struct digits digits_shortest(double v)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    uint64_t bits;
    pthread_once(&once, powers_make);
    memcpy(&bits, &v, sizeof bits);
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int exponent = (int)(bits >> 52 & 2047);
    if (!exponent) return shortest_of(fraction, -1074, false);
    return shortest_of(fraction | UINT64_C(1) << 52, exponent - 1075, !fraction && exponent > 1);
}

static char *digits_scientific(char *at, struct digits d, unsigned n, int exponent)
{
    char *end = digits_u64(at + 1, d.digits);
    at[0] = at[1];
    at[1] = '.';
    if (n == 1) end = at + 1;
    *end++ = 'e';
    *end++ = exponent < 0 ? '-' : '+';
    unsigned size = (unsigned)(exponent < 0 ? -exponent : exponent);
    if (size < 10) *end++ = '0';
    return digits_u64(end, size);
}

/* printf's %.{n}g uses an exponent from 10^n on. The n to
 * compare with is the number of digits, but at least 15. */
static char *digits_positive(char *at, double v)
{
    struct digits d = digits_shortest(v);
    unsigned n = digits_count(d.digits);
    int exponent = d.exponent + (int)n - 1; /* of the first digit */
    if (exponent < -4 || exponent >= (n > 15 ? (int)n : 15)) return digits_scientific(at, d, n, exponent);
    if (exponent < 0) {
        memcpy(at, "0.0000", 6);
        return digits_u64(at + 1 - exponent, d.digits);
    }
    if (d.exponent >= 0) {
        char *end = digits_u64(at, d.digits);
        memset(end, '0', (size_t)d.exponent);
        return end + d.exponent;
    }
    char *end = digits_u64(at + 1, d.digits);
    memmove(at, at + 1, (size_t)exponent + 1);
    at[exponent + 1] = '.';
    return end;
}

char *digits_f64(char *at, double v)
{
    if (isnan(v)) return memcpy(at, "NaN", 3), at + 3;
    if (isinf(v)) return memcpy(at, v > 0 ? "+Inf" : "-Inf", 4), at + 4;
    if (signbit(v)) {
        *at++ = '-';
        v = -v;
    }
    if (v < 1e15 && v == (double)(uint64_t)v) return digits_u64(at, (uint64_t)v);
    return digits_positive(at, v);
}
