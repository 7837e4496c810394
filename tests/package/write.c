/* SPDX-License-Identifier: Apache-2.0 */
#include <mtx/metrics.h>

int main(void)
{
    for (int i = 0; i < 7; i++) METRICS_INC("outside.count", "from", "package");
    return metrics_status(metrics_default(), NULL) != 0;
}
