/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slot.c - process slots: who lives, proven by a kernel lock.
 *
 * The lock belongs to an open file description of its own, which nothing but one page's mapping keeps alive:
 * the descriptor is closed at once, so closefrom() in the host does not release it, and the page is not
 * inherited by forks (MADV_DONTFORK), so a living child does not hold it for a dead parent. The lock is
 * released at exit, at SIGKILL and at exec; it is seen across pid namespaces and through read-only
 * descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <math.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "atomic.h"
#include "file.h"
#include "process.h"

/* How long other threads wait for the one that claims; then their update is dropped and counted. */
enum { CLAIM_YIELDS = 100000 };

/*
 * Held while a slot is claimed or released, and a descriptor of the lock's description is open: a fork in
 * between would hand a copy of it to the child, whose life would then count for the parent's.
 */
static pthread_mutex_t open_window = PTHREAD_MUTEX_INITIALIZER;

/* The thread notes that it is inside, so that a signal handler that interrupts it does not wait for it. */
static void window_lock(void)
{
    process_thread.claiming++;
    pthread_mutex_lock(&open_window);
}

static void window_unlock(void)
{
    pthread_mutex_unlock(&open_window);
    process_thread.claiming--;
}

__attribute__((constructor)) static void window_hooks(void)
{
    process_on_fork(&(struct process_fork_hooks){window_lock, window_unlock, window_unlock});
}

struct segment_slot *slot_record(segment_t *seg, int slot)
{
    uint64_t *where = &seg->head->slot_block[slot / SEGMENT_SLOT_BLOCK];
    uint64_t block = mem_load_acquire(where),
             bytes = SEGMENT_SLOT_BLOCK * sizeof(struct segment_slot); /* ORD-3 */
    if (!block) {
        uint64_t fresh = arena_alloc(seg, bytes), none = 0;
        if (!fresh) return NULL;
        block = mem_cas(where, &none, fresh) ? fresh : none; /* ORD-3 */
        if (block != fresh) arena_return(seg, fresh, bytes);
    }
    struct segment_slot *records = block % SEGMENT_ALIGN ? NULL : segment_at(seg, block, bytes);
    return records ? records + slot % SEGMENT_SLOT_BLOCK : NULL;
}

/* --- Gauge groups --- */

uint64_t group_place(segment_t *seg)
{
    uint64_t now = mem_load_acquire(&seg->head->group_cursor), fresh = 0, next; /* ORD-7 */
    do {
        if (now && (now & 63) < SEGMENT_GROUP_GAUGES) {
            next = now + 1;
        } else {
            if (!fresh) fresh = arena_alloc(seg, sizeof(struct segment_group));
            struct segment_group *g = segment_at(seg, fresh, sizeof *g);
            if (!g) return 0;
            g->older = layout_gauge_group(now);
            next = fresh | 1;
        }
    } while (!mem_cas(&seg->head->group_cursor, &now, next)); /* ORD-7 */
    if (fresh && layout_gauge_group(next) != fresh) arena_return(seg, fresh, sizeof(struct segment_group));
    return layout_gauge_group(next) | ((next & 63) - 1);
}

static struct segment_group *group_at(const segment_t *seg, uint64_t place)
{
    return segment_at(seg, layout_gauge_group(place), sizeof(struct segment_group));
}

/* The pairs of a slot in a block of a group; NULL if the block is nowhere, or where it cannot be: pairs are stored by
 * instructions that fault where they are not aligned. */
static struct segment_pair *row_at(const segment_t *seg, uint64_t block, int slot)
{
    struct segment_pair *pairs =
        !block || block % SEGMENT_ALIGN ? NULL : segment_at(seg, block, SEGMENT_GROUP_BLOCK);
    return pairs ? pairs + slot % SEGMENT_SLOT_BLOCK * SEGMENT_GROUP_GAUGES : NULL;
}

