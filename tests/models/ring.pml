/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring.pml - the ring of a CPU: writers that put whole records in restartable sections, leaders that drain it into a
 * log and give the room back, and somebody who only watches.
 *
 * WRITERS share the CPU; a step of one preempts the other, whose section is restarted, and given up after two aborts.
 * Each puts EACH records, of one and two units, into SIZE units, from position START on. Any writer, and any leader but the last, may
 * be killed anywhere. A leader drains ROUNDS times, and the last one once more at the end; its log is written in one step.
 * The follower looks once, at any time; beside it, nobody is killed, and the leader copies in one step.
 *
 * Promises: what is committed is logged, once, whole; nothing else is; a follower takes nothing that is torn; what has
 * no room is dropped, and overwrites nothing; nobody waits.
 *
 * bug 1: the head is stored before the record's last unit (no release)
 * bug 2: a preempted section goes on where it was
 * bug 3: the room is given back before the log has the records
 * bug 4 (WRITERS=2 EACH=2 LEADERS=1 FOLLOW=0 ROUNDS=1 START=3): the pad is written before anybody has looked whether there is room
 * bug 5: a new leader begins at the tail, although the log has more
 * bug 6 (WRITERS=1 EACH=5 LEADERS=1 FOLLOW=1 ROUNDS=2 START=0): the follower does not look at head and tail again
 * short: WRITERS=2 EACH=2 LEADERS=2 FOLLOW=0 ROUNDS=1 START=0
 * short: WRITERS=2 EACH=2 LEADERS=1 FOLLOW=0 ROUNDS=1 START=3
 * short: WRITERS=1 EACH=5 LEADERS=1 FOLLOW=1 ROUNDS=2 START=0
 * progress: WRITERS=2 EACH=1 LEADERS=2 FOLLOW=0 ROUNDS=1 START=3
 * long: WRITERS=2 EACH=2 LEADERS=2 FOLLOW=0 ROUNDS=2 START=0
 */
#include "common.pml"

#if FOLLOW
#undef MAY_DIE
#define MAY_DIE skip
#endif
#define SIZE    4
#define HALF    (SIZE / 2)
#define IDS     (WRITERS * EACH)
#define PAD     100

byte head = START, tail = START;
byte data[SIZE];         /* 1 + whose unit it is, or PAD */
bool inside[WRITERS];    /* in a section */
bool restart[WRITERS];   /* the kernel will send it to its abort handler */
byte finished;           /* writers */
byte logged = START;     /* the position that the log has */
bool committed[IDS], dropped[IDS], in_log[IDS]; /* truth */
byte leading;

#define LENGTH(ID) (1 + (ID) % 2)
#if BUG == 2 || WRITERS == 1
#define PREEMPT(W) skip
#else
#define PREEMPT(W) restart[1 - (W)] = inside[1 - (W)]
#endif
/* One step of a section; SPIN's goto leaves the atomic sequence. */
#define STEP(ACTION)                    \
    atomic {                            \
        if                              \
        :: restart[me] -> goto aborted  \
        :: else                         \
        fi;                             \
        MAY_DIE;                        \
        PREEMPT(me);                    \
        ACTION                          \
    }

proctype writer(byte me)
{
    byte k, id, n, h, t, pad, i, tries;
    do
    :: k < EACH ->
        id = me * EACH + k;
        n = LENGTH(id);
        tries = 0;
again:
        /* @ shm/rseq_ring.h rseq_put ORD-19 "movq (%%rax), %%rdx" */
        atomic {
            MAY_DIE;
            PREEMPT(me);
            inside[me] = true;
            restart[me] = false;
            h = head
        };
        /* @ shm/rseq_ring.h rseq_put "subq 64(%%rax), %%rcx" */
        STEP(t = tail);
        pad = (h % SIZE + n > SIZE -> SIZE - h % SIZE : 0);
#if BUG == 4
        if
        :: pad -> STEP(data[h % SIZE] = PAD)
        :: else
        fi;
#endif
        if
        :: h - t + pad + n > SIZE ->
            /* @ shm/rseq_ring.h rseq_put "ja %l[full]" */
            atomic { inside[me] = false; dropped[id] = true }
        :: else ->
            if
            :: pad -> STEP(data[h % SIZE] = PAD) /* @ shm/rseq_ring.h rseq_put "movq %%rdi, (%%r8)" */
            :: else
            fi;
            i = 0;
            do
#if BUG == 1
            :: i < n - 1 ->
#else
            :: i < n ->
#endif
                /* @ shm/rseq_ring.h rseq_put "movups %%xmm15, (%%rdi, %%rcx)" */
                STEP(data[(h + pad + i) % SIZE] = 1 + id);
                i++
            :: else -> break
            od;
            /* @ shm/rseq_ring.h rseq_put ORD-19 "movq %%rdx, (%%rax)" */
            STEP(head = h + pad + n; committed[id] = true; inside[me] = false);
#if BUG == 1
            data[(h + pad + n - 1) % SIZE] = 1 + id;
#endif
        fi;
        goto next;
aborted:
        atomic {
            inside[me] = false;
            restart[me] = false;
            tries++
        };
        if
        :: tries < 2 -> goto again
        :: else -> dropped[id] = true /* to the atomic ring: cells.pml */
        fi;
next:
        k++
    :: else -> break
    od;
died:
    atomic {
        inside[me] = false;
        finished++;
        k = 0; id = 0; n = 0; h = 0; t = 0; pad = 0; i = 0; tries = 0
    }
}

