/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rseq_ops.h - the other restartable sections: add to a double, count and add, raise an extreme.
 *
 * Same rules as in <mtx/rseq.h>: each ends with the one instruction that commits it. `at` is the cell's place
 * in bytes behind the handle's first cell. The public functions below try twice and then take an atomic lane;
 * they are async-signal-safe and lock-free.
 *
 * TWO STORES IN A SECTION. A distribution's update changes two places. On x86-64 one section does both,
 * although that gives it a store before its last one: the abort handler can tell whether that store was made.
 * It is an `addq`, and an instruction that adds to memory also sets the flags, which are part of the state
 * that the kernel keeps for the abort handler: ZF is set before it, by the `xorl` that also zeroes rdx, and
 * clear after it, unless it stored a zero. rdx, which held the descriptor's address, says whether the `xorl`
 * was reached. So the handler sees whether the first store was made, and if it was, only the second is made
 * again, in whatever lane the thread is in by then (ORD-5). A double is added to in this way by adding the
 * difference of its bits; if that comes to zero, the cell was zero before, and doing it again changes
 * nothing. A kill between the two stores leaves the first.
 */
#ifndef METRICS_SHM_RSEQ_OPS_H
#define METRICS_SHM_RSEQ_OPS_H

#include <mtx/rseq.h>

#include "atomic.h"
#include "segment.h"

#define RSEQ_INLINE static inline __attribute__((always_inline))

/*
 * tests/multi/test_epoch.c stays here, inside the section, while the epoch moves. Free there: r11 and the
 * flags (x86-64), x15 and the flags (aarch64).
 */
#ifndef RSEQ_PAUSE
#define RSEQ_PAUSE ""
#endif

/* What the sections return. */
enum {
    RSEQ_DONE = 0,
    RSEQ_ABORTED = 1, /* nothing was stored */
    RSEQ_OUTSIDE = 2, /* nothing was stored: this thread has no lane */
    RSEQ_HALF = 3,    /* the first of two stores was made */
};

#if defined(__x86_64__)

RSEQ_INLINE int rseq_add(const struct metrics__cells *c, uint64_t at, uint64_t n)
{
    /* ORD-5 */
    __asm__ goto(METRICS__RSEQ_CS METRICS__RSEQ_LANE "addq %[n], (%[base], %%rax)\n\t" METRICS__RSEQ_END
                 :
                 : [rs] "r"(c->rseq), [lanes] "r"(c->lanes), [stride] "r"(c->stride),
                   [base] "r"(c->base + at), [n] "re"(n)
                 : "memory", "cc", "rax"
                 : outside, aborted);
    return RSEQ_DONE;
aborted:
    return RSEQ_ABORTED;
outside:
    metrics__rseq_clear(c->rseq);
    return RSEQ_OUTSIDE;
}

RSEQ_INLINE int rseq_add_f64(const struct metrics__cells *c, uint64_t at, double x)
{
    /* ORD-5 */
    __asm__ goto(METRICS__RSEQ_CS METRICS__RSEQ_LANE "movsd (%[base], %%rax), %%xmm15\n\t"
                                                     "addsd %[x], %%xmm15\n\t"
                                                     "movsd %%xmm15, (%[base], %%rax)\n\t" METRICS__RSEQ_END
                 :
                 : [rs] "r"(c->rseq), [lanes] "r"(c->lanes), [stride] "r"(c->stride),
                   [base] "r"(c->base + at), [x] "x"(x)
                 : "memory", "cc", "rax", "xmm15"
                 : outside, aborted);
    return RSEQ_DONE;
aborted:
    return RSEQ_ABORTED;
outside:
    metrics__rseq_clear(c->rseq);
    return RSEQ_OUTSIDE;
}

/*
 * Raise the bank of the open epoch to {epoch, word}. The epoch is read inside the section: once the leader
 * has stored a new one, no section that saw the old one can still commit after its next preemption (ORD-10).
 * Words compare modulo 2^64, so the 16-bit epoch may wrap.
 */
