#include "base/human.h"
#include "driver/conditions.h"
#include "driver/plan.h"
#include "driver/stage.h"

#include <jansson.h>

/* "4.9 PiB" next to the decimal units: papers give such figures. */
static void print_binary(FILE *out, double bytes)
{
    static const char *const UNITS[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    int unit = 0;

    while (bytes >= 1024 && unit < 6) {
        bytes /= 1024;
        unit++;
    }
    fprintf(out, "%.3g %s", bytes, UNITS[unit]);
}

static void print_table(FILE *out, const struct plan *plan, const struct suite *suite)
{
    fprintf(out, "  %-9s %7s %12s %11s %11s %10s %10s %10s %14s %10s\n", "stage", "tasks",
            "core-hours", "run here", "one task", "read", "written", "files", "a rank", "a node");
    for (int s = 0; s < STAGES; s++) {
        if (!suite_has_stage(suite, (enum stage)s))
            continue;
        const struct stage_cost *cost = &plan->cost.stage[s];
        const struct stage_plan *stage = &plan->stage[s];
        fprintf(out, "  %-9s %7lld %12.3g %11s %11s %10s %10s %10.0f %14s %10s\n",
                stage_name((enum stage)s), (long long)cost->tasks, stage->core_seconds / 3600,
                human_duration(stage->here), human_duration(stage->longest),
                human_bytes(cost->read), human_bytes(cost->written), cost->files,
                human_bytes(stage->memory), human_bytes(stage->node_memory));
    }
    fprintf(out, "  %-9s %7s %12.3g %11s\n", "all", "", plan->core_seconds / 3600,
            human_duration(plan->here));
}

static int most_expensive(const struct plan *plan)
{
    int most = 0;

    for (int s = 1; s < STAGES; s++)
        if (plan->stage[s].core_seconds > plan->stage[most].core_seconds)
            most = s;
    return most;
}

static void print_nodes(FILE *out, const struct plan *plan, const struct suite *suite)
{
    fprintf(out, "With saemill submit, on nodes of %lld cores:", (long long)suite->resources.cores);
    for (int64_t nodes = suite->resources.nodes, i = 0; i < 4; i++, nodes *= 4)
        fprintf(out, "%s %lld node%s %s", i > 0 ? "," : "", (long long)nodes,
                nodes == 1 ? "" : "s", human_duration(plan_seconds(plan, suite, nodes)));
    fputs(".\n", out);
}

static void print_problems(FILE *out, const struct plan *plan, const struct suite *suite)
{
    for (int s = 0; s < STAGES; s++)
        if (plan->stage[s].node_memory > (double)suite->resources.memory)
            fprintf(out, "Does not fit: %s needs %s of memory on a node, and resources.memory is "
                    "%s; give it more%s.\n", stage_name((enum stage)s),
                    human_bytes(plan->stage[s].node_memory),
                    human_bytes((double)suite->resources.memory),
                    stage_traits((enum stage)s)->less_memory);
    if (plan->free_disk > 0 && plan->peak > plan->free_disk)
        fprintf(out, "Does not fit: the disk of %s has %s free.\n", suite->run,
                human_bytes(plan->free_disk));
    else if (plan->free_disk > 0 && plan->peak_of_jobs > plan->free_disk)
        fprintf(out, "May not fit with saemill submit: the disk of %s has %s free; give a smaller "
                "resources.at_once.\n", suite->run, human_bytes(plan->free_disk));
    if (conditions_check(suite) != OK)
        fprintf(out, "Cannot run here: %s.\n", refuse_reason());
    refuse_clear();
}

/* In one line, what the suite asks for. */
static void print_what(FILE *out, const struct plan *plan, const struct suite *suite)
{
    const struct cost *cost = &plan->cost;

    if (suite->kind != SUITE_SAES) {
        const enum stage stage = stage_last(suite);
        const int64_t tasks = cost->stage[stage].tasks;
        fprintf(out, "%s: %lld result%s", suite->name, (long long)tasks, tasks == 1 ? "" : "s");
        if (stage_traits(stage)->source != NULL)
            stage_traits(stage)->source(out, suite);
        fputc('\n', out);
    } else
        fprintf(out, "%s: %lld autoencoders on %lld streams; %.3g tokens through the model, %.3g "
                "rows of each stream\n", suite->name, (long long)cost->saes,
                (long long)cost->streams, cost->amounts.tokens, cost->amounts.rows);
}

static void print_rows(FILE *out, const struct cost *cost)
{
    fprintf(out, "Rows of all streams, as numbers: %s (", human_bytes(cost->raw));
    print_binary(out, cost->raw);
    fprintf(out, "); they lie on disk twice, compressed.\n");
}

void plan_print(FILE *out, const struct plan *plan, const struct suite *suite)
{
    const int most = most_expensive(plan);

    print_what(out, plan, suite);
    print_table(out, plan, suite);
    fprintf(out, "Here means %d core%s; rates: %s%s.\n", plan->cores, plan->cores == 1 ? "" : "s",
            plan->rates.source,
            plan->rates.of_others ? " (saemill measure SUITE finds its own)" : "");
    print_nodes(out, plan, suite);
    fprintf(out, "%s takes most: %.0f %% of the core-hours.\n", stage_name((enum stage)most),
            100 * plan->stage[most].core_seconds / plan->core_seconds);
    if (suite_has_stage(suite, STAGE_HARVEST))
        print_rows(out, &plan->cost);
    fprintf(out, "Disk: %s at the end; meanwhile at most %s with saemill run, %s with saemill "
            "submit.\n", human_bytes(plan->disk), human_bytes(plan->peak),
            human_bytes(plan->peak_of_jobs));
    print_problems(out, plan, suite);
}

void plan_print_json(FILE *out, const struct plan *plan, const struct suite *suite)
{
    json_t *stages = json_array(), *wall = json_array();

    for (int s = 0; s < STAGES; s++) {
        if (!suite_has_stage(suite, (enum stage)s))
            continue;
        const struct stage_cost *cost = &plan->cost.stage[s];
        const struct stage_plan *stage = &plan->stage[s];
        json_array_append_new(stages, json_pack(
            "{s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:b}",
            "stage", stage_name((enum stage)s), "tasks", (json_int_t)cost->tasks,
            "core_seconds", stage->core_seconds, "seconds_here", stage->here,
            "seconds_of_longest_task", stage->longest, "bytes_read", cost->read,
            "bytes_written", cost->written, "bytes_left", cost->left, "files", cost->files,
            "bytes_of_a_rank", stage->memory, "bytes_of_a_node", stage->node_memory,
            "ranks_of_a_node", stage->ranks,
            "fits", stage->node_memory <= (double)suite->resources.memory));
    }
    for (int64_t nodes = suite->resources.nodes, i = 0; i < 4; i++, nodes *= 4)
        json_array_append_new(wall, json_pack("{s:I, s:f}", "nodes", (json_int_t)nodes, "seconds",
                                              plan_seconds(plan, suite, nodes)));
    json_t *all = json_pack("{s:s, s:I, s:I, s:f, s:f, s:f, s:i, s:s, s:f, s:f, s:f, s:f, s:f, "
                            "s:f, s:o, s:o}", "name", suite->name,
                            "autoencoders", (json_int_t)plan->cost.saes,
                            "streams", (json_int_t)plan->cost.streams,
                            "tokens", plan->cost.amounts.tokens, "rows", plan->cost.amounts.rows,
                            "bytes_of_rows", plan->cost.raw, "cores_here", plan->cores,
                            "rates", plan->rates.source, "core_seconds", plan->core_seconds,
                            "seconds_here", plan->here, "bytes_at_end", plan->disk,
                            "bytes_at_most", plan->peak,
                            "bytes_at_most_of_jobs", plan->peak_of_jobs,
                            "bytes_free", plan->free_disk, "wall", wall, "stages", stages);
    json_dumpf(all, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(all);
}
