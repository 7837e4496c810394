/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common.pml - what the models share.
 *
 * Spin explores every interleaving of the steps. A step is one access to shared memory, or one system call,
 * with the private computation after it. Before every step a process may be killed (MAY_DIE): it then takes
 * no other step, and only what the kernel does for the dead happens.
 *
 * Memory is sequentially consistent in Spin; where the code relies on a release or an acquire, a seeded bug
 * takes the two accesses in the other order, as a weakly ordered machine may without it.
 *
 * A comment that begins with an at sign, then FILE FUNCTION [TAG] ["text"], names the source that a step
 * stands for. sources.sh fails when the function is gone, no longer cites the tag or no longer has the text.
 */
#ifndef BUG
#define BUG 0
#endif

#define MAY_DIE      \
    if               \
    :: true          \
    :: goto died     \
    fi

/* Compare and swap, as mem_cas(): on failure EXPECTED holds what was found. For use inside atomic. */
#define CAS(WORD, EXPECTED, DESIRED, OK) \
    if                                   \
    :: WORD == EXPECTED ->               \
        WORD = DESIRED;                  \
        OK = true                        \
    :: else ->                           \
        EXPECTED = WORD;                 \
        OK = false                       \
    fi

/* mem_max(): a load, then CAS until the word is high enough. Several steps. */
#define RAISE(WORD, VALUE, OLD, OK)                        \
    atomic {                                               \
        MAY_DIE;                                           \
        OLD = WORD                                         \
    };                                                     \
    do                                                     \
    :: atomic { OLD < VALUE ->                             \
           MAY_DIE;                                        \
           CAS(WORD, OLD, VALUE, OK);                      \
           if                                              \
           :: OK -> OLD = VALUE                            \
           :: else                                         \
           fi                                              \
       }                                                   \
    :: else -> break                                       \
    od