RSEQ_INLINE int rseq_raise(const struct metrics__cells *c, uint64_t at, const uint64_t *epoch, uint64_t word)
{
    /* ORD-10 */
    __asm__ goto(METRICS__RSEQ_CS METRICS__RSEQ_LANE "addq %[base], %%rax\n\t"
                                                     "movq (%[epoch]), %%rcx\n\t"
                                                     "movq %%rcx, %%rdx\n\t"
                                                     "andl $1, %%edx\n\t"
                                                     "shlq $48, %%rcx\n\t"
                                                     "orq %[word], %%rcx\n\t"
                                                     "movq %%rcx, %%r11\n\t"
                                                     "subq (%%rax, %%rdx, 8), %%r11\n\t"
                                                     "jle 2f\n\t" RSEQ_PAUSE
                                                     "movq %%rcx, (%%rax, %%rdx, 8)\n\t" METRICS__RSEQ_END
                 :
                 : [rs] "r"(c->rseq), [lanes] "r"(c->lanes), [stride] "r"(c->stride),
                   [base] "r"(c->base + at), [epoch] "r"(epoch), [word] "r"(word)
                 : "memory", "cc", "rax", "rcx", "rdx", "r11"
                 : outside, aborted);
    return RSEQ_DONE;
aborted:
    return RSEQ_ABORTED;
outside:
    metrics__rseq_clear(c->rseq);
    return RSEQ_OUTSIDE;
}

#elif defined(__aarch64__)

#define RSEQ_INPUTS(C, AT)                                                                       \
    [rs] "r"(metrics__rseq_self((C)->rseq)), [lanes] "r"((C)->lanes), [stride] "r"((C)->stride), \
        [base] "r"((C)->base + (AT))

RSEQ_INLINE int rseq_add(const struct metrics__cells *c, uint64_t at, uint64_t n)
{
    /* ORD-5 */
    __asm__ goto(METRICS__RSEQ_CS METRICS__RSEQ_LANE "ldr x17, [x16]\n\t"
                                                     "add x17, x17, %[n]\n\t"
                                                     "str x17, [x16]\n\t" METRICS__RSEQ_END
                 :
                 : RSEQ_INPUTS(c, at), [n] "r"(n)
                 : "memory", "cc", "x16", "x17"
                 : outside, aborted);
    return RSEQ_DONE;
aborted:
    return RSEQ_ABORTED;
outside:
    metrics__rseq_clear(c->rseq);
    return RSEQ_OUTSIDE;
}

RSEQ_INLINE int rseq_add_f64(const struct metrics__cells *c, uint64_t at, double x)
{
    /* ORD-5 */
    __asm__ goto(METRICS__RSEQ_CS METRICS__RSEQ_LANE "ldr d31, [x16]\n\t"
                                                     "fadd d31, d31, %d[x]\n\t"
                                                     "str d31, [x16]\n\t" METRICS__RSEQ_END
                 :
                 : RSEQ_INPUTS(c, at), [x] "w"(x)
                 : "memory", "cc", "x16", "v31"
                 : outside, aborted);
    return RSEQ_DONE;
aborted:
    return RSEQ_ABORTED;
outside:
    metrics__rseq_clear(c->rseq);
    return RSEQ_OUTSIDE;
}

RSEQ_INLINE int rseq_raise(const struct metrics__cells *c, uint64_t at, const uint64_t *epoch, uint64_t word)
{
    /* ORD-10 */
    __asm__ goto(METRICS__RSEQ_CS METRICS__RSEQ_LANE "ldr x17, [%[epoch]]\n\t"
                                                     "and x15, x17, #1\n\t"
                                                     "add x16, x16, x15, lsl #3\n\t"
                                                     "lsl x17, x17, #48\n\t"
                                                     "orr x17, x17, %[word]\n\t"
                                                     "ldr x15, [x16]\n\t"
                                                     "sub x15, x17, x15\n\t"
                                                     "cmp x15, #0\n\t"
                                                     "b.le 2f\n\t" RSEQ_PAUSE
                                                     "str x17, [x16]\n\t" METRICS__RSEQ_END
                 :
                 : RSEQ_INPUTS(c, at), [epoch] "r"(epoch), [word] "r"(word)
                 : "memory", "cc", "x15", "x16", "x17"
                 : outside, aborted);
    return RSEQ_DONE;
aborted:
    return RSEQ_ABORTED;
outside:
    metrics__rseq_clear(c->rseq);
    return RSEQ_OUTSIDE;
}

