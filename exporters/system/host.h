/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.h - the name of this host, for backends that distinguish series by it.
 *
 * Thread-safe.
 */
#ifndef EXPORTERS_HOST_H
#define EXPORTERS_HOST_H

enum { HOST_NAME = 256 };

/* Writes the host's name to `name`; "unknown" if it has none. */
void host_name(char name[HOST_NAME]);

#endif
