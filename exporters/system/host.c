/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include <string.h>
#include <unistd.h>

void host_name(char name[HOST_NAME])
{
    name[0] = '\0';
    if (gethostname(name, HOST_NAME)) name[0] = '\0';
    name[HOST_NAME - 1] = '\0';
    if (!name[0]) strcpy(name, "unknown");
}
