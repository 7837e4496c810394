/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: who may only read the file cannot make the dead look alive, and what it can obstruct by sharing locks is
 * named: by the exporter's error, by the check, by a counted loss. All works again when it is gone. And: readers
 * believe no file of a user that they do not know, root's included.
 */
#include "multi.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "../../registry/programs/leader.h"
#include "layout.h"

static volatile int *ready; /* shared */

/* Shares every lock but that of being attached, with a descriptor that can only read. */
static void share_all(void *arg)
{
    (void)arg;
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = (off_t)LOCK_LEADER};
    int fd = open(test_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lock)) _exit(1);
    *ready = 1;
    for (;;) pause();
}

static pid_t start_sharing(void)
{
    *ready = 0;
    pid_t pid = multi_fork(share_all, NULL);
    while (!*ready && waitpid(pid, NULL, WNOHANG) == 0) multi_sleep_ms(1);
    return pid;
}

static void end_process(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static metrics_registry_t *registry;
static metrics_gauge_t *gauge;

static void set_and_die(void *arg)
{
    (void)arg;
    metrics_gauge_set(gauge, 5);
}

static void remember_lock(void *arg, uint64_t offset, const char *what)
{
    *(bool *)arg = offset > LOCK_BASE && strstr(what, "shares this lock");
}

static bool check_names_it(int *damages)
{
    bool named = false;
    *damages = metrics_segment_check(test_path, remember_lock, &named, NULL);
    return named;
}

static uint64_t no_slot(void)
{
    metrics_segment_info_t info;
    metrics_reader_t *reader = test_reader();
    metrics_reader_info(reader, &info, NULL);
    metrics_reader_close(&reader);
    uint64_t n = 0;
    for (uint32_t i = 0; i < info.loss_count; i++)
        if (!strcmp(metrics_loss_name(i), "no_slot")) n = info.losses[i];
    return n;
}

static void obstruct(void)
{
    int damages;
    metrics_error_t error;
    waitpid(multi_fork(set_and_die, NULL), NULL, 0);
    pid_t sharer = start_sharing();
    EXPECT(isnan(multi_number("level", NULL, "value")), "the dead process's gauge stays absent");
    uint64_t lost = no_slot();
    metrics_gauge_set(gauge, 1);
    EXPECT_EQ(no_slot() - lost, 1, "a set that finds no slot is counted");
    metrics_leader_t *leader = metrics_leader_acquire(test_path, NULL, &error);
    EXPECT(!leader && error.code == METRICS_E_BUSY && strstr(error.text, "shares the leader's lock"),
           "leading: %s", error.text);
    EXPECT(check_names_it(&damages), "the check names the lock");
    end_process(sharer);
    EXPECT(!check_names_it(&damages) && damages == 0, "and is content when it is gone");
    metrics_poll(registry);
    metrics_gauge_set(gauge, 2);
    EXPECT_EQ(multi_number("level", NULL, "value"), 2, "gauges work again");
    leader = metrics_leader_acquire(test_path, NULL, &error);
    EXPECT(leader != NULL, "and so does leading");
    sharer = start_sharing();
    EXPECT_EQ(multi_number("level", NULL, "value"), 2, "who has its lock already keeps it");
    end_process(sharer);
    if (leader) metrics_leader_release(&leader);
}

/* --- Owners --- */

static bool opens(void)
{
    metrics_error_t error;
    metrics_reader_t *reader = metrics_reader_open(test_path, NULL, &error);
    bool good = reader != NULL;
    if (!good) printf("     %s\n", error.text);
    if (good) metrics_reader_close(&reader);
    return good || error.code != METRICS_E_UNSAFE;
}

static void owners(void)
{
    if (geteuid() != 0) {
        puts("     not root: other users' files are not tried");
        return;
    }
    EXPECT(opens(), "a file of our own");
    if (chown(test_path, 12345, 12345) || chmod(test_path, 0644)) exit(1);
    EXPECT(!opens(), "root and a file that another user made, readable by all");
    setenv("MTX_OWNER", "12345", 1);
    EXPECT(opens(), "named in MTX_OWNER");
    setenv("MTX_OWNER", "12346", 1);
    EXPECT(!opens(), "MTX_OWNER names another");
    setenv("MTX_OWNER", "no-such-user", 1);
    EXPECT(!opens(), "MTX_OWNER names nobody");
    unsetenv("MTX_OWNER");
    if (chown(test_path, 12345, getegid())) exit(1);
    EXPECT(opens(), "another user's, in a group of ours");
    if (chmod(test_path, 0600)) exit(1);
    EXPECT(!opens(), "which may not read it");
}

int main(void)
{
    multi_begin(60);
    registry = test_open(NULL);
    gauge = metrics_gauge(registry, "level");
    ready = multi_shared(sizeof *ready);
    obstruct();
    owners();
    return multi_end();
}
