/* SPDX-License-Identifier: Apache-2.0 */
/* info.c - a constant fact: its tags say everything. */
#include "handle.h"

void metrics_info_v(metrics_registry_t *r, const char *const *name_tags, size_t n)
{
    metrics__find(r, &metrics__kind_info, name_tags, n);
}

static int bind(struct metrics__handle *h, const struct metrics__series *s)
{
    (void)h, (void)s;
    return -1;
}

static struct metrics__handle noop;

const struct metrics__kind metrics__kind_info = {
    .number = KIND_info,
    .name = "info",
    .handle_size = sizeof(struct metrics__handle),
    .noop = &noop,
    .bind = bind,
};
