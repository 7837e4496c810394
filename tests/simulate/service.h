/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service.h - a strict service on a socket of its own. It applies a request, or not, and then answers as its mood is.
 * What it applies goes to the auditor.
 */
#ifndef SIMULATE_SERVICE_H
#define SIMULATE_SERVICE_H

#include "http.h"
#include "life.h"
#include "told.h"

#include <poll.h>

enum { SERVICE_CONNECTIONS = 6 };

/* MOOD(ID, applies, status, answer as the auditor sees it, in words) */
#define MOODS(MOOD)                                                                        \
    MOOD(GOOD, true, 0, AUDIT_WELL, "answers well")                                        \
    MOOD(BUSY, false, 429, AUDIT_NOT_NOW, "answers 429")                                   \
    MOOD(DOWN, false, 503, AUDIT_NOT_NOW, "answers 503")                                   \
    MOOD(REFUSES, false, 400, AUDIT_NEVER, "answers 400")                                  \
    MOOD(TOO_LARGE, false, 413, AUDIT_NEVER, "answers 413")                                \
    MOOD(PARTLY, true, 0, AUDIT_WELL, "takes all but one point")                           \
    MOOD(FAILS, false, 500, AUDIT_UNSURE, "answers 500")                                   \
    MOOD(FAILS_LATE, true, 504, AUDIT_UNSURE, "takes it and answers 504")                  \
    MOOD(HANGS_UP, false, 0, AUDIT_UNSURE, "hangs up without an answer")                   \
    MOOD(HANGS_UP_LATE, true, 0, AUDIT_UNSURE, "takes it and hangs up without an answer")  \
    MOOD(HALF, true, 0, AUDIT_UNSURE, "takes it and hangs up in the middle of the answer") \
    MOOD(STRANGE, true, 0, AUDIT_UNSURE, "takes it, and somebody else answers 200")        \
    MOOD(SILENT, false, 0, AUDIT_UNSURE, "never answers")                                  \
    MOOD(SILENT_LATE, true, 0, AUDIT_UNSURE, "takes it and never answers")                 \
    MOOD(KILLS, false, 0, AUDIT_UNSURE, "gets it, and the exporter is killed")             \
    MOOD(KILLS_LATE, true, 0, AUDIT_UNSURE, "takes it, and the exporter is killed")

enum mood {
#define MOOD(ID, ...) MOOD_##ID,
    MOODS(MOOD)
#undef MOOD
        MOOD_COUNT
};
const char *mood_words(enum mood mood);

struct service {
    const struct told_protocol *protocol; /* NULL: none */
    unsigned backend;                     /* its number */
    char path[108];                       /* of its socket */
    int listener;                         /* -1: connections are refused */
    struct http_connection connections[SERVICE_CONNECTIONS];
    enum mood mood;
    unsigned lasts; /* so many more requests */
    enum mood then; /* for one more, if it is not MOOD_GOOD */
    unsigned calm;  /* requests in between that are answered well */
    unsigned pause; /* 429 and 503 ask for so many seconds (Retry-After); 0: they do not say */
    unsigned limit; /* a request with more points than this is answered 413; 0: there is no limit */
    unsigned fatal; /* so many steps after the last of them the exporter is killed; 0: it is not */
};

void service_open(struct service *s, unsigned backend, const struct told_protocol *protocol,
                  const char *folder);

/* Refuses connections, and hangs up on those that there are; or is there again. */
void service_leave(struct service *s);
void service_return(struct service *s);

/* Hangs up on kept connections that nobody uses just now. */
void service_hang_up(struct service *s);

/* In a process that is no service: a connection that is closed must not live on in a copy. */
void service_let_go(struct service *s);

/* Adds what it waits for; returns the new number. */
nfds_t service_await(const struct service *s, struct pollfd *fds, nfds_t n);

/* Takes in what has come, without waiting. */
void service_gather(struct service *s);

/* Answers one of the requests that came, of exporter number `life`; perhaps the exporter has been killed by it. */
enum service_served { SERVICE_NONE, SERVICE_ONE, SERVICE_KILLED };
enum service_served service_serve(struct service *s, struct life *life, unsigned number);

#endif
