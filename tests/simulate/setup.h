/* SPDX-License-Identifier: Apache-2.0 */
/* setup.h - a configuration of an exporter, and its text. */
#ifndef SIMULATE_SETUP_H
#define SIMULATE_SETUP_H

#include "service.h"

enum setup_place { SETUP_FILE, SETUP_MEMORY, SETUP_STATE_DIR, SETUP_PLACES };

struct setup {
    unsigned backends; /* a bit for each service */
    unsigned drops;    /* of these, on_ambiguous: drop */
    unsigned places;   /* segments that are followed */
    enum setup_place log;
    unsigned excluded; /* series that are not selected, a bit for each number */
    unsigned timeout;  /* of a request, in seconds */
    unsigned max_lag;  /* seconds; 0 = the default */
    unsigned log_kib;  /* 0 = the default */
    bool glob;         /* the segments are named by a pattern */
};

/* The segments that it follows. */
static inline unsigned setup_places(const struct setup *setup)
{
    return setup->glob ? ~0u : setup->places;
}

/* Writes it to a file. `folder` is the world's. */
void setup_write(const struct setup *setup, const struct service *services, const char *folder,
                 const char *path);

/* In words, for a story. The text is static. */
const char *setup_words(const struct setup *setup, const struct service *services);

/* Where the segment of a place is. */
void setup_segment(char *out, size_t n, const char *folder, unsigned place);

#endif