struct segment_pair *group_pair(segment_t *seg, uint64_t place, int slot)
{
    struct segment_group *g = group_at(seg, place);
    if (!g) return NULL;
    uint64_t *where = &g->block[slot / SEGMENT_SLOT_BLOCK];
    uint64_t block = mem_load_acquire(where); /* ORD-3 */
    if (!block) {
        uint64_t fresh = arena_alloc(seg, SEGMENT_GROUP_BLOCK), none = 0;
        if (!fresh) return NULL;
        block = mem_cas(where, &none, fresh) ? fresh : none; /* ORD-3 */
        if (block != fresh) arena_return(seg, fresh, SEGMENT_GROUP_BLOCK);
    }
    struct segment_pair *row = row_at(seg, block, slot);
    return row ? row + layout_gauge_index(place) : NULL;
}

uint64_t *group_ticket(const segment_t *seg, uint64_t place)
{
    struct segment_group *g = group_at(seg, place);
    return g ? &g->ticket[layout_gauge_index(place)] : NULL;
}

/* --- Claiming --- */

/* No stamp, and NaN for a reader that has the dead owner's stamp and copies the value only now (ORD-7). */
static void empty_row(struct segment_pair *row)
{
    for (int i = 0; i < SEGMENT_GROUP_GAUGES; i++) {
        mem_store(&row[i].value, mem_f64_to_bits(NAN)); /* ORD-7 */
        mem_store(&row[i].stamp, 0);                    /* ORD-7 */
    }
}

/*
 * Empty this slot's pairs of what a dead owner left. A group that is made later begins with zeros. Offsets say
 * nothing about the order: a block that lost a race may become a group after later ones did. A list that
 * comes back to a group that was marked on the way is damaged, and the walk ends (Brent 1980: the mark moves
 * on at steps 1, 2, 4 ...).
 */
static void empty_pairs(segment_t *seg, int slot)
{
    uint64_t at = layout_gauge_group(mem_load_acquire(&seg->head->group_cursor)), mark = 0; /* ORD-7 */
    for (uint64_t step = 1, turn = 1; at && at != mark; step++) {
        struct segment_group *g = group_at(seg, at);
        if (!g) return;
        uint64_t block = mem_load_acquire(&g->block[slot / SEGMENT_SLOT_BLOCK]); /* ORD-3 */
        struct segment_pair *row = row_at(seg, block, slot);
        if (row) empty_row(row);
        if (step == turn) {
            mark = at;
            turn *= 2;
        }
        at = layout_gauge_group(g->older);
    }
}

static void fill_record(segment_t *seg, int slot, bool weak)
{
    struct segment_slot *r = slot_record(seg, slot);
    if (!r) return;
    mem_store(&r->token, process_token());    /* ORD-7 */
    mem_store(&r->started, segment_now(seg)); /* ORD-7 */
    mem_store(&r->polled, 0);                 /* ORD-7 */
    mem_store32(&r->pid, (uint32_t)getpid()); /* ORD-7 */
    mem_store32(&r->weak, weak);              /* ORD-7 */
    prctl(PR_GET_NAME, r->name, 0, 0, 0);
}

static bool take_lock(int fd, bool weak, uint64_t byte)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};
    return fcntl(fd, weak ? F_SETLK : F_OFD_SETLK, &lock) == 0;
}

static void drop_lock(int fd, bool weak, uint64_t byte)
{
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};
    fcntl(fd, weak ? F_SETLK : F_OFD_SETLK, &lock);
}

/* Does a process still want what the dead owner of this slot left (LOCK_KEEP)? */
static bool is_kept(segment_t *seg, int fd, int slot)
{
    struct segment_slot *r = slot_record(seg, slot);
    return r && mem_load(&r->token) && file_locked(fd, LOCK_KEEP + mem_load32(&r->pid)) == 1; /* ORD-7 */
}

/*
 * Take the lowest free slot on this descriptor. Two locks, because a reader may look at any moment: while
 * only LOCK_CLAIM is held the slot is still dead to it, and a dead owner's values cannot come alive again
 * (ORD-7).
 */
