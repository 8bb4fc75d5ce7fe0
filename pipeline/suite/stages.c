#include "suite/stages.h"
#include "base/memory.h"

int64_t stages_node_bytes(const struct stage_host *host, struct stage_memory need)
{
    return host->ranks * (MEMORY_BASE + need.rank) + need.node;
}

struct stage_memory stages_larger(const struct stage_host *host, struct stage_memory a,
                                  struct stage_memory b)
{
    return stages_node_bytes(host, a) < stages_node_bytes(host, b) ? b : a;
}
