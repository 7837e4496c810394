/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rseq_ops.h - the other restartable sections: add to a double, to a {count, sum} pair, raise an extreme.
 *
 * Same rules as in <mtx/rseq.h>: each ends with the one instruction that commits it. `at` is the cell's place
 * in bytes behind the handle's first cell. Results: 0 = done, 1 = aborted, 2 = this thread has no lane. The
 * public functions below try twice and then take an atomic lane; they are async-signal-safe and lock-free.
 */
#ifndef METRICS_SHM_RSEQ_OPS_H
#define METRICS_SHM_RSEQ_OPS_H

#include <mtx/rseq.h>

#include "atomic.h"
#include "segment.h"

#define RSEQ_INLINE static inline __attribute__((always_inline))

/* A test stays here, inside the section, while the epoch moves. Free: r11, flags (x86-64); x15, flags
 * (aarch64). */
#ifndef RSEQ_PAUSE
#define RSEQ_PAUSE ""
#endif

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
    return 0;
aborted:
    return 1;
outside:
    metrics__rseq_clear(c->rseq);
    return 2;
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
    return 0;
aborted:
    return 1;
outside:
    metrics__rseq_clear(c->rseq);
    return 2;
}

/* {u64 += 1, f64 += x} with one 16-byte store: a kill leaves both or neither. Readers need each half untorn
 * only. */
RSEQ_INLINE int rseq_add_pair(const struct metrics__cells *c, uint64_t at, double x)
{
    /* ORD-5 */
    __asm__ goto(METRICS__RSEQ_CS METRICS__RSEQ_LANE "movq (%[base], %%rax), %%rcx\n\t"
                                                     "movsd 8(%[base], %%rax), %%xmm14\n\t"
                                                     "addq $1, %%rcx\n\t"
                                                     "addsd %[x], %%xmm14\n\t"
                                                     "movq %%rcx, %%xmm15\n\t"
                                                     "punpcklqdq %%xmm14, %%xmm15\n\t"
                                                     "movaps %%xmm15, (%[base], %%rax)\n\t" METRICS__RSEQ_END
                 :
                 : [rs] "r"(c->rseq), [lanes] "r"(c->lanes), [stride] "r"(c->stride),
                   [base] "r"(c->base + at), [x] "x"(x)
                 : "memory", "cc", "rax", "rcx", "xmm14", "xmm15"
                 : outside, aborted);
    return 0;
aborted:
    return 1;
outside:
    metrics__rseq_clear(c->rseq);
    return 2;
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
    return 0;
aborted:
    return 1;
outside:
    metrics__rseq_clear(c->rseq);
    return 2;
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
    return 0;
aborted:
    return 1;
outside:
    metrics__rseq_clear(c->rseq);
    return 2;
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
    return 0;
aborted:
    return 1;
outside:
    metrics__rseq_clear(c->rseq);
    return 2;
}

/*
 * Here one store of 16 bytes may be split by an exception, so the pair takes two sections: sum first, then
 * count (ORD-6). A kill between them leaves a sum without its count.
 */
RSEQ_INLINE int rseq_add_pair_count(const struct metrics__cells *c, uint64_t at)
{
    return rseq_add(c, at, 1);
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
    return 0;
aborted:
    return 1;
outside:
    metrics__rseq_clear(c->rseq);
    return 2;
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

static inline void lane_add_pair_atomic(mem_pair_t *p, double x)
{
    mem_pair_t old, new;
    do {
        old.lo = mem_load(&p->lo); /* ORD-5 */
        old.hi = mem_load(&p->hi); /* ORD-5 */
        new.lo = old.lo + 1;
        new.hi = mem_f64_to_bits(mem_bits_to_f64(old.hi) + x);
    } while (!mem_pair_cas(p, old, new)); /* ORD-5 */
}

/* {u64 += 1, f64 += x}; the place is 16-byte aligned. Comes after everything that the count includes (ORD-6).
 */
RSEQ_INLINE void lane_add_pair(const struct metrics__cells *c, uint64_t at, double x)
{
    mem_fence_release(); /* ORD-6 */
#if defined(__x86_64__)
    if (!RSEQ_TWICE(rseq_add_pair(c, at, x))) lane_add_pair_atomic((mem_pair_t *)lane_atomic_cell(c, at), x);
#else
    if (RSEQ_TWICE(rseq_add_f64(c, at + 8, x))) {
        if (!RSEQ_TWICE(rseq_add_pair_count(c, at))) mem_add((uint64_t *)lane_atomic_cell(c, at), 1);
    } else {
        lane_add_pair_atomic((mem_pair_t *)lane_atomic_cell(c, at), x);
    }
#endif
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

#endif
