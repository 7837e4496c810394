/* SPDX-License-Identifier: Apache-2.0 */
#include "anodot.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* True also at the end of the text. */
static bool is_replaced(const struct anodot_settings *s, unsigned char c)
{
    return !c || c == ' ' || c == '.' || (s->strict && (c == '=' || c < ' ' || c >= 127));
}

void anodot_text(const struct anodot_settings *s, const char *text, struct buf *out)
{
    for (const char *c = text;; c++) {
        const char *from = c;
        while (!is_replaced(s, (unsigned char)*c)) c++;
        buf_mem(out, from, (size_t)(c - from));
        if (!*c) return;
        /* One underscore for each character, however many bytes it has. */
        if (((unsigned char)*c & 0xc0) != 0x80) buf_char(out, '_');
    }
}

/* --- Readings to points --- */

static bool is_sent(const metrics_row_t *row, const struct item *item)
{
    if (row->nature == METRICS_BUCKET || row->nature == METRICS_DISTRIBUTION) return false;
    return row->nature != METRICS_TOTAL || !item->rebased;
}

void anodot_map(struct points *out, const struct view *view, const struct item *item, const struct rows *rows,
                const void *settings, const void *session)
{
    (void)settings, (void)session;
    bool whole = item_is_distribution(item);
    for (size_t i = 0; i < rows->n; i++) {
        const metrics_row_t *row = &rows->at[i];
        if (!is_sent(row, item)) continue;
        struct point *p = points_of_row(out, view, item, row);
        bool alone = row->attribute == METRICS_VALUE || (row->attribute == METRICS_COUNT && !whole);
        if (!alone) p->name = points_suffixed(out, p->name, "_", row);
    }
}

/* --- Points to JSON --- */

static bool was_there(const char *const *keys, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(keys[i], key)) return true;
    return false;
}

static size_t count_words(const char *const *words)
{
    size_t n = 0;
    while (words[n]) n++;
    return n;
}

/* What one object of dimensions is written with. The text has the keys so far, each ended by a NUL, then the
 * next key and its value. */
struct dimensions {
    const struct anodot_settings *settings;
    const char *const *reserved;
    struct buf *text;
    size_t n;
};

static bool was_written(const struct buf *text, size_t end, const char *key)
{
    for (size_t at = 0; at < end; at += strlen(text->data + at) + 1)
        if (!strcmp(text->data + at, key)) return true;
    return false;
}

/* False if the service would refuse it. Of two keys that become one, the first counts. */
static bool put_dimension(struct json *j, struct dimensions *d, const metrics_tag_t *tag, struct buf *why)
{
    struct buf *text = d->text;
    size_t key = text->len;
    anodot_text(d->settings, tag->key, text);
    if (was_there(d->reserved, count_words(d->reserved), buf_text(text) + key)) {
        buf_cut(text, key);
        buf_printf(text, "tag_%s", tag->key);
    }
    buf_char(text, '\0');
    size_t value = text->len;
    anodot_text(d->settings, *tag->value ? tag->value : "empty", text);
    if (!buf_ok(text)) return true;
    const char *k = text->data + key;
    if (value - key - 1 > ANODOT_KEY || text->len - value > ANODOT_VALUE) {
        buf_printf(why, "its dimension %s is too long (keys have up to %d characters, values up to %d)", k,
                   ANODOT_KEY, ANODOT_VALUE);
        return false;
    }
    bool again = was_written(text, key, k);
    if (!again) jsonw_key_str(j, k, text->data + value);
    d->n += !again;
    buf_cut(text, again ? key : value);
    return true;
}

bool anodot_dimensions(struct json *j, const struct point *p, const struct anodot_settings *s,
                       const char *const *reserved, size_t most, struct buf *scratch, struct buf *why)
{
    struct dimensions d = {.settings = s, .reserved = reserved, .text = scratch};
    bool good = true;
    buf_reset(scratch);
    for (size_t i = 0; i < p->tag_count && good; i++) good = put_dimension(j, &d, &p->tags[i], why);
    if (good && d.n > most) {
        buf_printf(why, "it has %zu dimensions; the service takes %zu", d.n, most);
        good = false;
    }
    if (!buf_ok(scratch)) j->out->failed = true;
    return good;
}

static void put_label(struct json *j, const struct anodot_settings *s, const char *text)
{
    struct buf b = {0};
    anodot_text(s, text, &b);
    jsonw_str(j, buf_text(&b));
    buf_free(&b);
}

static void put_label_key(struct json *j, const struct anodot_settings *s, const char *text)
{
    struct buf b = {0};
    anodot_text(s, text, &b);
    jsonw_key(j, buf_text(&b));
    buf_free(&b);
}

/* By hand a line may have more: "labels": {"owner": ["ops", "db"]}. */
static void put_given_labels(struct json *j, const struct anodot_settings *s, const json_t *given)
{
    const char *key;
    json_t *values, *value;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)given, key, values)
    {
        put_label_key(j, s, key);
        jsonw_array(j);
        if (json_is_string(values)) put_label(j, s, json_string_value(values));
        json_array_foreach(values, i, value) if (json_is_string(value))
            put_label(j, s, json_string_value(value));
        jsonw_array_end(j);
    }
}

