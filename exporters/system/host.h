/* SPDX-License-Identifier: Apache-2.0 */
/* host.h - the name of this host, for backends that tell series apart by it. */
#ifndef EXPORTERS_HOST_H
#define EXPORTERS_HOST_H

enum { HOST_NAME = 256 };

/* The name into `name`; "unknown" if there is none. Thread-safe. */
void host_name(char name[HOST_NAME]);

#endif
