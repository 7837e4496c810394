/* SPDX-License-Identifier: Apache-2.0 */
#include "symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct image {
    const char *bytes;
    size_t n;
};

static struct image map_file(const char *path)
{
    struct stat st;
    struct image image = {NULL, 0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && !fstat(fd, &st)) {
        void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (at != MAP_FAILED) image = (struct image){at, (size_t)st.st_size};
    }
    if (fd >= 0) close(fd);
    return image;
}

/* Its value in one kind of table (SHT_SYMTAB, SHT_DYNSYM); 0 if it is not there as a function. */
static uint64_t find_in(const struct image *image, const char *name, unsigned kind)
{
    const Elf64_Ehdr *elf = (const void *)image->bytes;
    const Elf64_Shdr *sections = (const void *)(image->bytes + elf->e_shoff);
    for (int i = 0; i < elf->e_shnum; i++) {
        const Elf64_Shdr *s = &sections[i];
        if (s->sh_type != kind) continue;
        const Elf64_Sym *symbols = (const void *)(image->bytes + s->sh_offset);
        const char *texts = image->bytes + sections[s->sh_link].sh_offset;
        for (size_t k = 0; k < s->sh_size / sizeof *symbols; k++)
            if (ELF64_ST_TYPE(symbols[k].st_info) == STT_FUNC && symbols[k].st_value &&
                !strcmp(texts + symbols[k].st_name, name))
                return symbols[k].st_value;
    }
    return 0;
}

static uint64_t find(const char *path, const char *name)
{
    struct image image = map_file(path);
    if (!image.bytes) return 0;
    uint64_t at = find_in(&image, name, SHT_SYMTAB);
    if (!at) at = find_in(&image, name, SHT_DYNSYM);
    munmap((void *)(uintptr_t)image.bytes, image.n);
    return at;
}

/* A line of the process' maps: file and first address. Addresses of a file begin with its offset 0. */
static bool next_mapping(FILE *maps, char *path, uint64_t *from)
{
    char line[4200];
    unsigned long first, offset;
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%*x %*s %lx %*s %*s %4095s", &first, &offset, path) == 3 && !offset) {
            *from = first;
            return true;
        }
    return false;
}

uint64_t symbol_address(pid_t pid, const char *name)
{
    char maps_path[64], exe[64], program[4096] = "", path[4096];
    uint64_t from, at = 0;
    const char *colon = strchr(name, ':');
    size_t library = colon ? (size_t)(colon - name) : 0;
    snprintf(maps_path, sizeof maps_path, "/proc/%d/maps", (int)pid);
    snprintf(exe, sizeof exe, "/proc/%d/exe", (int)pid);
    if (readlink(exe, program, sizeof program - 1) < 0) return 0;
    FILE *maps = fopen(maps_path, "r");
    while (maps && !at && next_mapping(maps, path, &from)) {
        char copy[4096];
        const char *file = basename(strcpy(copy, path));
        bool right = library ? !strncmp(file, name, library) && !strncmp(file + library, ".so", 3)
                             : !strcmp(path, program);
        uint64_t value = right ? find(path, library ? colon + 1 : name) : 0;
        if (value) at = from + value;
    }
    if (maps) fclose(maps);
    return at;
}

uint64_t symbol_entry(pid_t pid)
{
    char path[64];
    uint64_t pair[2], entry = 0;
    snprintf(path, sizeof path, "/proc/%d/auxv", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fread(pair, sizeof pair, 1, f) == 1)
        if (pair[0] == AT_ENTRY) entry = pair[1];
    if (f) fclose(f);
    return entry;
}
