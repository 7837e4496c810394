/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slot.pml - process slots, the gauges in them, fork, death, and a holder of a dead process's slot.
 *
 * Processes 0 and 1 each register a gauge (a group holds one here, so each gauge makes a group), claim a slot
 * and set the gauge. Process 0 forks process 2 at any moment, which sets the gauge that it inherited. Every
 * process ends by its death, at any step; the kernel then drops its locks. With HOLD, somebody holds what
 * process 1 leaves behind, as mtxctl run does. A reader asks who lives and copies the values.
 *
 * Promises: a reader never takes the value of somebody who was dead when it asked, unless held; a lock never
 * outlives its process; a process writes only into a slot that is shown as its own; nobody waits.
 *
 * bug 1: one lock only, taken before the slot is zeroed (or zeros that arrive after the lock)
 * bug 2: the reader copies the values before it asks who lives
 * bug 3: the list of groups is walked only while offsets fall
 * bug 4: a forked child goes on with its parent's slot
 * bug 5: fork() does not wait while the lock's descriptor is open: the child inherits it
 * bug 6: the holder does not look again once it has the claim lock
 * short: SLOTS=1 HOLD=1
 * progress: SLOTS=1 HOLD=0
 * long: SLOTS=2 HOLD=0
 * long: SLOTS=2 HOLD=1
 */
#include "common.pml"

#define PROCESSES 3
#define GROUPS    3 /* room for a block that nobody uses */

byte claim[SLOTS], alive[SLOTS]; /* the locks: 0, or 1 + who; HOLDER */
byte record[SLOTS];              /* 1 + whose token */
byte value[GROUPS * SLOTS];      /* 0, or 1 + who set it */
byte cursor;                     /* 1 + the newest group; 0 = none */
byte older[GROUPS];              /* 1 + the group before it, or 0 */
byte arena_next;
bool dead[PROCESSES];            /* truth */
bool fd_open[PROCESSES];         /* a descriptor of the lock's description is open */
bool window[PROCESSES];          /* open_window is held */
bool inherited;                  /* process 2 has process 0's description, too */
bool forked;
byte gauge0;                     /* 1 + process 0's group, as its memory has it */
byte slot0;                      /* 1 + process 0's slot, as its memory has it */
bool held;                       /* process 1's slot is held */

#define HOLDER (PROCESSES + 1)

/* What the kernel does for the dead: their descriptions go, and all locks of one at once. */
inline drop_locks()
{
    d_step {
        i = 0;
        do
        :: i < SLOTS ->
            if
            :: claim[i] == 1 + me && !(me == 0 && inherited) -> claim[i] = 0
            :: claim[i] == 1 && me == 2 && inherited && dead[0] -> claim[i] = 0
            :: else
            fi;
            if
            :: alive[i] == 1 + me && !(me == 0 && inherited) -> alive[i] = 0
            :: alive[i] == 1 && me == 2 && inherited && dead[0] -> alive[i] = 0
            :: else
            fi;
            i++
        :: else -> i = 0; break
        od
    }
}

/* @ shm/slot.c group_place ORD-7 */
inline place()
{
    /* @ shm/slot.c group_place ORD-7 "mem_load_acquire(&seg->head->group_cursor)" */
    atomic { MAY_DIE; now = cursor };
    atomic { MAY_DIE; fresh = arena_next; arena_next++ };
    ok = false;
    do
    :: ok -> break
    :: else ->
        /* @ shm/slot.c group_place ORD-7 "mem_cas(&seg->head->group_cursor" */
        atomic {
            MAY_DIE;
            older[fresh] = now;
            CAS(cursor, now, fresh + 1, ok)
        }
    od;
    atomic { mine = fresh + 1; now = 0; fresh = 0; ok = false }
}

/* @ shm/slot.c empty_pairs ORD-7 */
inline zero()
{
    atomic { MAY_DIE; now = cursor };
    do
    :: now ->
        /* @ shm/slot.c empty_pairs "empty_row(row" */
        atomic {
            MAY_DIE;
            value[(now - 1) * SLOTS + s] = 0;
#if BUG == 3
            now = (older[now - 1] < now -> older[now - 1] : 0)
#else
            now = older[now - 1]
#endif
        }
    :: else -> break
    od
}