static int take_lowest(segment_t *seg, int fd, bool weak, bool kept_too)
{
    for (int s = 1; s < (int)seg->slots; s++) {
        if (!take_lock(fd, weak, LOCK_CLAIM + (uint64_t)s)) continue;
        /* POSIX locks do not conflict within a process: another registry of this one may be the owner. */
        if (weak && file_owned(fd, LOCK_ALIVE + (uint64_t)s) == 1) continue;
        if (!slot_record(seg, s)) return -1;
        if (!kept_too && is_kept(seg, fd, s)) {
            drop_lock(fd, weak, LOCK_CLAIM + (uint64_t)s);
            continue;
        }
        empty_pairs(seg, s);
        fill_record(seg, s, weak);
        return take_lock(fd, weak, LOCK_ALIVE + (uint64_t)s) ? s : -1;
    }
    return -1;
}

static int take_slot(segment_t *seg, int fd, bool weak)
{
    int slot = take_lowest(seg, fd, weak, false);
    return slot > 0 ? slot : take_lowest(seg, fd, weak, true);
}

/* Does the lock outlive the descriptor on this file system? Ask through another description. */
static bool lock_lasts(const segment_t *seg, int slot)
{
    int fd = file_reopen(seg, O_RDONLY);
    bool lasts = fd < 0 || file_owned(fd, LOCK_ALIVE + (uint64_t)slot) != 0;
    if (fd >= 0) close(fd);
    return lasts;
}

/* The proper way: a description of our own, pinned by a page. -2 = not possible here. */
static int claim_pinned(segment_t *seg)
{
    int slot = -2, fd = file_reopen(seg, O_RDWR);
    void *page = fd < 0 ? MAP_FAILED : mmap(NULL, SEGMENT_PAGE, PROT_READ, MAP_SHARED, fd, 0);
    if (page != MAP_FAILED) {
        madvise(page, SEGMENT_PAGE, MADV_DONTFORK);
        slot = take_slot(seg, fd, false);
    }
    if (fd >= 0) close(fd);
    if (slot > 0 && !lock_lasts(seg, slot)) slot = -2;
    if (slot > 0)
        seg->slot_page = page;
    else if (page != MAP_FAILED)
        munmap(page, SEGMENT_PAGE);
    return slot;
}

/* After chroot or setuid the file cannot be opened again: use a POSIX lock on the inherited descriptor. */
static int claim_weak(segment_t *seg)
{
    int fd = segment_fd(seg);
    return fd < 0 ? -1 : take_slot(seg, fd, true);
}

static int claim(segment_t *seg)
{
    int saved = errno, slot = -1;
    window_lock();
    if (!segment_closed(seg)) {
        seg->slot_page = NULL; /* a forked child does not have its parent's */
        slot = claim_pinned(seg);
        if (slot == -2) slot = claim_weak(seg);
    }
    window_unlock();
    errno = saved;
    return slot;
}

void slot_release(segment_t *seg)
{
    window_lock();
    if (seg->slot_page) munmap(seg->slot_page, SEGMENT_PAGE);
    seg->slot_page = NULL;
    window_unlock();
}

/* Claim for all threads of this process, if none has begun to. False: another one has. */
static bool claim_once(segment_t *seg, uint64_t token)
{
    struct process_undisturbed before;
    process_undisturbed_begin(&before);
    uint64_t other = mem_load(&seg->slot_claim);                             /* ORD-15 */
    bool first = other != token && mem_cas(&seg->slot_claim, &other, token); /* ORD-15 */
    if (first) {
        process_thread.claiming++;
        seg->slot = claim(seg);
        process_thread.claiming--;
        mem_publish(&seg->slot_ready, token); /* ORD-15 */
    }
    process_undisturbed_end(&before);
    return first;
}

int slot_self(segment_t *seg)
{
    uint64_t token = process_token();
    if (__builtin_expect(mem_load_acquire(&seg->slot_ready) == token, 1)) return seg->slot; /* ORD-15 */
    if (process_thread.claiming) return -1; /* a fault's handler inside our own claim; any inside our fork */
    if (claim_once(seg, token)) return seg->slot;
    for (int i = 0; i < CLAIM_YIELDS; i++) {
        if (mem_load_acquire(&seg->slot_ready) == token) return seg->slot; /* ORD-15 */
        sched_yield();
    }
    return -1;
}

