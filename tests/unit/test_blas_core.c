/* OpenBLAS has the kernels of this CPU, known to it or not, unless the user names others. */
#include "base/blas_core.h"

#include <cblas.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *self;

static void has_the_kernels_of_this_cpu(void **state)
{
    (void)state;
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v3"))
        assert_string_not_equal(openblas_get_corename(), "Prescott");
}

/* This program again, which ends with 0 if the core is still "Prescott" after the start. */
static void what_the_user_chose_stays(void **state)
{
    char command[4096];

    (void)state;
    snprintf(command, sizeof command, "OPENBLAS_CORETYPE=Prescott '%s' chosen", self);
    assert_int_equal(system(command), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_kernels_of_this_cpu),
        cmocka_unit_test(what_the_user_chose_stays),
    };

    blas_core_settle(argv);
    if (argc > 1)
        return strcmp(openblas_get_corename(), "Prescott") != 0;
    self = argv[0];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
