/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chouette.c - mtxctl chouette: the lists in Redis between a server, the collection agent and the service. Each is a
 * sorted set (.keys, by time) and a hash (.values).
 */
#include "chouette.h"

#include "clock.h"
#include "printable.h"
#include "redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is read at once. */
enum { CHOUETTE_PART = 500 };

const struct talk_service chouette_service = {.backend = "chouette"};

static const char *const queue_words[] = {"raw", "wrapped", "logs", NULL};

struct queues {
    struct job *job;
    struct redis *redis;
    double now;
};

/* --- Redis --- */

/* The name of a list; part: "keys" or "values". The raw one is that of the backend's option. */
static const char *queue_name(const struct queues *q, enum chouette_queue queue, const char *part,
                              char room[300])
{
    static const char *const names[] = {NULL, "chouette:metrics:wrapped", "chouette:logs:wrapped"};
    const char *name = names[queue] ? names[queue] : settings_text(&q->job->talk.settings, "queue");
    snprintf(room, 300, "%.280s.%s", name, part);
    return room;
}

static void texts_append(void *arg, const char *text, size_t n)
{
    json_t *bytes = text ? json_stringn_nocheck(text, n) : json_null();
    json_array_append_new(arg, bytes);
}

/* Sends commands and gives the texts of all replies as an array, a new reference: bytes as they are. */
static int queue_ask(struct queues *q, struct buf *commands, size_t replies, json_t **texts)
{
    struct answer answer = {.outcome = OUTCOME_SENT};
    *texts = json_array();
    const struct redis_texts take = {texts_append, *texts};
    int code = CLI_OK;
    if (replies) redis_ask(q->redis, commands, replies, &take, &answer);
    printable_buf(&answer.why);
    if (answer.outcome != OUTCOME_SENT) {
        const char *why = buf_text(&answer.why);
        bool denied = strstr(why, "NOAUTH") || strstr(why, "WRONGPASS") || strstr(why, "NOPERM");
        code = cli_fail(q->job->cli, denied ? CLI_REFUSED : CLI_SEGMENT, "%s: %s",
                        q->job->talk.settings.common->name, why);
    }
    answer_free(&answer);
    buf_free(commands);
    return code;
}

#define REDIS_COMMAND(OUT, ...)                                                \
    redis_command(OUT, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), \
                  (const char *[]){__VA_ARGS__}, NULL)

static double text_number(const json_t *texts, size_t at)
{
    const char *text = json_string_value(json_array_get(texts, at));
    return text ? strtod(text, NULL) : 0;
}

/* --- The queues --- */

static const struct column queue_columns[] = {
    {"QUEUE", "queue", COLUMN_VALUE},    {"LENGTH", "length", COLUMN_NUMBER},
    {"VALUES", "values", COLUMN_NUMBER}, {"OLDEST", "oldest", COLUMN_TIME},
    {"AGE", "age", COLUMN_VALUE},        {"NEWEST", "newest", COLUMN_TIME},
    {"NAME", "name", COLUMN_VALUE},      {.title = NULL}};

static json_t *queue_age(const struct queues *q, double oldest)
{
    struct buf age = {0};
    double seconds = q->now > oldest ? q->now - oldest : 0;
    buf_duration(&age, (uint64_t)seconds * 1000000000);
    json_t *text = json_string(buf_text(&age));
    buf_free(&age);
    return text;
}

