/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h - the configuration: a YAML file walked by the option tables, or the defaults without one.
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
    size_t references;           /* beside the maker's: see config_retain() */
    char *file;                  /* where it came from; NULL = the defaults */
    struct option_list segments; /* paths; empty = the default one */
    uint64_t interval;
    struct option_tags tags; /* environment and top level merged, sorted by key */
    int verbosity;           /* enum say_level */
    uint64_t flush_timeout;  /* SIGTERM: at most this long for the rest */
    struct config_log {
        int place;       /* 0 = a file, 1 = memory */
        char *state_dir; /* NULL = beside the segment */
        uint64_t size;   /* bytes of snapshots that wait for backends */
        uint64_t age;
    } log;
    struct config_http {
        char *listen; /* "off" = no server */
    } http;
    struct config_backend *backends;
};

/* The options of the top level. */
extern const struct option config_rows[];

/* A backend with its defaults, not yet in the list; NULL without memory. */
struct config_backend *config_backend_new(const struct backend *type);
/* Appends it; the configuration owns it from then on. */
void config_backend_add(struct config *config, struct config_backend *b);

/* Sets a top-level option in place of what the file said. False, with the reason, if the value is wrong. */
bool config_override(struct config *config, const char *name, const char *value, struct buf *why);

/* One more reference; each is given back by config_free(), the last one frees. Not thread-safe: the owner
 * sees to it. */
struct config *config_retain(struct config *config);
void config_free(struct config **config);

/* The settings in force as YAML; secrets are hidden. For --check. */
void config_print(const struct config *config, struct buf *out);

/* Help and a commented sample of everything outside the backends. */
void config_help(struct buf *out);
void config_sample(struct buf *out);

/* The backend of that name, or NULL. */
struct config_backend *config_backend_named(const struct config *config, const char *name);

/* True if backend x of configuration a does what y of b does: type, every option, the tags above them. */
bool config_backend_same(const struct config *a, const struct config_backend *x, const struct config *b,
                         const struct config_backend *y);

#endif
