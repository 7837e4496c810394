/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

#include "../testing.h"

#define METRICS_SYSLOG
#include <mtx/events_read.h>
#include <mtx/syslog.h>

UNIT(syslog, lines)
{
    test_place();
    setenv("MTX_SEGMENT", test_path, 1);
    openlog("shop", LOG_PID, LOG_DAEMON);
    errno = ENOENT;
    syslog(LOG_ERR, "cannot open %s: %m", "/x");
    CHECK_EQ_I64(errno, ENOENT);
    setlogmask(LOG_UPTO(LOG_NOTICE));
    syslog(LOG_INFO, "masked");
    syslog(LOG_DAEMON | LOG_ALERT, "%d", 7);
    CHECK_EQ_I64(setlogmask(0), LOG_UPTO(LOG_NOTICE));
    closelog();
    metrics_reader_t *reader = test_reader();
    metrics_events_t *events = metrics_events_open(reader, METRICS_EVENTS_DRAIN, NULL);
    REQUIRE(!metrics_events_take(events, NULL));
    const metrics_event_t *e = metrics_events_next(events);
    REQUIRE(e);
    CHECK_STR(e->name, "shop");
    CHECK_STR(e->message, "cannot open /x: No such file or directory");
    CHECK_EQ_U64(e->level, METRICS_LOG_ERROR);
    REQUIRE(e->field_count == 1);
    CHECK_STR(e->fields[0].key, "pid");
    CHECK_EQ_I64(e->fields[0].i, getpid());
    REQUIRE((e = metrics_events_next(events)));
    CHECK_STR(e->message, "7");
    CHECK_EQ_U64(e->level, METRICS_LOG_CRITICAL);
    CHECK(!metrics_events_next(events));
    metrics_events_close(&events);
    metrics_reader_close(&reader);
}
