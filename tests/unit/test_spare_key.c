/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "spare_key.h"

#include <string.h>

#define KEY(WORD, ...)                                           \
    ({                                                           \
        static char room[SPARE_KEY];                             \
        const metrics_tag_t tags[] = {__VA_ARGS__};              \
        spare_key(WORD, tags, sizeof tags / sizeof *tags, room); \
    })

UNIT(spare_key, keys)
{
    CHECK_STR(KEY("worker", {"a", "1"}), "worker");
    CHECK_STR(KEY("worker", {"worker", "1"}), "mtx_worker");
    CHECK_STR(KEY("worker", {"Worker", "1"}), "mtx_worker");
    CHECK_STR(KEY("worker", {"a", "1"}, {"mtx.worker", "1"}, {"worker", "1"}), "mtx_worker_2");
    CHECK_STR(KEY("worker", {"mtx_worker", "1"}, {"mtx_worker_2", "1"}, {"worker", "1"}), "mtx_worker_3");
    CHECK_STR(KEY("worker", {"mtx_worker", "1"}), "worker");
    CHECK_STR(KEY("mtx_segment", {"mtx_segment", "1"}), "mtx_segment_2");
    CHECK_STR(KEY("worker", {"work", "1"}, {"workers", "1"}), "worker");
}
