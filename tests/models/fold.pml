/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fold.pml - the two banks of the moving averages, and the number that publishes one of them.
 *
 * A writer counts events of two meters. A leader folds: for each meter it writes bank (n + 1) & 1, from bank
 * n & 1 and the meter's count, then it stores n + 1. It may be killed anywhere; then the next one begins.
 * In place of rates a bank has the sum of all differences ever folded, so that a fold that is lost or
 * repeated shows: the sum must equal the count. Readers copy the number, a bank, and the number again.
 *
 * Promises: neither a death nor a succession loses or repeats a fold; a reader never uses the halves of two
 * folds; it tries again only when the leader got on.
 *
 * bug 1: the number is stored before the bank (store without release)
 * bug 2: the fold is added in place
 * bug 3: the reader does not look at the number again
 * bug 4: the reader is content when the number moved by one only
 * bug 5: the second look at the number comes before the copy (no acquire between them)
 * bug 6: the next fold's bank is written before this fold's number is seen (no fence at a fold's beginning)
 * short: FOLDS=3 EVENTS=2 LEADERS=2
 * progress: FOLDS=2 EVENTS=1 LEADERS=2
 * long: FOLDS=5 EVENTS=2 LEADERS=3
 */
#include "common.pml"

#define METERS 2

#define SIDE(N, M) (((N) & 1) * METERS + (M))

byte fold_number;
byte bank_count[2 * METERS], bank_sum[2 * METERS];
byte total[METERS]; /* events counted */
byte leading;       /* which leader may lead: the lock that its predecessor's death gave up */

active proctype writer()
{
    byte n;
    do
    :: n < EVENTS * METERS -> atomic { total[n % METERS]++; n++ }
    :: else -> break
    od
}

/* @ registry/programs/leader.c fold ORD-9 */
proctype leader(byte me)
{
    byte n, m, count, sum;
#if BUG == 6
    bool unseen;
#endif
    leading == me;
    do
    :: n < FOLDS ->
        /* @ registry/programs/leader.c fold ORD-9 "mem_load(&l->head->fold)" */
        atomic {
            MAY_DIE;
#if BUG == 6
            if
            :: unseen && n == FOLDS -> fold_number = n
            :: else
            fi;
            if
            :: !unseen -> n = fold_number
            :: else
            fi
#else
            n = fold_number
#endif
        };
        if
        :: n == FOLDS -> break
        :: else
        fi;
#if BUG == 1
        atomic { MAY_DIE; fold_number = n + 1 };
#endif
        do
        :: m < METERS ->
            /* @ registry/programs/leader.c fold ORD-9 "mem_fence_release()" */
            /* @ registry/programs/leader.c fold "metrics__take(&l->r, METRICS__TAKE_TOTALS" */
            atomic { MAY_DIE; count = total[m] };
#if BUG == 2
            atomic { MAY_DIE; bank_sum[SIDE(n + 1, m)] = bank_sum[SIDE(n + 1, m)] + count - bank_count[SIDE(n + 1, m)] };
            atomic { MAY_DIE; bank_count[SIDE(n + 1, m)] = count };
#else
            /* @ registry/programs/leader.c fold ORD-9 "metrics__rate_fold(&step, &prev" */
            atomic { MAY_DIE; sum = bank_sum[SIDE(n, m)] + count - bank_count[SIDE(n, m)] };
            if /* the compiler may store the members in any order */
            :: atomic { MAY_DIE; bank_sum[SIDE(n + 1, m)] = sum };
               atomic { MAY_DIE; bank_count[SIDE(n + 1, m)] = count }
            :: atomic { MAY_DIE; bank_count[SIDE(n + 1, m)] = count };
               atomic { MAY_DIE; bank_sum[SIDE(n + 1, m)] = sum }
            fi;
#if BUG == 6
            atomic {
                if
                :: unseen -> fold_number = n; unseen = false
                :: else
                fi
            };
#endif
#endif
            m++
        :: else -> break
        od;
        /* @ registry/programs/leader.c fold ORD-9 "mem_publish(&l->head->fold" */
        atomic { MAY_DIE; m = 0; count = 0; sum = 0; n++;
#if BUG == 6
                 unseen = true
#elif BUG != 1
                 fold_number = n
#endif
               }
    :: else -> break
    od;
died:
    atomic {
#if BUG == 6
        if /* what was stored is seen in the end, whoever died */
        :: unseen -> fold_number = n; unseen = false
        :: else
        fi;
#endif
        n = 0; m = 0;
        count = 0;
        sum = 0;
        leading++
    }
}

/* @ registry/read/snapshot.c load_rates ORD-9 "fold == r->head.fold" */
active proctype reader()
{
    byte n, again, count, sum, m;
    if
    :: m = 0
    :: m = METERS - 1
    fi;
    n = fold_number;
    do
    :: /* @ registry/read/snapshot.c load_rate "fold & 1" */
#if BUG == 5
        again = fold_number;
#endif
        if
        :: count = bank_count[SIDE(n, m)]; sum = bank_sum[SIDE(n, m)]
        :: sum = bank_sum[SIDE(n, m)]; count = bank_count[SIDE(n, m)]
        fi;
#if BUG != 5
        again = fold_number;
#endif
#if BUG == 3
        again = n;
#elif BUG == 4
        if
        :: again == n + 1 -> again = n
        :: else
        fi;
#endif
        if
        :: again == n -> break
        :: else -> assert(again > n); n = again
        fi
    od;
    assert(count == sum)
}

init
{
    byte l;
    atomic {
        do
        :: l < LEADERS -> run leader(l); l++
        :: else -> break
        od
    };
    leading == LEADERS;
    for (l : 0 .. METERS - 1) {
        assert(bank_count[SIDE(fold_number, l)] == bank_sum[SIDE(fold_number, l)])
    }
}
