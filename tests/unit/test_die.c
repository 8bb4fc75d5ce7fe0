/* die() and die_as(): the exit statuses of README.md. */
#include "base/allocate.h"
#include "base/die.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* How a process ends that does this. */
static int status_after(void (*act)(void))
{
    int how = -1;
    const pid_t pid = fork();

    if (pid == 0) {
        fclose(stderr);
        act();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &how, 0), pid);
    return WIFEXITED(how) ? WEXITSTATUS(how) : -1;
}

static void lack_memory(void)
{
    die("no memory for a test");        /* the sanitizers let no allocation fail */
}

static void break_a_promise(void)
{
    allocate(-1, 1);
}

static void lack_of_memory_ends_with_6(void **state)
{
    (void)state;
    assert_int_equal(status_after(lack_memory), E_SPACE);
}

static void a_bug_ends_with_3(void **state)
{
    (void)state;
    assert_int_equal(status_after(break_a_promise), E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lack_of_memory_ends_with_6),
        cmocka_unit_test(a_bug_ends_with_3),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
