/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cells.pml - the atomic ring: runs of cells that are reserved by a CAS on the word of the first, filled, and made
 * ready; and the reader, who passes over the runs of the dead and looks past those of the living.
 *
 * WRITERS processes put EACH records each, of one to MOST cells, into CELLS cells. Any may be killed anywhere. With
 * WRITERS=3 the last begins when process 0 is dead, and has its slot. The reader drains ROUNDS times, and once more at
 * the end. Its log is not modelled (ring.pml has it).
 *
 * Promises: what is ready is read, once, whole; nothing else is; at the end nothing is in the way; nobody waits.
 *
 * bug 1 (WRITERS=2 EACH=3 ROUNDS=2 CELLS=2 MOST=1): a writer looks at the tail before the word
 * bug 2: the run of a living owner is passed over
 * bug 3: a dead owner's word is not looked at again
 * bug 4: the word is ready before the cells are filled (no release)
 * bug 5: the word is stored without CAS
 * bug 6 (WRITERS=3 EACH=1 ROUNDS=1 CELLS=4 MOST=2): the reader asks the slot's lock, and not whose token it has
 * bug 7: the reader gives the room back beyond a run that it has left
 * short: WRITERS=2 EACH=2 ROUNDS=1 CELLS=4 MOST=2
 * short: WRITERS=3 EACH=1 ROUNDS=1 CELLS=4 MOST=2
 * progress: WRITERS=2 EACH=1 ROUNDS=1 CELLS=4 MOST=2
 * long: WRITERS=2 EACH=3 ROUNDS=2 CELLS=2 MOST=1
 * long: WRITERS=2 EACH=2 ROUNDS=2 CELLS=4 MOST=2
 */
#include "common.pml"

#define IDS      (WRITERS * EACH)
#define RESERVED 1
#define READY    2
#define TAKEN    3
#define LAP(P)   ((P) / CELLS + 1)
#define LENGTH(ID) (1 + (ID) % MOST)
#define SLOT(W)  ((W) == 2 -> 0 : (W))
/* A word: lap, state, cells of the run, who. All that one access sees. */
#define WORD(L, S, R, W) ((L) * 64 + (S) * 16 + (R) * 4 + (W))
#define LAP_OF(X)   ((X) / 64)
#define STATE_OF(X) ((X) / 16 % 4)
#define RUN_OF(X)   ((X) / 4 % 4)
#define WHO(X)      ((X) % 4)

byte hint, tail;
short word[CELLS];
byte data[CELLS];
byte owner[WRITERS];   /* of each slot: 1 + the process that holds the lock, 0 = nobody */
byte token[WRITERS];   /* of each slot's record: 1 + process */
byte finished;
bool dead[WRITERS];
bool published[IDS], was_read[IDS];

proctype writer(byte me)
{
    byte k, id, n, at, t, left, size, end, i;
    short was, mine;
    bool ok;
    if
    :: me == 2 -> dead[0] || finished >= 2
    :: else
    fi;
    if
    :: me == 2 && !dead[0] -> goto gone
    :: else
    fi;
    /* @ shm/slot.c fill_record ORD-7 */
    token[SLOT(me)] = 1 + me;
    owner[SLOT(me)] = 1 + me;
    do
    :: k < EACH ->
        id = me * EACH + k;
        n = LENGTH(id);
begin:
        /* @ shm/ring.c cells_begin ORD-20 "mem_load_acquire(&c->ring->head)" */
        atomic { MAY_DIE; at = hint };
        atomic { MAY_DIE; t = tail; at = (at > t -> at : t) };
        do
        :: true ->
#if BUG == 1
            atomic { MAY_DIE; t = tail };
            atomic { MAY_DIE; was = word[at % CELLS] };
#else
            /* @ shm/ring.c cells_step ORD-20 "was = mem_load_acquire(word)" */
            atomic { MAY_DIE; was = word[at % CELLS] };
            /* @ shm/ring.c cells_step ORD-20 "mem_load_acquire(&c->ring->tail)" */
            atomic { MAY_DIE; t = tail };
#endif
            if
            :: at < t -> goto begin
            :: else
            fi;
            left = CELLS - at % CELLS;
            size = (n > left -> left : n);
            end = (n > left -> left + n : n);
            if
            :: at - t + end > CELLS -> break
            :: at - t + end <= CELLS && LAP_OF(was) == LAP(at) -> at = at + RUN_OF(was)
            :: else ->
                mine = (size < n -> WORD(LAP(at), TAKEN, size, me) : WORD(LAP(at), RESERVED, n, me));
                /* @ shm/ring.c cells_step ORD-20 "mem_cas(word, &was, mine)" */
#if BUG == 5
                atomic { MAY_DIE; word[at % CELLS] = mine; ok = true };
#else
                atomic { MAY_DIE; CAS(word[at % CELLS], was, mine, ok) };
#endif
                if
                :: ok ->
                    /* @ shm/ring.c cells_step ORD-20 "mem_max(&c->ring->head" */
                    atomic { MAY_DIE; hint = (hint < at + size -> at + size : hint) };
                    if
                    :: size == n -> goto fill
                    :: else -> at = at + size
                    fi
                :: else
                fi
            fi
        od;
        goto next; /* no room */
fill:
#if BUG == 4
        atomic { MAY_DIE; word[at % CELLS] = WORD(LAP(at), READY, n, me); published[id] = true };
#endif
        i = 0;
        do
        :: i < n ->
            /* @ shm/ring.c cells_put "memcpy(c.data" */
            atomic { MAY_DIE; data[at % CELLS + i] = 1 + id; i++ }
        :: else -> break
        od;
#if BUG != 4
        /* @ shm/ring.c cells_put ORD-20 "mem_publish(&c.words[at % c.count]" */
        atomic { MAY_DIE; word[at % CELLS] = WORD(LAP(at), READY, n, me); published[id] = true };
#endif
next:
        k++
    :: else -> break
    od;
    goto gone;
died:
    atomic { dead[me] = true; owner[SLOT(me)] = 0 };
gone:
    atomic { finished++; k = 0; id = 0; n = 0; at = 0; t = 0; left = 0; size = 0; end = 0; i = 0; was = 0; mine = 0; ok = false }
}

