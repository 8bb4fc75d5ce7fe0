#include "base/human.h"

#include <stdio.h>

enum { TEXTS = 8, TEXT = 32 };      /* texts kept, bytes of each */

const char *human_bytes(double bytes)
{
    static const char *const UNITS[] = { "B", "kB", "MB", "GB", "TB", "PB" };
    static _Thread_local char text[TEXTS][TEXT];
    static _Thread_local unsigned next;
    char *out = text[next++ % TEXTS];
    int unit = 0;

    while (bytes >= 999.5 && unit < 5) {
        bytes /= 1000;
        unit++;
    }
    snprintf(out, TEXT, unit == 0 ? "%.0f %s" : "%.3g %s", bytes, UNITS[unit]);
    return out;
}

const char *human_duration(double seconds)
{
    static const double DAY = 86400, YEAR = 365.25 * 86400;
    static _Thread_local char text[TEXTS][TEXT];
    static _Thread_local unsigned next;
    char *out = text[next++ % TEXTS];
    const long long s = seconds < 0 ? 0 : seconds < YEAR ? (long long)(seconds + 0.5) : 0;

    if (seconds >= 2 * YEAR)
        snprintf(out, TEXT, "%.0f years", seconds / YEAR);
    else if (seconds >= 2 * DAY)
        snprintf(out, TEXT, "%.1f days", seconds / DAY);
    else if (s >= 3600)
        snprintf(out, TEXT, "%lld h %02lld min", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(out, TEXT, "%lld min %02lld s", s / 60, s % 60);
    else
        snprintf(out, TEXT, "%lld s", s);
    return out;
}
