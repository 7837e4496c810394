/* SPDX-License-Identifier: Apache-2.0 */
/*
 * atomic.h - every access to memory that another process may touch goes through here.
 *
 * The operations are named by what they promise, so that a reader of the code sees the ordering and need
 * not look for a flag at the end of a call. Each use in shm/ and registry/ cites the tag (ORD-n) of the
 * argument in layout.h that says why the order is enough. Cells are plain uint64_t in the file format; the
 * compiler's __atomic built-ins give them their atomicity, and the thread sanitizer understands them.
 * Memory that only the threads of one process share goes through here as well.
 *
 * One exception: the inline code of <mtx/metrics.h> and <mtx/rseq.h> uses the built-ins itself. User programs
 * compile it, and they do not have this header. tests/style/check.sh refuses the built-ins anywhere else.
 *
 * All operations are lock-free, async-signal-safe, and leave errno alone.
 */
#ifndef METRICS_SHM_ATOMIC_H
#define METRICS_SHM_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

#if !defined(__LP64__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "mtx needs a 64-bit little-endian target: the segment format is defined in those terms"
#endif
_Static_assert(__atomic_always_lock_free(8, 0), "64-bit atomics must be lock-free across processes");

/* Relaxed: untorn, no order. For cells whose reader needs no other memory to be visible with them. */
static inline uint64_t mem_load(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}
static inline void mem_store(uint64_t *p, uint64_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELAXED);
}
static inline uint32_t mem_load32(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}
static inline void mem_store32(uint32_t *p, uint32_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELAXED);
}
static inline uint64_t mem_add(uint64_t *p, uint64_t n)
{
    return __atomic_fetch_add(p, n, __ATOMIC_RELAXED);
}

