/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statsd.c - one UDP datagram per increment, to a bound socket on the loopback address that a process on the
 * other CPU reads. The payload is a constant: a real client also formats it, and a real daemon parses it.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peers.h"

static const char payload[] = "bench.requests:1|c|#route:/cart,status:200";
static struct sockaddr_in address = {.sin_family = AF_INET};
static int server, client;
static pid_t daemon_pid;

static int open_sockets(void)
{
    socklen_t n = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (server < 0 || bind(server, (struct sockaddr *)&address, n) ||
        getsockname(server, (struct sockaddr *)&address, &n))
        return -1;
    daemon_pid = fork();
    if (daemon_pid == 0) {
        char buf[512];
        bench_pin(1);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        while (recv(server, buf, sizeof buf, 0) > 0) {
        }
        _exit(0);
    }
    return daemon_pid < 0 ? -1 : 0;
}

static void connect_client(void)
{
    client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static void increment(uint64_t n)
{
    BENCH_LOOP(sendto(client, payload, sizeof payload - 1, 0, (struct sockaddr *)&address, sizeof address))
}

static void stop_daemon(void)
{
    kill(daemon_pid, SIGTERM);
    waitpid(daemon_pid, NULL, 0);
    close(server);
    close(client);
}

static const struct bench_op ops[] = {
    {.name = "statsd.counter_inc", .run = increment, .two = BENCH_PROCESS},
};
struct peer peer_statsd = {.name = "a statsd datagram",
                           .open = open_sockets,
                           .prepare = connect_client,
                           .ops = ops,
                           .count = 1,
                           .close = stop_daemon};
