/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mutate.c - mutations of programs of edits (edit.h): whole edits come, go, are repeated or changed in one
 * field; now and then the fuzzer's own mutations do what these do not.
 */
#include <stdlib.h>
#include <string.h>

#include "edit.h"
#include "fuzz.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_n, const uint8_t *b, size_t b_n, uint8_t *out,
                                 size_t max, unsigned seed);

static uint64_t next_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void random_edit(uint8_t *at, uint64_t *state)
{
    uint64_t r = next_random(state), v = next_random(state), style = r >> 56;
    memcpy(at, &r, 6);
    if (style < 96) v &= 0xff;
    if (style >= 96 && style < 128) v &= 0xffff;
    if (style >= 128 && style < 144) v &= 0xffffff;
    if (r >> 48 & 1) at[3] = 0;                          /* extra */
    if (r >> 48 & 2) at[5] = 0;                          /* the first of an array */
    if ((at[0] & 15) == 15 && (r >> 48 & 4)) at[0] ^= 1; /* fewer phases */
    memcpy(at + 6, &v, 8);
}

/* Where the edits begin, and how many whole ones there are. */
static size_t edits_of(const uint8_t *data, size_t n, size_t *count)
{
    size_t script = n > 2 ? data[2] : 0, at = EDIT_SCRIPT_AT + script;
    if (at > n) at = n;
    *count = (n - at) / EDIT_BYTES;
    return at;
}

static size_t insert_edit(uint8_t *data, size_t n, size_t max, uint64_t *state)
{
    size_t count, at = edits_of(data, n, &count);
    if (n + EDIT_BYTES > max || count >= EDIT_MAX) return n;
    uint8_t *place = data + at + next_random(state) % (count + 1) * EDIT_BYTES;
    memmove(place + EDIT_BYTES, place, (size_t)(data + n - place));
    if (count && next_random(state) % 4 == 0)
        memcpy(place, data + at + next_random(state) % count * EDIT_BYTES, EDIT_BYTES);
    else
        random_edit(place, state);
    return n + EDIT_BYTES;
}

static size_t remove_edit(uint8_t *data, size_t n, uint64_t *state)
{
    size_t count, at = edits_of(data, n, &count);
    if (!count) return n;
    uint8_t *place = data + at + next_random(state) % count * EDIT_BYTES;
    memmove(place, place + EDIT_BYTES, (size_t)(data + n - place) - EDIT_BYTES);
    return n - EDIT_BYTES;
}

static void change_edit(uint8_t *data, size_t n, uint64_t *state)
{
    uint8_t fresh[EDIT_BYTES];
    size_t count, at = edits_of(data, n, &count);
    if (!count) return;
    uint8_t *place = data + at + next_random(state) % count * EDIT_BYTES;
    random_edit(fresh, state);
    static const uint8_t from[] = {0, 1, 2, 3, 4, 5, 6}, size[] = {1, 1, 1, 1, 1, 1, 8};
    unsigned i = next_random(state) % sizeof from;
    memcpy(place + from[i], fresh + from[i], size[i]);
}

static size_t change_script(uint8_t *data, size_t n, size_t max, uint64_t *state)
{
    size_t count, at = edits_of(data, n, &count), length = at - EDIT_SCRIPT_AT;
    uint64_t r = next_random(state);
    if (length && r % 3 == 0) {
        data[EDIT_SCRIPT_AT + (r >> 8) % length] = (uint8_t)(r >> 32);
    } else if (length < 64 && n < max) {
        uint8_t *place = data + EDIT_SCRIPT_AT + (r >> 8) % (length + 1);
        memmove(place + 1, place, (size_t)(data + n - place));
        *place = (uint8_t)(r >> 32);
        data[2] = (uint8_t)(length + 1);
        return n + 1;
    }
    return n;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed)
{
    uint64_t state = seed, r = next_random(&state);
    if (max < EDIT_SCRIPT_AT + EDIT_BYTES) return n;
    for (unsigned rounds = 1 + (r >> 16) % 4; rounds; rounds--) {
        if (n < EDIT_SCRIPT_AT) {
            memset(data + n, 0, EDIT_SCRIPT_AT - n);
            data[0] = (uint8_t)(r >> 8);
            n = EDIT_SCRIPT_AT;
        }
        unsigned what = next_random(&state) % 16;
        if (what < 5)
            n = insert_edit(data, n, max, &state);
        else if (what < 7)
            n = remove_edit(data, n, &state);
        else if (what < 12)
            change_edit(data, n, &state);
        else if (what < 14)
            n = change_script(data, n, max, &state);
        else if (what == 14)
            data[next_random(&state) % 2] = (uint8_t)next_random(&state);
        else if (LLVMFuzzerMutate)
            n = LLVMFuzzerMutate(data, n, max);
    }
    return n;
}

/* The one's start and the other's end. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_n, const uint8_t *b, size_t b_n, uint8_t *out,
                                 size_t max, unsigned seed)
{
    uint64_t state = seed;
    size_t a_count, b_count, a_at = edits_of(a, a_n, &a_count), b_at = edits_of(b, b_n, &b_count);
    size_t keep = a_at + next_random(&state) % (a_count + 1) * EDIT_BYTES;
    size_t from = b_at + next_random(&state) % (b_count + 1) * EDIT_BYTES, more = b_n - from;
    if (keep > max) keep = max;
    if (more > max - keep) more = max - keep;
    memcpy(out, a, keep);
    memcpy(out + keep, b + from, more);
    return keep + more;
}