#endif

/* Try twice, then the atomic lane. */
#define RSEQ_TWICE(CALL) (__builtin_expect((CALL) == 0, 1) || (CALL) == 0)

static inline char *lane_atomic_cell(const struct metrics__cells *c, uint64_t at)
{
    return c->atomic + lane_stripe(c) * c->stride + at;
}

/* Add n to the cell. */
RSEQ_INLINE void lane_add(const struct metrics__cells *c, uint64_t at, uint64_t n)
{
    if (!RSEQ_TWICE(rseq_add(c, at, n))) mem_add((uint64_t *)lane_atomic_cell(c, at), n); /* ORD-5 */
}

/* Add x to the cell, a double. */
RSEQ_INLINE void lane_add_f64(const struct metrics__cells *c, uint64_t at, double x)
{
    if (!RSEQ_TWICE(rseq_add_f64(c, at, x))) mem_add_f64((uint64_t *)lane_atomic_cell(c, at), x); /* ORD-5 */
}

/*
 * Raise the open epoch's bank of the two cells at `at` to word (48 bits). Nothing restarts an update of an
 * atomic lane, so it looks at the epoch again: a writer that was stopped while intervals went by stores anew
 * (ORD-10).
 */
RSEQ_INLINE void lane_raise(const struct metrics__cells *c, uint64_t at, const uint64_t *epoch, uint64_t word)
{
    if (RSEQ_TWICE(rseq_raise(c, at, epoch, word))) return;
    uint64_t e = mem_load_acquire(epoch), before; /* ORD-10 */
    do {
        uint64_t *bank = (uint64_t *)lane_atomic_cell(c, at) + (e & 1), mine = e << 48 | word,
                 old = mem_load(bank);                                            /* ORD-10 */
        while ((int64_t)(mine - old) > 0 && !mem_cas_relaxed(bank, &old, mine)) { /* ORD-10 */
        }
        mem_fence(); /* ORD-10: the leader sees our word, or we its new epoch */
        before = e;
        e = mem_load_acquire(epoch); /* ORD-10 */
    } while (e != before);
}

/* --- Two places at once --- */

#if defined(__x86_64__)

/* The CPU that this thread was on a moment ago. */
RSEQ_INLINE uint32_t rseq_cpu(const struct metrics__cells *c)
{
    uint32_t cpu;
    __asm__ volatile("movl %%fs:4(%1), %0" : "=r"(cpu) : "r"(c->rseq));
    return cpu;
}

#define RSEQ_END_HALVES                     \
    "2: movq $0, %%fs:8(%[rs])\n\t"         \
    ".pushsection __rseq_fail, \"ax?\"\n\t" \
    ".byte 0x0f, 0xb9, 0x3d\n\t"            \
    ".long 0x53053053\n\t"                  \
    "4: jz %l[aborted]\n\t"                 \
    "testq %%rdx, %%rdx\n\t"                \
    "jnz %l[aborted]\n\t"                   \
    "jmp %l[half]\n\t"                      \
    ".popsection\n\t"
/* u64 += 1, then f64 += x. */
RSEQ_INLINE int rseq_bucket(const struct metrics__cells *c, uint64_t bucket, uint64_t sum, double x)
{
    /* ORD-5 */
    __asm__ goto(METRICS__RSEQ_CS_IN("rdx") METRICS__RSEQ_LANE
                 "addq %[base], %%rax\n\t"
                 "xorl %%edx, %%edx\n\t"
                 "addq $1, (%%rax, %[bucket])\n\t"
                 "movsd (%%rax, %[sum]), %%xmm15\n\t"
                 "addsd %[x], %%xmm15\n\t"
                 "movsd %%xmm15, (%%rax, %[sum])\n\t" RSEQ_END_HALVES
                 :
                 : [rs] "r"(c->rseq), [lanes] "rm"(c->lanes), [stride] "rm"(c->stride), [base] "rm"(c->base),
                   [bucket] "r"(bucket), [sum] "r"(sum), [x] "x"(x)
                 : "memory", "cc", "rax", "rdx", "xmm15"
                 : outside, aborted, half);
    return RSEQ_DONE;
aborted:
    return RSEQ_ABORTED;
half:
    return RSEQ_HALF;
outside:
    metrics__rseq_clear(c->rseq);
    return RSEQ_OUTSIDE;
}

