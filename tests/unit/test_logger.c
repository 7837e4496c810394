/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "../testing.h"

#include <mtx/events.h>
#include <mtx/events_read.h>

#include "logger.h"

UNIT(level, names)
{
    CHECK_EQ_U64(metrics__log_level_of("WARNING"), METRICS_LOG_WARNING);
    CHECK_EQ_U64(metrics__log_level_of("warn"), METRICS_LOG_WARNING);
    CHECK_EQ_U64(metrics__log_level_of("Critical"), METRICS_LOG_CRITICAL);
    CHECK_EQ_U64(metrics__log_level_of("NOTSET"), 1);
    CHECK_EQ_U64(metrics__log_level_of("30"), METRICS_LOG_WARNING);
    CHECK_EQ_U64(metrics__log_level_of("31"), METRICS_LOG_ERROR);
    CHECK_EQ_U64(metrics__log_level_of("0"), 1);
    CHECK(metrics__log_level_of("51") > METRICS_LOG_FATAL);
    CHECK_EQ_U64(metrics__log_level_of("LOUD"), 0);
    CHECK_EQ_U64(metrics__log_level_of(""), 0);
    CHECK_EQ_U64(metrics__log_level_of("-1"), 0);
    CHECK_EQ_U64(metrics__log_level_of("WARNINGS"), 0);
}

static int lines(metrics_events_t *events)
{
    int n = 0;
    metrics_events_take(events, NULL);
    while (metrics_events_next(events)) n++;
    return n;
}

UNIT(level, filter)
{
    setenv("CHOUETTE_LOG_LEVEL", "ERROR", 1);
    setenv("MTX_LOG_LEVEL", "warning", 1);
    metrics_registry_t *r = test_open(NULL);
    metrics_logger_t *log = metrics_logger(r, "shop");
    metrics_reader_t *reader = test_reader();
    metrics_events_t *events = metrics_events_open(reader, METRICS_EVENTS_FOLLOW, NULL);
    lines(events);
    CHECK(!metrics_log_enabled(METRICS_LOG_NOTICE));
    CHECK(metrics_log_enabled(METRICS_LOG_WARNING));
    metrics_log(log, METRICS_LOG_INFO, "no");
    metrics_log_fields(log, METRICS_LOG_DEBUG, "no");
    CHECK_EQ_I64(lines(events), 0);
    metrics_log(log, METRICS_LOG_WARNING, "yes");
    metrics_log_fields(log, METRICS_LOG_FATAL, "yes");
    CHECK_EQ_I64(lines(events), 2);
    metrics_log_threshold(METRICS_LOG_DEBUG);
    metrics_log(log, METRICS_LOG_DEBUG, "yes");
    CHECK_EQ_I64(lines(events), 1);
    metrics_events_close(&events);
    metrics_reader_close(&reader);
}
