/* SPDX-License-Identifier: Apache-2.0 */
#include "segment_tag.h"

#include <string.h>

static size_t folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

static bool is_pattern(const char *path, size_t n)
{
    return strcspn(path, "*?[") < n;
}

enum segment_tag segment_tag(const struct option_list *segments)
{
    if (segments->n == 0 || (segments->n == 1 && !is_pattern(segments->items[0], strlen(segments->items[0]))))
        return SEGMENT_TAG_NONE;
    size_t n = folder_of(segments->items[0]);
    for (size_t i = 0; i < segments->n; i++) {
        const char *path = segments->items[i];
        if (folder_of(path) != n || strncmp(path, segments->items[0], n) || is_pattern(path, n))
            return SEGMENT_TAG_PATH;
    }
    return SEGMENT_TAG_FILE;
}

const char *segment_tag_value(enum segment_tag tag, const char *path)
{
    if (tag == SEGMENT_TAG_NONE) return NULL;
    return tag == SEGMENT_TAG_FILE ? path + folder_of(path) : path;
}