static int queue_row(struct queues *q, enum chouette_queue queue, json_t *rows)
{
    char keys[300], values[300];
    struct buf commands = {0};
    json_t *texts;
    queue_name(q, queue, "keys", keys);
    queue_name(q, queue, "values", values);
    REDIS_COMMAND(&commands, "ZCARD", keys);
    REDIS_COMMAND(&commands, "HLEN", values);
    REDIS_COMMAND(&commands, "ZRANGE", keys, "0", "0", "WITHSCORES");
    REDIS_COMMAND(&commands, "ZRANGE", keys, "-1", "-1", "WITHSCORES");
    int code = queue_ask(q, &commands, 4, &texts);
    if (code == CLI_OK) {
        json_t *row = json_pack("{s:s, s:s%, s:I, s:I}", "queue", queue_words[queue], "name", keys,
                                strlen(keys) - 5, "length", (json_int_t)text_number(texts, 0), "values",
                                (json_int_t)text_number(texts, 1));
        if (json_array_size(texts) == 6) {
            json_object_set_new(row, "oldest", json_real(text_number(texts, 3)));
            json_object_set_new(row, "newest", json_real(text_number(texts, 5)));
            json_object_set_new(row, q->job->cli->json ? "age_seconds" : "age",
                                q->job->cli->json ? json_real(q->now - text_number(texts, 3))
                                                  : queue_age(q, text_number(texts, 3)));
        }
        json_array_append_new(rows, row);
    }
    json_decref(texts);
    return code;
}

/* --- Records --- */

/* What is done with each record; false ends the walk. `text` is NULL without a value. */
struct record {
    enum chouette_queue queue;
    const char *key, *text;
    size_t key_n, n;
    double score;
};
typedef bool record_fn(void *arg, const struct record *record);

/* The values of the keys among `texts`, which are pairs of a key and its score. */
static int records_values(struct queues *q, enum chouette_queue queue, const json_t *texts, json_t **values)
{
    char name[300];
    size_t n = json_array_size(texts) / 2;
    const char **words = calloc(n + 2, sizeof *words);
    size_t *lengths = calloc(n + 2, sizeof *lengths);
    struct buf commands = {0};
    if (!words || !lengths) {
        free(words);
        free(lengths);
        *values = NULL;
        return cli_fail(q->job->cli, CLI_FAILED, "out of memory");
    }
    words[0] = "HMGET", words[1] = queue_name(q, queue, "values", name);
    lengths[0] = 5, lengths[1] = strlen(name);
    for (size_t i = 0; i < n; i++) {
        words[i + 2] = json_string_value(json_array_get(texts, 2 * i));
        lengths[i + 2] = json_string_length(json_array_get(texts, 2 * i));
    }
    redis_command(&commands, n + 2, words, lengths);
    free(words);
    free(lengths);
    return queue_ask(q, &commands, 1, values);
}

static bool records_each(enum chouette_queue queue, const json_t *texts, const json_t *values,
                         record_fn *each, void *arg)
{
    for (size_t i = 0; i < json_array_size(texts) / 2; i++) {
        const json_t *value = json_array_get(values, i);
        const struct record record = {.queue = queue,
                                      .key = json_string_value(json_array_get(texts, 2 * i)),
                                      .key_n = json_string_length(json_array_get(texts, 2 * i)),
                                      .text = json_string_value(value),
                                      .n = json_string_length(value),
                                      .score = text_number(texts, 2 * i + 1)};
        if (!each(arg, &record)) return false;
    }
    return true;
}

/* Calls `each` for the records in the order of their scores. The list may change meanwhile. */
static int records_walk(struct queues *q, enum chouette_queue queue, record_fn *each, void *arg)
{
    char name[300], from[24], to[24];
    bool more = true;
    int code = CLI_OK;
    for (size_t at = 0; more && code == CLI_OK; at += CHOUETTE_PART) {
        struct buf commands = {0};
        json_t *texts, *values = NULL;
        snprintf(from, sizeof from, "%zu", at);
        snprintf(to, sizeof to, "%zu", at + CHOUETTE_PART - 1);
        REDIS_COMMAND(&commands, "ZRANGE", queue_name(q, queue, "keys", name), from, to, "WITHSCORES");
        code = queue_ask(q, &commands, 1, &texts);
        more = code == CLI_OK && json_array_size(texts) > 0;
        if (more) code = records_values(q, queue, texts, &values);
        if (more && code == CLI_OK) more = records_each(queue, texts, values, each, arg);
        json_decref(values);
        json_decref(texts);
    }
    return code;
}

/* --- Values without a key --- */

/* Of fields of the hash, adds those to `orphans` that have no key. They are looked up after they were found: both are
 * written at once, so a record that is new has its key by now. */
