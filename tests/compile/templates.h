/* SPDX-License-Identifier: Apache-2.0 */
/* Updates inside templates and inline methods: code that the compiler emits in every translation unit that
 * uses it, in sections that the linker folds. */
#ifndef MTX_TESTS_TEMPLATES_H
#define MTX_TESTS_TEMPLATES_H

#include <mtx/metrics.h>

template <typename Number> void count_template(metrics_counter_t *counter, Number times)
{
    for (Number i = 0; i < times; i++) metrics_counter_inc(counter);
    METRICS_INC("cxx.site", "from", "template");
}

class Stopwatch {
  public:
    explicit Stopwatch(metrics_timer_t *timer) : timer_(timer) {}
    void run(metrics_updown_t *depth)
    {
        METRICS_TIME_SCOPE(timer_);
        metrics_updown_inc(depth);
        metrics_updown_dec(depth);
    }

  private:
    metrics_timer_t *timer_;
};

void other_unit(metrics_counter_t *counter, metrics_timer_t *timer, metrics_updown_t *depth);

#endif
