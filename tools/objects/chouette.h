/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chouette.h - what the files of `mtxctl chouette` share: the queues, what the collection agent makes of a record, the
 * table of calls. docs/commands/chouette.md explains the calls.
 *
 * For one thread.
 */
#ifndef TOOLS_CHOUETTE_H
#define TOOLS_CHOUETTE_H

#include "call.h"

enum chouette_queue { CHOUETTE_RAW, CHOUETTE_WRAPPED, CHOUETTE_LOGS, CHOUETTE_QUEUES };

/* What becomes of a record, the worst first. */
enum chouette_fate {
    CHOUETTE_KILLS,   /* the agent ends, again after each restart */
    CHOUETTE_POISONS, /* the service refuses its whole batch, again and again */
    CHOUETTE_BLOCKS,  /* its window is never aggregated */
    CHOUETTE_STAYS,   /* it never ages out */
    CHOUETTE_DROPPED, /* silently */
    CHOUETTE_GOOD
};
extern const char *const chouette_fates[];

/* What the agent makes of the bytes of a record; text NULL: there is no value under its key. *why: a constant text. */
enum chouette_fate chouette_judge(enum chouette_queue queue, const char *text, size_t n, double score,
                                  const char **why);

extern const struct talk_service chouette_service;
extern const struct call chouette_calls_table[];

#endif
