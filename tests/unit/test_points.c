/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "points.h"

/* A backend that takes every point which it is given. */
static bool take(struct payload *payloads, const struct point *point, const void *settings,
                 const void *session, struct buf *why)
{
    (void)point, (void)settings, (void)session, (void)why;
    payloads[0].points++;
    return true;
}
static const struct backend_points taker = {.add = take};

static void keep_reason(void *arg, const struct point *point, const char *why)
{
    (void)point;
    buf_printf(arg, "%s\n", why);
}

/* No backend is given a point that has no name or no finite value; what has neither as such reaches it. */
UNIT(points, unsound)
{
    static const struct {
        struct point point;
        const char *says; /* "" = it is given to the backend */
    } cases[] = {
        {{.name = "a", .value_type = METRICS_F64, .value.f = 1}, ""},
        {{.name = "a", .value_type = METRICS_U64, .value.u = UINT64_MAX}, ""},
        {{.name = "a", .value_type = METRICS_F64, .value.f = NAN}, "its value is not a finite number\n"},
        {{.name = "a", .value_type = METRICS_F64, .value.f = -INFINITY},
         "its value is not a finite number\n"},
        {{.name = "", .value_type = METRICS_F64, .value.f = 1}, "it has no name\n"},
        {{.name = "a", .type = POINT_SUMMARY, .summary = {.sum = 1, .min = NAN}}, ""},
        {{.name = "a", .type = POINT_SUMMARY, .summary = {.sum = NAN}}, "its value is not a finite number\n"},
        {{.name = "", .type = POINT_SET}, "it has no name\n"},
        {{.name = "", .type = POINT_DISTRIBUTION}, "it has no name\n"},
        {{.name = "", .type = POINT_FIELDS}, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct payload payloads[PAYLOADS] = {{.points = 0}};
        struct buf why = {0};
        signed char where;
        bool good = !*cases[i].says;
        CHECK_EQ_U64(
            points_write(&taker, &cases[i].point, 1, NULL, NULL, payloads, &where, keep_reason, &why), 1);
        CHECK_STR(buf_text(&why), cases[i].says);
        CHECK_EQ_I64(where, good ? 0 : POINTS_LEFT_OUT);
        CHECK_EQ_U64(payloads[0].points, good ? 1 : 0);
        buf_free(&why);
    }
}

/* Writes half a line, and refuses the point. */
static bool refuse(struct payload *payloads, const struct point *point, const void *settings,
                   const void *session, struct buf *why)
{
    (void)settings, (void)session;
    buf_str(&payloads[1].body, point->name);
    buf_str(why, "it is refused");
    return false;
}
static const struct backend_points refuser = {.add = refuse};

/* Of a point that a backend refuses nothing is left in the payloads. */
UNIT(points, refused)
{
    const struct point point = {.name = "a"};
    struct payload payloads[PAYLOADS] = {{.points = 0}};
    struct buf why = {0};
    signed char where;
    buf_str(&payloads[1].body, "b\n");
    CHECK_EQ_U64(points_write(&refuser, &point, 1, NULL, NULL, payloads, &where, keep_reason, &why), 1);
    CHECK_STR(buf_text(&payloads[1].body), "b\n");
    CHECK_STR(buf_text(&why), "it is refused\n");
    CHECK_EQ_I64(where, POINTS_LEFT_OUT);
    payload_free(&payloads[1]);
    buf_free(&why);
}
