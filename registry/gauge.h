/* SPDX-License-Identifier: Apache-2.0 */
/* gauge.h - what metrics_poll() needs of gauges. */
#ifndef METRICS_REGISTRY_GAUGE_H
#define METRICS_REGISTRY_GAUGE_H

#include "handle.h"

/* Run every callback that this process registered. Takes the lock for each step, never while one runs. */
void metrics__gauge_poll(metrics_registry_t *r);

#endif
