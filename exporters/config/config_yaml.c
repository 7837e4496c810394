/* SPDX-License-Identifier: Apache-2.0 */
#include "config_yaml.h"

#include "nearest.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct walk {
    struct config *config;
    yaml_document_t *document;
    expand_env_fn *env;
    struct buf *mistakes;
    bool good;
};

/* Begins the line of a mistake at this place; the caller completes it, with its newline. */
static struct buf *walk_at(struct walk *w, yaml_mark_t mark)
{
    w->good = false;
    buf_printf(w->mistakes, "%s:%zu:%zu: ", w->config->file, mark.line + 1, mark.column + 1);
    return w->mistakes;
}

static yaml_node_t *walk_node(struct walk *w, int index)
{
    return yaml_document_get_node(w->document, index);
}

static const char *walk_text(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

/* True if the node is a scalar without a NUL byte, which would cut the text short. */
static bool walk_scalar(struct walk *w, const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE) return false;
    if (strlen(walk_text(node)) == node->data.scalar.length) return true;
    buf_str(walk_at(w, node->start_mark), "a NUL byte is not allowed here\n");
    return false;
}

/* True if a key has no value: ~, null, or nothing. */
static bool walk_empty(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return false;
    static const char *const nothing[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        if (!strcmp(walk_text(node), nothing[i])) return true;
    return false;
}

static const char *walk_what(const yaml_node_t *node)
{
    if (walk_empty(node)) return "nothing";
    return node->type == YAML_MAPPING_NODE    ? "a map"
           : node->type == YAML_SEQUENCE_NODE ? "a list"
                                              : "a single value";
}

static void walk_wrong_type(struct walk *w, const struct option *row, const yaml_node_t *node)
{
    buf_printf(walk_at(w, node->start_mark), "%s: this is %s, expected %s\n", row->name, walk_what(node),
               option_wants(row));
}

/* Reports the reason in `why`, if there is one, as a mistake at this place, and empties it. */
static void walk_reason(struct walk *w, const char *key, yaml_mark_t mark, struct buf *why)
{
    if (why->len) buf_printf(walk_at(w, mark), "%s: %s\n", key, buf_text(why));
    buf_reset(why);
}

/* A scalar that is the value of an option, or an item of its list: expands it, then parses it. */
static void walk_value(struct walk *w, const struct option *row, void *settings, const yaml_node_t *node,
                       bool file)
{
    struct buf text = {0}, contents = {0}, why = {0};
    if (!walk_scalar(w, node)) {
        if (node->type != YAML_SCALAR_NODE) walk_wrong_type(w, row, node);
    } else if (walk_empty(node)) {
        walk_wrong_type(w, row, node);
    } else if (expand_text(walk_text(node), w->env, &text, &why)) {
        if (!file)
            option_parse(row, settings, buf_text(&text), &why);
        else if (expand_file(buf_text(&text), &contents, &why))
            option_parse(row, settings, buf_text(&contents), &why);
    }
    walk_reason(w, row->name, node->start_mark, &why);
    buf_free(&why);
    buf_free(&contents);
    buf_free(&text);
}

static void walk_tag(struct walk *w, const struct option *row, struct option_tags *tags,
                     const yaml_node_pair_t *pair)
{
    const yaml_node_t *key = walk_node(w, pair->key), *value = walk_node(w, pair->value);
    struct buf text = {0}, why = {0};
    if (!walk_scalar(w, key) || !walk_scalar(w, value)) {
        if (value->type != YAML_SCALAR_NODE)
            buf_printf(walk_at(w, value->start_mark), "%s: a tag's value is %s, expected a text\n", row->name,
                       walk_what(value));
    } else if (walk_empty(key) || walk_empty(value)) {
        buf_printf(walk_at(w, key->start_mark),
                   "%s: a tag's %s is nothing, expected a text (in quotes if meant so)\n", row->name,
                   walk_empty(key) ? "key" : "value");
    } else if (expand_text(walk_text(value), w->env, &text, &why)) {
        option_tags_add(tags, walk_text(key), buf_text(&text), &why);
    }
    walk_reason(w, row->name, key->start_mark, &why);
    buf_free(&why);
    buf_free(&text);
}

static void walk_section(struct walk *w, const struct option *rows, void *settings, const yaml_node_t *node,
                         bool (*special)(struct walk *, const char *key, const yaml_node_t *value));

/* The value of one option of any type. A list may be a
 * single item; a section may be the value of its first row. */
static void walk_option(struct walk *w, const struct option *row, void *settings, const yaml_node_t *node,
                        bool file)
{
    bool list = row->type == OPTION_LIST || row->type == OPTION_GLOBS;
    if (row->type != OPTION_SECTION) option_clear(row, settings);
    if (row->type == OPTION_SECTION) {
        void *section = (char *)settings + row->offset;
        if (node->type == YAML_MAPPING_NODE)
            walk_section(w, row->rows, section, node, NULL);
        else
            walk_option(w, row->rows, section, node, false);
    } else if (row->type == OPTION_TAGS) {
        if (node->type != YAML_MAPPING_NODE)
            walk_wrong_type(w, row, node);
        else
            for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++)
                walk_tag(w, row, (struct option_tags *)((char *)settings + row->offset), p);
    } else if (list && node->type == YAML_SEQUENCE_NODE) {
        for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++)
            walk_value(w, row, settings, walk_node(w, *i), false);
    } else {
        walk_value(w, row, settings, node, file);
    }
}

