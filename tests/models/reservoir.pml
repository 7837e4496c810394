/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reservoir.pml - the slots of a reservoir, their floors, and the bound that refuses events early.
 *
 * A slot's halves are {key, value}; an event's value is its key, so that halves of two events show. The
 * slots hold keys 2, 3 ... at first, which no floor knows. Each writer offers its events; key = tick + noise, that is, a
 * decay of 1 a tick. Any writer may be killed anywhere. A reader looks at one slot meanwhile: by
 * two copies that must agree (pread), or by word, value, word.
 *
 * Promises: an event is refused, by bound, floor or slots, only if no kept key is lower; what is replaced is
 * the lowest; floors and floor never exceed what they stand for; readers never see halves of two events;
 * a round of insert() that does not end the insertion has raised a floor or lost to a writer that got on.
 *
 * bug 1: the reader takes one copy, and does not look again
 * bug 2: a pair is replaced by two 8-byte operations
 * bug 3: the lowest slot of the group is replaced although another group may have a lower one
 * bug 4: the group's floor is taken for that of all
 * bug 5: the CAS does not insist on the key that was found lowest
 * bug 6: a bound that holds for two ticks is computed for the first of them
 * bug 7: value is read before the first reading of the word (load without acquire)
 * bug 8 (progress): a slot is claimed, written and let go: a writer that is killed in between stops the others
 * short: WRITERS=2 OFFERS=1 GROUPS=2 SIZE=1
 * progress: WRITERS=2 OFFERS=1 GROUPS=1 SIZE=1
 * long: WRITERS=2 OFFERS=1 GROUPS=1 SIZE=2
 * long: WRITERS=2 OFFERS=2 GROUPS=2 SIZE=1
 * long: WRITERS=2 OFFERS=1 GROUPS=2 SIZE=2
 */
#include "common.pml"

#define SLOTS   (GROUPS * SIZE)
#define HIGHEST 255
#define STEP    2 /* ticks for which a bound holds */

byte lo[SLOTS], hi[SLOTS];
byte floors[GROUPS];
byte bottom;   /* reservoir.floor */
byte bound;    /* until << 4 | noise up to which events are refused */
#if BUG == 8
bool busy[SLOTS];
#endif
byte progress; /* truth: floors raised and slots replaced */

#define TICK_OF(W, N)  (2 + (W) + (N)) /* keys 7, 4, then 11, 8 */
#define NOISE_OF(W, N) ((W) == 0 -> 5 + 3 * (N) : 1 + 3 * (N))

inline check_refused()
{
    d_step {
        i = 0;
        do
        :: i < SLOTS -> assert(key <= lo[i]); i++
        :: else -> i = 0; break
        od
    }
}

inline check_floors()
{
    d_step {
        i = 0;
        do
        :: i < SLOTS ->
            assert(floors[i / SIZE] <= lo[i]);
            assert(bottom <= lo[i]);
            i++
        :: else -> i = 0; break
        od
    }
}

/* registry/stats/reservoir.c refresh_bound: in two steps, old floor and new bound */
inline refresh_bound(at)
{
    /* @ registry/stats/reservoir.c refresh_bound ORD-8 "mem_load(&r->floor)" */
    atomic {
        MAY_DIE;
        until = at | (STEP - 1);
#if BUG == 6
        word = until << 4 | (bottom > at -> bottom - at : 0)
#else
        word = until << 4 | (bottom > until -> bottom - until : 0)
#endif
    };
    /* @ registry/stats/reservoir.c refresh_bound ORD-8 "mem_max(&r->bound" */
    RAISE(bound, word, old, ok);
    atomic { word = 0; old = 0; ok = false; until = 0 }
}

