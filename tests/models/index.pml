/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index.pml - insert into the index, and readers that keep a catalog of it.
 *
 * Writers insert KEYS keys whose hashes share one line of LINE entries; a full line goes on in the next level,
 * which is allocated when first needed. Any writer may be killed anywhere.
 *
 * Promises: a key is in the index at most once; a record that is found is complete; all survivors
 * with one key get one record; nobody waits; when a survivor has its handle, the next walk of every reader,
 * however long it has been running, finds its series.
 *
 * bug 1: the entry is published before the record is written (CAS without release)
 * bug 2: the loser of the CAS on an entry does not look at what the winner put there
 * bug 3: only the one who inserts counts the change: killed in between, and readers never look
 * bug 4: the change is counted before the entry is seen (count without release)
 * bug 5: the reader copies the count of changes and the rest of the header in any order
 * short: WRITERS=2 LINE=1 KEYS=1
 * short: WRITERS=2 LINE=1 KEYS=2
 * progress: WRITERS=2 LINE=1 KEYS=2
 * long: WRITERS=3 LINE=1 KEYS=2
 * long: WRITERS=3 LINE=2 KEYS=1
 */
#include "common.pml"

#define LEVELS  2
#define ENTRIES (LINE * LEVELS)

byte entry[ENTRIES];     /* 0, or 1 + the writer whose record it is */
bool level[LEVELS];      /* is it there? */
byte key[WRITERS];       /* of the writer's record; 0 = not written yet */
bool announced[WRITERS]; /* RECORD_ANNOUNCED in the record's state */
byte records;            /* header.records */
byte handle[WRITERS];    /* what a writer works with: 1 + whose record */
byte arena_next;
byte offset[WRITERS];    /* of the writer's record */
byte ended;

#define KEY_OF(W) (1 + (W) % KEYS)

/* @ shm/index.c record_announce ORD-2 "RECORD_ANNOUNCED"
   @ shm/index.c record_announce ORD-2 "mem_add_release(&seg->head->records" */
#define ANNOUNCE(RECORD)                                                     \
    if                                                                       \
    :: announced[(RECORD) - 1]                                               \
    :: else ->                                                               \
        atomic { MAY_DIE; records++ };                                       \
        atomic { MAY_DIE; announced[(RECORD) - 1] = true }                   \
    fi

proctype writer(byte me)
{
    byte i, l, e, found;
    bool won;
    /* @ shm/index.c record_new "arena_alloc(seg, length)" */
    atomic {
        MAY_DIE;
        offset[me] = arena_next;
        arena_next++;
#if BUG != 1
        key[me] = KEY_OF(me)
#endif
    };
    /* @ shm/index.c index_insert */
    do
    :: l < LEVELS && !found ->
        /* @ shm/index.c add_level ORD-2 "mem_cas(&seg->head->level[level]" */
        if
        :: level[l] -> i = l * LINE
        :: atomic { else -> MAY_DIE; level[l] = true; i = l * LINE }
        fi;
        do
        :: i < (l + 1) * LINE && !found ->
            /* @ shm/index.c insert_in_line ORD-2 "mem_load_acquire(&line[i])" */
            atomic { MAY_DIE; e = entry[i]; won = false };
#if BUG == 4
            if
            :: atomic { !e -> records++ }
            :: else
            fi;
#endif
            if
            :: atomic { !e -> /* @ shm/index.c insert_in_line ORD-2 "mem_cas(&line[i], &entry" */
                   MAY_DIE;
                   CAS(entry[i], e, me + 1, won);
                   if
                   :: won -> found = me + 1
#if BUG == 2
                   :: else -> e = 0
#else
                   :: else
#endif
                   fi
               }
            :: else
            fi;
            if
#if BUG == 1
            :: atomic { won -> MAY_DIE; key[me] = KEY_OF(me) }
#endif
            :: atomic { !won && e -> /* @ shm/index.c is_key */
                   assert(key[e - 1] != 0);
                   if
                   :: key[e - 1] == KEY_OF(me) -> found = e
                   :: else
                   fi
               }
            :: else
            fi;
            i++
        :: else -> break
        od;
        l++
    :: else -> break
    od;
    assert(found != 0);
    if
#if BUG == 3
    :: found == me + 1 ->
        atomic { MAY_DIE; records++ }
#elif BUG == 4
    :: found == me + 1 ->
        atomic { MAY_DIE; announced[me] = true }
#endif
    :: found != me + 1 ->
        /* @ shm/arena.c arena_return "memset(block, 0, size)": nobody else was told of it */
        key[me] = 0
    :: else
    fi;
#if BUG != 3
    /* @ registry/write/find.c make_handle "record_retire(f->r->seg, s.record, false)"
       @ shm/index.c record_retire ORD-2 "record_announce(seg, r)" */
    ANNOUNCE(found);
#endif
    handle[me] = found;
died:
    atomic { ended++; i = 0; l = 0; e = 0; found = 0; won = false }
}

/* A reader that runs all the while and walks the index only when `records` has moved. */
byte cached;
bool walked;
bool listed[WRITERS];

inline copy_rest()
{
    /* @ registry/read/snapshot.c metrics__copy_head ORD-2 "view_head(&r->view, &r->head)" */
    atomic { end = arena_next; deep = level[LEVELS - 1] }
}

inline walk()
{
    /* @ registry/read/snapshot.c metrics__copy_head ORD-2 "r->head.records = records" */
#if BUG == 5
    if
    :: n = records; copy_rest()
    :: copy_rest(); n = records
    fi;
#else
    n = records;
    copy_rest();
#endif
    /* @ registry/read/catalog.c metrics__catalog_update "c->records == r->head.records" */
    if
    :: walked && n == cached
    :: else ->
        i = 0;
        do
        :: atomic { i < (deep -> ENTRIES : LINE) ->
               /* @ registry/read/catalog.c walk_level "offset >= r->end" */
               if
               :: entry[i] && offset[entry[i] - 1] < end -> listed[entry[i] - 1] = true
               :: else
               fi;
               i++
           }
        :: else -> break
        od;
        atomic { i = 0; walked = true; cached = n }
    fi
}

active proctype reader()
{
    byte i, n, j, end;
    bool deep;
    walk();
    ended == WRITERS; /* what is promised holds at the next look */
    walk();
    d_step {
        do
        :: i < WRITERS ->
            assert(!handle[i] || listed[handle[i] - 1]);
            j = 0;
            do
            :: j < WRITERS ->
                assert(!handle[i] || !handle[j] || KEY_OF(i) != KEY_OF(j) || handle[i] == handle[j]);
                j++
            :: else -> break
            od;
            i++
        :: else -> break
        od;
        i = 0;
        do /* a key stands once */
        :: i < ENTRIES ->
            j = i + 1;
            do
            :: j < ENTRIES ->
                assert(!entry[i] || !entry[j] || KEY_OF(entry[i] - 1) != KEY_OF(entry[j] - 1));
                j++
            :: else -> break
            od;
            i++
        :: else -> break
        od
    }
}

init
{
    byte w = 0;
    level[0] = true;
    atomic {
        do
        :: w < WRITERS -> run writer(w); w++
        :: else -> break
        od
    }
}
