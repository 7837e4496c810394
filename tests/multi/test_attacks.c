/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promise: a file that is not clearly a safe segment is refused, by writers and readers, with a sentence that
 * names the file and the reason; later updates are no-ops.
 */
#include "multi.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "layout.h"

static char other[128];

/* A whole segment, closed again, at test_path. */
static void fresh(void)
{
    metrics_registry_t *r = test_open(NULL);
    metrics_counter_inc(metrics_counter(r, "c"));
    metrics_close(&r);
}

static void poke(uint64_t offset, const void *bytes, size_t n)
{
    int fd = open(test_path, O_WRONLY);
    if (fd < 0 || pwrite(fd, bytes, n, (off_t)offset) != (ssize_t)n) abort();
    close(fd);
}

static void use(metrics_registry_t *r)
{
    metrics_counter_inc(metrics_counter(r, "c", "k", "v"));
    metrics_gauge_set(metrics_gauge(r, "g"), 1);
    metrics_histogram_update(metrics_histogram(r, "h"), 1);
    metrics_timer_update(metrics_timer(r, "t"), 1);
    metrics_meter_mark(metrics_meter(r, "m"), 1);
    metrics_set_add(metrics_set(r, "s"), "x", 1);
    metrics_poll(r);
    metrics_prepare(r);
}

static void refused_writer(const char *path, const char *what, int code, const char *words)
{
    metrics_error_t error;
    metrics_options_t o = {.size = sizeof o, .path = path};
    metrics_registry_t *r = metrics_open(&o, &error);
    EXPECT(error.code == code && strstr(error.text, path) && strstr(error.text, words), "writer, %s: %s",
           what, error.text);
    EXPECT(metrics_status(r, NULL) == -code, "  and what is recorded is a no-op");
    use(r);
    metrics_close(&r);
}

static void refused_reader(const char *path, const char *what, int code, const char *words)
{
    metrics_error_t error;
    metrics_reader_t *r = metrics_reader_open(path, NULL, &error);
    EXPECT(!r && error.code == code && strstr(error.text, path) && strstr(error.text, words),
           "reader, %s: %s", what, error.text);
    if (r) metrics_reader_close(&r);
}

static void refused(const char *path, const char *what, int code, const char *words)
{
    refused_writer(path, what, code, words);
    refused_reader(path, what, code, words);
}

static void kinds_of_file(void)
{
    fresh();
    snprintf(other, sizeof other, "%s.other", test_path);
    if (symlink(test_path, other)) abort();
    refused(other, "a symbolic link", METRICS_E_UNSAFE, "symbolic link");
    unlink(other);
    if (link(test_path, other)) abort();
    refused(other, "a hard link", METRICS_E_UNSAFE, "2 names");
    unlink(other);
    if (mkfifo(other, 0600)) abort();
    refused(other, "a FIFO", METRICS_E_UNSAFE, "not a regular file");
    unlink(other);
    if (mkdir(other, 0700)) abort();
    refused_writer(other, "a directory", METRICS_E_SYSTEM, "Is a directory");
    refused_reader(other, "a directory", METRICS_E_UNSAFE, "not a regular file");
    rmdir(other);
    chmod(test_path, 0666);
    refused(test_path, "world-writable", METRICS_E_UNSAFE, "everybody");
    refused_writer("/dev/shm/no/such/segment", "no directory", METRICS_E_SYSTEM, "directory of");
    refused_reader("/dev/shm/no/such/segment", "no directory", METRICS_E_MISSING, "no segment");
}

static void as_somebody_else(void *arg)
{
    (void)arg;
    if (setgid(65534) || setuid(65534)) _exit(1);
    multi_passed = multi_failed = 0;
    refused(test_path, "another user's file", METRICS_E_UNSAFE, "belongs to uid 12345");
    _exit(multi_failed ? 1 : 0);
}

static void wrong_owner(void)
{
    int status;
    if (geteuid() != 0) {
        printf("left out: other owners need root\n");
        return;
    }
    fresh();
    if (chown(test_path, 12345, 12345) || chmod(test_path, 0602)) abort();
    chmod(test_path, 0606);
    /* Readable and writable by others, so that only the check refuses it. */
    waitpid(multi_fork(as_somebody_else, NULL), &status, 0);
    EXPECT(status == 0, "another user's file is refused for a process without privilege");
}