/* Publication pair: what was written before a publish is seen by whoever's acquire reads it. */
static inline uint64_t mem_load_acquire(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}
static inline void mem_publish(uint64_t *p, uint64_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}
static inline uint64_t mem_add_release(uint64_t *p, uint64_t n)
{
    return __atomic_fetch_add(p, n, __ATOMIC_RELEASE);
}
static inline uint32_t mem_load32_acquire(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}
static inline void mem_publish32(uint32_t *p, uint32_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}
static inline bool mem_load_flag(const bool *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}
static inline bool mem_load_flag_acquire(const bool *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}
static inline void mem_publish_flag(bool *p, bool v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/* Pointers of any type; P is the address of one. They are kept in private memory, never in the segment. */
#define mem_load_pointer(P)         __atomic_load_n((P), __ATOMIC_RELAXED)
#define mem_store_pointer(P, V)     __atomic_store_n((P), (V), __ATOMIC_RELAXED)
#define mem_load_pointer_acquire(P) __atomic_load_n((P), __ATOMIC_ACQUIRE)
#define mem_publish_pointer(P, V)   __atomic_store_n((P), (V), __ATOMIC_RELEASE)
/* Put V there and return what was there: release and acquire. */
#define mem_swap_pointer(P, V) __atomic_exchange_n((P), (V), __ATOMIC_ACQ_REL)

/* Reference counts. Who drops the last reference sees all that the others did before they dropped theirs. */
static inline void mem_add_reference(unsigned *count)
{
    __atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
}
static inline bool mem_drop_reference(unsigned *count) /* true: that was the last */
{
    return __atomic_fetch_sub(count, 1, __ATOMIC_ACQ_REL) == 1;
}

/* Compare and swap. On failure *expected holds what was found. Release on success, acquire always. */
static inline bool mem_cas(uint64_t *p, uint64_t *expected, uint64_t desired)
{
    return __atomic_compare_exchange_n(p, expected, desired, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
static inline bool mem_cas32(uint32_t *p, uint32_t *expected, uint32_t desired)
{
    return __atomic_compare_exchange_n(p, expected, desired, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
/* The same without any order, for retry loops on a single word. */
static inline bool mem_cas_relaxed(uint64_t *p, uint64_t *expected, uint64_t desired)
{
    return __atomic_compare_exchange_n(p, expected, desired, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* Raise *p to v if v is larger. */
static inline void mem_max(uint64_t *p, uint64_t v)
{
    uint64_t old = mem_load(p);
    while (old < v && !mem_cas_relaxed(p, &old, v)) {
    }
}

/* Add to a double kept as its bit pattern in a 64-bit cell. */
static inline double mem_bits_to_f64(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}
static inline uint64_t mem_f64_to_bits(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}
static inline void mem_add_f64(uint64_t *p, double x)
{
    uint64_t old = mem_load(p);
    while (!mem_cas_relaxed(p, &old, mem_f64_to_bits(mem_bits_to_f64(old) + x))) {
    }
}

/*
 * Fences, for what is written or copied by other means than the operations here (restartable sections,
 * pread). The thread sanitizer does not model them; nor does it see those other means, so it needs only the
 * compiler's.
 */
#ifdef __SANITIZE_THREAD__
#define MEM_FENCE(ORDER) __atomic_signal_fence(ORDER)
#else
#define MEM_FENCE(ORDER) __atomic_thread_fence(ORDER)
#endif
static inline void mem_fence_acquire(void)
{
    MEM_FENCE(__ATOMIC_ACQUIRE);
}
static inline void mem_fence_release(void)
{
    MEM_FENCE(__ATOMIC_RELEASE);
}
/* All that is before it is seen before all that is after it, stores before loads included. */
static inline void mem_fence(void)
{
    MEM_FENCE(__ATOMIC_SEQ_CST);
}

/* A 16-byte unit, replaced whole or not at all. Must be 16-byte aligned. */
typedef struct {
    uint64_t lo, hi;
} mem_pair_t;

/*
 * Read a pair that is replaced by mem_pair_cas: word, value, word. The pair is whole when lo did not change
 * around the read of hi, because no two pairs in one slot share a lo (the callers put a time and a random
 * number, or a ticket, there). Returns false if it changed; the caller reads again or skips.
 */
static inline bool mem_pair_load(const mem_pair_t *p, mem_pair_t *out)
{
    out->lo = mem_load_acquire(&p->lo);
    out->hi = mem_load_acquire(&p->hi);
    return mem_load(&p->lo) == out->lo;
}

/* The thread sanitizer does not understand assembly: tell it that the swap orders like any other. */
#ifdef __SANITIZE_THREAD__
#define mem_tell_before(p) __tsan_release(p)
#define mem_tell_after(p)  __tsan_acquire(p)
#else
#define mem_tell_before(p) ((void)(p))
#define mem_tell_after(p)  ((void)(p))
#endif

/* Full compare-and-swap of 16 bytes; full barrier. Never through libatomic, which may take a lock. */
static inline bool mem_pair_cas(mem_pair_t *p, mem_pair_t expected, mem_pair_t desired)
{
    mem_tell_before(p);
#if defined(__x86_64__)
    bool ok;
    __asm__ volatile("lock cmpxchg16b %1"
                     : "=@ccz"(ok), "+m"(*p), "+a"(expected.lo), "+d"(expected.hi)
                     : "b"(desired.lo), "c"(desired.hi)
                     : "memory");
    mem_tell_after(p);
    return ok;
#elif defined(__aarch64__)
    uint64_t lo, hi;
    uint32_t fail;
    __asm__ volatile("1: ldaxp %0, %1, [%3]\n"
                     "   cmp   %0, %4\n"
                     "   ccmp  %1, %5, #0, eq\n"
                     "   b.ne  2f\n"
                     "   stlxp %w2, %6, %7, [%3]\n"
                     "   cbnz  %w2, 1b\n"
                     "   b     3f\n"
                     "2: clrex\n"
                     "   mov   %w2, #1\n"
                     "3:"
                     : "=&r"(lo), "=&r"(hi), "=&r"(fail)
                     : "r"(p), "r"(expected.lo), "r"(expected.hi), "r"(desired.lo), "r"(desired.hi)
                     : "memory", "cc");
    return !fail;
#else
#error "mtx runs on x86-64 and aarch64"
#endif
}

#endif
