#include "base/refuse.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char reason[1024];

enum status refuse(enum status code, const char *format, ...)
{
    va_list args;

    if (reason[0] == '\0') {
        va_start(args, format);
        vsnprintf(reason, sizeof reason, format, args);
        va_end(args);
    }
    return code;
}

const char *refuse_reason(void)
{
    return reason;
}

void refuse_clear(void)
{
    reason[0] = '\0';
}