/* @ registry/drain/cells.c copy_run */
inline copy_run()
{
    i = 0;
    do
    :: i < RUN_OF(now) -> atomic { copied[i] = data[p % CELLS + i]; i++ }
    :: else -> break
    od;
    skip;
    d_step {
        assert(copied[0] && LENGTH(copied[0] - 1) == RUN_OF(now));
        assert(RUN_OF(now) == 1 || copied[1] == copied[0]);
        assert(published[copied[0] - 1] && !was_read[copied[0] - 1]);
        was_read[copied[0] - 1] = true;
        i = 0
    }
}

/* @ registry/drain/cells.c judge */
inline judge()
{
    done = true;
    if
    :: STATE_OF(now) == RESERVED ->
#if BUG == 2
        skip
#else
        /* @ registry/drain/cells.c owner_is_dead "view_owned(&e->r->view, LOCK_ALIVE + slot)" */
        who = owner[SLOT(WHO(now))];
#if BUG == 6
        done = (who == 0);
#else
        /* @ registry/drain/cells.c owner_is_dead "token_of(e, slot)" */
        done = (who == 0 || token[SLOT(WHO(now))] != 1 + WHO(now));
#endif
#endif
#if BUG != 3
        /* @ registry/drain/cells.c last_word */
        if
        :: done -> now = word[p % CELLS]
        :: else
        fi
#endif
    :: else
    fi;
    if
    :: STATE_OF(now) == READY -> copy_run()
    :: else
    fi
}

inline drain()
{
    p = at;
    do
    :: p - at < CELLS ->
        /* @ registry/drain/cells.c run_at */
        now = word[p % CELLS];
        if
        :: LAP_OF(now) != LAP(p) || !STATE_OF(now) -> break
        :: else
        fi;
        size = RUN_OF(now);
        if
        :: !beyond[p % CELLS] ->
            judge();
            beyond[p % CELLS] = done
        :: else
        fi;
        p = p + size
    :: else -> break
    od;
    /* @ registry/drain/cells.c advance */
    skip;
    d_step {
        last = p;
        p = at;
        do
#if BUG == 7
        :: p < last ->
#else
        :: p < last && beyond[p % CELLS] ->
#endif
            beyond[p % CELLS] = false;
            p = p + RUN_OF(word[p % CELLS])
        :: else -> break
        od;
        at = p;
        p = 0; now = 0; size = 0; done = false; who = 0
    };
    /* @ registry/programs/leader_events.c give_back_cells ORD-20 "mem_publish(&ring->tail, at)" */
    tail = at
}

active proctype reader()
{
    byte round, at, p, size, last, who, i;
    short now;
    bool beyond[CELLS], done;
    byte copied[2];
    do
    :: round < ROUNDS -> drain(); round++
    :: finished == WRITERS -> break
    od;
    drain();
    drain(); /* the first may have ended where there was no more of that lap */
    skip;
    d_step {
        assert(LAP_OF(word[at % CELLS]) != LAP(at) && at >= hint);
        do
        :: i < IDS -> assert(was_read[i] == published[i]); i++
        :: else -> break
        od
    }
}

init
{
    byte i;
    atomic {
        do
        :: i < WRITERS -> run writer(i); i++
        :: else -> break
        od
    }
}
