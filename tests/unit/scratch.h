/* scratch.h -- a folder of the test's own, and cmocka.
 *
 *   return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
 */
#ifndef SCRATCH_H
#define SCRATCH_H

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char scratch[] = "/tmp/saemill-test-XXXXXX";

/* A path in the scratch folder; valid until called four times more. */
static inline const char *in_scratch(const char *name)
{
    static char paths[4][PATH_LENGTH];
    static unsigned next;
    char *path = paths[next++ % 4];

    path_print(path, "%s/%s", scratch, name);
    return path;
}

static inline int make_scratch(void **state)
{
    (void)state;
    return mkdtemp(scratch) == NULL;
}

static inline int remove_scratch(void **state)
{
    (void)state;
    return file_remove(scratch) != OK;
}

#endif
