/* SPDX-License-Identifier: Apache-2.0 */
#include "nearest.h"

#include <string.h>

#define NEAREST_LONGEST 64

static unsigned nearest_least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned nearest_distance(const char *a, const char *b)
{
    /* Optimal string alignment: rows i-2, i-1 and i of the table of distances between prefixes. */
    unsigned rows[3][NEAREST_LONGEST + 1];
    size_t na = strlen(a), nb = strlen(b);
    if (na > NEAREST_LONGEST || nb > NEAREST_LONGEST) return 2 * NEAREST_LONGEST;
    for (unsigned j = 0; j <= nb; j++) rows[0][j] = j;
    for (size_t i = 1; i <= na; i++) {
        unsigned *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            row[j] = nearest_least(up[j] + 1, row[j - 1] + 1);
            row[j] = nearest_least(row[j], up[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = nearest_least(row[j], up2[j - 2] + 1);
        }
    }
    return rows[na % 3][nb];
}

const char *nearest_of(const char *word, const char *best, const char *candidate)
{
    size_t third = strlen(word) / 3;
    unsigned most = third < 1 ? 1 : third > 3 ? 3 : (unsigned)third;
    unsigned distance = nearest_distance(word, candidate);
    if (distance > most) return best;
    return best && nearest_distance(word, best) <= distance ? best : candidate;
}
