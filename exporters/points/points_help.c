/* SPDX-License-Identifier: Apache-2.0 */
/* points_help.c - points by hand: fields and types in words, for --help and for reasons. */
#include "points_line_inside.h"

#include <string.h>

const char *point_shape_words(enum point_shape shape)
{
    switch (shape) {
    case POINT_TEXT: return "a string";
    case POINT_WHOLE: return "a whole number";
    case POINT_ANY_NUMBER: return "a number";
    case POINT_YES_NO: return "true or false";
    case POINT_TEXTS: return "a list of strings: [\"a\", \"b\"]";
    case POINT_PAIRS: return "a list of pairs: [[1, 2], [3, 4]]";
    case POINT_NUMBER_MAP: return "numbers by name: {\"a\": 1, \"b\": 2}";
    case POINT_LISTS_MAP: return "lists by name: {\"a\": [\"x\", \"y\"]}";
    case POINT_TEXT_OR_MAP: return "a string, or strings by name: {\"a\": \"x\"}";
    case POINT_OBJECT: return "an object: {...}";
    }
    return "a value";
}

void point_put_choices(const struct point_own *own, struct buf *out)
{
    for (size_t i = 0; own->choices[i]; i++) buf_printf(out, "%s%s", i ? ", " : "", own->choices[i]);
}

/* "a number, or a list of numbers, or centroids": what a type takes. */
void point_put_takes(const struct point_word *w, struct buf *out)
{
    const char *before = "";
    if (w->value & POINT_NUMBER) buf_str(out, "a number"), before = ", or ";
    if (w->value & POINT_NUMBERS) buf_printf(out, "%sa list of numbers", before), before = ", or ";
    if (w->value & POINT_ELEMENTS)
        buf_printf(out, "%sa list of strings and numbers", before), before = ", or ";
    if (w->instead) buf_printf(out, "%s%s%s", before, w->value ? "in its place " : "", w->instead);
}

enum { HELP_COLUMN = 18, HELP_WIDTH = 80 };

/* "  name            text", the text wrapped in its column. */
static void help_item(struct buf *out, const char *indent, const char *name, const char *text)
{
    size_t at = strlen(indent) + strlen(name);
    buf_printf(out, "%s%s", indent, name);
    if (at + 1 > HELP_COLUMN) buf_char(out, '\n'), at = 0;
    buf_fill(out, ' ', HELP_COLUMN - at);
    at = HELP_COLUMN;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (at > HELP_COLUMN && at + 1 + n > HELP_WIDTH) {
            buf_char(out, '\n');
            buf_fill(out, ' ', HELP_COLUMN);
            at = HELP_COLUMN;
        } else if (at > HELP_COLUMN) {
            buf_char(out, ' ');
            at++;
        }
        buf_mem(out, text, n);
        at += n;
        text += n + (text[n] == ' ');
    }
    buf_char(out, '\n');
}

static void help_words(const struct backend_points *backend, struct buf *out)
{
    buf_str(out, "Types:\n");
    for (const struct point_word *w = backend->words; w->word; w++) {
        struct buf text = {0};
        buf_printf(&text, "%s; takes ", w->help);
        point_put_takes(w, &text);
        if (w == backend->words) buf_str(&text, " (the default)");
        help_item(out, "  ", w->word, buf_text(&text));
        buf_free(&text);
    }
}

static void help_own(const struct point_own *own, struct buf *out)
{
    struct buf text = {0};
    buf_printf(&text, "%s: %s", own->help, point_shape_words(own->shape));
    if (own->choices) {
        buf_str(&text, "; ");
        point_put_choices(own, &text);
    }
    if (own->words) buf_printf(&text, " (only for: %s)", own->words);
    help_item(out, "  ", own->name, buf_text(&text));
    buf_free(&text);
}

void point_lines_help(const struct backend_points *backend, struct buf *out)
{
    const struct points_by_hand *hand = backend->hand;
    struct buf name = {0};
    buf_str(&name, "name of the series; required");
    if (hand && hand->nameless) buf_printf(&name, ", except with %s", hand->nameless);
    buf_str(out, "Fields:\n");
    help_item(out, "  ", "name", buf_text(&name));
    help_item(out, "  ", "type", "one of those below");
    help_item(out, "  ", "value", "what the type takes");
    help_item(
        out, "  ", "time",
        "seconds since 1970, with or without a fraction (or milliseconds, microseconds, nanoseconds, by "
        "the size of the number), or \"2026-01-31T23:59:58.5Z\"");
    help_item(out, "  ", "",
              hand && hand->timed ? "without it, the present time" : "without it, the time of arrival");
    help_item(out, "  ", "tags", "{\"key\": \"value\"}; they win over --tag and the backend's tags");
    for (const struct point_own *o = backend->own; o && o->name; o++) help_own(o, out);
    help_words(backend, out);
    buf_free(&name);
}
