#include "suite/kinds.h"

#include <string.h>

#define KINDS_ROW(kind, section, purpose) { section, purpose },

static const struct { const char *section, *purpose; } ROWS[] = { KINDS_TABLE(KINDS_ROW) };

const char *kinds_section(enum suite_kind kind)
{
    return ROWS[kind].section;
}

const char *kinds_purpose(enum suite_kind kind)
{
    return ROWS[kind].purpose;
}

enum suite_kind kinds_find(const char *section)
{
    int kind = SUITE_SAES + 1;

    while (kind < SUITE_KINDS && strcmp(ROWS[kind].section, section) != 0)
        kind++;
    return (enum suite_kind)kind;
}
