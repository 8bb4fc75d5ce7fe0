#include "suite/stages.h"
#include "base/memory.h"

int64_t stages_node_bytes(const struct stage_host *host, struct stage_memory need)
{
    return host->ranks * (MEMORY_BASE + need.rank) + need.node;
}