/* @ shm/slot.c take_lowest ORD-7 */
inline take_lowest()
{
    s = 0;
    do
    :: s < SLOTS && !slot ->
        /* @ shm/slot.c take_lowest "LOCK_CLAIM" */
        atomic {
            MAY_DIE;
            CAS(claim[s], now, 1 + me, ok);
            now = 0
        };
        if
        :: ok ->
#if BUG == 1
            atomic { MAY_DIE; alive[s] = 1 + me };
            zero();
            record[s] = 1 + me;
#else
            zero();
            /* @ shm/slot.c fill_record "mem_store(&r->token" */
            atomic { MAY_DIE; record[s] = 1 + me };
            /* @ shm/slot.c take_lowest "LOCK_ALIVE" */
            atomic { MAY_DIE; alive[s] = 1 + me };
#endif
            slot = s + 1
        :: else
        fi;
        s++
    :: else -> break
    od;
    s = 0
}

proctype process(byte me)
{
    byte now, fresh, mine, slot, s, i;
    bool ok;
    if
    :: me == 2 ->
        forked;
        atomic {
            mine = gauge0;
#if BUG == 4
            slot = slot0
#endif
        }
    :: else ->
        place();
        if
        :: me == 0 -> gauge0 = mine
        :: else
        fi
    fi;
    if
    :: mine && !slot -> /* @ shm/slot.c claim "window_lock();" */
        window[me] = true;
        /* @ shm/slot.c claim_pinned "file_reopen(seg, O_RDWR)" */
        fd_open[me] = true;
        take_lowest();
        fd_open[me] = false;
        atomic {
            window[me] = false;
            if
            :: me == 0 -> slot0 = slot
            :: else
            fi
        }
    :: else
    fi;
    if
    :: slot && mine ->
        /* @ registry/kinds/gauge.c replace ORD-7 "mem_pair_cas(pair, old" */
        atomic {
            MAY_DIE;
            assert(alive[slot - 1] == 1 + me);
            value[(mine - 1) * SLOTS + slot - 1] = 1 + me
        }
    :: else
    fi;
died:
    atomic {
        dead[me] = true;
        drop_locks();
        now = 0; fresh = 0; mine = 0; slot = 0; s = 0; ok = false
    }
}

active proctype fork()
{
    if
#if BUG == 5
    :: atomic { !dead[0] ->
#else
    :: atomic { !dead[0] && !window[0] -> /* @ shm/slot.c window_hooks "window_lock" */
#endif
           inherited = fd_open[0];
           forked = true
       }
    :: atomic { dead[0] -> forked = true; gauge0 = 0; slot0 = 0 }
    fi
}

#if HOLD
active proctype holder() /* @ registry/programs/hold.c hold_slot ORD-7 */
{
    byte s, none;
    bool ok;
    do
    :: s < SLOTS && !ok ->
        if
        :: record[s] == 2 ->
            /* @ registry/programs/hold.c hold_slot "view_lock(v, LOCK_CLAIM + s)" */
            atomic { none = 0; CAS(claim[s], none, HOLDER, ok) };
            if
#if BUG == 6
            :: atomic { ok ->
#else
            :: atomic { ok && record[s] == 2 ->
#endif
                   held = true;
                   alive[s] = HOLDER
               }
            :: atomic { else -> if :: ok -> claim[s] = 0 :: else fi; ok = false }
            fi
        :: else
        fi;
        s++
    :: else -> break
    od
}
#endif

/* @ registry/read/snapshot.c walk "ask_slots(t->r)" */
active proctype reader()
{
    byte i, g, v;
    bool was_dead[PROCESSES], lives[SLOTS], was_held;
#if BUG == 2
    byte copy[GROUPS * SLOTS];
    d_step {
        do
        :: i < GROUPS * SLOTS -> copy[i] = value[i]; i++
        :: else -> i = 0; break
        od
    };
#endif
    /* @ shm/readonly.c view_alive "LOCK_ALIVE" */
    d_step {
        do
        :: i < PROCESSES -> was_dead[i] = dead[i]; i++
        :: else -> i = 0; break
        od;
        do
        :: i < SLOTS ->
            lives[i] = (alive[i] != 0);
            if
            :: alive[i] && alive[i] <= PROCESSES -> assert(!dead[alive[i] - 1])
            :: else
            fi;
            i++
        :: else -> i = 0; break
        od
    };
    /* @ registry/kinds/gauge_rows.c visit "r->living[i]" */
    do
    :: i < GROUPS * SLOTS ->
        atomic {
#if BUG == 2
            v = copy[i];
#else
            v = value[i];
#endif
            if
            :: v && lives[i % SLOTS] -> assert(!was_dead[v - 1] || (held && v == 2))
            :: else
            fi;
            i++
        }
    :: else -> break
    od
}

init
{
    atomic {
        run process(0);
        run process(1);
        run process(2)
    }
}
