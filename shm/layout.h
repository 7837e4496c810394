/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/*
 * layout.h - the segment format, version 1.1, part one: the file, its arena, index, lanes and process slots.
 * Part two (what the records and blocks mean to metrics) is registry/format.h. Together they are meant to be
 * enough to write a reader from.
 *
 * A segment is one sparse file on tmpfs. All integers are little-endian and naturally aligned; offsets count
 * bytes from the start of the file; 0 means "none". Nothing in it is a pointer or a libc object.
 *
 *        0 +----------------------------------------------------------------+
 *          | header, 4096 bytes: constants, then words that change          |
 *     4096 | refusals: a ring of 64 entries of 128 bytes                    |
 *    12288 | index, level 0: 1024 entries of 8 bytes                        |
 *    20480 | arena: records, index levels, lane extents, gauge groups,      |
 *          | slot blocks, reservoirs ... in order of allocation,            |
 *          | each aligned to 64 bytes, none ever moved or reused            |
 *          |   arena_next: end of what is allocated                         |
 *          |   populated:  end of what has memory behind it                 |
 *     size +----------------------------------------------------------------+
 *          | beyond the end no bytes, only byte-range locks: see LOCK_*     |
 *          +----------------------------------------------------------------+
 *
 * INDEX. Level k has 1024 * 8^k entries in lines of eight. A key's line in each level is given by its hash
 * (XXH3_64bits of the key bytes, seed 0): line = hash mod (entries / 8). An entry is
 *     63..48 the top 16 bits of the hash | 47..0 offset of the record
 * and never changes once set. Within a line entries are taken from the first to the last; a line that is full
 * continues in the same key's line one level up. So a look-up ends at the first empty entry, and an insertion
 * is one CAS on that same entry, which is what makes a key unique. Levels are allocated when first needed.
 *
 * LANES. A cell is 8 bytes and exists once per lane: lanes_cpu restartable lanes (one per CPU, written only
 * by restartable sequences with plain instructions) and lanes_atomic atomic ones (written with locked
 * instructions by all other threads). Mixing the two in one cell would lose updates. A value is the sum (for
 * extremes: the maximum) over all lanes.
 *
 *     extent:  [lane 0: 16 cells][lane 1: 16 cells] ... [atomic lane 0: 16 cells] ...
 *
 * A series of up to 8 cells shares extents: cell offset of lane l = place + l * 128. A larger one has an
 * extent of its own, whose stride is its cells rounded up to 128 bytes. Series whose cells in all CPU lanes
 * would exceed LANE_BUDGET bytes are ATOMIC_ONLY: their extent has atomic lanes only.
 *
 * SLOTS. A process that sets gauges owns a slot. Gauge cells come in groups of 8 gauges; a group has, per
 * block of 64 slots, [slot][gauge] pairs of {value, stamp}, 16 bytes each. Slot 0 has no owner and is always
 * alive. Slot s is owned by whoever holds the open-file-description lock on byte LOCK_ALIVE + s; it is being
 * claimed by whoever holds LOCK_CLAIM + s. A reader asks for a shared lock, which only an owner is in the way of, and ignores the values of free slots.
 * Whoever wants to show a dead owner's values once more holds LOCK_KEEP + the owner's pid while it lives: a
 * claimer leaves such a slot alone as long as there is another one.
 *
 * EVENTS. Records that are not aggregated pass through rings, in one block that is allocated when the first kind of
 * event is registered. Each CPU lane has a ring, written by restartable sequences only; after them comes one
 * atomic ring for all other threads.
 *
 *     struct segment_events | ring of lane 0 | ring of lane 1 | ... | atomic ring
 *     a lane's ring: struct segment_ring, then ring_bytes of data
 *     the atomic ring: struct segment_ring, SEGMENT_RING_CELLS words, then the data: `cells` cells of 512 bytes
 *
 * Head and tail are positions that only grow; position p is at p mod ring_bytes in a lane's data. What is from
 * tail to head waits for the leader. A record begins with {u32 length, u32 kind}; its length, all in all, is a
 * multiple of 16, and it never wraps: the rest of the data before the end is a record of kind 0, a pad. A record
 * that has no room is dropped and counted in `dropped` of that ring.
 *
 * In the atomic ring positions count cells. A record has a run of cells, one after the other, none beyond the
 * end of the data; what is left there is a run that is taken already. The word of a run's first cell says who
 * has reserved it, and whether it is filled:
 *     63..40 lap: position / cells + 1, mod 2^24 | 39..24 low bits of the owner's token | 23..12 its slot
 *     | 11..2 cells of the run | 1..0 state: 1 reserved, 2 ready, 3 taken (or never filled)
 * The next run begins where this one ends; its first cell's word has an older lap while it is free. Head is a
 * hint: a position at or before the first free one. The run of an owner that is dead is passed over; one whose
 * owner lives is left where it is, and what is behind it is read.
 *
 * OWNERS. Who may write what, and what a crash may leave behind:
 *   constants      creator, before the file has a name                  nothing: the name comes last
 *   arena_next     anybody, CAS upwards                                 a block that nothing refers to
 *   populated      anybody, raised after the pages were allocated       pages allocated twice (harmless)
 *   index entry    anybody, CAS from 0, once                            nothing
 *   level[k]       anybody, CAS from 0, once                            a level that nothing refers to
 *   record         its creator, until it is in the index                a block that nothing refers to
 *   storage[]      anybody, CAS from 0, once                            a block that nothing refers to
 *   cells          any writer: rseq in CPU lanes, locked in atomic ones nothing (one instruction commits)
 *   slot record    holder of LOCK_CLAIM + s                             a half-filled record of a free slot
 *   gauge pairs    the slot's owner                                     a value of a free slot: ignored
 *   events         anybody, CAS from 0, once                            a block that nothing refers to
 *   ring, head     a thread on that CPU, by rseq                        bytes behind the head: nobody reads them
 *   ring, tail     holder of LOCK_LEADER                                records that are in the log already
 *   word of a cell anybody, CAS to reserved; its owner, to ready; the   a reserved run, passed over when the owner's
 *                  leader, to taken                                     lock is free
 *   kernel         anybody whose test of the kernel has a verdict       no verdict: the next test writes one
 *   leader words   holder of LOCK_LEADER                                an interval closed and not logged: the
 *                                                                       next leader reads it again
 *
 * ORDERING. Every atomic access cites one of these tags; tests/style/orders.sh checks that. tests/models/
 * has Spin models of ORD-2, 3, 4, 6, 7, 8, 9, 10; docs/memory-ordering.md argues each on aarch64.
 *   ORD-1  Birth. The file is complete before linkat() gives it a name; the system call orders the two.
 *   ORD-2  Index. A record is written, then published by the release CAS of its entry; a finder loads the
 *          entry with acquire. Uniqueness is by the CAS on the first empty entry of the line alone.
 *          header.records is counted after that with release; a reader copies it before everything else,
 *          so what it counts is in what is copied later. Levels, texts and overflow series are published like
 *          records.
 *   ORD-3  Storage. Pages are populated and initial values written before the release CAS of storage[i];
 *          users load it with acquire. The loser of the CAS uses the winner's. The same holds for extents,
 *          groups and slot blocks.
 *   ORD-4  Memory. Pages below `populated` were allocated before it was raised (release); whoever loads
 *          it with acquire and finds the block below it may touch the block: it cannot fault for lack of
 *          memory. Who owns a block is decided by the CAS of arena_next alone.
 *   ORD-5  Totals. Cells are independent: each only has to be untorn and, in one lane, in program order.
 *          Readers promise nothing across cells but that a later read of one cell is not older. So the
 *          two stores of one update may go to two lanes, and a kill between them leaves the first.
 *   ORD-6  Distribution before count. A writer updates extremes and reservoir, then a release fence, then
 *          {sum, count}. A reader copies counts first, then the rest. So it has all that a count includes.
 *   ORD-7  Slots. The claimer empties the slot's pairs (value NaN, stamp 0) and fills the record, then takes
 *          the LOCK_ALIVE byte; a reader asks for that lock first, then copies the pairs. The system calls
 *          order both sides. A pair is replaced whole, by a 16-byte CAS, or its value alone if the stamp
 *          stays; but no copy of 16 bytes is sure to be of one moment. So a reader copies the pairs twice
 *          and joins the stamp of the first copy with the value of the second. A stamp that is not 0 says
 *          that a value was set before the second copy began: that copy has this value, a later one, or
 *          the NaN of a claimer, never the 0 of fresh memory. A value that is newer than its stamp is one
 *          that was being set during the copy. Groups are published by the release CAS of group_cursor,
 *          each after the older ones.
 *   ORD-8  Reservoir slot. One 16-byte CAS replaces {time, noise, value}; no order with anything else is
 *          needed, as a pair means the same whatever is around it. Floors and bound only rise, and any
 *          value that they ever had stays valid.
 *   ORD-9  EWMA banks. The leader writes bank (n+1)&1 of every meter, then stores fold number n+1 with
 *          release. A reader copies the number, then the banks, then the number again: if it moved the
 *          copy is taken again (bank n&1 is written in fold n+2, which begins when n+1 is published).
 *   ORD-10 Epoch. Writers read the epoch inside the section that stores the extreme, so after the leader
 *          has stored e+1, a writer still in epoch e is restarted by its next preemption at the latest,
 *          and a section that is not preempted ends long before an interval does; the leader reads bank e
 *          again before it opens e+2, and counts a late value to e+1. In atomic lanes writer and leader
 *          each have a full fence between their store (word, epoch) and their load (epoch, word): one of
 *          them sees the other's. A value that is late when the leader dies may be missing in the
 *          interval's extremes.
 *          Writers check outside a section whether a value is within the extremes already: that stores
 *          nothing, and extremes only widen.
 *   ORD-11 Family. The kind of a family is set once by CAS from 0; losers compare.
 *   ORD-12 Clock word. One 8-byte word, relaxed: its expiry is part of it.
 *   ORD-13 Refusals. An entry's text is written, then its sequence number with release; readers check the
 *          number before and after. A writer that was stopped while 64 more were written may mix two
 *          texts: they are for humans only.
 *   ORD-14 Copies. Every copy out of the file ends with an acquire fence: what the next one copies is not
 *          older.
 *   ORD-15 Threads of one process. What a pointer, token or flag leads to is written before the pointer is
 *          stored with release, and read after it was loaded with acquire: tables, call sites, references,
 *          the spare block, the process's slot, a snapshot's memory. Words beside it are relaxed.
 *   ORD-16 Words alone. Losses, limits, tickets, times, the leader's own words, and words of a record
 *          that are read once, checked, and used. Untorn is enough.
 *   ORD-17 Process token. Only its own process writes it, by CAS from 0; the kernel or a fork handler
 *          makes it 0 in a child, which has one thread then.
 *   ORD-18 Kernel. The verdict is zeroed, a release fence, boot id and release, then the verdict with release.
 *          A writer loads it with acquire, copies the rest, and loads it again after an acquire fence. All who
 *          write there at once run on one kernel and write the same.
 *   ORD-19 Rings. A record is copied behind the head, then the head is stored with release: who loads the head
 *          with acquire, or copies it before the data, has all records below it. The threads of a CPU write one
 *          after the other; a context switch orders them. A record's bytes are stored after the loads of head
 *          and tail that gave their place (acquire). The leader copies records, fences, and stores the tail with
 *          release after that: a writer that finds room there overwrites what was copied. A reader that does not
 *          drain copies head and tail again after the data. Bytes that were overwritten meanwhile came after a
 *          head at most one record before their end, which that second copy includes: so what is less than half
 *          a ring before the head, or not before the tail, was whole.
 *   ORD-20 Atomic ring. The CAS of a free run's first word is reservation and owner's name in one step. All try
 *          at the same place, where the last run ends, so one CAS decides. Bytes are filled in after it, then
 *          the word is stored with release; a reader loads the word, then copies the bytes. Only the owner
 *          changes a reserved word, only the leader a ready one. Whether a run is free is known from the tail,
 *          loaded after the word with acquire (see ORD-19): a word that is of a later lap is then found out. The owner fills the record of its slot in before it takes the slot's
 *          lock (ORD-7), so a lock that is free, or a token that is another's, says that it is dead, and that
 *          nobody fills the run any more. Whether a run that was taken is still whole is known from a second
 *          copy of the words: an overwriting run has a word by then.
 */
