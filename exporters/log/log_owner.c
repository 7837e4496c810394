/* SPDX-License-Identifier: Apache-2.0 */
/* log_owner.c - which segment a log belongs to, and the number of the log, as its file says. */
#include "log_inside.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

uint64_t log_number(const struct log *log)
{
    return log->owner.number;
}

void log_owner_begin(struct log_owner *owner)
{
    if (getrandom(&owner->number, sizeof owner->number, 0) != sizeof owner->number)
        owner->number = clock_wall(&clock_system);
    if (!owner->number) owner->number = 1;
}

/* The numbers among the facts. */
static uint64_t *owner_field(struct log_owner *owner, const char *fact)
{
    return !strcmp(fact, "log")           ? &owner->number
           : !strcmp(fact, "incarnation") ? &owner->incarnation
           : !strcmp(fact, "device")      ? &owner->device
           : !strcmp(fact, "inode")       ? &owner->inode
                                          : NULL;
}

void log_owner_load(struct log_owner *owner, const char *fact, const char *text)
{
    uint64_t *field = owner_field(owner, fact);
    if (field) *field = strtoull(text, NULL, 16);
    if (!strcmp(fact, "boot")) snprintf(owner->boot, sizeof owner->boot, "%s", text);
    if (strcmp(fact, "segment")) return;
    free(owner->segment);
    owner->segment = strdup(text);
}

void log_owner_save(struct log *log)
{
    static const char *const facts[] = {"log", "incarnation", "device", "inode"};
    char text[24];
    if (!log->store) return;
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        snprintf(text, sizeof text, "%" PRIx64, *owner_field(&log->owner, facts[i]));
        store_put_fact(log->store, facts[i], text);
    }
    store_put_fact(log->store, "boot", log->owner.boot);
    if (log->owner.segment) store_put_fact(log->store, "segment", log->owner.segment);
}

static void peek_fact(void *arg, const char *name, const char *text)
{
    log_owner_load(arg, name, text);
}

bool log_peek(const char *path, struct log_owner *owner)
{
    *owner = (struct log_owner){0};
    bool good = store_peek(path, peek_fact, owner) && owner->segment && owner->incarnation;
    if (!good) free(owner->segment);
    if (!good) owner->segment = NULL;
    return good;
}
