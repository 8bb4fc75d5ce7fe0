#include "base/die.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void (*die_handler)(int code) = _exit;

static _Noreturn void die_with(enum status code, const char *format, va_list args)
{
    fputs("saemill: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    die_handler(code);
    abort();
}

_Noreturn void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    die_with(E_SPACE, format, args);
}

_Noreturn void die_as(enum status code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    die_with(code, format, args);
}
