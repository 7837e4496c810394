/* SPDX-License-Identifier: Apache-2.0 */
#include "sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"

static const uint64_t LOW48 = (UINT64_C(1) << 48) - 1;
static const uint64_t FULL = UINT64_C(1) << 16; /* + tag: never 0, as an untouched word is */

/* An element: the top 48 bits of the hash, never 0. */
static uint64_t element_of(uint64_t hash)
{
    uint64_t top = hash >> 16;
    return top ? top : 1;
}
static uint32_t register_of(uint64_t element)
{
    return (uint32_t)(element >> 36);
}
static uint32_t rank_of(uint64_t element)
{
    uint64_t rest = element << 28; /* the 36 bits below the register's number, at the top */
    return rest ? (uint32_t)__builtin_clzll(rest) + 1 : METRICS__SKETCH_RANK_MAX;
}

static uint16_t tag_of(uint64_t word)
{
    return (uint16_t)(word >> 48);
}
static bool newer(uint16_t a, uint16_t b)
{
    return (int16_t)(a - b) > 0;
}

/* --- Adding --- */

/*
 * A word with a newer tag means that the bank has moved on to another epoch, and that the value has to be
 * added there. A word of 0 was never touched: its tag says nothing.
 */
static bool moved_on(uint16_t *tag, uint64_t word)
{
    if (!word || !newer(tag_of(word), *tag)) return false;
    *tag = tag_of(word);
    return true;
}

enum found { THERE, PLACE_FREE, ALL_TAKEN, MOVED_ON };

/* Look for the element; *place: where it is or may be put. ORD-5 */
static enum found find(const uint64_t *elements, uint64_t element, uint16_t *tag, uint32_t *place)
{
    for (uint32_t i = 0; i < METRICS__SKETCH_ELEMENTS; i++) {
        *place = ((uint32_t)(element >> 40) + i) % METRICS__SKETCH_ELEMENTS;
        uint64_t word = mem_load(&elements[*place]);
        if (word == ((uint64_t)*tag << 48 | element)) return THERE;
        if (moved_on(tag, word)) return MOVED_ON;
        if (tag_of(word) != *tag || !(word & LOW48)) return PLACE_FREE;
    }
    return ALL_TAKEN;
}

static enum found raise_register(uint64_t *word, uint32_t at, uint32_t rank, uint16_t *tag)
{
    uint64_t old = mem_load(word), fresh; /* ORD-5 */
    do {
        if (moved_on(tag, old)) return MOVED_ON;
        uint64_t bits = tag_of(old) == *tag ? old & LOW48 : 0;
        if (tag_of(old) == *tag && (bits >> at & 63) >= rank) return THERE;
        fresh = (uint64_t)*tag << 48 | (bits & ~(UINT64_C(63) << at)) | (uint64_t)rank << at;
    } while (!mem_cas_relaxed(word, &old, fresh)); /* ORD-5 */
    return THERE;
}

/* Keep the element, or note that there was no room for it. */
static enum found keep(metrics__sketch_t *s, uint32_t bank, uint64_t element, uint16_t *tag)
{
    uint32_t place;
    enum found found;
    while ((found = find(s->elements[bank], element, tag, &place)) == PLACE_FREE) {
        uint64_t *word = &s->elements[bank][place], old = mem_load(word); /* ORD-5 */
        bool taken = tag_of(old) == *tag && old & LOW48;
        if (taken || (old && newer(tag_of(old), *tag))) continue; /* meanwhile: look again */
        if (mem_cas_relaxed(word, &old, (uint64_t)*tag << 48 | element)) return THERE; /* ORD-5 */
    }
    uint64_t full = mem_load(&s->full[bank]);
    /* 0 is not a tag: newer() must not take it for one. */
    while (found == ALL_TAKEN && (!full || !newer((uint16_t)full, *tag))) {
        if (mem_cas_relaxed(&s->full[bank], &full, FULL + *tag)) break; /* ORD-5 */
    }
    return found;
}

/*
 * The register goes first: an element that is kept is then in its register too, so finding it means that
 * there is nothing left to do, whoever was killed where.
 */
static enum found add(metrics__sketch_t *s, uint32_t bank, uint64_t element, uint16_t *tag)
{
    uint32_t r = register_of(element), place;
    bool full = mem_load(&s->full[bank]) == FULL + *tag; /* ORD-5 */
    enum found found = full ? ALL_TAKEN : find(s->elements[bank], element, tag, &place);
    if (found == THERE || found == MOVED_ON) return found;
    found = raise_register(&s->registers[bank][r / 8], 6 * (r % 8), rank_of(element), tag);
    return full || found == MOVED_ON ? found : keep(s, bank, element, tag);
}

/* A bank moves on once in the life of an update; garbage may make tags turn in a circle: hence the limit. */
void metrics__sketch_add(metrics__sketch_t *s, uint64_t hash, uint64_t epoch)
{
    uint16_t tag = (uint16_t)epoch;
    for (int tries = 0; tries < 4; tries++) {
        if (add(s, epoch & 1, element_of(hash), &tag) != MOVED_ON) return;
    }
}

/* --- Reading --- */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void raise(uint8_t *at, uint32_t rank)
{
    if (*at < rank) *at = (uint8_t)rank;
}

