/* SPDX-License-Identifier: Apache-2.0 */
/*
 * <mtx/rseq.h> - the restartable add that every inline update is made of. Not an interface: include
 * <mtx/metrics.h>.
 *
 * A cell exists once per CPU (a lane). A restartable sequence reads the CPU number, adds to that CPU's cell
 * with a plain instruction, and commits with its last instruction. When the kernel preempts, migrates or
 * signals the thread inside the sequence, it sends it to the abort label instead, so the add happens whole on
 * the CPU it was meant for or not at all: no lock prefix, and any number of processes share one lane. See
 * Linux rseq(2), the librseq documentation, and docs/format.md, "Lanes".
 *
 * Rules kept here:
 * - cpu_id (not cpu_id_start), compared unsigned inside the sequence, so "not registered" (-1, -2) and CPUs
 *   beyond the lanes both fall out of range;
 * - rseq_cs is cleared after the commit and on every way out, because a plug-in that inlined an update can be
 *   unloaded, and the kernel reads a stale rseq_cs at the next preemption;
 * - the sections carry the '?' flag: they follow their function's COMDAT group, or C++ templates do not link;
 * - asm goto without outputs: older compilers miscompile outputs.
 *
 * All functions below take cells that <mtx/metrics.h> handed out, allocate nothing and have no errors.
 * Safety: thread-safe; process-safe; async-signal-safe.
 */
#ifndef MTX_RSEQ_H
#define MTX_RSEQ_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * The first cache line of every handle whose cells live in lanes. Frozen: inline updates compiled into user
 * programs read it. All of it is written before the handle is handed out and never again.
 */
struct metrics__cells {
    char *base;       /* the series' first cell in lane 0 */
    char *atomic;     /* the same in the first atomic lane */
    intptr_t rseq;    /* the thread's struct rseq, from the thread pointer */
    uint64_t stride;  /* bytes from one lane to the next */
    uint32_t lanes;   /* restartable lanes; 0 = only the atomic ones */
    uint32_t stripes; /* atomic lanes - 1 (a mask) */
};

/* Add n without a restartable sequence: a locked add in an atomic lane. A library call. */
void metrics__add_atomic(const struct metrics__cells *c, uint64_t n);

#if defined(__x86_64__)

/* The section's descriptor stays in that register until the section overwrites it. */
#define METRICS__RSEQ_CS_IN(REGISTER)     \
    ".pushsection __rseq_cs, \"aw?\"\n\t" \
    ".balign 32\n\t"                      \
    "9: .long 0, 0\n\t"                   \
    ".quad 1f, 2f - 1f, 4f\n\t"           \
    ".popsection\n\t"                     \
    "leaq 9b(%%rip), %%" REGISTER "\n\t"  \
    "movq %%" REGISTER ", %%fs:8(%[rs])\n\t"
#define METRICS__RSEQ_CS METRICS__RSEQ_CS_IN("rax")
#define METRICS__RSEQ_LANE             \
    "1: movl %%fs:4(%[rs]), %%eax\n\t" \
    "cmpl %[lanes], %%eax\n\t"         \
    "jae %l[outside]\n\t"              \
    "imulq %[stride], %%rax\n\t"
#define METRICS__RSEQ_END                   \
    "2: movq $0, %%fs:8(%[rs])\n\t"         \
    ".pushsection __rseq_fail, \"ax?\"\n\t" \
    ".byte 0x0f, 0xb9, 0x3d\n\t"            \
    ".long 0x53053053\n\t"                  \
    "4: jmp %l[aborted]\n\t"                \
    ".popsection\n\t"

/* Tell the kernel that this thread is in no sequence. */
static inline void metrics__rseq_clear(intptr_t rs)
{
    __asm__ volatile("movq $0, %%fs:8(%0)" : : "r"(rs) : "memory");
}

/* 0 = added; 1 = aborted, try again; 2 = this thread has no lane. ORD-5 */
static inline __attribute__((always_inline)) int metrics__rseq_add(const struct metrics__cells *c, uint64_t n)
{
    __asm__ goto(
        METRICS__RSEQ_CS METRICS__RSEQ_LANE "addq %[n], (%[base], %%rax)\n\t" METRICS__RSEQ_END
        :
        : [rs] "r"(c->rseq), [lanes] "r"(c->lanes), [stride] "r"(c->stride), [base] "r"(c->base), [n] "re"(n)
        : "memory", "cc", "rax"
        : outside, aborted);
    return 0;
aborted:
    return 1;
outside:
    metrics__rseq_clear(c->rseq);
    return 2;
}

#elif defined(__aarch64__)

#define METRICS__RSEQ_CS                  \
    ".pushsection __rseq_cs, \"aw?\"\n\t" \
    ".balign 32\n\t"                      \
    "9: .long 0, 0\n\t"                   \
    ".quad 1f, 2f - 1f, 4f\n\t"           \
    ".popsection\n\t"                     \
    "adrp x16, 9b\n\t"                    \
    "add x16, x16, :lo12:9b\n\t"          \
    "str x16, [%[rs], #8]\n\t"
#define METRICS__RSEQ_LANE        \
    "1: ldr w16, [%[rs], #4]\n\t" \
    "cmp w16, %w[lanes]\n\t"      \
    "b.hs %l[outside]\n\t"        \
    "madd x16, x16, %[stride], %[base]\n\t"
#define METRICS__RSEQ_END                   \
    "2: str xzr, [%[rs], #8]\n\t"           \
    ".pushsection __rseq_fail, \"ax?\"\n\t" \
    ".inst 0xd428bc00\n\t"                  \
    "4: b %l[aborted]\n\t"                  \
    ".popsection\n\t"

/* The thread's struct rseq as an address: aarch64 has no segment register to add it for us. */
static inline char *metrics__rseq_self(intptr_t rs)
{
    char *tp;
    __asm__("mrs %0, tpidr_el0" : "=r"(tp));
    return tp + rs;
}

static inline void metrics__rseq_clear(intptr_t rs)
{
    __asm__ volatile("str xzr, [%0, #8]" : : "r"(metrics__rseq_self(rs)) : "memory");
}

static inline __attribute__((always_inline)) int metrics__rseq_add(const struct metrics__cells *c, uint64_t n)
{
    /* ORD-5 */
    __asm__ goto(METRICS__RSEQ_CS METRICS__RSEQ_LANE "ldr x17, [x16]\n\t"
                                                     "add x17, x17, %[n]\n\t"
                                                     "str x17, [x16]\n\t" METRICS__RSEQ_END
                 :
                 : [rs] "r"(metrics__rseq_self(c->rseq)), [lanes] "r"(c->lanes), [stride] "r"(c->stride),
                   [base] "r"(c->base), [n] "r"(n)
                 : "memory", "cc", "x16", "x17"
                 : outside, aborted);
    return 0;
aborted:
    return 1;
outside:
    metrics__rseq_clear(c->rseq);
    return 2;
}

#else
#error "mtx runs on x86-64 and aarch64"
#endif

/*
 * Add n to the series' first cell. After two aborted tries the add goes to an atomic lane, because under a
 * debugger that single-steps a restartable sequence never ends.
 */
static inline __attribute__((always_inline)) void metrics__add(const struct metrics__cells *c, uint64_t n)
{
    int tried = metrics__rseq_add(c, n);
    if (__builtin_expect(tried != 0, 0)) {
        if (tried == 1 && metrics__rseq_add(c, n) == 0) return;
        metrics__add_atomic(c, n);
    }
}

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
