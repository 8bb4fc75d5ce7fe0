#include "driver/plan.h"
#include "base/memory.h"
#include "base/split.h"
#include "corpus/selection.h"
#include "driver/cores.h"
#include "driver/layout.h"
#include "driver/suite_model.h"
#include "lm/forward.h"

#include <math.h>
#include <string.h>
#include <sys/statvfs.h>

/* How much longer a task takes than if its pieces divided evenly over `ranks` ranks. */
static double uneven(const struct stage_cost *cost, int64_t ranks)
{
    const double share = (double)cost->pieces / (double)ranks;

    return cost->pieces > 0 ? ceil(share) / share : 1;
}

static void plan_time(struct plan *plan, const struct suite *suite, const struct lm_config *model)
{
    for (int s = 0; s < STAGES; s++) {
        if (!suite_has_stage(suite, (enum stage)s))
            continue;
        const struct stage_cost *cost = &plan->cost.stage[s];
        const struct stage_rate *rate = &plan->rates.stage[s];
        const int64_t nodes = layout_nodes_of_task((enum stage)s, suite).count;
        const int here = layout_of((enum stage)s, suite, model, layout_nodes_here()).ranks;
        struct stage_plan *stage = &plan->stage[s];

        stage->core_seconds = cost->work / rate->work;
        stage->task = plan->rates.start + rate->task;
        stage->here = plan->rates.start + (double)cost->tasks * rate->task
                      + stage->core_seconds / plan->cores * uneven(cost, here);
        stage->longest = stage->task + stage->core_seconds * cost->longest
                         / (double)(nodes * suite->resources.cores)
                         * uneven(cost, nodes * stage->ranks);
        plan->core_seconds += stage->core_seconds;
        plan->here += stage->here;
    }
}

double plan_seconds(const struct plan *plan, const struct suite *suite, int64_t nodes)
{
    double seconds = 0;

    for (int s = 0; s < STAGES; s++) {
        if (!suite_has_stage(suite, (enum stage)s))
            continue;
        const struct stage_cost *cost = &plan->cost.stage[s];
        const struct stage_plan *stage = &plan->stage[s];
        const int64_t each = layout_nodes_of_task((enum stage)s, suite).count;
        const double at_once = fmax(1, floor((double)nodes / (double)each));
        const double rounds = ceil((double)cost->tasks / at_once);
        const double shared = stage->core_seconds / (double)(nodes * suite->resources.cores)
                              * uneven(cost, each * stage->ranks) + rounds * stage->task;
        seconds += fmax(shared, stage->longest);
    }
    return seconds;
}

static void plan_memory(struct plan *plan, const struct suite *suite,
                        const struct lm_config *model)
{
    for (int s = 0; s < STAGES; s++) {
        if (!suite_has_stage(suite, (enum stage)s))
            continue;
        struct stage_plan *stage = &plan->stage[s];
        const struct layout layout = layout_of((enum stage)s, suite, model,
                                               layout_nodes_of_task((enum stage)s, suite));
        stage->ranks = layout.ranks;
        stage->memory = (double)layout.bytes;
        stage->node_memory = (double)stage->ranks * stage->memory + (double)layout.node_bytes;
    }
}

/* When as many tasks are at it as the suite lets run at a time. */
static double passing_of_jobs(struct stage_passing passing, const struct suite *suite)
{
    const double at_once = (double)suite->resources.at_once;

    return at_once > 0 ? fmin(at_once * passing.task, passing.all) : passing.all;
}

/* One machine does stage after stage; under Slurm some layers train while others are shuffled. */
static void plan_disk(struct plan *plan, const struct suite *suite)
{
    char path[PATH_LENGTH];
    struct statvfs disk;

    for (int s = 0; s < STAGES; s++)
        plan->disk += plan->cost.stage[s].left;
    const double before = plan->disk - plan->cost.stage[STAGE_RELEASE].left;
    double here = 0, jobs = 0;
    for (int s = 0; s < STAGES; s++) {
        here = fmax(here, plan->cost.stage[s].passing.task);
        jobs += passing_of_jobs(plan->cost.stage[s].passing, suite);
    }
    plan->peak = fmax(plan->disk, before + here);
    plan->peak_of_jobs = fmax(plan->disk, before + jobs);
    path_print(path, "%s", suite->run);
    while (statvfs(path, &disk) != 0 && strrchr(path, '/') != NULL && strrchr(path, '/') != path)
        *strrchr(path, '/') = '\0';
    if (statvfs(path, &disk) == 0 || statvfs(".", &disk) == 0)
        plan->free_disk = (double)disk.f_bavail * (double)disk.f_frsize;
}

enum status plan_make(struct plan *plan, const struct suite *suite)
{
    struct lm_config model;
    enum status st;

    *plan = (struct plan){ .cores = cores_available() };
    TRY(suite_model_read(&model, suite));
    TRY(selection_check_parts(suite));
    rates_of(&plan->rates, suite);
    TRY(cost_of(&plan->cost, suite, &model, &plan->rates));
    plan_memory(plan, suite, &model);
    plan_time(plan, suite, &model);
    plan_disk(plan, suite);
done:
    return st;
}
