/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what people see of a URL, a proxy and a service's words has no secret. */
#include "unit.h"

#include "transport_http.h"

static void shows(const char *url, const char *shown)
{
    struct buf out = {0};
    http_show_url(url, &out);
    CHECK_STR(buf_text(&out), shown);
    buf_free(&out);
}

UNIT(http_url, shows)
{
    shows("https://host/a/b", "https://host/a/b");
    shows("http://me:secret@proxy:3128", "http://***@proxy:3128");
    shows("me:secret@proxy:3128", "***@proxy:3128");
    shows("http://me:se/cr@et@proxy", "http://***@proxy");
    shows("https://host/p?api_key=secret&b=c&secret#secret", "https://host/p?api_key=***&b=***&***#***");
    shows("", "");
}

UNIT(http_url, hides)
{
    static const char secrets[] = "Authorization: Bearer sesame-1\nX-Key: short\n?token=a%20secret\n";
    struct buf text = {0};
    buf_str(&text, "Bearer sesame-1 short /x?token=a%20secret sesame-1");
    http_hide(&text, secrets);
    CHECK_STR(buf_text(&text), "Bearer ******** short /x?token=********** ********");
    buf_free(&text);
}

/* Neither a refusal nor the route of a dry run shows it. */
UNIT(http_url, checks)
{
    struct buf why = {0};
    CHECK(!http_check_url("htp://me:secret@host", &why));
    CHECK(!http_check_url("http://me:secret@host", &why));
    CHECK(!http_check_url("http://me:s/ecret@host:x", &why));
    CHECK(why.len && !strstr(buf_text(&why), "ecret"));
    CHECK(http_check_url("https://host/a@b", &why));
    buf_free(&why);
    const struct http_settings s = {.url = "https://host/base?key=secret"};
    const struct payload payload = {.points = 0};
    struct route route = {.way = NULL};
    transport_http.describe(&s, &payload, false, &route);
    CHECK_STR(buf_text(&route.path), "/base?key=***");
    route_free(&route);
    transport_http.describe(&s, &payload, true, &route);
    CHECK_STR(buf_text(&route.path), "/base?key=secret");
    route_free(&route);
}
