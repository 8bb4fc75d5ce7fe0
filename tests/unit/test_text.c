/* Texts in memory and lines of files are whole, or the program says that there is no memory. */
#include "base/refuse.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { NUMBERS = 5000 };

static void a_text_is_what_was_written(void **state)
{
    char *text, *at;
    size_t length;
    FILE *out = text_open(&text, &length);

    (void)state;
    assert_string_equal(text, "");
    for (int n = 0; n < NUMBERS; n++) {
        fprintf(out, "%d ", n);
        if (n % 1000 == 0) {
            fflush(out);
            assert_int_equal(strlen(text), length);
        }
    }
    text_close(out);
    assert_int_equal(strlen(text), length);
    at = text;
    for (long n = 0; n < NUMBERS; n++)
        assert_int_equal(strtol(at, &at, 10), n);
    assert_string_equal(at, " ");
    free(text);
}

static void lines_end_where_the_file_does(void **state)
{
    char *line = NULL;
    size_t capacity = 0;
    FILE *in = tmpfile();

    (void)state;
    fputs("one\n\ntwo", in);
    rewind(in);
    assert_int_equal(text_line(&line, &capacity, in), 4);
    assert_int_equal(text_line(&line, &capacity, in), 1);
    assert_int_equal(text_line(&line, &capacity, in), 3);
    assert_string_equal(line, "two");
    assert_int_equal(text_line(&line, &capacity, in), -1);
    assert_false(ferror(in));
    fclose(in);
    free(line);
}

/* --- without memory ---------------------------------------------------------------------- */

#ifndef __SANITIZE_ADDRESS__     /* which needs more address space than that */

static void write_for_ever(void)
{
    char *text;
    size_t length;
    FILE *out = text_open(&text, &length);

    while (length < SIZE_MAX / 2)
        fprintf(out, "%01000d", 0);
}

static void read_a_line_without_end(void)
{
    char *line = NULL;
    size_t capacity = 0;
    FILE *in = fopen("/dev/zero", "r");

    text_line(&line, &capacity, in);
}

/* Bytes of address space that this process has. */
static rlim_t mapped(void)
{
    unsigned long long pages = 0;
    FILE *in = fopen("/proc/self/statm", "r");

    assert_int_equal(fscanf(in, "%llu", &pages), 1);
    fclose(in);
    return pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* How a process ends that may have a little more memory. */
static int ending_of(void (*work)(void))
{
    const rlim_t most = mapped() + (64 << 20);
    const struct rlimit little = { most, most };
    int ending = 0;

    const pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_AS, &little);
        work();
        _exit(0);
    }
    waitpid(child, &ending, 0);
    return WIFSIGNALED(ending) ? -WTERMSIG(ending) : WEXITSTATUS(ending);
}

static void no_memory_ends_the_program(void **state)
{
    (void)state;
    assert_int_equal(ending_of(write_for_ever), E_SPACE);
    assert_int_equal(ending_of(read_a_line_without_end), E_SPACE);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_what_was_written),
        cmocka_unit_test(lines_end_where_the_file_does),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test(no_memory_ends_the_program),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
