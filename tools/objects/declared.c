/* SPDX-License-Identifier: Apache-2.0 */
#include "declared.h"

#include "expand.h"
#include "json.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* Aliases may make a small file endless. */
enum { DECLARED_MOST = 16 << 20, DECLARED_DEPTH = 16, DECLARED_NODES = 200000 };

struct walk {
    struct declared *declared;
    yaml_document_t *document;
    const char *path;
    struct buf *why;
    size_t nodes;
};

static json_t *walk_wrong(struct walk *w, const yaml_node_t *node, const char *what)
{
    if (!w->why->len) buf_printf(w->why, "%s:%zu: %s", w->path, node->start_mark.line + 1, what);
    return NULL;
}

static void walk_mark(struct walk *w, const json_t *at, const yaml_node_t *node)
{
    struct declared *y = w->declared;
    size_t room = y->room ? 2 * y->room : 64;
    if (y->n == y->room) {
        struct declared_mark *grown = realloc(y->marks, room * sizeof *grown);
        if (!grown) return;
        y->marks = grown;
        y->room = room;
    }
    y->marks[y->n++] = (struct declared_mark){at, node->start_mark.line + 1};
}

/* A plain scalar is null, true, false or a number where JSON would read one. */
static json_t *walk_scalar(struct walk *w, const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    bool plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (strlen(text) != node->data.scalar.length)
        return walk_wrong(w, node, "a NUL byte is not allowed here");
    if (plain && (!*text || !strcmp(text, "~"))) return json_null();
    json_t *value = plain ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    if (value && !json_is_string(value) && !json_is_object(value) && !json_is_array(value)) return value;
    json_decref(value);
    value = json_string(text);
    return value ? value : walk_wrong(w, node, "this is not UTF-8");
}

static json_t *walk_node(struct walk *w, int index, int depth);

static json_t *walk_list(struct walk *w, const yaml_node_t *node, int depth)
{
    json_t *list = json_array();
    walk_mark(w, list, node);
    for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++) {
        json_t *value = walk_node(w, *i, depth + 1);
        if (!value || json_array_append_new(list, value)) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static bool walk_pair(struct walk *w, const yaml_node_pair_t *pair, json_t *map, int depth)
{
    const yaml_node_t *key = yaml_document_get_node(w->document, pair->key);
    const char *name = key->type == YAML_SCALAR_NODE ? (const char *)key->data.scalar.value : NULL;
    if (!name) return walk_wrong(w, key, "a key must be a word") != NULL;
    if (json_object_get(map, name)) return walk_wrong(w, key, "this key is given twice") != NULL;
    json_t *value = walk_node(w, pair->value, depth + 1);
    if (value && json_object_set_new(map, name, value))
        return walk_wrong(w, key, "this is not UTF-8") != NULL;
    return value != NULL;
}

static json_t *walk_map(struct walk *w, const yaml_node_t *node, int depth)
{
    json_t *map = json_object();
    walk_mark(w, map, node);
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++)
        if (!walk_pair(w, p, map, depth)) {
            json_decref(map);
            return NULL;
        }
    return map;
}

static json_t *walk_node(struct walk *w, int index, int depth)
{
    const yaml_node_t *node = yaml_document_get_node(w->document, index);
    if (depth > DECLARED_DEPTH) return walk_wrong(w, node, "this is nested too deeply");
    if (++w->nodes > DECLARED_NODES) return walk_wrong(w, node, "the file has too many values");
    return node->type == YAML_MAPPING_NODE    ? walk_map(w, node, depth)
           : node->type == YAML_SEQUENCE_NODE ? walk_list(w, node, depth)
                                              : walk_scalar(w, node);
}

static void walk_document(struct walk *w, yaml_parser_t *parser)
{
    yaml_document_t document;
    if (!yaml_parser_load(parser, &document)) {
        buf_printf(w->why, "%s:%zu: %s", w->path, parser->problem_mark.line + 1,
                   parser->problem ? parser->problem : "this is not YAML");
        return;
    }
    w->document = &document;
    if (yaml_document_get_root_node(&document))
        w->declared->root = walk_node(w, 1, 0);
    else
        buf_printf(w->why, "%s: the file is empty", w->path);
    yaml_document_delete(&document);
}

bool declared_read(struct declared *y, const char *path, struct buf *why)
{
    struct buf text = {0};
    struct walk w = {.declared = y, .path = path, .why = why};
    yaml_parser_t parser;
    *y = (struct declared){.root = NULL};
    if (expand_read(path, DECLARED_MOST, &text, why) && yaml_parser_initialize(&parser)) {
        yaml_parser_set_input_string(&parser, (const unsigned char *)buf_text(&text), text.len);
        walk_document(&w, &parser);
        yaml_parser_delete(&parser);
    }
    buf_free(&text);
    return y->root != NULL;
}

void declared_free(struct declared *y)
{
    json_decref(y->root);
    free(y->marks);
    *y = (struct declared){.root = NULL};
}

size_t declared_line(const struct declared *y, const json_t *value)
{
    for (size_t i = 0; i < y->n; i++)
        if (y->marks[i].at == value) return y->marks[i].line;
    return 0;
}

void declared_text(struct buf *out, const char *text)
{
    static const char *const words[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
    size_t n = strlen(text);
    bool plain = n && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/") == n;
    plain = plain && !strchr("0123456789.", *text);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        plain = plain && strcasecmp(text, words[i]) != 0;
    if (!plain) buf_char(out, '"');
    if (plain)
        buf_mem(out, text, n);
    else
        jsonw_escape(out, text, n);
    if (!plain) buf_char(out, '"');
}
