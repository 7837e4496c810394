/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: an address in a configuration is read the same
 * way everywhere; a wrong one is refused with a reason. */
#include "unit.h"

#include "address.h"

#include <string.h>

UNIT(address, good)
{
    static const struct {
        const char *text, *host;
        int port;
    } cases[] = {
        {"127.0.0.1:9464", "127.0.0.1", 9464},
        {"[::1]:2878", "::1", 2878},
        {"::1:2878", "::1", 2878},
        {"proxy.example:1", "proxy.example", 1},
        {"h:0", "h", 0},
        {"h:65535", "h", 65535},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address a;
        REQUIRE(address_parse(cases[i].text, &a));
        CHECK_STR(a.host, cases[i].host);
        CHECK(a.port == cases[i].port);
    }
}

UNIT(address, bad)
{
    static const char *const bad[] = {"",     "localhost", ":80",   "h:",   "h:65536", "h:99999",
                                      "h:8x", "h: 80",     "h:+80", "h:-1", "[]:80",   "h:080808080"};
    char longer[400];
    struct buf why = {0};
    struct address a;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (address_parse(bad[i], &a)) UNIT_FAIL("\"%s\" was accepted\n", bad[i]);
    memset(longer, 'h', sizeof longer);
    strcpy(longer + 256, ":80");
    CHECK(!address_parse(longer, &a));
    CHECK(address_parse(longer + 1, &a));
    CHECK(!address_check_peer("h:0", &why)); /* nobody listens on port 0 */
    CHECK(strstr(buf_text(&why), "\"h:0\" is not an address such as") != NULL);
    CHECK(address_check_listen("h:0", &why));
    CHECK(address_check_listen("off", &why));
    CHECK(!address_check_peer("off", &why));
    buf_free(&why);
}
