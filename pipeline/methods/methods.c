#include "methods/methods.h"

#include <stdio.h>

#define METHODS_ROW(id, method) [id] = &method,

static const struct circuit_method *const TABLE[METHODS] = { METHODS_TABLE(METHODS_ROW) };

const struct circuit_method *methods_of(const struct suite *suite)
{
    return TABLE[suite->circuit.method];
}

int64_t methods_tasks(const struct suite *suite)
{
    const struct circuit_method *method = methods_of(suite);

    return method->tasks != NULL ? method->tasks(suite) : 1;
}

void methods_name(char name[METHODS_NAME], const struct suite *suite, int64_t task)
{
    const struct circuit_method *method = methods_of(suite);
    char part[METHODS_NAME] = "";

    if (method->part != NULL)
        method->part(part, suite, task);
    snprintf(name, METHODS_NAME, "%s%s%.40s", method->name, method->part != NULL ? "-" : "", part);
}
