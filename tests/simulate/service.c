/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"

#include "audit.h"
#include "shared.h"
#include "story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const struct {
    bool applies;
    int status;
    enum audit_answer answer;
    const char *words;
} moods[] = {
#define MOOD(ID, APPLIES, STATUS, ANSWER, WORDS) {APPLIES, STATUS, ANSWER, WORDS},
    MOODS(MOOD)
#undef MOOD
};

const char *mood_words(enum mood mood)
{
    return moods[mood].words;
}

/* --- There, or not --- */

void service_return(struct service *s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (s->listener >= 0) return;
    memcpy(address.sun_path, s->path, sizeof s->path);
    unlink(s->path);
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(s->listener, (void *)&address, sizeof address) || listen(s->listener, 16)) abort();
}

void service_open(struct service *s, unsigned backend, const struct told_protocol *protocol,
                  const char *folder)
{
    *s = (struct service){.protocol = protocol, .backend = backend, .listener = -1};
    for (int i = 0; i < SERVICE_CONNECTIONS; i++) s->connections[i].fd = -1;
    if (snprintf(s->path, sizeof s->path, "%s/%s.sock", folder, protocol->type) >= (int)sizeof s->path)
        abort();
    service_return(s);
}

void service_hang_up(struct service *s)
{
    for (int i = 0; i < SERVICE_CONNECTIONS; i++)
        if (s->connections[i].fd >= 0) http_close(&s->connections[i]);
}

void service_let_go(struct service *s)
{
    if (s->listener >= 0) close(s->listener);
    service_hang_up(s);
}

void service_leave(struct service *s)
{
    if (s->listener >= 0) close(s->listener);
    s->listener = -1;
    unlink(s->path);
    service_hang_up(s);
}

/* --- A request --- */

static enum mood service_mood(struct service *s)
{
    enum mood mood = s->lasts ? s->mood : MOOD_GOOD;
    if (s->lasts && !--s->lasts && s->then) {
        s->mood = s->calm ? MOOD_GOOD : s->then;
        s->lasts = s->calm ? s->calm : 1;
        s->then = s->calm ? s->then : MOOD_GOOD;
        s->calm = 0;
    }
    bool understands = s->protocol->partly != NULL; /* its exporter reads the body of an answer */
    if (mood == MOOD_STRANGE && !understands) mood = MOOD_FAILS_LATE;
    if (mood == MOOD_PARTLY && !s->protocol->partly) mood = MOOD_GOOD;
    return mood;
}

/* An increment of nothing is no news. */
static void service_tell_story(const struct service *s, const struct told_list *list, enum mood mood)
{
    char text[1024] = "";
    size_t n = 0;
    for (size_t i = 0; i < list->n && n < sizeof text - 80; i++) {
        const struct told *t = &list->at[i];
        if (t->nature == TOLD_DELTA && t->value == 0) continue;
        n += (size_t)snprintf(text + n, sizeof text - n, " %s%s%.0f@%ld", t->name,
                              t->nature == TOLD_DELTA   ? "+"
                              : t->nature == TOLD_TOTAL ? "="
                                                        : ":",
                              t->value, (long)(t->time - 1800000000));
    }
    if (n || mood != MOOD_GOOD) story_then("%s %s:%s", s->protocol->type, mood_words(mood), text);
}

static void service_answer(struct service *s, struct http_connection *c, enum mood mood, int partly,
                           struct life *life)
{
    const char *body = partly >= 0 ? s->protocol->partly((size_t)partly) : s->protocol->good;
    switch (mood) {
    case MOOD_STRANGE: http_answer(c, 200, "<html>Welcome to the hotel</html>", false); break;
    case MOOD_HANGS_UP:
    case MOOD_HANGS_UP_LATE: http_close(c); break;
    case MOOD_HALF:
        http_answer(c, s->protocol->status, "{\"errors\":[], \"something\":\"long enough to be cut\"}", true);
        http_close(c);
        break;
    case MOOD_SILENT:
    case MOOD_SILENT_LATE:
        if (life->pid && write(life->nudge, "", 1) != 1) abort();
        break;
    case MOOD_BUSY:
    case MOOD_DOWN:
        if (s->pause)
            http_answer_later(c, moods[mood].status, s->pause);
        else
            http_answer(c, moods[mood].status, "{}", false);
        break;
    case MOOD_KILLS:
    case MOOD_KILLS_LATE: life_kill(life); break;
    default:
        http_answer(c, moods[mood].status ? moods[mood].status : s->protocol->status,
                    moods[mood].status ? "{}" : body, false);
    }
}