/* clang-format on */
#ifndef METRICS_SHM_LAYOUT_H
#define METRICS_SHM_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define SEGMENT_MAGIC "\x89MTXSEG\n"
#define SEGMENT_MAJOR 1
#ifndef SEGMENT_MINOR /* tests build a later one */
#define SEGMENT_MINOR 1
#endif
#define SEGMENT_BYTE_ORDER UINT32_C(0x0a0b0c0d)

enum {
    SEGMENT_PAGE = 4096,
    SEGMENT_ALIGN = 64, /* of every block in the arena */
    SEGMENT_HEADER = 4096,
    SEGMENT_REFUSALS = 4096, /* offset of the ring */
    SEGMENT_REFUSAL_COUNT = 64,
    SEGMENT_INDEX0 = 12288, /* offset of index level 0 */
    SEGMENT_INDEX0_ENTRIES = 1024,
    SEGMENT_INDEX_LINE = 8,
    SEGMENT_INDEX_GROWTH = 8,
    SEGMENT_INDEX_LEVELS = 5,
    SEGMENT_ARENA = SEGMENT_INDEX0 + 8 * SEGMENT_INDEX0_ENTRIES,
    SEGMENT_LANES_MAX = 8192,
    SEGMENT_LANE_LINE = 16,  /* cells of one lane in a shared extent */
    SEGMENT_LANE_SHARED = 8, /* the largest series that shares extents, in cells */
    SEGMENT_LANE_BUDGET = 1 << 20,
    SEGMENT_EXTENT_BLOCK = 16384, /* shared extents are allocated this many bytes at a time, or one by one */
    SEGMENT_SLOT_BLOCK = 64,
    SEGMENT_SLOT_BLOCKS = 64, /* so at most 4096 slots */
    SEGMENT_GROUP_GAUGES = 8,
    SEGMENT_LOSSES = 32,
    SEGMENT_RING_CELLS = 256,      /* words of the atomic ring */
    SEGMENT_RING_CELL = 512,       /* bytes of a cell */
    SEGMENT_EVENT_ALIGN = 16,      /* lengths of records */
    SEGMENT_EVENT_CLASSES = 8,     /* classes of events by which losses are counted; 0 = unused */
    SEGMENT_EVENT_MOST = 64 << 10, /* bytes of the longest record */
    SEGMENT_RING_LEAST = 4096,     /* bytes of a lane's ring */
    SEGMENT_RING_MOST = 64 << 20,
};
#define SEGMENT_SIZE_MIN (UINT64_C(64) << 10)
#define SEGMENT_SIZE_MAX (UINT64_C(1) << 40)

