/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rseq_ring.h - the restartable section that puts a record into the ring of the thread's CPU (ORD-19).
 *
 * Same rules as in <mtx/rseq.h>. The whole record is copied inside the section, behind the head, and the last
 * instruction stores the new head: a thread that is interrupted or killed before it leaves bytes that nobody
 * reads, and there is nothing to reserve and nothing to clean up. Where the record does not fit before the end of
 * the data, the same section writes a pad there and the record at the beginning, and both count at once.
 *
 * Head and tail may have been damaged on purpose, so the place goes through a mask, and is in the data, at a
 * multiple of the alignment. size is a power of two, length a multiple of the alignment and at most half of size; c is as
 * in struct rings (ring.h).
 */
#ifndef METRICS_SHM_RSEQ_RING_H
#define METRICS_SHM_RSEQ_RING_H

#include "rseq_ops.h"

enum { RSEQ_FULL = 4 }; /* beside those of rseq_ops.h: nothing was stored, for lack of room */

#if defined(__x86_64__)

/*
 * rax: the ring. rdx: head, of the record in the end. rcx: bytes in use with the record. rdi: where the record ends,
 * first in the data, then in memory.
 */
RSEQ_INLINE int rseq_put(const struct metrics__cells *c, uint64_t size, const void *record, uint64_t length)
{
    /* ORD-19 */
    __asm__ goto(METRICS__RSEQ_CS METRICS__RSEQ_LANE "addq %[base], %%rax\n\t"
                                                     "movq (%%rax), %%rdx\n\t"
                                                     "movq %%rdx, %%rcx\n\t"
                                                     "subq 64(%%rax), %%rcx\n\t"
                                                     "addq %[length], %%rcx\n\t"
                                                     "movq %[mask], %%rdi\n\t"
                                                     "andq %%rdx, %%rdi\n\t"
                                                     "addq %[length], %%rdi\n\t"
                                                     "cmpq %[size], %%rdi\n\t"
                                                     "jbe 5f\n\t"
                                                     "subq %[length], %%rdi\n\t"
                                                     "leaq 256(%%rax, %%rdi), %%r8\n\t"
                                                     "subq %[size], %%rdi\n\t"
                                                     "negq %%rdi\n\t"
                                                     "addq %%rdi, %%rdx\n\t"
                                                     "addq %%rdi, %%rcx\n\t"
                                                     "cmpq %[size], %%rcx\n\t"
                                                     "ja %l[full]\n\t"
                                                     "movq %%rdi, (%%r8)\n\t"
                                                     "movq %[length], %%rdi\n\t"
                                                     "5: cmpq %[size], %%rcx\n\t"
                                                     "ja %l[full]\n\t"
                                                     "leaq 256(%%rax, %%rdi), %%rdi\n\t"
                                                     "addq %[length], %%rdx\n\t"
                                                     "movq %[length], %%rcx\n\t"
                                                     "negq %%rcx\n\t"
                                                     "6: movups (%[end], %%rcx), %%xmm15\n\t"
                                                     "movups %%xmm15, (%%rdi, %%rcx)\n\t"
                                                     "addq $16, %%rcx\n\t"
                                                     "jnz 6b\n\t"
                                                     "movq %%rdx, (%%rax)\n\t" METRICS__RSEQ_END
                 :
                 : [rs] "r"(c->rseq), [lanes] "rm"(c->lanes), [stride] "rm"(c->stride), [base] "rm"(c->base),
                   [mask] "rm"(size - SEGMENT_EVENT_ALIGN), [size] "r"(size), [length] "r"(length),
                   [end] "r"((const char *)record + length)
                 : "memory", "cc", "rax", "rcx", "rdx", "rdi", "r8", "xmm15"
                 : outside, full, aborted);
    return RSEQ_DONE;
aborted:
    return RSEQ_ABORTED;
full:
    metrics__rseq_clear(c->rseq);
    return RSEQ_FULL;
outside:
    metrics__rseq_clear(c->rseq);
    return RSEQ_OUTSIDE;
}

#elif defined(__aarch64__)

/*
 * x16: the ring. x17: head, of the record in the end. x15: bytes in use with the record. x14: where the record begins,
 * first in the data, then in memory. The loads of head and tail are acquires, so that no byte is stored before them.
 */
RSEQ_INLINE int rseq_put(const struct metrics__cells *c, uint64_t size, const void *record, uint64_t length)
{
    /* ORD-19 */
    __asm__ goto(METRICS__RSEQ_CS METRICS__RSEQ_LANE "ldar x17, [x16]\n\t"
                                                     "add x15, x16, #64\n\t"
                                                     "ldar x15, [x15]\n\t"
                                                     "sub x15, x17, x15\n\t"
                                                     "add x15, x15, %[length]\n\t"
                                                     "and x14, x17, %[mask]\n\t"
                                                     "add x13, x14, %[length]\n\t"
                                                     "cmp x13, %[size]\n\t"
                                                     "b.ls 5f\n\t"
                                                     "sub x13, %[size], x14\n\t"
                                                     "add x15, x15, x13\n\t"
                                                     "cmp x15, %[size]\n\t"
                                                     "b.hi %l[full]\n\t"
                                                     "add x14, x16, x14\n\t"
                                                     "str x13, [x14, #256]\n\t"
                                                     "add x17, x17, x13\n\t"
                                                     "mov x14, xzr\n\t"
                                                     "5: cmp x15, %[size]\n\t"
                                                     "b.hi %l[full]\n\t"
                                                     "add x14, x16, x14\n\t"
                                                     "add x14, x14, #256\n\t"
                                                     "mov x13, xzr\n\t"
                                                     "6: ldr q31, [%[from], x13]\n\t"
                                                     "str q31, [x14, x13]\n\t"
                                                     "add x13, x13, #16\n\t"
                                                     "cmp x13, %[length]\n\t"
                                                     "b.lo 6b\n\t"
                                                     "add x17, x17, %[length]\n\t"
                                                     "stlr x17, [x16]\n\t" METRICS__RSEQ_END
                 :
                 : RSEQ_INPUTS(c, 0), [mask] "r"(size - SEGMENT_EVENT_ALIGN), [size] "r"(size),
                   [length] "r"(length), [from] "r"(record)
                 : "memory", "cc", "x13", "x14", "x15", "x16", "x17", "v31"
                 : outside, full, aborted);
    return RSEQ_DONE;
aborted:
    return RSEQ_ABORTED;
full:
    metrics__rseq_clear(c->rseq);
    return RSEQ_FULL;
outside:
    metrics__rseq_clear(c->rseq);
    return RSEQ_OUTSIDE;
}

#endif

#endif