/*
 * f64 += x^2, then {f64 += x, u64 += 1} with one store of 16 bytes, aligned: neither a preemption nor a kill
 * comes between its halves. Readers need each half untorn only.
 */
RSEQ_INLINE int rseq_moments(const struct metrics__cells *c, uint32_t cpu, char *lane, uint64_t squares,
                             uint64_t pair, double x)
{
    static const mem_pair_t one __attribute__((aligned(16))) = {0, 1};
    /* ORD-5 */
    __asm__ goto(METRICS__RSEQ_CS_IN("rdx") "1: cmpl %%fs:4(%[rs]), %[cpu]\n\t"
                                            "jne %l[moved]\n\t"
                                            "movq %[squares], %%rcx\n\t"
                                            "movq %%rcx, %%xmm15\n\t"
                                            "addsd %[xx], %%xmm15\n\t"
                                            "movq %%xmm15, %%rax\n\t"
                                            "subq %%rcx, %%rax\n\t"
                                            "xorl %%edx, %%edx\n\t"
                                            "addq %%rax, %[squares]\n\t"
                                            "movdqa %[pair], %%xmm15\n\t"
                                            "paddq %[one], %%xmm15\n\t"
                                            "addsd %[x], %%xmm15\n\t"
                                            "movaps %%xmm15, %[pair]\n\t" RSEQ_END_HALVES
                 :
                 : [rs] "r"(c->rseq), [cpu] "r"(cpu), [squares] "m"(*(uint64_t *)(lane + squares)),
                   [pair] "m"(*(mem_pair_t *)(lane + pair)), [one] "m"(one), [x] "x"(x), [xx] "x"(x * x)
                 : "memory", "cc", "rax", "rcx", "rdx", "xmm15"
                 : moved, aborted, half);
    return RSEQ_DONE;
moved: /* to another CPU, since its caller looked */
    metrics__rseq_clear(c->rseq);
aborted:
    return RSEQ_ABORTED;
half:
    return RSEQ_HALF;
}

/* The pair alone. */
RSEQ_INLINE int rseq_pair(const struct metrics__cells *c, uint64_t at, double x)
{
    static const mem_pair_t one __attribute__((aligned(16))) = {0, 1};
    /* ORD-5 */
    __asm__ goto(METRICS__RSEQ_CS METRICS__RSEQ_LANE "movdqa (%[base], %%rax), %%xmm15\n\t"
                                                     "paddq %[one], %%xmm15\n\t"
                                                     "addsd %[x], %%xmm15\n\t"
                                                     "movaps %%xmm15, (%[base], %%rax)\n\t" METRICS__RSEQ_END
                 :
                 : [rs] "r"(c->rseq), [lanes] "r"(c->lanes), [stride] "r"(c->stride),
                   [base] "r"(c->base + at), [one] "m"(one), [x] "x"(x)
                 : "memory", "cc", "rax", "xmm15"
                 : outside, aborted);
    return RSEQ_DONE;
aborted:
    return RSEQ_ABORTED;
outside:
    metrics__rseq_clear(c->rseq);
    return RSEQ_OUTSIDE;
}

#elif defined(__aarch64__)

/* The CPU that this thread was on a moment ago. */
RSEQ_INLINE uint32_t rseq_cpu(const struct metrics__cells *c)
{
    uint32_t cpu;
    __asm__ volatile("ldr %w0, [%1, #4]" : "=r"(cpu) : "r"(metrics__rseq_self(c->rseq)));
    return cpu;
}

/*
 * Here nothing tells the abort handler that a store was made, and a store of 16 bytes may be split by an
 * exception: so each cell has a section of its own.
 */
