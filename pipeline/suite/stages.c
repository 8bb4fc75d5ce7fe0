#include "suite/stages.h"
#include "base/memory.h"

#include <string.h>

#define STAGES_ROW(stage, kind, name, folder, makes, tasks, after, follows) \
    { SUITE_##kind, name, folder, makes, tasks, STAGE_##after, follows },

static const struct stage_row ROWS[] = { STAGES_TABLE(STAGES_ROW) };

const struct stage_row *stage_row(enum stage stage)
{
    return &ROWS[stage];
}

bool suite_has_stage(const struct suite *suite, enum stage stage)
{
    return ROWS[stage].kind == suite->kind;
}

enum stage stage_last(const struct suite *suite)
{
    int last = STAGES - 1;

    while (!suite_has_stage(suite, (enum stage)last))
        last--;
    return (enum stage)last;
}

const char *stage_name(enum stage stage)
{
    return ROWS[stage].name;
}

enum status stage_parse(enum stage *stage, const char *name)
{
    for (int s = 0; s < STAGES; s++)
        if (strcmp(ROWS[s].name, name) == 0) {
            *stage = (enum stage)s;
            return OK;
        }
    return refuse(E_USAGE, "there is no stage '%s'", name);
}

int64_t stage_node_bytes(const struct stage_host *host, struct stage_memory need)
{
    return host->ranks * (MEMORY_BASE + need.rank) + need.node;
}

struct stage_memory stage_larger(const struct stage_host *host, struct stage_memory a,
                                 struct stage_memory b)
{
    return stage_node_bytes(host, a) < stage_node_bytes(host, b) ? b : a;
}
