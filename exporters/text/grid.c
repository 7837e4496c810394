/* SPDX-License-Identifier: Apache-2.0 */
#include "grid.h"

#include <string.h>

/* The columns that a text takes: a character of UTF-8 is every byte that does not continue one, and a colour
 * (ESC [ ... m) takes none. */
static size_t grid_width(const char *s)
{
    size_t n = 0;
    while (*s) {
        size_t colour = strncmp(s, "\033[", 2) ? 0 : 2 + strspn(s + 2, "0123456789;");
        if (colour && s[colour] == 'm')
            s += colour + 1;
        else
            n += ((unsigned char)*s++ & 0xc0) != 0x80;
    }
    return n;
}

/* The start of the cell that is being written. */
static const char *grid_open_cell(const struct grid *grid)
{
    size_t at = grid->text.len;
    while (at && grid->text.data[at - 1]) at--;
    return buf_text(&grid->text) + at;
}

void grid_end_cell(struct grid *grid)
{
    size_t column = grid->cells++ % grid->columns, width = grid_width(grid_open_cell(grid));
    if (width > grid->width[column]) grid->width[column] = width;
    buf_char(&grid->text, '\0');
}

void grid_cell(struct grid *grid, const char *text)
{
    buf_str(&grid->text, text);
    grid_end_cell(grid);
}

/* Two blanks between columns, none at the end of a line. */
static void grid_print_cell(const struct grid *grid, size_t column, const char *cell, struct buf *out)
{
    size_t pad = grid->width[column] - grid_width(cell);
    bool right = grid->right >> column & 1;
    if (right) buf_fill(out, ' ', pad);
    buf_str(out, cell);
    if (column + 1 == grid->columns) return;
    if (!right) buf_fill(out, ' ', pad);
    buf_str(out, "  ");
}

static void grid_trim(struct buf *out, size_t from)
{
    size_t len = out->len;
    while (len > from && out->data[len - 1] == ' ') len--;
    buf_cut(out, len);
}

void grid_print(struct grid *grid, size_t indent, struct buf *out)
{
    const char *cell = buf_text(&grid->text);
    if (grid->text.failed) out->failed = true;
    for (size_t i = 0; i + grid->columns <= grid->cells && !out->failed; i += grid->columns) {
        size_t from = out->len;
        buf_fill(out, ' ', indent);
        for (size_t c = 0; c < grid->columns; c++, cell += strlen(cell) + 1)
            grid_print_cell(grid, c, cell, out);
        grid_trim(out, from);
        buf_char(out, '\n');
    }
    buf_free(&grid->text);
    grid->cells = 0;
    memset(grid->width, 0, sizeof grid->width);
}
