#include "circuit/methods.h"

#define METHODS_ROW(id, method) [id] = &method,

static const struct circuit_method *const TABLE[METHODS] = { METHODS_TABLE(METHODS_ROW) };

enum status methods_find(const struct circuit_method **method, const struct suite *suite)
{
    char place[SUITE_PLACE];
    enum status st = OK;

    *method = TABLE[suite->circuit.method];
    REQUIRE(*method != NULL, E_USAGE, "%s: this version of saemill does not have the method yet",
            suite_place(place, suite, "circuit", 0, "method"));
done:
    return st;
}