RSEQ_INLINE int rseq_bucket(const struct metrics__cells *c, uint64_t bucket, uint64_t sum, double x)
{
    int done = rseq_add(c, bucket, 1);
    if (__builtin_expect(done != RSEQ_DONE, 0)) return done;
    return rseq_add_f64(c, sum, x) == RSEQ_DONE ? RSEQ_DONE : RSEQ_HALF;
}

/* Count after sum (ORD-6); a kill between them leaves a sum without its count. */
RSEQ_INLINE int rseq_moments(const struct metrics__cells *c, uint32_t cpu, char *lane, uint64_t squares,
                             uint64_t pair, double x)
{
    (void)cpu, (void)lane;
    int done = rseq_add_f64(c, squares, x * x);
    if (__builtin_expect(done != RSEQ_DONE, 0)) return done;
    if (__builtin_expect(rseq_add_f64(c, pair, x) != RSEQ_DONE, 0)) return RSEQ_HALF;
    lane_add(c, pair + 8, 1);
    return RSEQ_DONE;
}

/* For a thread that has no lane, or had no luck: the sum at once in an atomic one. */
RSEQ_INLINE int rseq_pair(const struct metrics__cells *c, uint64_t at, double x)
{
    int done = rseq_add_f64(c, at, x);
    if (done == RSEQ_DONE) lane_add(c, at + 8, 1);
    return done;
}

#endif

/*
 * The lane of the CPU that this thread is on; false if it has none. The thread may be elsewhere at any
 * moment: the functions below notice. Reading any lane is always right.
 */
RSEQ_INLINE bool lane_here(const struct metrics__cells *c, uint32_t *cpu, char **lane)
{
    *cpu = rseq_cpu(c);
    *lane = c->base + *cpu * c->stride;
    return __builtin_expect(*cpu < c->lanes, 1);
}

/* What the sections below left: with two more tries for each part, and else in an atomic lane. */
static __attribute__((cold, noinline, unused)) void
lane_bucket_rest(const struct metrics__cells *c, uint64_t bucket, uint64_t sum, double x, int done)
{
    if (done != RSEQ_HALF) lane_add(c, bucket, 1);
    lane_add_f64(c, sum, x);
}

static __attribute__((cold, noinline, unused)) void
lane_moments_rest(const struct metrics__cells *c, uint64_t squares, uint64_t pair, double x, int done)
{
    mem_fence_release(); /* ORD-6 */
    if (done != RSEQ_HALF) lane_add_f64(c, squares, x * x);
    if (RSEQ_TWICE(rseq_pair(c, pair, x))) return;
    mem_pair_t *p = (mem_pair_t *)lane_atomic_cell(c, pair), old, new;
    do {
        old.lo = mem_load(&p->lo); /* ORD-5 */
        old.hi = mem_load(&p->hi); /* ORD-5 */
        new.lo = mem_f64_to_bits(mem_bits_to_f64(old.lo) + x);
        new.hi = old.hi + 1;
    } while (!mem_pair_cas(p, old, new)); /* ORD-5 */
}

/* One more in the u64 at `bucket`, x more in the f64 at `sum`. */
RSEQ_INLINE void lane_bucket(const struct metrics__cells *c, uint64_t bucket, uint64_t sum, double x)
{
    int done = rseq_bucket(c, bucket, sum, x);
    if (__builtin_expect(done != RSEQ_DONE, 0)) lane_bucket_rest(c, bucket, sum, x, done); /* ORD-5 */
}

/*
 * x^2 more in the f64 at `squares`; in the pair of f64 and u64, 16-byte aligned, x more and one more; in the
 * lane that lane_here() gave. Comes after everything that the count includes.
 */
RSEQ_INLINE void lane_moments(const struct metrics__cells *c, uint32_t cpu, char *lane, uint64_t squares,
                              uint64_t pair, double x)
{
    mem_fence_release(); /* ORD-6 */
    int done = rseq_moments(c, cpu, lane, squares, pair, x);
    if (__builtin_expect(done != RSEQ_DONE, 0)) lane_moments_rest(c, squares, pair, x, done); /* ORD-5 */
}

#endif
