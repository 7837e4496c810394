/* SPDX-License-Identifier: Apache-2.0 */
#include "story.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static struct {
    char *text;
    size_t n, room;
    unsigned done;
    char hidden[128], shown[16];
} story;

void story_begin(void)
{
    story.n = 0;
    story.done = 0;
    story.hidden[0] = '\0';
}

void story_hide(const char *text, const char *shown)
{
    snprintf(story.hidden, sizeof story.hidden, "%s", text);
    snprintf(story.shown, sizeof story.shown, "%s", shown);
}

static void story_add(const char *text, size_t n)
{
    if (story.n + n + 1 > story.room) {
        story.room = (story.n + n + 1) * 2;
        story.text = realloc(story.text, story.room);
        if (!story.text) abort();
    }
    memcpy(story.text + story.n, text, n);
    story.text[story.n += n] = '\0';
}

static void story_line(const char *head, const char *line)
{
    size_t hidden = strlen(story.hidden);
    story_add(head, strlen(head));
    for (const char *at; hidden && (at = strstr(line, story.hidden)); line = at + hidden) {
        story_add(line, (size_t)(at - line));
        story_add(story.shown, strlen(story.shown));
    }
    story_add(line, strlen(line));
    story_add("\n", 1);
}

void story_do(const char *format, ...)
{
    char line[2048], head[16];
    va_list ap;
    va_start(ap, format);
    vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    snprintf(head, sizeof head, "%4u. ", ++story.done);
    story_line(head, line);
}

void story_then(const char *format, ...)
{
    char line[2048];
    va_list ap;
    va_start(ap, format);
    vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    story_line("        ", line);
}

uint64_t story_fingerprint(void)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (size_t i = 0; i < story.n; i++)
        hash = (hash ^ (unsigned char)story.text[i]) * UINT64_C(0x100000001b3);
    return hash;
}

void story_print(FILE *out)
{
    if (story.n) fwrite(story.text, 1, story.n, out);
}