/* registry/stats/reservoir.c insert */
inline insert()
{
    do
    :: stage == 1 -> break
    :: else ->
        atomic { before = progress; gi = 0; gk = HIGHEST; gn = HIGHEST; i = 0 };
        do /* @ registry/stats/reservoir.c lowest_floor ORD-8 "mem_load(&floors[i])" */
        :: atomic { i < GROUPS ->
               MAY_DIE;
               if
               :: floors[i] < gk -> gn = gk; gk = floors[i]; gi = i
               :: else -> if :: floors[i] < gn -> gn = floors[i] :: else fi
               fi;
               i++
           }
        :: else -> break
        od;
        atomic { i = gi * SIZE; si = i; sk = HIGHEST; sn = HIGHEST };
        do /* @ registry/stats/reservoir.c lowest_slot ORD-8 "mem_load(&slots[i].pair.lo)" */
        :: atomic { i < (gi + 1) * SIZE ->
               MAY_DIE;
               if
               :: lo[i] < sk -> sn = sk; sk = lo[i]; si = i
               :: else -> if :: lo[i] < sn -> sn = lo[i] :: else fi
               fi;
               i++
           }
        :: else -> break
        od;
        /* @ registry/stats/reservoir.c insert ORD-8 "mem_max(&floors[group.index], slot.key)" */
        atomic { MAY_DIE; old = floors[gi] };
        do
        :: atomic { old < sk ->
               MAY_DIE;
               CAS(floors[gi], old, sk, ok);
               if :: ok -> old = sk; progress++ :: else fi
           }
        :: else -> break
        od;
        check_floors();
        if
#if BUG != 3
        :: sk > gn -> assert(progress != before) /* round again */
#endif
        :: atomic { (BUG == 3 || sk <= gn) && key <= sk -> /* @ registry/stats/reservoir.c insert "return slot.key" */
               result = sk;
               stage = 1
           }
        :: else ->
            /* @ registry/stats/reservoir.c insert ORD-8 "mem_pair_cas(place, old, pair)" */
            atomic { MAY_DIE; old = lo[si]; oh = hi[si] };
            if
#if BUG != 5
            :: old != sk -> assert(progress != before)
#endif
            :: else ->
#if BUG == 8
                do
                :: atomic { !busy[si] -> busy[si] = true; break }
                :: else
                od;
#endif
                atomic {
                    MAY_DIE;
                    ok = (lo[si] == old && hi[si] == oh);
                    if
                    :: ok ->
                        i = 0;
                        do
                        :: i < SLOTS -> assert(old <= lo[i]); i++
                        :: else -> break
                        od;
                        lo[si] = key;
#if BUG != 2
                        hi[si] = key;
#endif
                        progress++
                    :: else -> assert(progress != before)
                    fi
                };
                if
                :: ok ->
#if BUG == 2
                    atomic { MAY_DIE; hi[si] = key };
#elif BUG == 8
                    atomic { MAY_DIE; busy[si] = false };
#endif
                    atomic { word = (key < sn -> key : sn); stage = 1 };
                    /* @ registry/stats/reservoir.c insert ORD-8 "mem_max(&floors[group.index], floor)" */
                    atomic { MAY_DIE; old = floors[gi] };
                    do
                    :: atomic { old < word ->
                           MAY_DIE;
                           CAS(floors[gi], old, word, ok);
                           if :: ok -> old = word; progress++ :: else fi
                       }
                    :: else -> break
                    od;
                    check_floors();
#if BUG == 4
                    result = word
#else
                    result = (word < gn -> word : gn)
#endif
                :: else
                fi
            fi
        fi
    od;
    atomic { gi = 0; gk = 0; gn = 0; si = 0; sk = 0; sn = 0; i = 0; old = 0; oh = 0; ok = false; stage = 0;
             before = 0; word = 0 }
}

/* registry/stats/reservoir.c metrics__reservoir_offer */
inline offer(t)
{
    atomic { key = t + noise; stage = 0 };
    /* @ registry/stats/reservoir.h metrics__reservoir_wants ORD-8 "mem_load(&r->bound)" */
    atomic { MAY_DIE; word = bound };
    if
    :: t <= word >> 4 && noise <= (word & 15) -> stage = 1
    :: t > word >> 4 ->
        refresh_bound(t);
        atomic { MAY_DIE; word = bound };
        if
        :: t <= word >> 4 && noise <= (word & 15) -> stage = 1
        :: else
        fi
    :: else
    fi;
    if
    :: stage == 0 ->
        /* @ registry/stats/reservoir.c metrics__reservoir_offer ORD-8 "mem_load(&r->floor)" */
        atomic { MAY_DIE; if :: key <= bottom -> stage = 1 :: else fi }
    :: else
    fi;
    if
    :: stage == 1 -> check_refused()
    :: else ->
        insert();
        /* @ registry/stats/reservoir.c metrics__reservoir_offer ORD-8 "mem_max(&r->floor" */
        RAISE(bottom, result, old, ok);
        check_floors();
        refresh_bound(t)
    fi;
    atomic { key = 0; stage = 0; word = 0; old = 0; ok = false; result = 0 }
}

proctype writer(byte me)
{
    byte n, key, noise, word, old, oh, i, gi, gk, gn, si, sk, sn, result, before, stage, until;
    bool ok;
    do
    :: n < OFFERS ->
        noise = NOISE_OF(me, n);
        offer(TICK_OF(me, n));
        n++
    :: else -> break
    od;
died:
    atomic {
        n = 0; key = 0; noise = 0; word = 0; old = 0; oh = 0; i = 0; gi = 0; gk = 0; gn = 0; si = 0; sk = 0;
        sn = 0; result = 0; before = 0; stage = 0; until = 0; ok = false
    }
}

#define HALVES(A, B)                 \
    if                               \
    :: A = lo[s]; B = hi[s]          \
    :: B = hi[s]; A = lo[s]          \
    fi

active proctype reader()
{
    byte s, a, b, c, d;
    if
    :: s = 0
    :: s = SLOTS - 1
    fi;
    if
    :: /* @ registry/stats/reservoir.c metrics__reservoir_confirm "a[i].pair.lo == b[i].pair.lo" */
        HALVES(a, b);
#if BUG == 1
        atomic { c = a; d = b };
#else
        HALVES(c, d);
#endif
        assert(a != c || b != d || a == b)
    :: /* @ shm/atomic.h mem_pair_load "mem_load_acquire(&p->hi)" */
#if BUG == 7
        b = hi[s];
        a = lo[s];
#else
        a = lo[s];
        b = hi[s];
#endif
        assert(lo[s] != a || a == b)
    fi;
    atomic { s = 0; a = 0; b = 0; c = 0; d = 0 }
}

init
{
    byte w = 0;
    atomic {
        do
        :: w < SLOTS -> lo[w] = 2 + w; hi[w] = 2 + w; w++
        :: else -> break
        od;
        w = 0;
        do
        :: w < WRITERS -> run writer(w); w++
        :: else -> break
        od
    }
}