/* Byte-range locks, far beyond any size the file can have. */
#define LOCK_BASE     (UINT64_C(1) << 62)
#define LOCK_ATTACHED (LOCK_BASE + 0) /* shared: held by every process that maps the segment for writing */
#define LOCK_LEADER   (LOCK_BASE + 1) /* exclusive: the exporter that leads (registry/programs/leader.h) */
#define LOCK_CLAIM    (LOCK_BASE + (UINT64_C(1) << 16)) /* + slot */
#define LOCK_ALIVE    (LOCK_BASE + (UINT64_C(2) << 16)) /* + slot */
#define LOCK_KEEP     (LOCK_BASE + (UINT64_C(1) << 32)) /* + pid; shared: see SLOTS */

/* Why something was not recorded: header.loss[]. Append only. */
#define SEGMENT_LOSS_REASONS(X)                                                                     \
    X(LOSS_SEGMENT_FULL, "segment_full") /* series refused: arena or file system full */            \
    X(LOSS_CARDINALITY, "cardinality")   /* series refused: the family's limit */                   \
    X(LOSS_KIND, "kind_clash")           /* series refused: the name has another kind */            \
    X(LOSS_SETTINGS, "settings_clash")   /* settings refused: the family has others */              \
    X(LOSS_NAME, "bad_name")             /* series refused: name or tags not valid */               \
    X(LOSS_SLOT, "no_slot")              /* gauge updates dropped: no process slot */               \
    X(LOSS_VALUE, "bad_value")           /* updates dropped: not a finite number */                 \
    X(LOSS_DAMAGE, "damaged")            /* series refused: its bytes in the segment are invalid */ \
    X(LOSS_MEMORY, "process_memory")     /* series refused: this process had no memory for a handle */