static void wrong_contents(void)
{
    const uint16_t major = 9;
    const uint32_t foreign = 0x0d0c0b0a, lanes = 7;
    fresh();
    poke(0, "garbage!", 8);
    refused(test_path, "wrong magic number", METRICS_E_FORMAT, "magic");
    fresh();
    poke(offsetof(struct segment_header, major), &major, sizeof major);
    refused(test_path, "another major version", METRICS_E_VERSION, "format 9.1");
    fresh();
    poke(offsetof(struct segment_header, byte_order), &foreign, sizeof foreign);
    refused(test_path, "another byte order", METRICS_E_ARCH, "byte order");
    fresh();
    poke(offsetof(struct segment_header, lanes_cpu), &lanes, sizeof lanes);
    refused(test_path, "a damaged header", METRICS_E_DAMAGED, "checksum");
    fresh();
    if (truncate(test_path, 100000)) abort();
    refused(test_path, "truncated", METRICS_E_DAMAGED, "truncated");
    if (truncate(test_path, 100)) abort();
    refused(test_path, "truncated to nothing", METRICS_E_FORMAT, "only 100 bytes");
}

static void limited(void *arg)
{
    (void)arg;
    struct rlimit limit = {1 << 20, 1 << 20};
    setrlimit(RLIMIT_FSIZE, &limit);
    multi_passed = multi_failed = 0;
    refused_writer(test_path, "RLIMIT_FSIZE", METRICS_E_LIMIT, "RLIMIT_FSIZE");
    _exit(multi_failed ? 1 : 0);
}

static void file_size_limit(void)
{
    int status;
    unlink(test_path);
    waitpid(multi_fork(limited, NULL), &status, 0);
    EXPECT(status == 0, "no SIGXFSZ (wait status %d)", status);
    EXPECT(access(test_path, F_OK) != 0, "and no file left behind");
}

/* --- Creating, replacing --- */

static void creator(void *arg)
{
    metrics_options_t o = {.size = sizeof o, .path = test_path};
    metrics_error_t error;
    uint64_t *seen = arg;
    multi_gate_wait();
    metrics_registry_t *r = metrics_open(&o, &error);
    metrics_counter_inc(metrics_counter(r, "creators"));
    metrics_reader_t *reader = metrics_reader_open(test_path, NULL, &error);
    metrics_segment_info_t info = {0};
    if (reader) metrics_reader_info(reader, &info, NULL);
    *seen = info.incarnation;
}

static void many_creators(void)
{
    enum { N = 100 };
    uint64_t *seen = multi_shared(N * sizeof *seen);
    pid_t pids[N];
    int different = 0;
    multi_gate_make();
    unlink(test_path);
    for (int i = 0; i < N; i++) pids[i] = multi_fork(creator, &seen[i]);
    multi_gate_open();
    for (int i = 0; i < N; i++) waitpid(pids[i], NULL, 0);
    for (int i = 0; i < N; i++) different += seen[i] == 0 || seen[i] != seen[0];
    EXPECT_EQ(different, 0, "creators at once that saw another segment");
    EXPECT_EQ(multi_number("creators", NULL, "count"), N, "and all are counted");
}

static void reset_and_replace(void)
{
    metrics_error_t error;
    metrics_registry_t *r = test_open(NULL);
    metrics_counter_inc(metrics_counter(r, "c"));
    metrics_options_t o = {.size = sizeof o, .path = test_path, .attach = METRICS_RESET};
    metrics_registry_t *second = metrics_open(&o, &error);
    EXPECT_EQ(multi_number("c", NULL, "count"), 1, "reset keeps what others are attached to");
    metrics_reader_t *reader = metrics_reader_open(test_path, NULL, &error);
    EXPECT_EQ(metrics_reader_replaced(reader), 0, "not replaced");
    metrics_close(&second);
    metrics_close(&r);
    r = metrics_open(&o, &error);
    EXPECT(error.code == 0 && isnan(multi_number("c", NULL, "count")),
           "reset with nobody else attached begins anew");
    EXPECT_EQ(metrics_reader_replaced(reader), 1, "a reader notices");
    metrics_reader_close(&reader);
    reader = metrics_reader_open(test_path, NULL, &error);
    unlink(test_path);
    EXPECT_EQ(metrics_reader_replaced(reader), 1, "a reader notices a deleted file");
    o.attach = METRICS_EXISTING;
    second = metrics_open(&o, &error);
    EXPECT(error.code == METRICS_E_MISSING && access(test_path, F_OK), "METRICS_EXISTING creates nothing: %s",
           error.text);
    metrics_close(&second);
    metrics_counter_inc(metrics_counter(r, "after"));
    metrics_snapshot_t *s = metrics_snapshot_take(reader, &error);
    EXPECT_EQ(test_number(test_find(s, "after", NULL), NULL, NULL, "count"), 1, "and can read it to the end");
    metrics_snapshot_release(&s);
    metrics_reader_close(&reader);
    metrics_close(&r);
}

int main(void)
{
    multi_begin(90);
    kinds_of_file();
    wrong_owner();
    wrong_contents();
    file_size_limit();
    many_creators();
    reset_and_replace();
    return multi_end();
}