/* --- Once more --- */

/* The weak lock falls without a word: take it again where it is still free, or still held. False: it is another's. */
static bool hold_weak(segment_t *seg, int fd, int slot)
{
    struct segment_slot *r = slot_record(seg, slot);
    return fd >= 0 && r && take_lock(fd, true, LOCK_CLAIM + (uint64_t)slot) &&
           mem_load(&r->token) == process_token() && /* ORD-7 */
           take_lock(fd, true, LOCK_ALIVE + (uint64_t)slot);
}

/*
 * A lock cannot change its owner in one step. LOCK_CLAIM keeps claimers away meanwhile; a reader that looks in just
 * these microseconds misses the process's gauges once.
 */
static bool move_lock(int from, int to, uint64_t byte)
{
    drop_lock(from, true, byte);
    return take_lock(to, false, byte) || (take_lock(from, true, byte), false);
}

/* From the weak lock on `weak` to one on a description of its own. A weak lock falls with the close() below. */
static void make_firm(segment_t *seg, int weak, int slot)
{
    int fd = file_reopen(seg, O_RDWR);
    void *page = fd < 0 ? MAP_FAILED : mmap(NULL, SEGMENT_PAGE, PROT_READ, MAP_SHARED, fd, 0);
    bool moved = page != MAP_FAILED && !madvise(page, SEGMENT_PAGE, MADV_DONTFORK) &&
                 move_lock(weak, fd, LOCK_ALIVE + (uint64_t)slot) &&
                 move_lock(weak, fd, LOCK_CLAIM + (uint64_t)slot);
    if (fd >= 0) close(fd);
    if (moved && !lock_lasts(seg, slot)) seg->slot_stays_weak = true, moved = false;
    struct segment_slot *r = slot_record(seg, slot);
    if (moved) {
        seg->slot_page = page;
        if (r) mem_store32(&r->weak, 0); /* ORD-7 */
        return;
    }
    if (page != MAP_FAILED) munmap(page, SEGMENT_PAGE);
    if (fd >= 0) hold_weak(seg, weak, slot);
}

/* The process has a weak slot. False: it was lost to another process. */
static bool firm_up(segment_t *seg)
{
    int slot = seg->slot, fd, saved = errno;
    window_lock();
    fd = segment_fd(seg);
    bool ours = segment_closed(seg) || hold_weak(seg, fd, slot);
    if (ours && !segment_closed(seg) && !seg->slot_stays_weak) make_firm(seg, fd, slot);
    if (!ours && fd >= 0) drop_lock(fd, true, LOCK_CLAIM + (uint64_t)slot);
    window_unlock();
    errno = saved;
    return ours;
}

/* One thread of the process at a time. True: there is another slot than before. */
static bool claim_anew(segment_t *seg, uint64_t token)
{
    if (mem_load_acquire(&seg->slot_ready) != token) return false; /* ORD-15 */
    if (seg->slot >= 0 && firm_up(seg)) return false;
    mem_store(&seg->slot_claim, 0);   /* ORD-15 */
    mem_publish(&seg->slot_ready, 0); /* ORD-15 */
    slot_self(seg);
    return true;
}

bool slot_claim_again(segment_t *seg)
{
    uint64_t token = process_token(), other = mem_load(&seg->slot_again); /* ORD-15 */
    if (mem_load_acquire(&seg->slot_ready) != token || (seg->slot >= 0 && seg->slot_page))
        return false; /* ORD-15 */
    struct process_undisturbed before;
    process_undisturbed_begin(&before);
    bool changed = false;
    if (other != token && mem_cas(&seg->slot_again, &other, token)) { /* ORD-15 */
        changed = claim_anew(seg, token);
        mem_publish(&seg->slot_again, 0); /* ORD-15 */
    }
    process_undisturbed_end(&before);
    return changed;
}