/* @ registry/drain/rings.c note */
inline parse(logs)
{
    d_step {
        p = from;
        do
        :: p < to ->
            v = copied[p % SIZE];
            if
            :: v == PAD -> p = p + SIZE - p % SIZE
            :: else ->
                assert(v > 0);
                assert(p % SIZE + LENGTH(v - 1) <= SIZE && p + LENGTH(v - 1) <= to);
                assert(LENGTH(v - 1) == 1 || copied[(p + 1) % SIZE] == v);
                assert(committed[v - 1]);
                if
                :: logs -> assert(!in_log[v - 1]); in_log[v - 1] = true
                :: else
                fi;
                p = p + LENGTH(v - 1)
            fi
        :: else -> break
        od;
        p = 0;
        v = 0
    }
}

#define LEADER_MAY_DIE                \
    if                                \
    :: l < LEADERS - 1 -> goto died   \
    :: true                           \
    fi

inline drain()
{
    /* @ registry/drain/rings.c choose */
#if BUG == 5
    atomic { LEADER_MAY_DIE; from = tail };
#else
    atomic { LEADER_MAY_DIE; from = (logged > tail -> logged : tail) };
#endif
    /* @ registry/drain/rings.c metrics__ring_take "read_ring(e, lane, &ring)" */
    atomic { LEADER_MAY_DIE; to = head };
    i = from;
#if BUG == 3
    atomic { LEADER_MAY_DIE; tail = to };
#endif
#if FOLLOW
    d_step {
        do
        :: i < to -> copied[i % SIZE] = data[i % SIZE]; i++
        :: else -> break
        od
    };
#else
    do
    :: i < to ->
        /* @ registry/drain/rings.c metrics__ring_take "copy(e, lane, s, to)" */
        atomic { LEADER_MAY_DIE; copied[i % SIZE] = data[i % SIZE]; i++ }
    :: else -> break
    od;
#endif
    atomic { LEADER_MAY_DIE; parse(true); logged = to };
    /* @ registry/programs/leader_events.c give_back_ring ORD-19 "mem_publish(&ring->tail, to)" */
    atomic { LEADER_MAY_DIE; tail = to; i = 0; from = 0; to = 0 }
}

proctype leader(byte l)
{
    byte round, from, to, i, p, v;
    byte copied[SIZE];
    leading == l;
    do
    :: round < ROUNDS -> drain(); round++
    :: l == LEADERS - 1 && finished == WRITERS ->
        drain();
        atomic {
            do
            :: i < IDS ->
                assert(in_log[i] == committed[i]);
                assert(!(committed[i] && dropped[i]));
                i++
            :: else -> break
            od
        };
        break
    :: l < LEADERS - 1 -> break
    od;
died:
    leading = l + 1
}

#if FOLLOW
active proctype follower()
{
    byte from, to, i, p, v, h, t, kept, whole;
    byte copied[SIZE];
    to = head;
    t = tail;
    from = (to > SIZE -> t : 0);
    i = from;
    if
    :: to - t > HALF -> kept = to - t
    :: else -> kept = HALF
    fi;
    whole = (kept < to -> to - kept : 0);
    if
    :: from < whole -> from = t; i = t
    :: else
    fi;
    do
    :: i < to -> atomic { copied[i % SIZE] = data[i % SIZE]; i++ }
    :: else -> break
    od;
#if BUG != 6
    /* @ registry/drain/rings.c metrics__ring_take "read_ring(e, lane, &again)" */
    h = head;
    t = tail;
    /* @ registry/drain/rings.c still_whole */
    if
    :: h - t > HALF -> kept = h - t
    :: else -> kept = HALF
    fi;
    whole = (kept < h -> h - kept : 0);
#endif
    if
    :: from >= whole -> parse(false)
    :: else
    fi
}
#endif

init
{
    byte i;
    atomic {
        do
        :: i < WRITERS -> run writer(i); i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < LEADERS -> run leader(i); i++
        :: else -> break
        od
    }
}
