#include "methods/methods.h"

#define METHODS_ROW(id, method) [id] = &method,

static const struct circuit_method *const TABLE[METHODS] = { METHODS_TABLE(METHODS_ROW) };

const struct circuit_method *methods_of(const struct suite *suite)
{
    return TABLE[suite->circuit.method];
}
