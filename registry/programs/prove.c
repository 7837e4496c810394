/* SPDX-License-Identifier: Apache-2.0 */
#include "prove.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "readonly.h"
#include "restart.h"

_Static_assert((int)METRICS_PROOF_WORKS == (int)RESTART_WORKS, "");
_Static_assert((int)METRICS_PROOF_BROKEN == (int)RESTART_BROKEN, "");

static enum restart_verdict verdict;

static void test_once(void)
{
    verdict = restart_test();
}

static enum restart_verdict test_kernel(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, test_once);
    return verdict;
}

enum metrics_proof metrics__prove(struct segment_kernel *note)
{
    struct restart_here here;
    restart_look(&here);
    restart_note(note, &here, test_kernel());
    return (enum metrics_proof)verdict;
}

/* In the order of restart_note(). By descriptor: nothing that happens to the file meanwhile can hurt. */
static int write_note(const view_t *v, const struct segment_kernel *note)
{
    const off_t at = offsetof(struct segment_header, kernel);
    const size_t head = offsetof(struct segment_kernel, boot_id), rest = sizeof *note - head;
    const uint64_t none = 0;
    bool good = pwrite(v->fd, &none, head, at) == (ssize_t)head &&
                pwrite(v->fd, (const char *)note + head, rest, at + (off_t)head) == (ssize_t)rest &&
                pwrite(v->fd, &note->verdict, head, at) == (ssize_t)head;
    return good ? 0 : -1;
}

/* A segment that an earlier boot left is not changed: to use it is up to its next writer. */
static int note_in(const char *path, metrics_error_t *error)
{
    view_t v;
    struct restart_here here;
    struct segment_kernel note = {0};
    restart_look(&here);
    int rc = view_open(&v, path, false, false, error);
    if (rc) return rc;
    bool this_boot = !memcmp(v.head.boot_id, here.boot_id, sizeof here.boot_id);
    view_close(&v);
    if (!this_boot) return metrics__fail(error, METRICS_E_SYSTEM, 0, "%s is not of this boot", path);
    if ((rc = view_open(&v, path, false, true, error))) return rc;
    restart_note(&note, &here, verdict);
    if (write_note(&v, &note)) rc = metrics__fail(error, METRICS_E_SYSTEM, errno, "cannot write to %s", path);
    view_close(&v);
    return rc;
}

int metrics_prove(const char *path, enum metrics_proof *proof, metrics_error_t *error)
{
    metrics_error_t dummy;
    if (!error) error = &dummy;
    *proof = (enum metrics_proof)test_kernel();
    if (*proof == METRICS_PROOF_NONE)
        return metrics__fail(error, METRICS_E_SYSTEM, 0, "the kernel cannot be tested here");
    return note_in(path ? path : metrics_default_path(), error);
}