enum segment_loss {
#define SEGMENT_LOSS(ID, NAME) ID,
    SEGMENT_LOSS_REASONS(SEGMENT_LOSS)
#undef SEGMENT_LOSS
        SEGMENT_LOSS_COUNT
};

/*
 * Whether a kernel restarts sequences as the CPU lanes need it: what a test said, and of which kernel. It holds for
 * that boot and release alone. The verdict is cleared first and written last (ORD-18).
 */
struct segment_kernel {
    uint64_t verdict; /* 0 = not tested, 1 = it does, 2 = it does not */
    uint8_t boot_id[16];
    char release[40]; /* uname -r, cut; ends with 0 */
};
_Static_assert(sizeof(struct segment_kernel) == 64, "one line");

struct segment_header {
    /* Constants: written by the creator before the file has a name (ORD-1). */
    uint8_t magic[8];
    uint16_t major, minor;
    uint32_t byte_order;
    uint32_t header_size;       /* SEGMENT_HEADER */
    uint32_t page_size;         /* SEGMENT_PAGE: unit of the layout, not of the machine */
    uint64_t size;              /* of the file */
    uint64_t incarnation;       /* random, never 0: distinguishes this segment from every other */
    uint64_t created_wall;      /* ns since 1970 */
    uint64_t created_monotonic; /* ns, CLOCK_MONOTONIC of the initial time namespace: segment time 0 */
    uint8_t boot_id[16];        /* advice only */
    uint32_t lanes_cpu, lanes_atomic;
    uint32_t slots;         /* how many process slots there may be, slot 0 included */
    uint32_t family_series; /* default limit of series per family */
    uint64_t features;      /* none defined: readers refuse bits of the upper half that they do not know */
    uint64_t checksum;      /* XXH3_64bits of the bytes before it */
    uint8_t pad0[24];

