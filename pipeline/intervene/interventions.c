#include "intervene/interventions.h"

#include <stdio.h>

#define INTERVENTIONS_ROW(id, method) [id] = &method,

static const struct intervention_method *const TABLE[INTERVENE_METHODS] = {
    INTERVENTIONS_TABLE(INTERVENTIONS_ROW)
};

const struct intervention_method *interventions_of(const struct suite *suite)
{
    return TABLE[suite->intervene.method];
}

void interventions_name(char name[METHODS_NAME], const struct suite *suite, int64_t task)
{
    const struct intervention_method *method = interventions_of(suite);
    char part[METHODS_NAME];

    method->part(part, suite, task);
    snprintf(name, METHODS_NAME, "%s-%.40s", method->name, part);
}

struct circuit interventions_task(const struct intervention *intervention, const char *name)
{
    static const struct prompts NONE = {0};

    return (struct circuit){
        .run = intervention->run, .suite = intervention->suite, .config = intervention->config,
        .weights = intervention->weights, .prompts = &NONE,
        .identity = identities_result(intervention->identities, name),
    };
}
