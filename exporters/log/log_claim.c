/* SPDX-License-Identifier: Apache-2.0 */
/* log_claim.c - a log becomes that of a segment, unless its file is another one's. */
#include "log_inside.h"

#include <stdlib.h>
#include <string.h>

/* A segment that was moved, or restored at its place, is the same. */
static bool owner_is(const struct log_owner *was, const struct log_owner *now)
{
    if (!was->incarnation) return true; /* of a version that wrote none, or new */
    if (was->incarnation != now->incarnation) return false;
    bool same_file = was->device == now->device && was->inode == now->inode;
    return same_file || (was->segment && !strcmp(was->segment, now->segment));
}

bool log_claim(struct log *log, const struct log_owner *owner)
{
    pthread_mutex_lock(&log->lock);
    bool good = owner_is(&log->owner, owner);
    char *segment = good ? strdup(owner->segment) : NULL;
    if (segment) {
        uint64_t number = log->owner.number;
        free(log->owner.segment);
        log->owner = *owner;
        log->owner.segment = segment;
        log->owner.number = number;
        log_owner_save(log);
        log_mirror_commit(log);
    }
    pthread_mutex_unlock(&log->lock);
    return good;
}