static int orphans_among(struct queues *q, enum chouette_queue queue, const json_t *fields, json_t *orphans)
{
    char name[300];
    struct buf commands = {0};
    json_t *scores, *one;
    size_t i, n = 0;
    queue_name(q, queue, "keys", name);
    for (i = 1; i < json_array_size(fields); i += 2, n++) {
        const json_t *field = json_array_get(fields, i);
        redis_command(&commands, 3, (const char *[]){"ZSCORE", name, json_string_value(field)},
                      (const size_t[]){6, strlen(name), json_string_length(field)});
    }
    int code = queue_ask(q, &commands, n, &scores);
    if (code == CLI_OK)
        json_array_foreach(scores, i, one) if (json_is_null(one))
            json_array_append(orphans, json_array_get(fields, 2 * i + 1));
    json_decref(scores);
    return code;
}

/* All of them, as an array of fields. */
static int orphans_find(struct queues *q, enum chouette_queue queue, json_t **orphans)
{
    char name[300], cursor[32] = "0";
    int code = CLI_OK;
    *orphans = json_array();
    do {
        struct buf commands = {0};
        json_t *fields;
        REDIS_COMMAND(&commands, "HSCAN", queue_name(q, queue, "values", name), cursor, "COUNT", "500");
        code = queue_ask(q, &commands, 1, &fields);
        const char *next = json_string_value(json_array_get(fields, 0));
        snprintf(cursor, sizeof cursor, "%s", code == CLI_OK && next ? next : "0");
        if (code == CLI_OK) code = orphans_among(q, queue, fields, *orphans);
        json_decref(fields);
    } while (code == CLI_OK && strcmp(cursor, "0") != 0);
    return code;
}

/* --- What is bad --- */

struct bad {
    json_t *rows;
    size_t looked, most;
};

static const struct column bad_columns[] = {{"QUEUE", "queue", COLUMN_VALUE},
                                            {"TIME", "time", COLUMN_TIME},
                                            {"WHAT HAPPENS", "fate", COLUMN_VALUE},
                                            {"WHY", "why", COLUMN_VALUE},
                                            {"KEY", "key", COLUMN_VALUE},
                                            {"RECORD", "record", COLUMN_VALUE},
                                            {.title = NULL}};

static json_t *bad_text(const char *text, size_t n)
{
    struct buf clean = {0};
    printable(&clean, text ? text : "", n < 100 ? n : 100);
    if (n > 100) buf_str(&clean, "...");
    json_t *copy = json_string(buf_text(&clean));
    buf_free(&clean);
    return copy;
}

static bool bad_record(void *arg, const struct record *r)
{
    struct bad *b = arg;
    const char *why;
    if (json_array_size(b->rows) >= b->most) return false;
    enum chouette_fate f = chouette_judge(r->queue, r->text, r->n, r->score, &why);
    b->looked++;
    if (f == CHOUETTE_GOOD) return true;
    json_array_append_new(b->rows, json_pack("{s:s, s:f, s:s, s:s, s:o, s:o}", "queue", queue_words[r->queue],
                                             "time", r->score, "fate", chouette_fates[f], "why", why, "key",
                                             bad_text(r->key, r->key_n), "record", bad_text(r->text, r->n)));
    return true;
}

static int bad_orphans(struct queues *q, enum chouette_queue queue, struct bad *b)
{
    json_t *orphans, *one;
    size_t i;
    int code = orphans_find(q, queue, &orphans);
    json_array_foreach(orphans, i, one) if (json_array_size(b->rows) < b->most)
        json_array_append_new(b->rows, json_pack("{s:s, s:s, s:s, s:o}", "queue", queue_words[queue], "fate",
                                                 "stays for ever", "why", "its value has no key", "key",
                                                 bad_text(json_string_value(one), json_string_length(one))));
    json_decref(orphans);
    return code;
}

/* --- Pruning --- */

struct prune {
    struct queues *q;
    enum chouette_queue queue;
    bool bad;
    double before; /* 0: whatever their age */
    json_t *keys;
};