    /* Line 2: allocation. */
    uint64_t arena_next; /* end of the allocated arena, multiple of SEGMENT_ALIGN */
    uint64_t populated;  /* end of the memory (ORD-4), multiple of SEGMENT_PAGE */
    uint64_t pad1[6];
    /* Line 3: the index (ORD-2). */
    uint64_t level[SEGMENT_INDEX_LEVELS]; /* offsets; level[0] = SEGMENT_INDEX0 */
    uint64_t pad2[3];
    /* Line 4: where the next small series goes: offset of an extent block / 64 << 20 | cells used in it. */
    uint64_t cell_cursor[2]; /* [0] series of one cell, [1] of up to eight */
    uint64_t group_cursor; /* offset of the newest gauge group | gauges used in it (0..8) in the low 6 bits */
    uint64_t pad3[5];
    /* Line 5: counts. */
    uint64_t records;  /* changes of index, help texts, retired series: readers look again when it moves */
    uint64_t refusals; /* refusal entries ever written */
    /*
     * The highest minor version of any writer that attached, if above the creator's. Written before such a
     * writer's first record is published (ORD-2).
     */
    uint64_t newest;
    uint64_t pad4[5];
    /* Line 6: read by every distribution update, written by the leader only. */
    uint64_t clock; /* segment time, 1/8 s << 32 | 1/8 s at which it expires (ORD-12); 0 = no leader yet */
    uint64_t epoch; /* the open interval; starts at 1 (ORD-10) */
    uint64_t pad5[6];
    /* Line 7: the leader's own. */
    uint64_t logged;       /* the last epoch known to be safe in a log; epoch - 1 - logged = 0 or 1 */
    uint64_t fold;         /* EWMA fold number (ORD-9); 0 = never folded */
    uint64_t fold_time[2]; /* segment time in ns of fold n, at [n & 1] */
    uint64_t closed_time; /* segment time in ns at which the open epoch began, i.e. the last one was closed */
    uint64_t sweep;       /* position of the slow sweep over extremes */
    uint64_t exported;    /* 1 = an interval was logged at least once */
    uint64_t pending_from; /* like closed_time, of the epoch before the open one */
    /* Losses, by reason. */
    uint64_t loss[SEGMENT_LOSSES];
    /* Process slots: offsets of blocks of 64 slot records. */
    uint64_t slot_block[SEGMENT_SLOT_BLOCKS];
    uint64_t events; /* offset of struct segment_events; 0 = no kind of event was registered */
    uint8_t pad6[760];
    struct segment_kernel kernel; /* see shm/restart.h */
};