static void walk_unknown(struct walk *w, const struct option *rows, const char *special,
                         const yaml_node_t *key)
{
    struct buf *out = walk_at(w, key->start_mark), near = {0};
    buf_printf(out, "unknown key \"%s\"", walk_text(key));
    if (special && nearest_of(walk_text(key), NULL, special))
        buf_printf(out, " (did you mean %s?)", special);
    else if (option_nearest(rows, walk_text(key), &near))
        buf_printf(out, " (did you mean %s?)", buf_text(&near));
    else {
        buf_str(out, "; the known keys are");
        for (const struct option *o = rows; o->name; o++)
            buf_printf(out, "%s %s", o == rows ? "" : ",", o->name);
        if (special) buf_printf(out, ", %s", special);
    }
    buf_char(out, '\n');
    buf_free(&near);
}

/* True if an earlier pair of the map has the same key, or
 * gives the same option in its other form (`x`, `x_file`). */
static bool walk_twice(struct walk *w, const struct option *rows, const yaml_node_t *map,
                       const yaml_node_pair_t *pair)
{
    bool file;
    const char *key = walk_text(walk_node(w, pair->key));
    const struct option *row = option_find(rows, key, &file);
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < pair; p++) {
        const yaml_node_t *earlier = walk_node(w, p->key);
        if (earlier->type != YAML_SCALAR_NODE) continue;
        bool same = !strcmp(walk_text(earlier), key);
        if (!same && !(row && option_find(rows, walk_text(earlier), &file) == row)) continue;
        buf_printf(walk_at(w, walk_node(w, pair->key)->start_mark),
                   "%s is given twice, first as %s on line %zu\n", key, walk_text(earlier),
                   earlier->start_mark.line + 1);
        return true;
    }
    return false;
}

static void walk_section(struct walk *w, const struct option *rows, void *settings, const yaml_node_t *node,
                         bool (*special)(struct walk *, const char *key, const yaml_node_t *value))
{
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = walk_node(w, p->key), *value = walk_node(w, p->value);
        bool file;
        if (key->type != YAML_SCALAR_NODE) {
            buf_printf(walk_at(w, key->start_mark), "a key must be a word, this is %s\n", walk_what(key));
            continue;
        }
        if (!walk_scalar(w, key) || walk_twice(w, rows, node, p)) continue;
        const struct option *row = option_find(rows, walk_text(key), &file);
        if (special && special(w, walk_text(key), value)) continue;
        if (row)
            walk_option(w, row, settings, value, file);
        else
            walk_unknown(w, rows, special ? rows == config_rows ? "backends" : "type" : NULL, key);
    }
}

/* --- The list of backends --- */

/* The value of `type` in a backend's map, or NULL. */
static const yaml_node_t *walk_type_node(struct walk *w, const yaml_node_t *node)
{
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = walk_node(w, p->key);
        if (key->type == YAML_SCALAR_NODE && !strcmp(walk_text(key), "type")) return walk_node(w, p->value);
    }
    return NULL;
}

/* The backend that the node names; NULL, with a mistake, if there is none. */
static const struct backend *walk_type(struct walk *w, const yaml_node_t *type)
{
    const char *best = NULL;
    if (type->type != YAML_SCALAR_NODE) {
        buf_printf(walk_at(w, type->start_mark), "type: this is %s, expected the name of a backend\n",
                   walk_what(type));
        return NULL;
    }
    const struct backend *found = backend_find(walk_text(type));
    if (found) return found;
    struct buf *out = walk_at(w, type->start_mark);
    buf_printf(out, "there is no backend \"%s\"", walk_text(type));
    for (const struct backend *const *b = backends; *b; b++)
        best = nearest_of(walk_text(type), best, (*b)->name);
    if (best)
        buf_printf(out, " (did you mean %s?)\n", best);
    else {
        buf_str(out, "; the known ones are");
        for (const struct backend *const *b = backends; *b; b++)
            buf_printf(out, "%s %s", b == backends ? "" : ",", (*b)->name);
        buf_char(out, '\n');
    }
    return NULL;
}

static bool walk_skip_type(struct walk *w, const char *key, const yaml_node_t *value)
{
    (void)w, (void)value;
    return !strcmp(key, "type");
}

/* When the backend's map has been read: checks for missing options and for a name that is taken. */
static void walk_backend_end(struct walk *w, struct config_backend *b, yaml_mark_t mark)
{
    struct buf why = {0};
    const char *name = b->settings->name && *b->settings->name ? b->settings->name : b->type->name;
    option_complete(backend_options(b->type), b->settings, "", &why);
    char *rest = why.data, *line;
    while (rest && (line = strsep(&rest, "\n")))
        if (*line) buf_printf(walk_at(w, mark), "%s: %s\n", b->type->name, line);
    for (struct config_backend *o = w->config->backends; o; o = o->next) {
        const char *other = o->settings->name && *o->settings->name ? o->settings->name : o->type->name;
        if (o == b || strcmp(name, other)) continue;
        buf_printf(walk_at(w, mark), "another backend is called %s: give this one a different name\n", name);
        break;
    }
    buf_free(&why);
}

