/* SPDX-License-Identifier: Apache-2.0 */
#include "trace.h"

#include <string.h>

#include "atomic.h"
#include "process.h"

__thread metrics_trace_t metrics__trace_here __attribute__((tls_model("initial-exec")));

static uint64_t rate = UINT64_MAX; /* a new trace is sampled if its draw is not above */

/* A handler of this thread sees the stores in this order. */
#define BEFORE_HANDLERS() __asm__ volatile("" : : : "memory")

bool metrics__trace_is_set(const metrics_trace_t *trace)
{
    uint64_t id[2];
    memcpy(id, trace->trace_id, sizeof id);
    return (id[0] | id[1]) != 0;
}

void metrics_trace_current(metrics_trace_t *out)
{
    if (metrics__trace_here.reserved[0])
        *out = metrics__trace_here;
    else
        memset(out, 0, sizeof *out);
    out->reserved[0] = 0;
}

/* A handler that comes between the stores finds no trace, and puts that back. */
void metrics_trace_set(const metrics_trace_t *trace)
{
    metrics_trace_t *here = &metrics__trace_here;
    here->reserved[0] = 0;
    here->flags = 0;
    BEFORE_HANDLERS();
    if (!trace || !metrics__trace_is_set(trace)) return;
    memcpy(here->trace_id, trace->trace_id, sizeof here->trace_id);
    memcpy(here->span_id, trace->span_id, sizeof here->span_id);
    BEFORE_HANDLERS();
    here->flags = trace->flags;
    here->reserved[0] = 1;
}

void metrics__trace_draw_span(metrics_trace_t *trace, uint64_t salt)
{
    uint64_t id = process_random() ^ salt;
    if (!id) id = 1;
    memcpy(trace->span_id, &id, sizeof id);
}

void metrics__trace_draw(metrics_trace_t *trace, uint64_t salt)
{
    uint64_t id[2] = {process_random() ^ salt, process_random()}, most = mem_load(&rate); /* ORD-16 */
    memset(trace, 0, sizeof *trace);
    if (!(id[0] | id[1])) id[0] = 1;
    memcpy(trace->trace_id, id, sizeof id);
    metrics__trace_draw_span(trace, salt);
    if (most == UINT64_MAX || process_random() < most) trace->flags = METRICS_TRACE_SAMPLED;
}

void metrics_trace_new(metrics_trace_t *out)
{
    metrics__trace_draw(out, metrics_now());
}

void metrics_trace_rate(double share)
{
    uint64_t most = share >= 1 ? UINT64_MAX : share > 0 ? (uint64_t)(share * 0x1p64) : 0;
    mem_store(&rate, most); /* ORD-16 */
}

/* --- traceparent: version - trace id - parent id - flags, in lower-case hexadecimal --- */

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* n bytes from 2 n digits. */
static bool read_hex(const char *text, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int high = digit(text[2 * i]), low = high < 0 ? -1 : digit(text[2 * i + 1]);
        if (low < 0) return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool is_zero(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i]) return false;
    return true;
}

/* Every check looks at one more byte only after those before it: the text may end anywhere. */
static bool parse(const char *at, metrics_trace_t *out)
{
    uint8_t version;
    if (!read_hex(at, &version, 1) || version == 0xff || at[2] != '-') return false;
    if (!read_hex(at + 3, out->trace_id, 16) || at[35] != '-') return false;
    if (!read_hex(at + 36, out->span_id, 8) || at[52] != '-') return false;
    if (!read_hex(at + 53, &out->flags, 1)) return false;
    if (at[55] && (version == 0 || at[55] != '-')) return false;
    return !is_zero(out->trace_id, 16) && !is_zero(out->span_id, 8);
}

int metrics_traceparent_parse(const char *value, metrics_trace_t *out)
{
    memset(out, 0, sizeof *out);
    if (value && parse(value, out)) return 0;
    memset(out, 0, sizeof *out);
    return -1;
}

static char *write_hex(char *to, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *to++ = "0123456789abcdef"[bytes[i] >> 4];
        *to++ = "0123456789abcdef"[bytes[i] & 15];
    }
    return to;
}

char *metrics_traceparent_format(const metrics_trace_t *trace, char *buf)
{
    uint8_t version = 0, flags = trace->flags & METRICS_TRACE_SAMPLED;
    char *to = write_hex(buf, &version, 1);
    *to++ = '-';
    to = write_hex(to, trace->trace_id, sizeof trace->trace_id);
    *to++ = '-';
    to = write_hex(to, trace->span_id, sizeof trace->span_id);
    *to++ = '-';
    to = write_hex(to, &flags, 1);
    *to = 0;
    return buf;
}
