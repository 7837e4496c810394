/* SPDX-License-Identifier: Apache-2.0 */
/*
 * descriptor.h - writes payloads, whole, to a file descriptor: what the transports to files and terminals
 * share.
 *
 * Not thread-safe: one thread at a time for each descriptor.
 */
#ifndef EXPORTERS_DESCRIPTOR_H
#define EXPORTERS_DESCRIPTOR_H

#include "transport.h"

/* Writes the payload and fills in the answer. All of it written: OUTCOME_SENT. A full disk and the like:
 * OUTCOME_RETRY, and a regular file is cut back to where the payload began, so that it never holds half a
 * line twice. A reader that is gone (EPIPE): OUTCOME_DROP. A terminal or pipe that takes nothing for five
 * seconds: OUTCOME_RETRY if none of the payload was written, else OUTCOME_DROP. */
void descriptor_send(int fd, const struct payload *payload, struct answer *answer);

#endif