void metrics__sketch_from_elements(const uint64_t *elements, size_t n, metrics__sketch_set_t *out)
{
    uint64_t sorted[METRICS__SKETCH_ELEMENTS];
    if (n > METRICS__SKETCH_ELEMENTS) n = METRICS__SKETCH_ELEMENTS;
    for (size_t i = 0; i < n; i++) sorted[i] = element_of(elements[i] << 16);
    qsort(sorted, n, sizeof *sorted, by_value);
    memset(out, 0, sizeof *out);
    out->exact = true;
    for (size_t i = 0; i < n; i++) {
        if (i && sorted[i] == sorted[i - 1]) continue;
        out->elements[out->count++] = sorted[i];
        raise(&out->registers[register_of(sorted[i])], rank_of(sorted[i]));
    }
}

static void read_registers(const uint64_t *words, uint16_t tag, uint8_t *out)
{
    for (uint32_t r = 0; r < METRICS__SKETCH_REGISTERS; r++) {
        uint64_t word = words[r / 8], rank = word >> 6 * (r % 8) & 63;
        if (tag_of(word) != tag) continue;
        out[r] = (uint8_t)(rank < METRICS__SKETCH_RANK_MAX ? rank : METRICS__SKETCH_RANK_MAX);
    }
}

void metrics__sketch_read(const metrics__sketch_t *copy, uint64_t epoch, metrics__sketch_set_t *out)
{
    uint32_t bank = epoch & 1, n = 0;
    uint16_t tag = (uint16_t)epoch;
    if (copy->full[bank] == FULL + tag) {
        memset(out, 0, sizeof *out);
        read_registers(copy->registers[bank], tag, out->registers);
        return;
    }
    uint64_t found[METRICS__SKETCH_ELEMENTS];
    for (uint32_t i = 0; i < METRICS__SKETCH_ELEMENTS; i++) {
        uint64_t word = copy->elements[bank][i];
        if (tag_of(word) == tag && word & LOW48) found[n++] = word & LOW48;
    }
    metrics__sketch_from_elements(found, n, out);
}

static void become_inexact(metrics__sketch_set_t *set)
{
    set->exact = false;
    set->count = 0;
    memset(set->elements, 0, sizeof set->elements);
}

/* Both lists together, if they fit into one. */
static bool merge_elements(metrics__sketch_set_t *into, const metrics__sketch_set_t *from)
{
    uint64_t both[METRICS__SKETCH_ELEMENTS];
    uint32_t n = 0, i = 0, j = 0;
    while (i < into->count || j < from->count) {
        if (n == METRICS__SKETCH_ELEMENTS) return false;
        uint64_t a = i < into->count ? into->elements[i] : UINT64_MAX;
        uint64_t b = j < from->count ? from->elements[j] : UINT64_MAX;
        both[n++] = a < b ? a : b;
        i += a <= b;
        j += b <= a;
    }
    memcpy(into->elements, both, n * sizeof *both);
    into->count = n;
    return true;
}

void metrics__sketch_merge(metrics__sketch_set_t *into, const metrics__sketch_set_t *from)
{
    for (uint32_t r = 0; r < METRICS__SKETCH_REGISTERS; r++) raise(&into->registers[r], from->registers[r]);
    if (!into->exact || !from->exact || !merge_elements(into, from)) become_inexact(into);
}

/* --- Estimating --- */

/* Ertl's sigma(x) = x + sum over k >= 1 of x^(2^k) 2^(k-1): the share of registers still at 0. */
static double sigma(double x)
{
    double y = 1, z = x, before;
    if (x == 1) return INFINITY;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

/* Ertl's tau(x) = (1 - x - sum over k >= 1 of (1 - x^(2^-k))^2 2^-k) / 3: the share not at the maximum. */
static double tau(double x)
{
    double y = 1, z = 1 - x, before;
    if (x == 0 || x == 1) return 0;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

double metrics__sketch_estimate(const metrics__sketch_set_t *set)
{
    const double m = METRICS__SKETCH_REGISTERS, alpha = 0.72134752044448170368; /* 1 / (2 ln 2) */
    uint32_t count[METRICS__SKETCH_RANK_MAX + 1] = {0};
    if (set->exact) return set->count;
    for (uint32_t r = 0; r < METRICS__SKETCH_REGISTERS; r++) {
        uint32_t rank = set->registers[r];
        count[rank < METRICS__SKETCH_RANK_MAX ? rank : METRICS__SKETCH_RANK_MAX]++;
    }
    double z = m * tau(1 - count[METRICS__SKETCH_RANK_MAX] / m);
    for (int k = METRICS__SKETCH_RANK_MAX - 1; k >= 1; k--) z = 0.5 * (z + count[k]);
    z += m * sigma(count[0] / m);
    return fmin(alpha * m * m / z, 0x1p48);
}

/* --- Sweeping --- */

/* A word that is older than the bank's last epoch gets its tag, and nothing else. ORD-5 */
static void sweep_words(uint64_t *words, uint32_t n, uint16_t tag)
{
    for (uint32_t i = 0; i < n; i++) {
        uint64_t old = mem_load(&words[i]);
        while (newer(tag, tag_of(old)) && !mem_cas_relaxed(&words[i], &old, (uint64_t)tag << 48)) {
        }
    }
}

void metrics__sketch_sweep(metrics__sketch_t *s, uint64_t epoch)
{
    for (uint32_t back = 0; back < 2; back++) {
        uint64_t of = epoch - back;
        uint32_t bank = of & 1;
        sweep_words(s->registers[bank], METRICS__SKETCH_WORDS, (uint16_t)of);
        sweep_words(s->elements[bank], METRICS__SKETCH_ELEMENTS, (uint16_t)of);
        uint64_t full = mem_load(&s->full[bank]);                                           /* ORD-5 */
        if (full && newer((uint16_t)of, (uint16_t)full)) mem_cas(&s->full[bank], &full, 0); /* ORD-5 */
    }
}
