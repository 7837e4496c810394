/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoch.pml - the two banks of an interval's extreme, and the leader that moves the epoch.
 *
 * CPU writers (2 at most) share a CPU and raise its lane in restartable sections; a step of one preempts the
 * other, which restarts, and after two aborts uses the atomic lane, as ATOMIC more writers do. Each raises the maximum to a value of its own
 * and then adds to the count. Leaders close INTERVALS epochs, one after the other; any of them but the last,
 * and any writer, may be killed anywhere. A word is epoch << 2 | value.
 *
 * Time: a section that is not preempted ends within an interval (it has some twelve instructions), so the
 * leader's clock is modelled as waiting for older ones at the end of each interval.
 *
 * Promises: what a count includes has been reported as an extreme, in that interval or before, or belongs to
 * the interval that was open when it was counted - but for a value that arrived after its interval was closed,
 * if the leader died just then; an interval reports only values of its own or late ones of the one before it;
 * nobody waits.
 *
 * bug 1: the bank is used again without a second look at it
 * bug 2: a preempted section goes on where it was
 * bug 3: the count is seen before the extreme (no release fence)
 * bug 4: the reader copies the extremes before the counts
 * bug 5: the second look skips a series that had no extreme at the first
 * bug 6 (CPU=1 INTERVALS=3 ATOMIC=1 LEADERS=1): a writer in the atomic lane does not look at the epoch again
 * bug 7 (CPU=1 INTERVALS=3 ATOMIC=1 LEADERS=2): a new leader closes the open epoch although the last one was not logged
 * bug 8: sections that last longer than an interval (the assumption is needed)
 * bug 9: a late value is forgotten at the next interval
 * bug 10 (CPU=2 INTERVALS=3 ATOMIC=0 LEADERS=1): a writer is content with a word of a later epoch
 * short: CPU=2 INTERVALS=2 ATOMIC=0 LEADERS=1
 * short: CPU=1 INTERVALS=3 ATOMIC=1 LEADERS=2
 * progress: CPU=1 INTERVALS=3 ATOMIC=1 LEADERS=1
 * long: CPU=2 INTERVALS=3 ATOMIC=0 LEADERS=1
 * long: CPU=2 INTERVALS=3 ATOMIC=0 LEADERS=2
 */
#include "common.pml"

#define WRITERS (CPU + ATOMIC)
#define LANES   2
#define NOW     (INTERVALS + 2)

byte epoch = 1;
byte logged;
byte bank[2 * LANES];
bool counted[WRITERS];
bool restart[WRITERS];    /* the kernel will send it to its abort handler */
byte section[WRITERS];    /* truth: the epoch that its section has read; 0 = outside */
bool was_late[WRITERS];   /* truth: its epoch was closed when its value was stored */
byte report[NOW];         /* of each interval: the maximum, 0 = none */
byte stored[NOW];         /* truth: a bit for each writer that stored with this tag */
byte tag_of[WRITERS];     /* truth: the last tag it stored with; 0 = none yet */
bool leader_died;
byte leading;

#define VALUE(W)   (1 + (W))
#if CPU == 2
#define PREEMPT(W) restart[1 - (W)] = (section[1 - (W)] != 0)
#else
#define PREEMPT(W) skip
#endif
#define LEADER_MAY_DIE                \
    if                                \
    :: true                           \
    :: me + 1 < LEADERS -> goto died  \
    fi

#define STORED(W)                \
    was_late[W] = (epoch != e);  \
    tag_of[W] = e;               \
    stored[e] = stored[e] | (1 << (W))

proctype writer(byte me)
{
    byte e, old, tries;
    bool ok;
#if BUG == 3
    counted[me] = true;
#endif
    if
    :: me < CPU ->
        /* @ registry/kinds/distribution.c within_extremes ORD-10 "mem_load(&d->head->epoch)" */
        atomic { MAY_DIE; e = epoch };
        /* @ registry/kinds/distribution.c reaches ORD-10 "< UINT64_C(1) << 48" */
        atomic {
            MAY_DIE;
            old = bank[e & 1];
#if BUG == 10
            ok = (old >= (e << 2 | VALUE(me)));
#else
            ok = (old >> 2 == e && old >= (e << 2 | VALUE(me)));
#endif
            if
            :: ok -> STORED(me)
            :: else
            fi
        }
    :: else
    fi;
    /* @ shm/rseq_ops.h rseq_raise ORD-10 */
    do
    :: me < CPU && tries < 2 && !ok ->
        atomic { MAY_DIE; PREEMPT(me); restart[me] = false; e = epoch; section[me] = e };
        atomic { MAY_DIE; PREEMPT(me); old = bank[e & 1] };
        atomic {
            MAY_DIE;
            PREEMPT(me);
            if
#if BUG != 2
            :: restart[me] -> tries++
#endif
            :: else ->
                if
                :: old < (e << 2 | VALUE(me)) -> bank[e & 1] = e << 2 | VALUE(me)
                :: else
                fi;
                STORED(me);
                ok = true
            fi;
            section[me] = 0;
            restart[me] = false
        }
    :: else -> break
    od;
    /* @ shm/rseq_ops.h lane_raise ORD-10 "mem_load_acquire(epoch)" */
    do
    :: !ok ->
        atomic { MAY_DIE; e = epoch };
        atomic { MAY_DIE; old = bank[2 + (e & 1)] };
        do
        :: atomic { old < (e << 2 | VALUE(me)) ->
               MAY_DIE;
               CAS(bank[2 + (e & 1)], old, e << 2 | VALUE(me), ok);
               if
               :: ok -> old = 255; STORED(me)
               :: else
               fi
           }
        :: atomic { else -> STORED(me); break }
        od;
#if BUG == 6
        ok = true
#else
        /* @ shm/rseq_ops.h lane_raise ORD-10 "mem_fence()" */
        atomic { MAY_DIE; ok = (epoch == e) }
#endif
    :: else -> break
    od;
    /* @ shm/rseq_ops.h lane_moments ORD-6 "mem_fence_release()" */
    atomic { MAY_DIE; counted[me] = true };
died:
    atomic { section[me] = 0; restart[me] = false; e = 0; old = 0; tries = 0; ok = false }
}