#define LAYOUT_AT(TYPE, FIELD, OFFSET) \
    _Static_assert(offsetof(TYPE, FIELD) == (OFFSET), #TYPE "." #FIELD " must stay at " #OFFSET)
LAYOUT_AT(struct segment_header, magic, 0);
LAYOUT_AT(struct segment_header, major, 8);
LAYOUT_AT(struct segment_header, minor, 10);
LAYOUT_AT(struct segment_header, byte_order, 12);
LAYOUT_AT(struct segment_header, header_size, 16);
LAYOUT_AT(struct segment_header, page_size, 20);
LAYOUT_AT(struct segment_header, size, 24);
LAYOUT_AT(struct segment_header, incarnation, 32);
LAYOUT_AT(struct segment_header, created_wall, 40);
LAYOUT_AT(struct segment_header, created_monotonic, 48);
LAYOUT_AT(struct segment_header, boot_id, 56);
LAYOUT_AT(struct segment_header, lanes_cpu, 72);
LAYOUT_AT(struct segment_header, lanes_atomic, 76);
LAYOUT_AT(struct segment_header, slots, 80);
LAYOUT_AT(struct segment_header, family_series, 84);
LAYOUT_AT(struct segment_header, features, 88);
LAYOUT_AT(struct segment_header, checksum, 96);
LAYOUT_AT(struct segment_header, pad0, 104);
LAYOUT_AT(struct segment_header, arena_next, 128);
LAYOUT_AT(struct segment_header, populated, 136);
LAYOUT_AT(struct segment_header, level, 192);
LAYOUT_AT(struct segment_header, cell_cursor, 256);
LAYOUT_AT(struct segment_header, group_cursor, 272);
LAYOUT_AT(struct segment_header, records, 320);
LAYOUT_AT(struct segment_header, refusals, 328);
LAYOUT_AT(struct segment_header, newest, 336);
LAYOUT_AT(struct segment_header, clock, 384);
LAYOUT_AT(struct segment_header, epoch, 392);
LAYOUT_AT(struct segment_header, logged, 448);
LAYOUT_AT(struct segment_header, fold, 456);
LAYOUT_AT(struct segment_header, fold_time, 464);
LAYOUT_AT(struct segment_header, closed_time, 480);
LAYOUT_AT(struct segment_header, sweep, 488);
LAYOUT_AT(struct segment_header, exported, 496);
LAYOUT_AT(struct segment_header, loss, 512);
LAYOUT_AT(struct segment_header, slot_block, 768);
LAYOUT_AT(struct segment_header, events, 1280);
LAYOUT_AT(struct segment_header, kernel, 2048);
_Static_assert(sizeof(struct segment_header) <= SEGMENT_HEADER, "the header must fit its page");

/*
 * Which intervals were delivered, in the header's page behind the header: the leader's own words (ORD-16), so
 * that an exporter whose log is another one, or an older one, sends nothing again. See docs/format.md.
 */
enum { SEGMENT_DELIVERY = 2160, SEGMENT_NOTES = 48 };
struct segment_note {
    uint64_t backend; /* XXH3_64bits of its name; 0 = unused */
    uint64_t sent;    /* intervals after a << 32 | through b were sent, in one word: it changes at once */
    uint64_t before;  /* so were all through this one; 0 = see `sent` */
    uint64_t partly;  /* an interval mod 2^16 << 48 | its readings << 24 | how many were sent; 0 = of none */
    uint64_t
        some; /* of what is between `before` and a, some were sent, at most through c; sent last under the
                         time d, in seconds since 1970: c << 32 | d */
};
struct segment_delivery {
    uint64_t log;     /* random, of the log that the last interval was appended to; 0 = none yet */
    uint64_t unnoted; /* 1 = there were more backends than notes */
    struct segment_note note[SEGMENT_NOTES];
};
LAYOUT_AT(struct segment_delivery, log, 0);
LAYOUT_AT(struct segment_delivery, unnoted, 8);
LAYOUT_AT(struct segment_delivery, note, 16);
_Static_assert(sizeof(struct segment_note) == 40, "notes are 40 bytes");
_Static_assert(sizeof(struct segment_header) <= SEGMENT_DELIVERY &&
                   SEGMENT_DELIVERY + sizeof(struct segment_delivery) == SEGMENT_HEADER,
               "the notes are the last part of the header's page");

/* One refused name, for the exporter to log. */
struct segment_refusal {
    uint64_t seq; /* 1 + how many were written before it; 0 = being written or never (ORD-13) */
    uint32_t reason;
    uint32_t length;
    char name[112]; /* may be cut: for humans */
};
_Static_assert(sizeof(struct segment_refusal) == 128, "refusal entries are 128 bytes");
_Static_assert(SEGMENT_REFUSALS + SEGMENT_REFUSAL_COUNT * 128 == SEGMENT_INDEX0,
               "the ring ends at the index");

/* A record: what the index leads to. The key follows at RECORD_KEY, the payload at `payload`. */
struct segment_record {
    uint32_t length;    /* of the whole record, multiple of SEGMENT_ALIGN; readers skip unknown types by it */
    uint8_t type, kind; /* see registry/format.h */
    uint16_t flags;
    uint64_t hash;       /* of the key */
    uint64_t created;    /* segment time, ns */
    uint64_t link;       /* offset of another record, or 0 */
    uint64_t storage[2]; /* offsets of blocks, set once (ORD-3) */
    uint32_t state;      /* changes during its life: RECORD_RETIRED ... */
    uint32_t key_length;
    uint32_t payload; /* offset within the record, multiple of 8; 0 = none */
    uint32_t payload_length;
};
enum {
    RECORD_KEY = 64,
    RECORD_RETIRED = 1,
    RECORD_ANNOUNCED = 2, /* its last change is counted in header.records */
    RECORD_CHANGE = 4,    /* and up: how often it was retired or came back */
};
LAYOUT_AT(struct segment_record, length, 0);
LAYOUT_AT(struct segment_record, type, 4);
LAYOUT_AT(struct segment_record, kind, 5);
LAYOUT_AT(struct segment_record, flags, 6);
LAYOUT_AT(struct segment_record, hash, 8);
LAYOUT_AT(struct segment_record, created, 16);
LAYOUT_AT(struct segment_record, link, 24);
LAYOUT_AT(struct segment_record, storage, 32);
LAYOUT_AT(struct segment_record, state, 48);
LAYOUT_AT(struct segment_record, key_length, 52);
LAYOUT_AT(struct segment_record, payload, 56);
LAYOUT_AT(struct segment_record, payload_length, 60);
_Static_assert(sizeof(struct segment_record) == RECORD_KEY, "the key follows the record's head");

/* A process slot's record. All but `polled` is information for humans. */
struct segment_slot {
    uint64_t token;   /* the owner's random process token */
    uint64_t started; /* segment time of the claim, ns */
    uint64_t polled;  /* segment time of the owner's last metrics_poll(), ns; 0 = never */
    uint32_t pid;     /* in the owner's pid namespace */
    uint32_t weak;    /* 1 = held by a lock that drops when the owner closes any descriptor of the file */
    char name[16];
    uint8_t pad[16];
};
_Static_assert(sizeof(struct segment_slot) == 64, "slot records are 64 bytes");

/* Eight gauges: their tickets, and per block of 64 slots the offset of [64][8] pairs (8192 bytes). */
struct segment_group {
    uint64_t ticket[SEGMENT_GROUP_GAUGES];
    uint64_t block[SEGMENT_SLOT_BLOCKS];
    uint64_t older; /* offset of the group allocated before this one, or 0; the newest is in group_cursor */
    uint64_t pad[7];
};
struct segment_pair {
    uint64_t value; /* bits of an f64 */
    uint64_t stamp; /* ticket << 1 | came from a callback; 0 = never set */
};
enum { SEGMENT_GROUP_BLOCK = SEGMENT_SLOT_BLOCK * SEGMENT_GROUP_GAUGES * 16 };
_Static_assert(sizeof(struct segment_group) == 640, "groups are 640 bytes");

/* The block of the rings: see EVENTS. */
struct segment_events {
    uint64_t ring_bytes; /* data of each lane's ring: a power of two */
    uint64_t cells;      /* of the atomic ring: a power of two, at most SEGMENT_RING_CELLS */
    uint64_t pad0[6];
    /* Kinds registered, by class; one too many for each process that was killed while adding one. */
    uint64_t kinds[SEGMENT_EVENT_CLASSES];
};
struct segment_ring {
    uint64_t head; /* ORD-19; in the atomic ring a hint */
    uint64_t pad0[7];
    uint64_t tail;
    uint64_t pad1[7];
    uint64_t dropped[SEGMENT_EVENT_CLASSES]; /* records without room, by class */
    uint64_t refused[SEGMENT_EVENT_CLASSES]; /* too long, or no process slot for the atomic ring */
};
/* What a record begins with. */
struct segment_event {
    uint32_t length; /* in bytes, with this head: a multiple of SEGMENT_EVENT_ALIGN */
    uint32_t kind;   /* 0 = a pad; else see registry/format.h */
    uint64_t time;   /* segment time, ns */
};
LAYOUT_AT(struct segment_events, kinds, 64);
LAYOUT_AT(struct segment_ring, tail, 64);
LAYOUT_AT(struct segment_ring, dropped, 128);
LAYOUT_AT(struct segment_ring, refused, 192);
LAYOUT_AT(struct segment_event, kind, 4);
LAYOUT_AT(struct segment_event, time, 8);
_Static_assert(sizeof(struct segment_events) == 128, "the rings follow");
_Static_assert(sizeof(struct segment_ring) == 256, "the data follow");
_Static_assert(sizeof(struct segment_event) == SEGMENT_EVENT_ALIGN, "a pad of the least length has a head");

/* States of a cell's word. */
enum { RING_RESERVED = 1, RING_READY = 2, RING_TAKEN = 3 };

/* --- Arithmetic of the layout, shared by writers and readers --- */

static inline uint64_t layout_round_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

/* Entries of an index level. */
static inline uint64_t layout_level_entries(unsigned level)
{
    uint64_t n = SEGMENT_INDEX0_ENTRIES;
    while (level--) n *= SEGMENT_INDEX_GROWTH;
    return n;
}

/* Bytes from one lane to the next for a series of that many cells. */
static inline uint64_t layout_stride(uint64_t cells)
{
    return cells <= SEGMENT_LANE_SHARED ? SEGMENT_LANE_LINE * 8
                                        : layout_round_up(cells * 8, SEGMENT_LANE_LINE * 8);
}

/* Does a series of that many cells go without CPU lanes? */
static inline int layout_atomic_only(uint64_t cells, uint32_t lanes_cpu)
{
    return cells > SEGMENT_LANE_SHARED && layout_stride(cells) * lanes_cpu > SEGMENT_LANE_BUDGET;
}

/* How many lanes its extent has. */
static inline uint64_t layout_lanes(uint64_t cells, uint32_t lanes_cpu, uint32_t lanes_atomic)
{
    return layout_atomic_only(cells, lanes_cpu) ? lanes_atomic : (uint64_t)lanes_cpu + lanes_atomic;
}

/* A gauge's storage word: offset of its group | index in the group. */
static inline uint64_t layout_gauge_group(uint64_t storage)
{
    return storage & ~UINT64_C(63);
}
static inline unsigned layout_gauge_index(uint64_t storage)
{
    return storage & 7;
}

/* Bytes from one lane's ring to the next; of the whole block of the rings. */
static inline uint64_t layout_ring_stride(const struct segment_events *e)
{
    return sizeof(struct segment_ring) + e->ring_bytes;
}
static inline uint64_t layout_rings(const struct segment_events *e, uint32_t lanes_cpu)
{
    return sizeof *e + lanes_cpu * layout_ring_stride(e) + sizeof(struct segment_ring) +
           SEGMENT_RING_CELLS * 8 + e->cells * SEGMENT_RING_CELL;
}

/* Are the sizes such that this version can use the rings? */
static inline int layout_rings_valid(const struct segment_events *e)
{
    return e->ring_bytes >= SEGMENT_RING_LEAST && e->ring_bytes <= SEGMENT_RING_MOST &&
           !(e->ring_bytes & (e->ring_bytes - 1)) && e->cells >= 2 && e->cells <= SEGMENT_RING_CELLS &&
           !(e->cells & (e->cells - 1));
}

/* The longest record that a lane's ring, or the atomic one, takes: half of it. */
static inline uint64_t layout_event_most(uint64_t bytes)
{
    return bytes / 2 < SEGMENT_EVENT_MOST ? bytes / 2 : SEGMENT_EVENT_MOST;
}

/* The parts of a cell's word. */
static inline uint64_t layout_word(uint64_t lap, uint64_t owner, uint64_t run, uint64_t state)
{
    return lap << 40 | (owner & 0xfffffff) << 12 | run << 2 | state;
}
static inline uint64_t layout_word_lap(uint64_t word)
{
    return word >> 40;
}
static inline uint64_t layout_word_token(uint64_t word)
{
    return word >> 24 & 0xffff;
}
static inline uint32_t layout_word_slot(uint64_t word)
{
    return word >> 12 & 0xfff;
}
static inline uint64_t layout_word_run(uint64_t word)
{
    return word >> 2 & 0x3ff;
}
static inline unsigned layout_word_state(uint64_t word)
{
    return word & 3;
}
/* The lap of a position, as words have it. */
static inline uint64_t layout_lap(uint64_t position, uint64_t cells)
{
    return (position / cells + 1) & 0xffffff;
}

#endif
