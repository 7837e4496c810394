/* SPDX-License-Identifier: Apache-2.0 */
#include "templates.h"

void other_unit(metrics_counter_t *counter, metrics_timer_t *timer, metrics_updown_t *depth)
{
    count_template(counter, 3L);
    count_template(counter, 4);
    Stopwatch(timer).run(depth);
}
