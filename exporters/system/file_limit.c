/* SPDX-License-Identifier: Apache-2.0 */
#include "file_limit.h"

#include <stdbool.h>

static bool limits_ours; /* it was not ignored before */

void file_limit_begin(void)
{
    limits_ours = signal(SIGXFSZ, SIG_IGN) != SIG_IGN;
}

void file_limit_changed(sigset_t *signals)
{
    sigemptyset(signals);
    if (limits_ours) sigaddset(signals, SIGXFSZ);
}
