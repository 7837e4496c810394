/* SPDX-License-Identifier: Apache-2.0 */
#include "../fixture.h"
#include "../session.h"

/* Takes ESC [ ... m out, and counts them. */
static size_t bleach(struct buf *text)
{
    size_t n = 0, to = 0;
    for (size_t at = 0; at < text->len;) {
        if (text->data[at] == '\033') {
            at += strcspn(text->data + at, "m") + 1;
            n++;
        } else {
            text->data[to++] = text->data[at++];
        }
    }
    buf_cut(text, to);
    return n;
}

/* Colours move no column: without them the table is the plain one. */
UNIT(out_console, colours)
{
    struct fixture f;
    struct buf plain = {0}, coloured = {0};
    fixture_open(&f);
    metrics_counter_add(metrics_counter(f.registry, "orders", "city", "k\xc3\xb6ln"), 12);
    metrics_gauge_set(metrics_gauge(f.registry, "load"), 0.5);
    metrics_histogram_update(metrics_histogram(f.registry, "size"), 10000);
    metrics_snapshot_t *s = fixture_sample(&f, 10);
    session_encode(s, "backends: [{type: console, colour: never}]", &plain);
    session_encode(s, "backends: [{type: console, colour: always}]", &coloured);
    CHECK_EQ_U64(bleach(&plain), 0);
    /* The title, four heads, change and rate of two series: on and off. */
    CHECK_EQ_U64(bleach(&coloured), 2 * (1 + 4 + 2 * 2));
    CHECK_STR(buf_text(&coloured), buf_text(&plain));
    CHECK(strstr(buf_text(&plain), "\norders{city=k\xc3\xb6ln}     12     +12 "));
    buf_free(&plain);
    buf_free(&coloured);
    metrics_snapshot_release(&s);
    fixture_close(&f);
}
