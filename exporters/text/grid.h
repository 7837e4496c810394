/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grid.h - a table with aligned columns. Cells are added row by row as text. A column is aligned to the left,
 * or to the right if its bit in `right` is set (for numbers). Widths count characters of UTF-8, not bytes,
 * and colours (ESC [ ... m) as nothing.
 *
 * Not thread-safe: one grid belongs to one thread at a time.
 */
#ifndef EXPORTERS_GRID_H
#define EXPORTERS_GRID_H

#include "buf.h"

enum { GRID_COLUMNS = 16 };

/* All zeros except .columns (1 to GRID_COLUMNS) is an empty table. grid_print() frees what it holds. */
struct grid {
    size_t columns;
    uint32_t right;  /* bit c: column c is aligned to the right */
    struct buf text; /* the cells, each ended by a NUL */
    size_t cells;
    size_t width[GRID_COLUMNS];
};

/* Ends the cell whose text the caller has appended with buf_*(&grid->text, ...). */
void grid_end_cell(struct grid *grid);

/* Adds a whole cell. */
void grid_cell(struct grid *grid, const char *text);

/* Appends the table to `out`, each line indented by `indent` blanks, and frees the cells: the table is empty
 * afterwards. If memory ran out, `out` is marked as failed. */
void grid_print(struct grid *grid, size_t indent, struct buf *out);

#endif
