/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include "grid.h"
#include "printable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *table_at(const json_t *object, const char *path)
{
    char name[80];
    size_t n = strcspn(path, ".");
    if (n >= sizeof name) return NULL;
    memcpy(name, path, n);
    name[n] = '\0';
    json_t *value = json_object_get(object, name);
    return path[n] && value ? table_at(value, path + n + 1) : value;
}

void table_value(const json_t *value, struct buf *out)
{
    char *text = NULL;
    if (json_is_string(value)) {
        printable(out, json_string_value(value), json_string_length(value));
        return;
    }
    if (value) text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    printable(out, text ? text : "", text ? strlen(text) : 0);
    free(text);
}

void table_time(double seconds, struct buf *out)
{
    struct buf text = {0};
    if (!(seconds >= 0 && seconds < 9.2e9)) {
        buf_f64(out, seconds);
        return;
    }
    buf_time(&text, (uint64_t)(seconds * 1e9));
    const char *whole = strstr(buf_text(&text), ".000Z");
    buf_mem(out, buf_text(&text), whole ? (size_t)(whole - text.data) : text.len);
    if (whole) buf_char(out, 'Z');
    buf_free(&text);
}

static void table_cell(const json_t *value, enum column_how how, struct buf *out)
{
    if (!value || json_is_null(value))
        buf_char(out, '-');
    else if (how == COLUMN_TIME && json_is_number(value))
        table_time(json_number_value(value), out);
    else if (how == COLUMN_COUNT)
        buf_u64(out, json_is_array(value) ? json_array_size(value) : json_object_size(value));
    else
        table_value(value, out);
}

void table_list(const json_t *list, const struct column *columns, struct buf *out)
{
    struct grid grid = {0};
    json_t *one;
    size_t i;
    for (const struct column *c = columns; c->title; c++, grid.columns++)
        if (c->how == COLUMN_NUMBER || c->how == COLUMN_COUNT) grid.right |= 1u << grid.columns;
    for (const struct column *c = columns; c->title; c++) grid_cell(&grid, c->title);
    json_array_foreach((json_t *)(uintptr_t)list, i, one) for (const struct column *c = columns; c->title;
                                                               c++)
    {
        table_cell(table_at(one, c->path), c->how, &grid.text);
        grid_end_cell(&grid);
    }
    grid_print(&grid, 0, out);
}

/* --- One object --- */

static void table_members(const json_t *object, const char *prefix, int depth, struct grid *grid)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        struct buf name = {0};
        buf_printf(&name, "%s%s", prefix, key);
        if (json_is_object(value) && json_object_size(value) && depth) {
            buf_char(&name, '.');
            table_members(value, buf_text(&name), depth - 1, grid);
        } else {
            printable(&grid->text, buf_text(&name), name.len);
            grid_end_cell(grid);
            table_cell(value, COLUMN_VALUE, &grid->text);
            grid_end_cell(grid);
        }
        buf_free(&name);
    }
}

void table_object(const json_t *object, struct buf *out)
{
    struct grid grid = {.columns = 2};
    table_members(object, "", 3, &grid);
    grid_print(&grid, 0, out);
}
