/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a window over a file shows the bytes of the file, wherever it is moved, or says that it cannot. */
#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "window.h"

enum { SIZE = 1 << 20 };

static unsigned char byte_at(uint64_t offset)
{
    return (unsigned char)(offset * 2654435761u >> 13);
}

static view_t file_of(size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/dev/shm/mtx-window-%d", (int)getpid());
    view_t v = {.fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), .size = size};
    unlink(path);
    unsigned char *bytes = malloc(size);
    for (size_t i = 0; i < size; i++) bytes[i] = byte_at(i);
    REQUIRE(v.fd >= 0 && write(v.fd, bytes, size) == (ssize_t)size);
    free(bytes);
    return v;
}

static bool shows(const unsigned char *p, uint64_t offset, uint64_t n)
{
    for (uint64_t i = 0; p && i < n; i++)
        if (p[i] != byte_at(offset + i)) return false;
    return p != NULL;
}

/* Breaks if a byte is taken from another place, after any sequence of moves and of sizes. */
UNIT(window, shows_the_file)
{
    view_t v = file_of(SIZE);
    struct metrics__window w = {0};
    enum metrics__trouble trouble = METRICS__NO_TROUBLE;
    uint64_t seed = 3;
    for (int i = 0; i < 3000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint64_t offset = (seed >> 40) % SIZE / 8 * 8, n = 1 + (seed >> 20) % (i % 100 ? 5000 : 200000);
        uint64_t ahead = i % 3 ? METRICS__WINDOW : i % 2 * 4096u;
        if (n > SIZE - offset) n = SIZE - offset;
        const void *p = metrics__window_at(&w, &v, SIZE, offset, n, ahead, &trouble);
        if (!shows(p, offset, n))
            UNIT_FAIL("%s:%d: %llu bytes at %llu\n", UNIT_AT, (unsigned long long)n,
                      (unsigned long long)offset);
        CHECK((uintptr_t)p % 8 == 0);
    }
    CHECK(trouble == METRICS__NO_TROUBLE);
    metrics__window_free(&w);
    close(v.fd);
}

/* Breaks if it reads beyond the end that it was given, or
 * again what it has, or not again what was forgotten. */
UNIT(window, end_and_forgetting)
{
    view_t v = file_of(8192);
    struct metrics__window w = {0};
    enum metrics__trouble trouble = METRICS__NO_TROUBLE;
    const unsigned char *p = metrics__window_at(&w, &v, 4096, 64, 8, METRICS__WINDOW, &trouble);
    REQUIRE(p != NULL);
    CHECK_EQ_U64(w.from, 64);
    CHECK_EQ_U64(w.to, 4096);
    REQUIRE(pwrite(v.fd, "x", 1, 64) == 1);
    CHECK(*(p = metrics__window_at(&w, &v, 4096, 64, 8, 0, &trouble)) == byte_at(64));
    metrics__window_forget(&w);
    CHECK(*(p = metrics__window_at(&w, &v, 4096, 64, 8, 0, &trouble)) == 'x');
    metrics__window_free(&w);
    close(v.fd);
}

/* Breaks if a file that was cut off is not noticed, or what was read before passes for what is there now. */
UNIT(window, truncated)
{
    view_t v = file_of(8192);
    struct metrics__window w = {0};
    enum metrics__trouble trouble = METRICS__NO_TROUBLE;
    CHECK(metrics__window_at(&w, &v, 8192, 0, 64, 0, &trouble) != NULL);
    REQUIRE(!ftruncate(v.fd, 4096));
    CHECK(metrics__window_at(&w, &v, 8192, 4032, 128, 0, &trouble) == NULL);
    CHECK(trouble == METRICS__TRUNCATED);
    CHECK(w.from == w.to);
    metrics__window_free(&w);
    close(v.fd);
}
