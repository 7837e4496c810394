/* SPDX-License-Identifier: Apache-2.0 */
/* A ring's section stays in its ring, whatever head and tail are; records follow each other, with pads. */
#include "unit.h"

#include "rseq_ring.h"

enum { SIZE = 4096, GUARD = 4096 };

static struct {
    unsigned char before[GUARD];
    struct segment_ring ring;
    unsigned char data[SIZE];
    unsigned char after[GUARD];
} m __attribute__((aligned(64)));

/* A struct rseq that always says CPU 0: the section is then plain code, on every machine. This test has one thread. */
static __thread struct {
    uint32_t cpu_start, cpu;
    uint64_t rseq_cs;
} always __attribute__((aligned(32)));

static intptr_t always_offset(void)
{
#if defined(__x86_64__)
    char *thread;
    __asm__("movq %%fs:0, %0" : "=r"(thread));
#else
    char *thread = __builtin_thread_pointer();
#endif
    return (char *)&always - thread;
}

static struct metrics__cells cells(void)
{
    return (struct metrics__cells){.base = (char *)&m.ring, .rseq = always_offset(), .stride = 0, .lanes = 1};
}

static int put(unsigned char fill, uint64_t length)
{
    _Alignas(16) unsigned char record[SIZE];
    struct metrics__cells c = cells();
    memset(record, fill, sizeof record);
    memcpy(record, &(struct segment_event){.length = (uint32_t)length, .kind = 1},
           sizeof(struct segment_event));
    int done = rseq_put(&c, SIZE, record, length);
    CHECK(!always.rseq_cs); /* the section leaves nothing behind */
    return done;
}

static struct segment_event at(uint64_t position)
{
    struct segment_event e;
    memcpy(&e, m.data + position % SIZE, sizeof e);
    return e;
}

UNIT(ring, records_and_pads)
{
    memset(&m, 0, sizeof m);
    CHECK_EQ_I64(put('a', 2032), RSEQ_DONE);
    CHECK_EQ_I64(put('b', 2016), RSEQ_DONE);
    CHECK_EQ_U64(m.ring.head, 4048);
    CHECK_EQ_I64(put('c', 64), RSEQ_FULL); /* a pad of 48, and 64 */
    CHECK_EQ_U64(m.ring.head, 4048);
    m.ring.tail = 2032;
    CHECK_EQ_I64(put('c', 64), RSEQ_DONE);
    CHECK_EQ_U64(m.ring.head, SIZE + 64);
    CHECK_EQ_U64(at(4048).length, 48);
    CHECK_EQ_U64(at(4048).kind, 0);
    CHECK_EQ_U64(at(SIZE).length, 64);
    CHECK_EQ_U64(m.data[16], 'c');
    CHECK_EQ_U64(m.data[63], 'c');
    CHECK_EQ_U64(m.data[64], 'a');
    CHECK_EQ_I64(put('d', 2032 - 64), RSEQ_DONE); /* to the last byte */
    CHECK_EQ_I64(put('e', 16), RSEQ_FULL);
}

UNIT(ring, stays_inside_whatever_head_and_tail_are)
{
    uint64_t state = 1;
    for (int i = 0; i < 20000; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
        memset(&m, 0x55, sizeof m);
        m.ring.head = state >> 60 < 8 ? state : state >> 50;
        m.ring.tail = state & 1 ? m.ring.head - (state >> 40) % (2 * SIZE) : state * 7;
        uint64_t length = 16 + state / 7 % (SIZE / 2 / 16) * 16;
        put((unsigned char)i, length);
        for (size_t k = 0; k < GUARD; k++)
            if (m.before[k] != 0x55 || m.after[k] != 0x55) UNIT_FAIL("%s:%d: outside the ring\n", UNIT_AT);
        for (size_t k = 0; k < sizeof m.ring.dropped; k++)
            if (((unsigned char *)m.ring.dropped)[k] != 0x55)
                UNIT_FAIL("%s:%d: in the ring's head\n", UNIT_AT);
    }
}
