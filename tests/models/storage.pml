/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storage.pml - storage for a record, blocks from the arena, and the fate of the block of the loser.
 *
 * The first TOGETHER threads are of process 0; with CHILD, the last is of a child that process 0 forks at
 * any time; the others are of process 1. Each gives storage to series 0, which all of them want, and then to series 1 or 2,
 * and counts an update in what it found. Any thread may be killed anywhere.
 *
 * Promises: no block serves two series; all users of a series use the same block; a block has memory behind
 * it and is as its maker left it before any other thread touches it; no update is lost; nobody waits.
 *
 * bug 1: storage is published before the block's first values are written (CAS without release)
 * bug 2: the loser of the CAS goes on with its own block
 * bug 3 (THREADS=3 TOGETHER=2 CHILD=0): the spare block is taken without CAS: two threads take the same
 * bug 4: a forked child takes its parent's spare block for its own
 * bug 5: `populated` is raised before the pages are there
 * bug 6: the end of the arena is raised by a plain store
 * short: THREADS=3 TOGETHER=1 CHILD=1
 * progress: THREADS=2 TOGETHER=1 CHILD=0
 * long: THREADS=3 TOGETHER=2 CHILD=0
 */
#include "common.pml"

#define BLOCKS (THREADS * 2 + 1)
#define SERIES 3 /* enough for each thread's two, one of them shared by all */

byte arena_next;        /* block number */
byte populated;         /* blocks below it have memory */
bool memory[BLOCKS];    /* truth: has the block memory? */
bool written[BLOCKS];   /* has its maker written what it starts with? */
byte cell[BLOCKS];      /* updates counted in the block */
byte series_of[BLOCKS]; /* truth: 1 + the series that the block serves */
byte storage[SERIES];   /* 1 + block, or 0 */
byte updates[SERIES];   /* truth: updates completed */
byte spare[3];          /* of each process: 1 + block, or 0 */
byte spare_token[3];    /* which process put it there */
bool forked;

#define PROCESS_OF(T) (CHILD && (T) == THREADS - 1 -> 2 : ((T) < TOGETHER -> 0 : 1))
#define TOKEN(P)      ((P) + 1)

inline take_spare()
{
    /* @ shm/arena.c take_spare "mem_pair_cas(&seg->spare" */
    atomic {
        MAY_DIE;
        block = spare[p];
#if BUG != 4
        if
        :: spare_token[p] != TOKEN(p) -> block = 0
        :: else
        fi
#endif
    };
    if
#if BUG == 3
    :: block -> spare[p] = 0
#else
    :: atomic { block ->
           MAY_DIE;
           if
           :: spare[p] == block -> spare[p] = 0
           :: else -> block = 0
           fi
       }
#endif
    :: else
    fi
}

inline alloc()
{
    take_spare();
    if
    :: block
    :: else ->
        /* @ shm/arena.c arena_alloc ORD-4 "mem_load(&seg->head->arena_next)" */
        atomic { MAY_DIE; next = arena_next };
        ok = false;
        do
        :: ok -> break
        :: else ->
            assert(next < BLOCKS);
            /* @ shm/arena.c arena_populate ORD-4 "mem_load_acquire(&seg->head->populated)" */
            atomic { MAY_DIE; have = populated };
            if
            :: have <= next ->
#if BUG == 5
                atomic { MAY_DIE; if :: populated <= next -> populated = next + 1 :: else fi };
                assert(memory[populated - 1]);
                atomic { MAY_DIE; memory[next] = true }
#else
                /* @ shm/arena.c populate_range "MADV_POPULATE_WRITE" */
                atomic {
                    MAY_DIE;
                    do
                    :: have <= next -> memory[have] = true; have++
                    :: else -> break
                    od
                };
                /* @ shm/arena.c arena_populate ORD-4 "mem_cas(&seg->head->populated" */
                atomic { MAY_DIE; if :: populated <= next -> populated = next + 1 :: else fi };
                /* @ shm/readonly.c view_at ORD-4 "mem_load_acquire(&h->populated)": below it the leader touches */
                assert(memory[populated - 1])
#endif
            :: else
            fi;
            /* @ shm/arena.c arena_alloc ORD-4 "mem_cas(&seg->head->arena_next" */
#if BUG == 6
            arena_next = next + 1;
            ok = true;
            block = next + 1
#else
            atomic {
                MAY_DIE;
                CAS(arena_next, next, next + 1, ok);
                if
                :: ok -> block = next + 1
                :: else
                fi
            }
#endif
        od
    fi
}

/* @ registry/write/storage.c metrics__bind_block ORD-3 */
inline bind(s)
{
    /* @ registry/write/storage.c metrics__bind_block ORD-3 "mem_load_acquire(&s->record->storage[i])" */
    atomic { MAY_DIE; now = storage[s] };
    if
    :: now
    :: else ->
        alloc();
        atomic { assert(memory[block - 1] && !cell[block - 1] && !series_of[block - 1]) };
#if BUG != 1
        written[block - 1] = true;
#endif
        /* @ shm/index.c record_set_storage ORD-3 "mem_cas(&r->storage[i]" */
        atomic {
            MAY_DIE;
            CAS(storage[s], now, block, ok);
            if
            :: ok ->
                now = block;
                assert(!series_of[block - 1]);
                series_of[block - 1] = s + 1
            :: else
            fi
        };
        if
#if BUG == 1
        :: ok -> atomic { MAY_DIE; written[block - 1] = true }
#elif BUG == 2
        :: !ok -> now = block
#else
        :: !ok ->
            /* @ shm/arena.c arena_return "memset(block, 0, size)" */
            written[block - 1] = false;
            /* @ shm/arena.c arena_return "mem_pair_cas(&seg->spare" */
            atomic {
                MAY_DIE;
                if
                :: spare_token[p] != TOKEN(p) || !spare[p] ->
                    spare[p] = block;
                    spare_token[p] = TOKEN(p)
                :: else
                fi
            }
#endif
        :: else
        fi
    fi;
    assert(memory[now - 1] && written[now - 1]);
    atomic {
        MAY_DIE;
        cell[now - 1]++;
        updates[s]++;
        assert(storage[s] == now && cell[now - 1] == updates[s]);
        now = 0;
        block = 0;
        next = 0;
        have = 0;
        ok = false
    }
}

proctype thread(byte t)
{
    byte s, p, now, block, next, have;
    bool ok;
    p = PROCESS_OF(t);
    if
    :: p == 2 -> forked
    :: else
    fi;
    bind(s);
    s = 1 + t % 2;
    bind(s);
died:
    atomic { s = 0; p = 0; now = 0; block = 0; next = 0; have = 0; ok = false }
}

/* fork() by a third thread of process 0: the child begins with a copy of its parent's private memory. */
active proctype fork()
{
    atomic {
        spare[2] = spare[0];
        spare_token[2] = spare_token[0];
        forked = true
    }
}

init
{
    byte t = 0;
    atomic {
        do
        :: t < THREADS -> run thread(t); t++
        :: else -> break
        od
    }
}
