#include "driver/layout.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "base/threads.h"
#include "driver/cores.h"
#include "driver/stage.h"
#include "lm/weights.h"
#include "suite/tasks.h"

struct nodes layout_nodes_here(void)
{
    const int cores = cores_available();

    return (struct nodes){ .count = 1, .cores = cores, .memory = memory_limit(),
                           .shared = max_int64(1, limits_shared(cores)) };
}

struct nodes layout_nodes_of_task(enum stage stage, const struct suite *suite)
{
    const bool several = stage_traits(stage)->several_nodes;

    return (struct nodes){ .count = several ? (int)suite->resources.nodes : 1,
                           .cores = (int)suite->resources.cores,
                           .memory = suite->resources.memory };
}

static struct stage_memory bytes_of(enum stage stage, const struct stage_host *host)
{
    const struct stage_traits *traits = stage_traits(stage);

    return traits->bytes != NULL ? traits->bytes(host) : (struct stage_memory){0};
}

struct stage_host layout_host(enum stage stage, const struct suite *suite,
                              const struct lm_config *model, const struct tasks *tasks,
                              struct nodes nodes)
{
    const struct stage_traits *traits = stage_traits(stage);
    struct stage_host host = {
        .suite = suite, .model = model, .tasks = tasks, .nodes = nodes.count,
        .cores = nodes.cores, .memory = nodes.memory,
        .weights = weights_bytes(model, suite->model.precision),
    };

    host.ranks = traits->ranks != NULL ? traits->ranks(&host) : nodes.cores;
    for (;; host.ranks--) {
        host.threads = threads_within_limit(nodes.cores / host.ranks);
        const struct stage_memory need = bytes_of(stage, &host);
        const bool shares = nodes.shared == 0 || need.node <= nodes.shared;
        if (host.ranks == 1 || (shares && stage_node_bytes(&host, need) <= nodes.memory))
            return host;
    }
}

struct layout layout_of(enum stage stage, const struct suite *suite,
                        const struct lm_config *model, struct nodes nodes)
{
    struct tasks tasks = {0};

    if (tasks_make(&tasks, suite, model->layers) != OK)
        refuse_clear();     /* the stage will say what is wrong */
    const struct stage_host host = layout_host(stage, suite, model, &tasks, nodes);
    const struct stage_memory need = bytes_of(stage, &host);
    tasks_free(&tasks);
    return (struct layout){ .ranks = host.ranks, .threads = host.threads,
                            .bytes = MEMORY_BASE + need.rank, .node_bytes = need.node };
}
