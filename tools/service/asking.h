/* SPDX-License-Identifier: Apache-2.0 */
/*
 * asking.h - asks one backend's own encoder what it would send of a snapshot, reading by reading. Nothing is
 * sent.
 *
 * A page that is scraped is one whole: what a series looks like may depend on the others (they share a name,
 * one of two has to give way). So for such backends the lines are looked up in the whole page.
 */
#ifndef TOOLS_ASKING_H
#define TOOLS_ASKING_H

#include "config.h"
#include "view.h"

struct asking {
    const struct config_backend *backend;
    struct selection selection;
    void *session;
    struct view view; /* what passes its filter, in the order of the snapshot */
    struct buf notes; /* one line for each reading that a whole page leaves out or renames */
    struct buf page;  /* scraped backends: all of it */
    char **lines;     /* of the page, sorted */
    size_t line_count;
    char *line_text;
};

/*
 * Begin. base is an earlier snapshot from which an interval's changes count, or NULL: then an interval is the
 * series' whole life. The snapshots, the backend and the tags must outlive it. False with the reason in `why`
 * (without one: memory is out). End with asking_close() in any case.
 */
bool asking_open(struct asking *asking, const struct config_backend *backend, const struct option_tags *tags,
                 const metrics_snapshot_t *now, const metrics_snapshot_t *base, struct buf *why);
void asking_close(struct asking *asking);

/* Appends what is sent for item `at` of the view; nothing if the page leaves it out. */
void asking_sent(struct asking *asking, size_t at, struct buf *payload);

/* The item's values as the backend sees them; see item_rows(). */
bool asking_rows(struct asking *asking, size_t at, struct rows *rows);

/* Appends why a name does not pass the filter: the pattern, as it stands in the configuration. */
void asking_hidden(const struct asking *asking, const char *name, struct buf *why);

#endif