/* False if the exporter is killed. */
static bool service_data(struct service *s, struct http_connection *c, const struct http_request *request,
                         struct life *life, unsigned number)
{
    struct told_list list = {.n = 0};
    const char *why = "";
    if (!s->protocol->read(request->body, request->n, &list, &why)) {
        audit_complain("%s does not understand a request: %s", s->protocol->type, why);
        story_then("%.*s", (int)request->n, request->body);
        http_taken(c, request);
        http_answer(c, 400, "{}", false);
        return true;
    }
    bool large = s->limit && list.n > s->limit, last = !large && s->lasts == 1;
    enum mood mood = large ? MOOD_TOO_LARGE : service_mood(s);
    int partly = mood == MOOD_PARTLY && list.n ? (int)(list.n / 2) : -1;
    service_tell_story(s, &list, mood);
    http_taken(c, request);
    audit_told(s->backend, number, &list, moods[mood].applies, moods[mood].answer, partly);
    if (last && s->fatal) shared->lives[number].kill_at = shared->lives[number].steps + s->fatal;
    if (last) s->fatal = 0;
    service_answer(s, c, mood, partly, life);
    return mood != MOOD_KILLS && mood != MOOD_KILLS_LATE;
}

static bool service_request(struct service *s, struct http_connection *c, struct http_request *request,
                            struct life *life, unsigned number)
{
    size_t n = strlen(s->protocol->path);
    bool data = !strcmp(request->method, "POST") && !strncmp(request->path, s->protocol->path, n);
    if (data) return service_data(s, c, request, life, number);
    http_taken(c, request);
    http_answer(c, 204, "", false);
    return true;
}

/* --- Connections --- */

static void service_accept(struct service *s)
{
    struct pollfd fd = {.fd = s->listener, .events = POLLIN};
    if (s->listener < 0 || poll(&fd, 1, 0) <= 0) return;
    for (int fd;
         s->listener >= 0 && (fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;) {
        struct http_connection *c = s->connections;
        while (c < s->connections + SERVICE_CONNECTIONS && c->fd >= 0) c++;
        if (c == s->connections + SERVICE_CONNECTIONS) abort();
        c->fd = fd;
    }
}

nfds_t service_await(const struct service *s, struct pollfd *fds, nfds_t n)
{
    if (s->listener >= 0) fds[n++] = (struct pollfd){.fd = s->listener, .events = POLLIN};
    for (int i = 0; i < SERVICE_CONNECTIONS; i++)
        if (s->connections[i].fd >= 0)
            fds[n++] = (struct pollfd){.fd = s->connections[i].fd, .events = POLLIN};
    return n;
}

void service_gather(struct service *s)
{
    service_accept(s);
    for (struct http_connection *c = s->connections; c < s->connections + SERVICE_CONNECTIONS; c++)
        if (c->fd >= 0 && !http_read(c)) c->over = true;
}

enum service_served service_serve(struct service *s, struct life *life, unsigned number)
{
    for (struct http_connection *c = s->connections; c < s->connections + SERVICE_CONNECTIONS; c++) {
        struct http_request request;
        if (c->fd < 0) continue;
        if (http_request(c, &request))
            return service_request(s, c, &request, life, number) ? SERVICE_ONE : SERVICE_KILLED;
        if (c->over) http_close(c);
    }
    return SERVICE_NONE;
}
