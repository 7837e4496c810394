/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grid.h - a table whose columns line up. Cells are added row by row as text; columns named in `right` are
 * numbers and end on a line. Widths count characters of UTF-8, not bytes.
 */
#ifndef EXPORTERS_GRID_H
#define EXPORTERS_GRID_H

#include "buf.h"

enum { GRID_COLUMNS = 16 };

/* All zeros but .columns (1 to GRID_COLUMNS) is an empty table. */
struct grid {
    size_t columns;
    uint32_t right;  /* bit c: column c is right-aligned */
    struct buf text; /* the cells, each ended by a NUL */
    size_t cells;
    size_t width[GRID_COLUMNS];
};

/* Append text with buf_*(&grid->text, ...), then end the cell. */
void grid_end_cell(struct grid *grid);
/* A whole cell at once. */
void grid_cell(struct grid *grid, const char *text);

/* Appends the table to out, every line indented, and empties it. */
void grid_print(struct grid *grid, size_t indent, struct buf *out);

#endif
