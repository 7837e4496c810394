/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "transport_lines.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

/* A listening socket, and its address as text. */
static int listen_at(char address[32])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof a) && !listen(fd, 4));
    REQUIRE(!getsockname(fd, (struct sockaddr *)&a, &n));
    snprintf(address, 32, "127.0.0.1:%d", ntohs(a.sin_port));
    return fd;
}

/* Sends a line on a channel, and checks that the receiver gets it. */
static void send_to(void *link, int channel, int receiver, const char *line)
{
    struct payload payload = {.channel = channel};
    struct answer answer = {.outcome = OUTCOME_DROP};
    char got[64] = "";
    buf_str(&payload.body, line);
    transport_lines.send(link, &payload, &answer);
    if (answer.outcome != OUTCOME_SENT) UNIT_FAIL("%s\n", buf_text(&answer.why));
    REQUIRE(answer.outcome == OUTCOME_SENT);
    int fd = accept(receiver, NULL, NULL);
    CHECK(read(fd, got, sizeof got - 1) > 0);
    CHECK_STR(got, line);
    close(fd);
    payload_free(&payload);
    answer_free(&answer);
}

static void describes(const struct lines_settings *s, int channel, const char *address)
{
    const struct payload payload = {.channel = channel};
    struct route route = {.way = NULL};
    transport_lines.describe(s, &payload, false, &route);
    CHECK_STR(route.way, "tcp");
    CHECK_STR(buf_text(&route.address), address);
    route_free(&route);
}

/* A payload goes to the address of its channel; a channel without one uses the first. */
UNIT(transport_lines, channels)
{
    char first[32], second[32];
    int at_first = listen_at(first), at_second = listen_at(second);
    struct lines_settings s = {
        .http = {.timeout = UINT64_C(5000000000), .connect_timeout = UINT64_C(5000000000)},
        .tcp = {first, second}};
    struct buf why = {0};
    void *link = transport_lines.open(&s, &why);
    REQUIRE(link);
    send_to(link, 0, at_first, "a 1\n");
    send_to(link, 1, at_second, "b 2\n");
    describes(&s, 1, second);
    transport_lines.close(&link);
    s.tcp[1] = NULL;
    link = transport_lines.open(&s, &why);
    REQUIRE(link);
    send_to(link, 1, at_first, "c 3\n");
    describes(&s, 1, first);
    transport_lines.close(&link);
    close(at_first);
    close(at_second);
    buf_free(&why);
}

/* There is one way: HTTP or TCP. */
UNIT(transport_lines, ways)
{
    char url[] = "http://127.0.0.1:1", tcp[] = "127.0.0.1:1", empty[] = "";
    struct buf why = {0};
    CHECK(lines_sound(&(struct lines_settings){.http.url = url}, &why));
    CHECK(lines_sound(&(struct lines_settings){.http.url = empty, .tcp = {tcp}}, &why));
    CHECK_STR(buf_text(&why), "");
    CHECK(!transport_lines.open(&(struct lines_settings){.http.url = url, .tcp = {tcp}}, &why));
    CHECK_STR(buf_text(&why), "url and tcp exclude each other");
    buf_reset(&why);
    CHECK(!lines_sound(&(struct lines_settings){.tcp = {NULL, tcp}}, &why));
    CHECK_STR(buf_text(&why), "url is missing (or tcp, for lines on a socket)");
    buf_free(&why);
}