struct walk_map {
    struct walk *w;
    const yaml_node_t *node;
    const struct option *rows;
};

static bool walk_gives(const void *arg, const struct option *row)
{
    const struct walk_map *m = arg;
    bool file;
    for (yaml_node_pair_t *p = m->node->data.mapping.pairs.start; p < m->node->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = walk_node(m->w, p->key);
        if (key->type == YAML_SCALAR_NODE && option_find(m->rows, walk_text(key), &file) == row) return true;
    }
    return false;
}

/* The environment gives what the file does not. A variable that is wrong is a warning: the file is right. */
static void walk_environment(struct walk *w, const struct backend *type, void *settings,
                             const yaml_node_t *node)
{
    const struct walk_map map = {w, node, backend_options(type)};
    struct buf warnings = {0};
    option_environment(map.rows, settings, w->env, walk_gives, &map, &warnings);
    char *rest = warnings.data, *line;
    while (rest && (line = strsep(&rest, "\n")))
        if (*line)
            buf_printf(w->mistakes, "%s:%zu:%zu: %s: %s\n", w->config->file, node->start_mark.line + 1,
                       node->start_mark.column + 1, type->name, line);
    buf_free(&warnings);
}

static void walk_backend(struct walk *w, const yaml_node_t *node)
{
    if (node->type != YAML_MAPPING_NODE) {
        buf_printf(walk_at(w, node->start_mark), "backends: this is %s, expected a map with a type\n",
                   walk_what(node));
        return;
    }
    const yaml_node_t *type_node = walk_type_node(w, node);
    if (!type_node) {
        buf_str(walk_at(w, node->start_mark), "backends: the type is missing, such as `type: console`\n");
        return;
    }
    const struct backend *type = walk_type(w, type_node);
    if (!type) return;
    struct config_backend *b = config_backend_new(type);
    if (!b) {
        buf_str(walk_at(w, node->start_mark), "out of memory\n");
        return;
    }
    config_backend_add(w->config, b);
    walk_environment(w, type, b->settings, node);
    walk_section(w, backend_options(type), b->settings, node, walk_skip_type);
    walk_backend_end(w, b, node->start_mark);
}

static bool walk_backends(struct walk *w, const char *key, const yaml_node_t *value)
{
    if (strcmp(key, "backends")) return false;
    if (value->type != YAML_SEQUENCE_NODE) {
        buf_printf(walk_at(w, value->start_mark), "backends: this is %s, expected a list of maps\n",
                   walk_what(value));
        return true;
    }
    for (yaml_node_item_t *i = value->data.sequence.items.start; i < value->data.sequence.items.top; i++)
        walk_backend(w, walk_node(w, *i));
    return true;
}

/* --- The document --- */

static void walk_root(struct walk *w)
{
    yaml_node_t *root = yaml_document_get_root_node(w->document);
    yaml_mark_t start = {0};
    if (!root || walk_empty(root)) {
        buf_str(walk_at(w, start), "the file is empty; see mtx-exporter --sample\n");
    } else if (root->type != YAML_MAPPING_NODE) {
        buf_printf(walk_at(w, root->start_mark), "this is %s, expected a map of options\n", walk_what(root));
    } else {
        walk_section(w, config_rows, w->config, root, walk_backends);
        if (!w->config->backends && w->good)
            buf_str(walk_at(w, root->start_mark),
                    "backends is missing or empty: nothing would be reported\n");
    }
}

static void walk_syntax(struct walk *w, const yaml_parser_t *parser)
{
    struct buf *out = walk_at(w, parser->problem_mark);
    buf_printf(out, "%s", parser->problem ? parser->problem : "this is not YAML");
    if (parser->context) buf_printf(out, " (%s)", parser->context);
    buf_char(out, '\n');
}

bool config_yaml_walk(struct config *config, const char *text, size_t n, expand_env_fn *env,
                      struct buf *mistakes)
{
    struct walk w = {config, NULL, env, mistakes, true};
    yaml_parser_t parser;
    yaml_document_t document, second;
    if (!yaml_parser_initialize(&parser)) {
        buf_printf(mistakes, "%s: out of memory\n", config->file);
        return false;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)(text ? text : ""), n);
    if (!yaml_parser_load(&parser, &document)) {
        walk_syntax(&w, &parser);
        yaml_parser_delete(&parser);
        return false;
    }
    w.document = &document;
    walk_root(&w);
    if (!yaml_parser_load(&parser, &second)) {
        walk_syntax(&w, &parser);
    } else {
        yaml_node_t *root = yaml_document_get_root_node(&second);
        if (root)
            buf_str(walk_at(&w, root->start_mark), "a second document begins here; only one is allowed\n");
        yaml_document_delete(&second);
    }
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    return w.good;
}
