/* SPDX-License-Identifier: Apache-2.0 */
#include "setup.h"

#include "audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void setup_segment(char *out, size_t n, const char *folder, unsigned place)
{
    snprintf(out, n, "%s/%c.seg", folder, 'a' + place);
}

static void write_segments(const struct setup *setup, const char *folder, FILE *f)
{
    char path[160];
    if (setup->glob) {
        fprintf(f, "segment: \"%s/*.seg\"\n", folder);
        return;
    }
    fputs("segment:", f);
    for (unsigned p = 0; p < AUDIT_PLACES; p++) {
        setup_segment(path, sizeof path, folder, p);
        if (setup->places >> p & 1) fprintf(f, "\n  - %s", path);
    }
    fputs("\n", f);
}

static void write_log(const struct setup *setup, const char *folder, FILE *f)
{
    char size[32] = "";
    if (setup->log_kib) snprintf(size, sizeof size, ", size: 64KiB"); /* the least: see shared->lives[].log */
    if (setup->log == SETUP_MEMORY)
        fprintf(f, "log: {place: memory%s}\n", size);
    else if (setup->log == SETUP_STATE_DIR)
        fprintf(f, "log: {state_dir: %s/state%s}\n", folder, size);
    else
        fprintf(f, "log: {place: file%s}\n", size);
}

static void write_backend(const struct setup *setup, const struct service *s, FILE *f)
{
    fprintf(
        f,
        "  - {type: %s, url: \"http://simulated\", unix_socket: \"%s\", %s, timeout: %us, connect_timeout: 1s, "
        "retry_least: 200ms, retry_most: 1s, exclude: [\"mtx.*\"",
        s->protocol->type, s->path, s->protocol->extra, setup->timeout);
    for (unsigned i = 0; i < AUDIT_SERIES; i++)
        if (setup->excluded >> i & 1) fprintf(f, ", \"?%u?\"", i);
    fputs("]", f);
    if (setup->drops >> s->backend & 1 && s->protocol->additive) fputs(", on_ambiguous: drop", f);
    if (setup->max_lag) fprintf(f, ", max_lag: %us", setup->max_lag);
    fputs("}\n", f);
}

void setup_write(const struct setup *setup, const struct service *services, const char *folder,
                 const char *path)
{
    FILE *f = fopen(path, "we");
    if (!f) abort();
    write_segments(setup, folder, f);
    fputs("interval: 1s\nflush_timeout: 10s\nhttp: {listen: \"off\"}\n", f);
    write_log(setup, folder, f);
    fputs("backends:\n", f);
    for (unsigned b = 0; b < AUDIT_BACKENDS; b++)
        if (setup->backends >> b & 1) write_backend(setup, &services[b], f);
    fclose(f);
}

const char *setup_words(const struct setup *setup, const struct service *services)
{
    static char text[256];
    static const char *const logs[] = {"its log in a file", "its log in memory", "its log in state_dir"};
    size_t n = (size_t)snprintf(text, sizeof text, "%s, segments", logs[setup->log]);
    for (unsigned p = 0; p < AUDIT_PLACES; p++)
        if (setup->places >> p & 1) n += (size_t)snprintf(text + n, sizeof text - n, " %c", 'a' + p);
    n += (size_t)snprintf(text + n, sizeof text - n, "%s, backends", setup->glob ? " (a pattern)" : "");
    for (unsigned b = 0; b < AUDIT_BACKENDS; b++)
        if (setup->backends >> b & 1)
            n += (size_t)snprintf(text + n, sizeof text - n, " %s%s", services[b].protocol->type,
                                  setup->drops >> b & 1 ? "(drop)" : "");
    for (unsigned i = 0; i < AUDIT_SERIES; i++)
        if (setup->excluded >> i & 1) n += (size_t)snprintf(text + n, sizeof text - n, ", without ?%u?", i);
    if (setup->timeout > 3) n += (size_t)snprintf(text + n, sizeof text - n, ", timeout %us", setup->timeout);
    if (setup->max_lag) n += (size_t)snprintf(text + n, sizeof text - n, ", max_lag %us", setup->max_lag);
    if (setup->log_kib) n += (size_t)snprintf(text + n, sizeof text - n, ", log of %u KiB", setup->log_kib);
    return text;
}
