/* SPDX-License-Identifier: Apache-2.0 */
#include "shared.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct shared *shared;
struct shared_life *shared_mine;

void shared_begin(uint64_t seed)
{
    void *at = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) abort();
    shared = at;
    *shared = (struct shared){
        .mono = UINT64_C(5000) * 1000000000, .wall = UINT64_C(1800000000) * 1000000000, .random = seed};
}

void shared_pass(uint64_t ns)
{
    shared->mono += ns;
    shared->wall += ns;
}

void shared_step(void)
{
    if (!shared_mine) return;
    shared_mine->steps++;
    if (shared_mine->kill_at && shared_mine->steps == shared_mine->kill_at) kill(getpid(), SIGKILL);
}
