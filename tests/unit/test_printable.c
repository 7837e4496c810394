/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: text of others becomes one line of UTF-8 that controls no terminal; what is not is refused by its place. */
#include "unit.h"

#include "printable.h"

UNIT(printable, cleans)
{
    static const struct {
        const char *text, *clean;
    } cases[] = {{"plain \xc3\xa9", "plain \xc3\xa9"},
                 {"a\nb\tc\x1b[31m", "a b c [31m"},
                 {"\xff\xc3", "\xef\xbf\xbd\xef\xbf\xbd"},
                 {"x\xc2\x9b"
                  "31m\x7f",
                  "x 31m "},
                 {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
                 {"", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = {0};
        printable(&out, cases[i].text, strlen(cases[i].text));
        CHECK_STR(buf_text(&out), cases[i].clean);
        buf_free(&out);
    }
}

static void refuses(bool (*check)(const char *, struct buf *), const char *text, const char *says)
{
    struct buf why = {0};
    CHECK(check(text, &why) == !says);
    CHECK_STR(buf_text(&why), says ? says : "");
    buf_free(&why);
}

UNIT(printable, checks)
{
    refuses(printable_check, "p\xe4ssword", NULL); /* a password may be of any alphabet */
    refuses(printable_check, "open\r\nX: y", "byte 5 is a newline (0x0d), which is not allowed");
    refuses(printable_check, "a\x7f", "byte 2 is a control character (0x7f), which is not allowed");
    refuses(printable_check_utf8, "\xc3\xa9", NULL);
    refuses(printable_check_utf8, "a\xe4", "byte 2 (0xe4) is not UTF-8 or is a control character");
    refuses(printable_check_utf8, "\xc2\x85", "byte 1 (0xc2) is not UTF-8 or is a control character");
}
