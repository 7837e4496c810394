/* SPDX-License-Identifier: Apache-2.0 */
#include "disk.h"

#include "shared.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static char journal_path[256];

void disk_set_journal(const char *path)
{
    strncpy(journal_path, path, sizeof journal_path - 1);
}

/* --- The journal: records of what was there before --- */

enum { NOTE_WRITE, NOTE_SYNC };
struct note {
    int type;
    char path[256];
    uint64_t at, n; /* n bytes follow */
};

static void journal_note(int type, const char *path, uint64_t at, const void *bytes, uint64_t n)
{
    struct note note = {.type = type, .at = at, .n = n};
    strncpy(note.path, path, sizeof note.path - 1);
    int fd = open(journal_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, &note, sizeof note) < 0 || (n && write(fd, bytes, n) < 0)) abort();
    close(fd);
}

struct journal {
    char *bytes;
    size_t n;
};

static struct journal journal_read(void)
{
    struct journal j = {0};
    int fd = open(journal_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return j;
    j.n = (size_t)lseek(fd, 0, SEEK_END);
    j.bytes = malloc(j.n + 1);
    if (!j.bytes || pread(fd, j.bytes, j.n, 0) != (ssize_t)j.n) abort();
    close(fd);
    return j;
}

static bool journal_is_synced(const struct journal *j, size_t from, const char *path)
{
    for (size_t at = from; at + sizeof(struct note) <= j->n;) {
        struct note note;
        memcpy(&note, j->bytes + at, sizeof note);
        if (note.type == NOTE_SYNC && !strcmp(note.path, path)) return true;
        at += sizeof note + note.n;
    }
    return false;
}

/* Puts back what was there before a write, or before its second half. */
static void journal_undo(const struct note *note, const char *before, bool half)
{
    int fd = open(note->path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    uint64_t skip = half ? note->n / 2 : 0;
    if (note->n > skip && pwrite(fd, before + skip, note->n - skip, (off_t)(note->at + skip)) < 0) abort();
    close(fd);
}

unsigned disk_lose_power(struct dice *dice)
{
    struct journal j = journal_read();
    size_t starts[65536], n = 0;
    unsigned lost = 0;
    for (size_t at = 0; at + sizeof(struct note) <= j.n && n < 65536;) {
        struct note note;
        memcpy(&note, j.bytes + at, sizeof note);
        starts[n++] = at;
        at += sizeof note + note.n;
    }
    while (n--) {
        struct note note;
        memcpy(&note, j.bytes + starts[n], sizeof note);
        if (note.type != NOTE_WRITE || journal_is_synced(&j, starts[n], note.path)) continue;
        uint64_t fate = dice_below(dice, 4);
        if (fate == 3) continue;
        journal_undo(&note, j.bytes + starts[n] + sizeof note, fate == 2);
        lost++;
    }
    free(j.bytes);
    unlink(journal_path);
    return lost;
}

/* --- Files --- */

struct disk_file {
    sqlite3_file base;
    const char *path;
    sqlite3_file below[]; /* the real one */
};

static sqlite3_vfs *disk_below(void)
{
    static sqlite3_vfs *unix_vfs;
    if (!unix_vfs) unix_vfs = sqlite3_vfs_find("unix");
    return unix_vfs;
}

#define BELOW(F)        (((struct disk_file *)(void *)(F))->below)
#define CALL(F, M, ...) (BELOW(F)->pMethods->M(BELOW(F), ##__VA_ARGS__))

static int file_close(sqlite3_file *f)
{
    return CALL(f, xClose);
}
static int file_read(sqlite3_file *f, void *bytes, int n, sqlite3_int64 at)
{
    return CALL(f, xRead, bytes, n, at);
}

/* What is overwritten, zero where the file ended. */
static void file_note(sqlite3_file *f, int n, sqlite3_int64 at)
{
    char *before = calloc(1, (size_t)n);
    if (!before) abort();
    CALL(f, xRead, before, n, at);
    journal_note(NOTE_WRITE, ((struct disk_file *)(void *)f)->path, (uint64_t)at, before, (uint64_t)n);
    free(before);
}

/* There is no room for what the file has not had. (A file system that copies on write has none for the rest either.) */
static bool file_has_room(sqlite3_file *f, int n, sqlite3_int64 at)
{
    sqlite3_int64 length = 0;
    CALL(f, xFileSize, &length);
    return !shared->disk.full || at + n <= length;
}

/* After some good writes, some fail. */
static bool disk_fails(void)
{
    struct shared_disk *d = &shared->disk;
    if (d->failing || !d->bad) return d->failing;
    if (d->good) {
        d->good--;
        return false;
    }
    if (!--d->bad && d->fatal && shared_mine) {
        shared_mine->kill_at = shared_mine->steps + d->fatal;
        d->fatal = 0;
    }
    return true;
}

static int file_write(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 at)
{
    shared_step();
    bool room = file_has_room(f, n, at);
    if (disk_fails() || !room) return room ? SQLITE_IOERR_WRITE : SQLITE_FULL;
    if (shared->disk.journal) file_note(f, n, at);
    int code = CALL(f, xWrite, bytes, n, at);
    shared_step();
    return code;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 length)
{
    shared_step();
    return CALL(f, xTruncate, length);
}

static int file_sync(sqlite3_file *f, int flags)
{
    (void)flags;
    shared_step();
    if (shared->disk.journal) journal_note(NOTE_SYNC, ((struct disk_file *)(void *)f)->path, 0, NULL, 0);
    return SQLITE_OK; /* the real file is in memory */
}

static int file_size(sqlite3_file *f, sqlite3_int64 *length)
{
    return CALL(f, xFileSize, length);
}
static int file_lock(sqlite3_file *f, int level)
{
    return CALL(f, xLock, level);
}
static int file_unlock(sqlite3_file *f, int level)
{
    return CALL(f, xUnlock, level);
}
static int file_check_lock(sqlite3_file *f, int *held)
{
    return CALL(f, xCheckReservedLock, held);
}
static int file_control(sqlite3_file *f, int op, void *arg)
{
    return CALL(f, xFileControl, op, arg);
}
static int file_sector(sqlite3_file *f)
{
    return CALL(f, xSectorSize);
}
static int file_characteristics(sqlite3_file *f)
{
    return CALL(f, xDeviceCharacteristics);
}
static int file_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **at)
{
    return CALL(f, xShmMap, page, size, extend, at);
}
static int file_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return CALL(f, xShmLock, offset, n, flags);
}
static void file_shm_barrier(sqlite3_file *f)
{
    CALL(f, xShmBarrier);
}
static int file_shm_unmap(sqlite3_file *f, int delete)
{
    return CALL(f, xShmUnmap, delete);
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* --- The disk --- */

static int disk_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *out)
{
    (void)vfs;
    struct disk_file *file = (struct disk_file *)(void *)f;
    f->pMethods = NULL;
    shared_step();
    if (shared->disk.closed) return SQLITE_CANTOPEN;
    file->path = path;
    int code = disk_below()->xOpen(disk_below(), path, file->below, flags, out);
    if (file->below->pMethods) f->pMethods = &file_methods;
    return code;
}

static int disk_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    (void)vfs;
    shared_step();
    return disk_below()->xDelete(disk_below(), path, sync);
}

static int disk_randomness(sqlite3_vfs *vfs, int n, char *bytes)
{
    (void)vfs;
    return (int)getrandom(bytes, (size_t)n, 0);
}

static int disk_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    usleep((useconds_t)us);
    return us;
}

void disk_install(void)
{
    static sqlite3_vfs disk;
    sqlite3_initialize();
    disk = *disk_below();
    disk.szOsFile += (int)sizeof(struct disk_file);
    disk.zName = "simulated";
    disk.pNext = NULL;
    disk.xOpen = disk_open;
    disk.xDelete = disk_delete;
    disk.xRandomness = disk_randomness;
    disk.xSleep = disk_sleep;
    sqlite3_vfs_register(&disk, 1);
}
