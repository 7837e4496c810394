/* SPDX-License-Identifier: Apache-2.0 */
#include <mtx/metrics.h>

int main()
{
    metrics_counter_add(metrics_counter(metrics_default(), "outside.count", "from", "package"), 5);
    return metrics_status(metrics_default(), nullptr) != 0;
}