static bool prune_record(void *arg, const struct record *r)
{
    struct prune *p = arg;
    const char *why;
    bool old = p->before > 0 && r->score < p->before;
    if (old || (p->bad && chouette_judge(r->queue, r->text, r->n, r->score, &why) != CHOUETTE_GOOD))
        json_array_append_new(p->keys, json_stringn_nocheck(r->key, r->key_n));
    return true;
}

/* The commands that remove some keys and their values. Returns how many replies come. */
static size_t prune_commands(const struct prune *p, size_t from, size_t to, struct buf *commands)
{
    static const char *const parts[] = {"keys", "values"}, *const verbs[] = {"ZREM", "HDEL"};
    char name[300];
    const char *words[CHOUETTE_PART + 2];
    size_t lengths[CHOUETTE_PART + 2];
    for (size_t i = from; i < to; i++) {
        words[i - from + 2] = json_string_value(json_array_get(p->keys, i));
        lengths[i - from + 2] = json_string_length(json_array_get(p->keys, i));
    }
    REDIS_COMMAND(commands, "MULTI");
    for (int part = 0; part < 2; part++) {
        words[0] = verbs[part], lengths[0] = 4;
        words[1] = queue_name(p->q, p->queue, parts[part], name), lengths[1] = strlen(name);
        redis_command(commands, to - from + 2, words, lengths);
    }
    REDIS_COMMAND(commands, "EXEC");
    return 4;
}

static int prune_keys(const struct prune *p)
{
    size_t n = json_array_size(p->keys);
    int code = CLI_OK;
    for (size_t at = 0; at < n && code == CLI_OK; at += CHOUETTE_PART) {
        struct payload request = {.points = 0};
        json_t *texts = NULL;
        size_t to = at + CHOUETTE_PART < n ? at + CHOUETTE_PART : n;
        size_t replies = prune_commands(p, at, to, &request.body);
        if (settings_options.dry)
            request_print(&p->q->job->talk.shown, &request);
        else
            code = queue_ask(p->q, &request.body, replies, &texts);
        json_decref(texts);
        payload_free(&request);
    }
    return code;
}

static int prune_find(struct prune *p, bool orphans)
{
    json_t *found = NULL;
    int code = p->bad || p->before > 0 ? records_walk(p->q, p->queue, prune_record, p) : CLI_OK;
    if (code == CLI_OK && orphans) code = orphans_find(p->q, p->queue, &found);
    json_array_extend(p->keys, found);
    json_decref(found);
    return code;
}

/* --- Calls --- */

static int queues_open(struct queues *q, struct job *job)
{
    *q = (struct queues){.job = job, .now = (double)clock_wall(&clock_system) / 1e9};
    q->redis = redis_new((const struct redis_settings *)(const void *)job->talk.settings.common);
    return q->redis ? CLI_OK : cli_fail(job->cli, CLI_FAILED, "out of memory");
}

/* True if the arguments name that queue, or none. */
static bool is_wanted(const struct job *job, enum chouette_queue queue)
{
    return !job->n || !strcmp(job->args[0], queue_words[queue]);
}

static bool queue_sound(const struct job *job, struct buf *why)
{
    return !job->n || field_choice("the queue", job->args[0], queue_words, why);
}

static int queues_run(struct job *job)
{
    struct queues q;
    json_t *rows = json_array();
    int code = queues_open(&q, job);
    for (int i = 0; i < CHOUETTE_QUEUES && code == CLI_OK; i++)
        if (is_wanted(job, (enum chouette_queue)i)) code = queue_row(&q, (enum chouette_queue)i, rows);
    if (code == CLI_OK && job->cli->json) {
        json_t *whole = json_pack("{s:O}", "queues", rows);
        talk_json(&job->talk, whole);
        json_decref(whole);
    } else if (code == CLI_OK) {
        job_print(job, rows, queue_columns);
    }
    json_decref(rows);
    redis_free(&q.redis);
    return code;
}

