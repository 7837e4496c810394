/* SPDX-License-Identifier: Apache-2.0 */
#include "life.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "life_inside.h"

bool life_start(struct life *life, const struct life_plan *plan)
{
    int control[2], nudge[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control)) return false;
    if (pipe2(nudge, O_CLOEXEC)) return false;
    life->pid = fork();
    if (!life->pid) {
        close(control[0]);
        close(nudge[1]);
        life_live(plan, control[1], nudge[0]);
    }
    close(control[1]);
    close(nudge[0]);
    life->control = control[0];
    life->nudge = nudge[1];
    life->next = 0;
    return life->pid > 0;
}

bool life_order(struct life *life, enum life_order order)
{
    return send(life->control, &order, sizeof order, MSG_NOSIGNAL) == sizeof order;
}

bool life_hear(struct life *life, struct life_message *message)
{
    return recv(life->control, message, sizeof *message, 0) == sizeof *message;
}

void life_kill(struct life *life)
{
    if (life->pid) kill(life->pid, SIGKILL);
}

int life_bury(struct life *life)
{
    int status = 0;
    waitpid(life->pid, &status, 0);
    close(life->control);
    close(life->nudge);
    life->pid = 0;
    return status;
}
