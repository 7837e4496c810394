/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h - the configuration: a YAML file read by means of the option tables, or the defaults.
 *
 *     segment: /dev/shm/shop.seg
 *     interval: 10s
 *     tags: {service: shop}
 *     backends:
 *       - type: prometheus
 *       - type: file
 *         path: /var/log/shop-metrics.json
 *         include: ["http.*"]
 *
 * config_load.h makes one.
 *
 * Not thread-safe: a configuration is changed, retained and freed by one thread at a time. Any number of
 * threads may read one that nobody changes.
 */
#ifndef EXPORTERS_CONFIG_H
#define EXPORTERS_CONFIG_H

#include "backend.h"

struct config_backend {
    const struct backend *type;
    struct backend_common *settings; /* the backend's whole settings struct */
    struct config_backend *next;
};

struct config {
    size_t references;           /* more than the first; see config_retain() */
    char *file;                  /* its path; NULL = the defaults */
    struct option_list segments; /* paths; empty = the default segment */
    uint64_t interval;           /* nanoseconds */
    uint64_t event_interval;     /* nanoseconds */
    struct option_tags tags;     /* of the environment and of the file, sorted by key */
    int verbosity;               /* enum say_level */
    uint64_t flush_timeout;      /* nanoseconds */
    struct config_log {
        int place;            /* 0 = a file, 1 = memory */
        char *state_dir;      /* NULL = next to the segment */
        uint64_t size;        /* bytes of waiting snapshots */
        uint64_t age;         /* nanoseconds */
        uint64_t events_size; /* bytes of waiting events */
        uint64_t events_age;  /* nanoseconds */
    } log;
    struct config_http {
        char *listen; /* host:port, or "off" */
    } http;
    struct config_backend *backends;
};

/* The options of the top level. */
extern const struct option config_rows[];

/* Makes a backend with its defaults, which is not yet in a configuration. NULL without memory. */
struct config_backend *config_backend_new(const struct backend *type);

/* Appends the backend; the configuration owns it from then on. */
void config_backend_add(struct config *config, struct config_backend *b);

/* Sets a top-level option, whatever the file says. False,
 * with the reason appended to `why`, if the value is wrong. */
bool config_override(struct config *config, const char *name, const char *value, struct buf *why);

/* Adds a reference and returns `config`. config_free() gives back one reference and sets *config to NULL; the
 * last one frees the configuration. *config may be NULL. */
struct config *config_retain(struct config *config);
void config_free(struct config **config);

/* Appends the current settings as YAML, secrets hidden: for --check. */
void config_print(const struct config *config, struct buf *out);

/* Append the help, and a commented sample, of all options outside the backends. */
void config_help(struct buf *out);
void config_sample(struct buf *out);

/* The backend of that name, which belongs to the configuration, or NULL. */
struct config_backend *config_backend_named(const struct config *config, const char *name);

/* True if backend x of configuration a and backend y of b are configured alike: same type, same options, same
 * tags of the configuration. */
bool config_backend_same(const struct config *a, const struct config_backend *x, const struct config *b,
                         const struct config_backend *y);

#endif