void anodot_labels(struct json *j, const struct point *p, const struct anodot_settings *s)
{
    const json_t *given = p->extra ? json_object_get(p->extra, "labels") : NULL;
    if (!s->labels.n && !json_object_size(given)) return;
    jsonw_key(j, "tags");
    jsonw_object(j);
    for (size_t i = 0; i < s->labels.n; i++) {
        put_label_key(j, s, s->labels.items[i].key);
        jsonw_array(j);
        put_label(j, s, s->labels.items[i].value);
        jsonw_array_end(j);
    }
    put_given_labels(j, s, given);
    jsonw_object_end(j);
}

void anodot_request(struct payload *out, const struct anodot_settings *s, const char *path,
                    const char *protocol)
{
    buf_printf(&out->path, "%s?protocol=%s", path, protocol);
    buf_str(&out->secret, "?token=");
    http_escape(&out->secret, s->token ? s->token : "");
    buf_char(&out->secret, '\n');
    out->content_type = "application/json";
}

void anodot_samples_end(struct payload *out, const struct anodot_settings *s, const char *protocol)
{
    if (!out->points) return;
    buf_char(&out->body, ']');
    anodot_request(out, s, "/api/v1/metrics", protocol);
}

/* --- Answers --- */

static int error_id(const json_t *error)
{
    const json_t *id = json_object_get(error, "error");
    return json_is_integer(id)  ? (int)json_integer_value(id)
           : json_is_string(id) ? atoi(json_string_value(id))
                                : 0;
}

/* Entries without an index are about the whole request; some of these errors are temporary. */
static enum outcome outcome_of(int id)
{
    switch (id) {
    case 1002: /* general */
    case 2001: /* token inactive: the configuration has to be fixed */
    case 2002: /* too many concurrent requests */
    case 2003: /* metrics-per-second limit */ return OUTCOME_RETRY;
    default: return OUTCOME_BAD;
    }
}

/* Errors about the whole request, or those about one sample each: the first five of them. */
static size_t tell_errors(const json_t *errors, bool whole, struct buf *why)
{
    json_t *error;
    size_t i, n = 0;
    json_array_foreach((json_t *)(uintptr_t)errors, i, error)
    {
        const char *description = json_string_value(json_object_get(error, "description"));
        if (whole != !json_object_get(error, "index")) continue;
        if (n++ < 5)
            buf_printf(why, "%s%d %s", why->len ? "; " : "", error_id(error), description ? description : "");
    }
    return n;
}

static void judge_errors(const json_t *errors, const struct payload *payload, struct answer *answer)
{
    json_t *error;
    size_t i;
    answer->outcome = OUTCOME_SENT;
    tell_errors(errors, true, &answer->why);
    answer->refused = tell_errors(errors, false, &answer->why);
    json_array_foreach((json_t *)(uintptr_t)errors, i, error) if (!json_object_get(error, "index"))
        answer->outcome = outcome_of(error_id(error));
    if (answer->refused > payload->points) answer->refused = payload->points;
    if (answer->refused) answer->outcome = OUTCOME_SENT; /* the others of the chunk were accepted */
}

/* False if the answer is not a list of errors, perhaps an empty one. */
static bool judge_body(const struct payload *payload, struct answer *answer)
{
    const struct response *r = &answer->response;
    json_t *root = json_loadb(buf_text(&r->body), r->body.len, 0, NULL);
    const json_t *errors = json_object_get(root, "errors");
    bool is = json_is_array(errors);
    if (is) judge_errors(errors, payload, answer);
    json_decref(root);
    return is;
}

void anodot_judge(const struct payload *payload, struct answer *answer)
{
    const struct response *r = &answer->response;
    if (r->status < 200 || r->status > 299 || judge_body(payload, answer)) return;
    answer->outcome = OUTCOME_RETRY;
    answer->ambiguous = true; /* the service may have accepted all, and a proxy answered in its place */
    buf_printf(&answer->why, "HTTP %d, but the answer is not Anodot's: %.*s", r->status,
               (int)(r->body.len < 200 ? r->body.len : 200), buf_text(&r->body));
}

void anodot_judge_watermark(const struct payload *request, struct answer *answer)
{
    if (answer->outcome != OUTCOME_SENT || !judge_body(request, answer)) return;
    /* Nothing in it has an index, whatever an error says. */
    if (answer->outcome == OUTCOME_SENT && answer->why.len) answer->outcome = OUTCOME_DROP;
}

/* --- By hand --- */

const char *const anodot_constants[] = {"True", "False", "None"};

void anodot_blame(const struct answer *answer, void (*blamed)(void *arg, size_t at, const char *why),
                  void *arg)
{
    json_t *root = json_loadb(buf_text(&answer->response.body), answer->response.body.len, 0, NULL), *error;
    size_t i;
    json_array_foreach(json_object_get(root, "errors"), i, error)
    {
        const json_t *index = json_object_get(error, "index");
        const char *description = json_string_value(json_object_get(error, "description"));
        json_int_t at = json_is_integer(index)  ? json_integer_value(index)
                        : json_is_string(index) ? atoll(json_string_value(index))
                                                : -1;
        struct buf why = {0};
        buf_printf(&why, "%d %s", error_id(error), description ? description : "");
        if (at >= 0 || !index) blamed(arg, index ? (size_t)at : POINTS_WHOLE, buf_text(&why));
        buf_free(&why);
    }
    json_decref(root);
}
