/* SPDX-License-Identifier: Apache-2.0 */
/*
 * asking.h - what a backend would send of a snapshot, reading by reading, from its own encoder. Nothing is
 * sent. A struct asking belongs to one thread.
 *
 * In a page that is scraped, a series may depend on others (two share a name, and one has to be renamed). So
 * for such backends the lines are looked up in the whole page.
 */
#ifndef TOOLS_ASKING_H
#define TOOLS_ASKING_H

#include "config.h"
#include "view.h"

struct asking {
    const struct config_backend *backend;
    struct selection selection;
    void *session;
    struct view view; /* what passes the filter, in the order of the snapshot */
    struct buf notes; /* one line for each reading that the page leaves out or renames */
    struct buf page;  /* the whole page of a backend that is scraped */
    char **lines;     /* of the page, sorted; they point into .line_text */
    size_t line_count;
    char *line_text;
};

/* What is asked about. */
struct asking_of {
    const metrics_snapshot_t *now;
    const metrics_snapshot_t
        *base;           /* the earlier one at which the interval begins; NULL: the interval is the whole
                                     * life of a series */
    const char *segment; /* the value of SEGMENT_TAG; NULL: no tag */
};

/*
 * The snapshots, the backend and the tags must outlive the struct. False with the reason in `why`, which is
 * empty if memory is short. asking_close() in any case.
 */
bool asking_open(struct asking *asking, const struct config_backend *backend, const struct option_tags *tags,
                 const struct asking_of *of, struct buf *why);
void asking_close(struct asking *asking);

/* Appends what is sent for item `at` of the view; nothing if the page leaves it out. Pushed points that are left out
 * are named in asking->notes, a line each, with the reason. */
void asking_sent(struct asking *asking, size_t at, struct buf *payload);

/* The values of item `at` as the backend sees them; see item_rows(). The caller frees the rows. */
bool asking_rows(struct asking *asking, size_t at, struct rows *rows);

/* Appends why a name does not pass the filter: the pattern of the configuration. */
void asking_hidden(const struct asking *asking, const char *name, struct buf *why);

#endif