static void bad_print(struct job *job, const struct bad *b)
{
    if (job->cli->json) {
        json_t *whole = json_pack("{s:I, s:O}", "looked_at", (json_int_t)b->looked, "bad", b->rows);
        talk_json(&job->talk, whole);
        json_decref(whole);
        return;
    }
    if (json_array_size(b->rows)) table_list(b->rows, bad_columns, &job->cli->out);
    buf_printf(&job->cli->out, "%zu records, %zu bad\n", b->looked, json_array_size(b->rows));
}

static int bad_run(struct job *job)
{
    struct queues q;
    const json_t *most = job_field(job, "limit");
    struct bad b = {.rows = json_array(), .most = most ? (size_t)json_integer_value(most) : 1000};
    int code = queues_open(&q, job);
    for (int i = 0; i < CHOUETTE_QUEUES && code == CLI_OK; i++) {
        enum chouette_queue queue = (enum chouette_queue)i;
        if (!is_wanted(job, queue)) continue;
        code = records_walk(&q, queue, bad_record, &b);
        if (code == CLI_OK) code = bad_orphans(&q, queue, &b);
    }
    if (code == CLI_OK) bad_print(job, &b);
    if (code == CLI_OK && json_array_size(b.rows)) code = CLI_NO;
    json_decref(b.rows);
    redis_free(&q.redis);
    return code;
}

static bool prune_sound(const struct job *job, struct buf *why)
{
    if (!json_object_size(job->given))
        buf_str(why, "what is removed? before=TIME, bad=true, orphans=true, or several of them");
    return !why->len && queue_sound(job, why);
}

static int prune_queue(struct queues *q, enum chouette_queue queue, size_t *removed)
{
    struct job *job = q->job;
    struct buf question = {0};
    struct prune p = {.q = q,
                      .queue = queue,
                      .bad = json_is_true(job_field(job, "bad")),
                      .before = (double)json_integer_value(job_field(job, "before")),
                      .keys = json_array()};
    int code = prune_find(&p, json_is_true(job_field(job, "orphans")));
    size_t n = json_array_size(p.keys);
    buf_printf(&question, "Remove %zu records of %s?", n, queue_words[queue]);
    if (code == CLI_OK && n) code = job_confirm(job, buf_text(&question)) ? prune_keys(&p) : CLI_USAGE;
    if (code == CLI_OK) *removed += n;
    buf_free(&question);
    json_decref(p.keys);
    return code;
}

static int prune_run(struct job *job)
{
    struct queues q;
    size_t removed = 0;
    int code = queues_open(&q, job);
    for (int i = 0; i < CHOUETTE_QUEUES && code == CLI_OK; i++)
        if (is_wanted(job, (enum chouette_queue)i)) code = prune_queue(&q, (enum chouette_queue)i, &removed);
    if (code == CLI_OK) job_done(job, "removed %zu record%s", removed, removed == 1 ? "" : "s");
    redis_free(&q.redis);
    return code;
}

static const struct field bad_fields[] = {{.name = "limit",
                                           .type = FIELD_INTEGER,
                                           .least = 1,
                                           .top = 10000000,
                                           .help = "how many bad ones are listed; 1000 if not given"},
                                          {.name = NULL}};
static const struct field prune_fields[] = {
    {.name = "before", .type = FIELD_TIME, .help = "remove what is older than this time, such as -4h"},
    {.name = "bad", .type = FIELD_BOOL, .help = "true: remove the records that chouette bad lists"},
    {.name = "orphans", .type = FIELD_BOOL, .help = "true: remove values that have no key"},
    {.name = NULL}};

const struct call chouette_calls_table[] = {
    {.words = "queues",
     .args = "[QUEUE]",
     .most = 1,
     .sound = queue_sound,
     .run = queues_run,
     .help = "show how long the lists are and how old what is in them"},
    {.words = "bad",
     .args = "[QUEUE]",
     .most = 1,
     .fields = bad_fields,
     .sound = queue_sound,
     .run = bad_run,
     .help = "list the records that the agent cannot use, and what it does with them"},
    {.words = "prune",
     .args = "[QUEUE]",
     .most = 1,
     .fields = prune_fields,
     .sound = prune_sound,
     .run = prune_run,
     .help = "remove records, after asking"},
    {.words = NULL},
};
