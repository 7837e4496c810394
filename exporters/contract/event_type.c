/* SPDX-License-Identifier: Apache-2.0 */
#include "event_type.h"

#include "buf.h"

const char *event_type_name(int type)
{
    static const char *const names[METRICS_EVENT_TYPES] = {"", "annotations", "spans", "logs", "points"};
    return names[type];
}

int event_type_named(const char *name)
{
    for (int type = 1; type < METRICS_EVENT_TYPES; type++)
        if (!strcmp(name, event_type_name(type))) return type;
    return 0;
}

bool event_type_check(const char *name, struct buf *why)
{
    if (event_type_named(name) || !strcmp(name, "none")) return true;
    buf_printf(why, "\"%s\" is not annotations, spans, logs, points or none", name);
    return false;
}