/* The highest word of the bank that has the epoch's tag: one step for each lane. */
inline read_bank(tag) /* @ registry/kinds/distribution_load.c highest ORD-6 */
{
    atomic {
        LEADER_MAY_DIE;
        w = 0;
        if
        :: bank[(tag) & 1] >> 2 == (tag) -> w = bank[(tag) & 1]
        :: else
        fi
    };
    atomic {
        LEADER_MAY_DIE;
        if
        :: bank[2 + ((tag) & 1)] >> 2 == (tag) && bank[2 + ((tag) & 1)] > w -> w = bank[2 + ((tag) & 1)]
        :: else
        fi
    }
}

/* Is the writer's value in a report so far? */
#define REPORTED(W)                                                               \
    (report[1] >= VALUE(W) || report[2] >= VALUE(W) || report[3] >= VALUE(W) || \
     report[INTERVALS] >= VALUE(W))

proctype leader(byte me)
{
    byte open, w, seen, late, taken, i;
    bool c[WRITERS];
    leading == me;
    do
    :: open <= INTERVALS ->
        /* @ registry/programs/leader.c metrics_leader_sample ORD-10 "mem_load(&l->head->epoch)" */
        atomic { LEADER_MAY_DIE; open = epoch };
        if
        :: open > INTERVALS && open == logged + 1 -> break
#if BUG == 7
        :: open <= INTERVALS ->
#else
        :: open == logged + 1 && open <= INTERVALS ->
#endif
            /* The interval has passed. @ registry/programs/leader.c close_epoch ORD-10 */
#if BUG != 8
            (section[0] == 0 || section[0] == open) && (section[WRITERS - 1] == 0 || section[WRITERS - 1] == open);
#endif
            /* @ registry/programs/leader.c find_late ORD-10 */
#if BUG != 1
            if
#if BUG == 5
            :: open > 1 && taken == open - 1 && seen ->
#else
            :: open > 1 && taken == open - 1 ->
#endif
                read_bank(open - 1);
                if
                :: w > seen -> late = w
                :: else
                fi
            :: else
            fi;
#endif
            /* @ registry/programs/leader.c close_epoch ORD-10 "mem_publish(&l->head->epoch" */
            atomic { LEADER_MAY_DIE; epoch = open + 1; open++; w = 0 }
        :: else
        fi;
        /* @ registry/kinds/distribution_load.c load_sampled ORD-6 "metrics__sum_u64(l, DIST_COUNT)" */
#if BUG == 4
        read_bank(open - 1);
#endif
        d_step {
            i = 0;
            do
            :: i < WRITERS -> c[i] = counted[i]; i++
            :: else -> i = 0; break
            od
        };
        /* @ registry/kinds/distribution_load.c load_extremes ORD-10 "late[i]" */
#if BUG != 4
        read_bank(open - 1);
#endif
        atomic {
            seen = w;
            taken = open - 1;
            if
#if BUG != 9
            :: (late & 3) > (w & 3) -> report[taken] = late & 3
#endif
            :: else -> report[taken] = w & 3
            fi;
            late = 0;
            w = 0;
            i = 0;
            do
            :: i < WRITERS ->
                assert(!c[i] || tag_of[i] > taken || (tag_of[i] && REPORTED(i)) || (leader_died && was_late[i]));
                c[i] = false;
                i++
            :: else -> break
            od;
            i = 0;
            assert(report[taken] == 0 || ((stored[taken] | stored[taken - 1]) & (1 << (report[taken] - 1))))
        };
        /* @ registry/programs/leader.c metrics_leader_logged "mem_publish(&l->head->logged" */
        atomic { LEADER_MAY_DIE; if :: taken == logged + 1 -> logged = taken :: else fi }
    :: else -> break
    od;
died:
    atomic {
        if
        :: logged < INTERVALS -> leader_died = true
        :: else
        fi;
        open = 0; w = 0; seen = 0; late = 0; taken = 0; i = 0;
        d_step { do :: i < WRITERS -> c[i] = false; i++ :: else -> break od; i = 0 };
        leading++
    }
}

init
{
    byte w = 0;
    atomic {
        do
        :: w < WRITERS -> run writer(w); w++
        :: else -> break
        od;
        w = 0;
        do
        :: w < LEADERS -> run leader(w); w++
        :: else -> break
        od
    }
}
