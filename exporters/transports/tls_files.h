/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_files.h - files whose paths are given to libcurl, which opens them itself, and waits for ever if one is a FIFO.
 *
 * Thread-safe.
 */
#ifndef EXPORTERS_TLS_FILES_H
#define EXPORTERS_TLS_FILES_H

#include <stdbool.h>

#include "buf.h"

/* Each may be NULL or empty: none. */
struct tls_files {
    const char *ca_file, *client_cert, *client_key;
};

/* The check() of an option: false, with the reason, if there is something at the path that is not a regular file. */
bool tls_check_path(const char *path, struct buf *why);

/* The same for all of them: before each use, since something else may be there by now. */
bool tls_files_regular(const struct tls_files *files, struct buf *why);

/* For --check: false, with the reason, if one of them is not a regular file or cannot be read. */
bool tls_files_readable(const struct tls_files *files, struct buf *why);

#endif
