#include "base/die.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void (*die_handler)(void) = abort;

_Noreturn void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("saemill: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    die_handler();
    abort();
}
