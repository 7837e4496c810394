/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_guard.h - files of a store in a directory where others may make files, too (/dev/shm).
 *
 * The names beside a log can be guessed, and SQLite trusts what it finds there: it would replay somebody's
 * write-ahead log, and write ours into a file that everybody reads. So a file is used only if it is a plain
 * file of this user with one name that nobody else may write; what is checked is the descriptor, not the
 * name. A write-ahead log whose name is taken gets another one, and rollback journals, which no store of ours
 * makes, are not looked at.
 *
 * Links on the way to a log's file are followed if nobody else can have made them.
 *
 * Thread-safe.
 */
#ifndef EXPORTERS_STORE_GUARD_H
#define EXPORTERS_STORE_GUARD_H

#include "buf.h"

#include <sys/stat.h>

/* The path, with its directory without links: appended to `real`. False, with the reason, if a link on the way
 * belongs to another user and is in a directory that others may write, or if the directory cannot be reached.
 * The last name need not be there. */
bool guard_path(const char *path, struct buf *real, struct buf *why);

/* Opens or makes a plain file, mode 0600. -1, with the reason, if it cannot, or if the file belongs to another
 * user, is a link, has other names, or may be written by others. The caller closes it. */
int guard_open(const char *path, struct buf *why);

/* Makes SQLite's calls go through here, once for the process. False if it is not the SQLite we know. */
bool guard_sqlite(void);

/* The name that a write-ahead log of that name really has: `path`, unless that is somebody else's file.
 * Appended to `out`. False if there is neither one of ours nor a free name. */
bool guard_wal(const char *path, struct buf *out);

#endif
