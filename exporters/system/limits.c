/* SPDX-License-Identifier: Apache-2.0 */
#include "limits.h"

#include <stdbool.h>

static bool limits_ours; /* it was not ignored before */

void limits_begin(void)
{
    limits_ours = signal(SIGXFSZ, SIG_IGN) != SIG_IGN;
}

void limits_changed(sigset_t *signals)
{
    sigemptyset(signals);
    if (limits_ours) sigaddset(signals, SIGXFSZ);
}
