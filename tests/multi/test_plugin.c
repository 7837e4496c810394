/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: a plug-in with inlined updates may be unloaded. A thread's rseq_cs must not point into it then:
 * the kernel would read it at the next preemption and kill the process. More threads than CPUs make
 * preemption certain.
 */
#include "multi.h"

#include <dlfcn.h>

enum { THREADS = 6, UPDATES = 2000 };
#define ROUNDS multi_dose(3000)

static metrics_counter_t *counter;

struct user {
    char path[64]; /* of a copy of its own: a shared one would stay mapped for the others */
    uint64_t done;
};

static void copy_plugin(struct user *u, int i)
{
    char command[512];
    snprintf(u->path, sizeof u->path, "/dev/shm/mtx-test-%d-%d.so", (int)getpid(), i);
    snprintf(command, sizeof command, "cp '%s' '%s'", PLUGIN_PATH, u->path);
    if (system(command)) exit(1);
}

static void *load_use_unload(void *arg)
{
    struct user *u = arg;
    for (int i = 0; i < ROUNDS; i++) {
        void *so = dlopen(u->path, RTLD_NOW | RTLD_LOCAL);
        void (*count)(metrics_counter_t *, int) = NULL;
        if (so) *(void **)&count = dlsym(so, "plugin_count");
        if (!count) break;
        count(counter, UPDATES);
        u->done += UPDATES;
        dlclose(so);
        /* Be preempted while nothing of it is mapped any more. */
        for (volatile int k = 0; k < 20000; k++) {
        }
    }
    return NULL;
}

int main(void)
{
    multi_begin(100);
    metrics_registry_t *r = test_open(NULL);
    counter = metrics_counter(r, "counter");
    pthread_t th[THREADS];
    struct user users[THREADS] = {0};
    uint64_t all = 0;
    for (int i = 0; i < THREADS; i++) copy_plugin(&users[i], i);
    for (int i = 0; i < THREADS; i++) pthread_create(&th[i], NULL, load_use_unload, &users[i]);
    for (int i = 0; i < THREADS; i++) pthread_join(th[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        all += users[i].done;
        unlink(users[i].path);
    }
    EXPECT_EQ(all, (double)THREADS * ROUNDS * UPDATES, "updates by a plug-in that came and went");
    EXPECT_EQ(multi_number("counter", NULL, "count"), (double)all, "counted");
    return multi_end();
}
