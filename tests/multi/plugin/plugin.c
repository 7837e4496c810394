/* SPDX-License-Identifier: Apache-2.0 */
/* A plug-in with inlined updates, for test_plugin.c to load and unload. */
#include <mtx/metrics.h>

__attribute__((visibility("default"))) void plugin_count(metrics_counter_t *c, int n);
void plugin_count(metrics_counter_t *c, int n)
{
    for (int i = 0; i < n; i++) metrics_counter_inc(c);
}
