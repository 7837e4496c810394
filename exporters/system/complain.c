/* SPDX-License-Identifier: Apache-2.0 */
#include "complain.h"

#include "clock.h"
#include "say.h"

#define COMPLAIN_FIRST   (10 * CLOCK_SECOND)
#define COMPLAIN_LONGEST (3600 * CLOCK_SECOND)

bool complain_due(struct complain *c, uint64_t now, uint64_t *repeated)
{
    if (!c->failing)
        *c = (struct complain){.failing = true, .since = now, .next = now, .pause = COMPLAIN_FIRST};
    if (now < c->next) {
        c->silent++;
        return false;
    }
    *repeated = c->silent;
    c->silent = 0;
    c->next = now + c->pause;
    c->pause = c->pause * 2 < COMPLAIN_LONGEST ? c->pause * 2 : COMPLAIN_LONGEST;
    return true;
}

void complain_rest(struct complain *c, uint64_t now)
{
    if (c->failing && now > c->next + COMPLAIN_LONGEST) c->pause = COMPLAIN_FIRST;
}

bool complain(struct complain *c, uint64_t now, const char *message, const char *key, const char *who,
              const char *reason)
{
    uint64_t repeated;
    if (!complain_due(c, now, &repeated)) return false;
    say(SAY_WARN, message, key, who, "reason", reason, "repeated", repeated ? SAY_U64(repeated) : NULL, NULL);
    return true;
}

void complain_over(struct complain *c, uint64_t now, const char *message, const char *key, const char *who)
{
    if (!c->failing) return;
    struct buf lasted = {0};
    buf_duration(&lasted, (now - c->since) / 1000000000 * 1000000000);
    say(SAY_INFO, message, key, who, "after", buf_text(&lasted), NULL);
    buf_free(&lasted);
    *c = (struct complain){0};
}
