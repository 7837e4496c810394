/* SPDX-License-Identifier: Apache-2.0 */
/* symbols.h - where a function lies in a running process. x86-64 and other 64-bit ELF. */
#ifndef TESTS_DELIVERY_SYMBOLS_H
#define TESTS_DELIVERY_SYMBOLS_H

#include <stdint.h>
#include <sys/types.h>

/*
 * The address of NAME in the program of that process, or of LIBRARY:NAME in the first mapped file whose name
 * begins with "LIBRARY.so". Both symbol tables are looked through, the dynamic one last. 0 if there is none.
 */
uint64_t symbol_address(pid_t pid, const char *name);

/* Where the program of that process begins (its ELF entry), from the kernel's own notes. 0 if unknown. */
uint64_t symbol_entry(pid_t pid);

#endif
