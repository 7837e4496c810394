/* SPDX-License-Identifier: Apache-2.0 */
#include "restart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "atomic.h"
#include "boot.h"

bool restart_suspect(const char *machine, const char *release)
{
    unsigned major, minor;
    if (strncmp(machine, "aarch64", 7) && strncmp(machine, "armv8", 5))
        return false; /* armv8l: setarch linux32 */
    /* arm64 began with 3.7: 2.6 is a process that must not see the real number (setarch --uname-2.6). */
    if (sscanf(release, "%u.%u", &major, &minor) != 2 || major < 3) return true;
    return major > 6 || (major == 6 && minor >= 19);
}

void restart_look(struct restart_here *here)
{
    struct utsname name;
    const char *wish = secure_getenv("MTX_RSEQ");
    memset(here, 0, sizeof *here);
    boot_id(here->boot_id);
    if (uname(&name)) memset(&name, 0, sizeof name);
    snprintf(here->release, sizeof here->release, "%.*s", (int)sizeof here->release - 1, name.release);
    here->suspect = restart_suspect(name.machine, name.release);
    here->on = wish && !strcmp(wish, "on");
    here->off = wish && !strcmp(wish, "off");
}

/* The verdict, if it is of the running kernel. */
static enum restart_verdict read_note(const struct restart_here *here, const struct segment_kernel *note)
{
    static const uint8_t unknown[16];
    struct segment_kernel copy;
    uint64_t verdict = mem_load_acquire(&note->verdict); /* ORD-18 */
    if (verdict != RESTART_WORKS && verdict != RESTART_BROKEN) return RESTART_UNTESTED;
    copy = *note;
    mem_fence_acquire();                               /* ORD-18 */
    bool same = mem_load(&note->verdict) == verdict && /* ORD-18 */
                memcmp(here->boot_id, unknown, sizeof unknown) != 0 &&
                !memcmp(copy.boot_id, here->boot_id, sizeof copy.boot_id) &&
                !strncmp(copy.release, here->release, sizeof copy.release);
    return same ? (enum restart_verdict)verdict : RESTART_UNTESTED;
}

enum restart_choice restart_choose(const struct restart_here *here, const struct segment_kernel *note)
{
    if (here->off) return RESTART_SWITCHED_OFF;
    if (here->on) return RESTART_FORCED;
    switch (read_note(here, note)) {
    case RESTART_BROKEN: return RESTART_FAILED;
    case RESTART_WORKS: return RESTART_PROVED;
    default: return here->suspect ? RESTART_NOT_PROVED : RESTART_TRUSTED;
    }
}

void restart_note(struct segment_kernel *note, const struct restart_here *here, enum restart_verdict verdict)
{
    if (verdict == RESTART_UNTESTED) return;
    mem_store(&note->verdict, 0); /* ORD-18 */
    mem_fence_release();          /* ORD-18 */
    memcpy(note->boot_id, here->boot_id, sizeof note->boot_id);
    memcpy(note->release, here->release, sizeof note->release);
    mem_publish(&note->verdict, verdict); /* ORD-18 */
}
