/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - runs a target without libFuzzer, in any build:
 *
 *     fuzz_snapshot corpus/snapshot...             each file, or each file of a folder
 *     fuzz_snapshot --random N [SEED] corpus/...   and then N mutations of them
 *     fuzz_snapshot --seeds DIRECTORY              write what the target knows to begin from
 *
 * Ends with "N passed, N failed", where an input that ends the program ends it here, too.
 */
#include <dirent.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed) __attribute__((weak));

enum { INPUT_MAX = 64 << 10, INPUTS = 65536, PATIENCE = 20 };

static struct input {
    uint8_t *data;
    size_t n;
} inputs[INPUTS];
static size_t input_count, done;
static char running[4096] = "nothing";

static void tell(int sig)
{
    (void)!write(2, running, strlen(running));
    (void)!write(2, sig == SIGALRM ? ": hangs\n" : ": ends the program\n", sig == SIGALRM ? 8 : 19);
    signal(sig, SIG_DFL);
    raise(sig);
}

static void run(const uint8_t *data, size_t n)
{
    uint8_t *exact = malloc(n ? n : 1); /* so that a sanitizer sees a byte too many */
    if (!exact) abort();
    memcpy(exact, data, n);
    alarm(PATIENCE);
    LLVMFuzzerTestOneInput(exact, n);
    alarm(0);
    free(exact);
    done++;
}

static void read_file(const char *path)
{
    uint8_t data[INPUT_MAX];
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(data, 1, sizeof data, f) : 0;
    if (!f || input_count == INPUTS) {
        fprintf(stderr, "%s cannot be read\n", path);
        exit(2);
    }
    fclose(f);
    snprintf(running, sizeof running, "%s", path);
    struct input *in = &inputs[input_count++];
    in->data = malloc(n + 1);
    in->n = n;
    memcpy(in->data, data, n);
    run(data, n);
}

static void read_all(const char *path)
{
    struct dirent **names;
    char file[4096];
    int n = scandir(path, &names, NULL, alphasort);
    if (n < 0) {
        read_file(path);
        return;
    }
    for (int i = 0; i < n; i++) {
        snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.') read_file(file);
        free(names[i]);
    }
    free(names);
}

/* Where libFuzzer's mutations are not: bytes, numbers and pieces change. */
static size_t plain_mutation(uint8_t *data, size_t n, size_t max, uint64_t *state)
{
    for (unsigned rounds = 1 + *state % 4; rounds; rounds--) {
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t r = *state >> 16;
        size_t at = n ? (r >> 8) % n : 0;
        switch (r % 5) {
        case 0:
            if (n) data[at] ^= (uint8_t)(1u << (r >> 40 & 7));
            break;
        case 1:
            if (n) data[at] = (uint8_t)(r >> 40);
            break;
        case 2:
            if (n < max) {
                memmove(data + at + 1, data + at, n - at);
                n++;
            }
            break;
        case 3:
            if (n) memmove(data + at, data + at + 1, n-- - at - 1);
            break;
        default:
            if (n > 16) memmove(data + at % (n - 8), data + (r >> 24) % (n - 8), 8);
        }
    }
    return n;
}

static void run_random(uint64_t count, uint64_t seed)
{
    static uint8_t data[INPUT_MAX];
    uint64_t state = seed;
    for (uint64_t i = 0; i < count; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const struct input *from = input_count ? &inputs[(state >> 33) % input_count] : NULL;
        size_t n = from ? from->n : 0, max = sizeof data / 4;
        if (n > max) n = max;
        if (n) memcpy(data, from->data, n);
        snprintf(running, sizeof running, "mutation %llu of seed %llu", (unsigned long long)i,
                 (unsigned long long)seed);
        if (LLVMFuzzerCustomMutator)
            for (int k = 0; k < 1 + (int)(state >> 60); k++)
                n = LLVMFuzzerCustomMutator(data, n, max, (unsigned)(state >> 20) + (unsigned)k);
        else
            n = plain_mutation(data, n, max, &state);
        run(data, n);
    }
}

static int write_seeds(const char *directory)
{
    char path[4096];
    for (unsigned i = 0; fuzz_seed; i++) {
        size_t n;
        const uint8_t *seed = fuzz_seed(i, &n);
        if (!seed) break;
        snprintf(path, sizeof path, "%s/seed%u", directory, i);
        FILE *f = fopen(path, "we");
        if (!f || fwrite(seed, 1, n, f) != n || fclose(f)) return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t random = 0, seed = 1;
    int i = 1;
    if (argc > 2 && !strcmp(argv[1], "--seeds")) return write_seeds(argv[2]);
    if (argc > 3 && !strcmp(argv[1], "--random")) {
        random = strtoull(argv[2], NULL, 10);
        i = 3;
        if (argv[i][0] >= '0' && argv[i][0] <= '9') seed = strtoull(argv[i++], NULL, 10);
    }
    /* Memory that goes back to the system after each input costs more than the input. */
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    mallopt(M_TOP_PAD, 16 << 20);
    signal(SIGALRM, tell);
    signal(SIGABRT, tell);
#ifndef __SANITIZE_ADDRESS__
    signal(SIGSEGV, tell);
    signal(SIGBUS, tell);
#endif
    for (; i < argc; i++) read_all(argv[i]);
    run_random(random, seed);
    printf("%zu passed, 0 failed\n", done);
    return 0;
}
