/* Which heads make good the loss when others are ablated (heads/self_repair.h)?  A head is ablated
 * to its mean over the corrupted prompts of the same template (template_means.h), or to 0. */
#include "base/allocate.h"
#include "base/split.h"
#include "heads/heads.h"
#include "heads/self_repair.h"
#include "lm/head.h"
#include "methods/heat_map.h"
#include "methods/task_files.h"
#include "methods/task_page.h"
#include "methods/template_means.h"
#include "suite/paths.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1 };

/* --- what it takes ------------------------------------------------------------------- */

static int64_t count_heads(const struct lm_config *config)
{
    return (int64_t)config->layers * config->heads;
}

static int64_t count_sums(const struct lm_config *config)
{
    return SELF_REPAIR_HEADS + count_heads(config);
}

static enum status check_prompts(const struct prompts *prompts)
{
    const int32_t *items;
    enum status st = OK;

    for (int64_t p = 0; p < prompts->count; p++) {
        REQUIRE(prompts_list(&prompts->answers, p, &items) == 1
                && prompts_list(&prompts->wrong, p, &items) == 1, E_USAGE, "prompt %lld has %lld "
                "\"answers\" and %lld \"wrong\", but the method self_repair compares one answer "
                "with one wrong one", (long long)p + 1,
                (long long)prompts_list(&prompts->answers, p, &items),
                (long long)prompts_list(&prompts->wrong, p, &items));
        REQUIRE(prompts_list(&prompts->positions, p, &items) == 1, E_USAGE, "prompt %lld has %lld "
                "\"positions\", but the method self_repair looks at one", (long long)p + 1,
                (long long)prompts_list(&prompts->positions, p, &items));
    }
done:
    return st;
}

static enum status check(const struct suite *suite, const struct lm_config *config,
                         const struct prompts *prompts)
{
    bool *chosen = allocate(count_heads(config), sizeof *chosen);
    char place[SUITE_PLACE];
    enum status st;

    REQUIRE(suite->circuit.ablated_count > 0, E_USAGE, "%s: which heads are ablated?  Name them, "
            "LAYER.HEAD, as circuit.ablated", suite_place(place, suite, "circuit", 0, "ablated"));
    TRY(heads_choose_ablated(chosen, suite, config));
    TRY(heads_choose(chosen, suite, config));
    TRY(check_prompts(prompts));
done:
    free(chosen);
    return st;
}

static int64_t bytes(const struct suite *suite, const struct lm_config *config,
                     struct circuit_shape shape)
{
    return unembedding_bytes(config) + self_repair_bytes(config, shape.tokens, shape.threads)
         + forward_bytes(config, PRECISION_F32, suite->circuit.block, shape.tokens, shape.threads)
         + template_means_bytes(config, shape)
         + shape.prompts * count_sums(config) * (int64_t)sizeof(double);
}

/* Of each prompt the corrupted pass, the clean one, the ablated one. */
static double work(const struct suite *suite, const struct lm_config *config,
                   struct circuit_shape shape)
{
    const struct tap end = { SITE_RES, config->layers - 1 };

    (void)suite;
    return 3 * (double)shape.prompts * forward_work(config, end, shape.tokens);
}

static double disk(const struct lm_config *config, struct circuit_shape shape)
{
    return (double)(shape.prompts * count_sums(config)) * sizeof(double);
}

/* --- the task ------------------------------------------------------------------------ */

/* All that is found: a row of sums for each prompt. */
struct finding {
    const struct circuit *circuit;
    bool   *ablated, *chosen;   /* [heads] of circuit.ablated, of circuit.heads */
    double *sums;               /* [prompts, count_sums()] */
};

/* Local. */
static enum status add_prompt(struct finding *finding, struct self_repair *repair,
                              const struct template_means *means, int64_t p)
{
    const struct circuit *circuit = finding->circuit;
    const struct prompts *prompts = circuit->prompts;
    const int32_t *answer, *wrong, *end;

    prompts_list(&prompts->answers, p, &answer);
    prompts_list(&prompts->wrong, p, &wrong);
    prompts_list(&prompts->positions, p, &end);
    const struct self_repair_prompt prompt = {
        .ids = prompts->clean + p * prompts->tokens, .end = end[0],
        .right = answer[0], .wrong = wrong[0],
    };
    if (means->mean != NULL)
        repair->job.mean = template_means_row(means, prompts->template[p], 0, 0);
    return self_repair_add(repair, finding->sums + p * count_sums(circuit->config), &prompt);
}

/* Each rank has some prompts, which are added up with the others' 0 on rank 0.  Collective. */
static enum status add_prompts(struct finding *finding, struct self_repair *repair,
                               const struct template_means *means)
{
    const struct circuit *circuit = finding->circuit;
    const struct run *run = circuit->run;
    const int64_t prompts = circuit->prompts->count;
    const struct range own = split_range(prompts, run->rank, run->size);
    const int64_t rounds = range_length(split_range(prompts, 0, run->size));
    const int count = comm_count(prompts * count_sums(circuit->config));
    enum status st = OK;

    for (int64_t r = 0; r < rounds; r++) {
        const int64_t p = own.first + r;
        TRY_ALL(run->comm, p < own.end ? add_prompt(finding, repair, means, p) : OK);
        TRY(run_stopping(circuit->run) ? run_stopped() : OK);
    }
    MPI_Reduce(run->rank == 0 ? MPI_IN_PLACE : finding->sums, finding->sums, count, MPI_DOUBLE,
               MPI_SUM, 0, run->comm);
done:
    return st;
}

/* Collective. */
static enum status find(struct finding *finding, const struct unembedding *unembedding)
{
    const struct circuit *circuit = finding->circuit;
    const int64_t tokens = circuit->prompts->tokens;
    const struct self_repair_job job = { .weights = circuit->weights, .unembedding = unembedding,
                                         .context = tokens, .ablated = finding->ablated };
    struct template_means means = {0};
    struct self_repair repair = {0};
    struct forward forward = {0};
    enum status st;

    if (circuit->suite->circuit.ablation != ABLATION_ZERO) {
        forward_make(&forward, circuit->weights, circuit->suite->circuit.block, tokens);
        TRY(template_means_find(&means, circuit, &forward));
    }
    self_repair_make(&repair, &job);
    TRY(add_prompts(finding, &repair, &means));
done:
    self_repair_free(&repair);
    template_means_free(&means);
    forward_free(&forward);
    return st;
}

/* --- files --------------------------------------------------------------------------- */

static enum status write_table(const struct finding *finding, const char *name)
{
    const struct circuit *circuit = finding->circuit;
    char path[PATH_LENGTH], part[PATH_LENGTH];
    hid_t file = -1;
    enum status st;

    paths_result(path, circuit->suite, name, ".h5");
    TRY(task_files_create(&file, part, path, circuit, "saemill self-repair", VERSION));
    TRY(h5_write_array(file, part, "sums", H5T_NATIVE_DOUBLE, finding->sums,
                       circuit->prompts->count, count_sums(circuit->config)));
done:
    return task_files_publish(&file, part, path, st);
}

/* The sums of all prompts.  Caller frees. */
static double *add_up(const struct finding *finding)
{
    const int64_t count = count_sums(finding->circuit->config);
    double *total = allocate(count, sizeof *total);

    for (int64_t i = 0; i < finding->circuit->prompts->count * count; i++)
        total[i % count] += finding->sums[i];
    return total;
}

/* Shares of all heads, and of circuit.heads together. */
static void put_shares(json_t *summary, const struct finding *finding, const double *total)
{
    const struct lm_config *config = finding->circuit->config;
    json_t *list = json_array();
    double sum = 0;

    for (int64_t h = 0; h < count_heads(config); h++) {
        json_t *object = json_object();
        json_object_set_new(object, "head", task_files_head(config, h));
        json_object_set_new(object, "ablated", json_boolean(finding->ablated[h]));
        task_files_put(object, "share", self_repair_share(total, h));
        json_array_append_new(list, object);
        sum += finding->chosen[h] ? self_repair_share(total, h) : 0;
    }
    json_object_set_new(summary, "heads", list);
    task_files_put(summary, "share_of_heads", sum);
}

static enum status write_summary(const struct finding *finding, const char *name)
{
    const struct circuit *circuit = finding->circuit;
    const double prompts = (double)circuit->prompts->count;
    json_t *summary = task_files_summary(circuit);
    double *total = add_up(finding);
    const double drop = total[SELF_REPAIR_CLEAN] - total[SELF_REPAIR_ABLATED];

    json_object_set_new(summary, "prompts", json_integer(circuit->prompts->count));
    task_files_put(summary, "logit_difference", total[SELF_REPAIR_CLEAN] / prompts);
    task_files_put(summary, "logit_difference_ablated", total[SELF_REPAIR_ABLATED] / prompts);
    task_files_put(summary, "predicted_drop", total[SELF_REPAIR_PREDICTED] / prompts);
    task_files_put(summary, "self_repair", self_repair_total(total) / prompts);
    put_shares(summary, finding, total);
    run_note(circuit->run, "logit difference %.3f; ablation should take %.3f, and takes %.3f",
             total[SELF_REPAIR_CLEAN] / prompts, total[SELF_REPAIR_PREDICTED] / prompts,
             drop / prompts);
    free(total);
    return task_files_write(circuit, name, summary);
}

/* A map of what the heads that are not ablated do instead. */
static enum status write_page(const struct finding *finding, const char *name)
{
    const struct circuit *circuit = finding->circuit;
    const struct lm_config *c = circuit->config;
    const double prompts = (double)circuit->prompts->count;
    double *total = add_up(finding), *change = allocate(count_heads(c), sizeof *change);
    const struct heat_map map = { .title = "change of the direct effect, nats", .value = change,
                                  .layers = c->layers, .heads = c->heads };
    struct task_page page;

    for (int64_t h = 0; h < count_heads(c); h++)
        change[h] = finding->ablated[h] ? (double)NAN : total[SELF_REPAIR_HEADS + h] / prompts;
    task_page_begin(&page, circuit, name);
    fprintf(
        page.out,
        ": with heads ablated the mean logit difference falls by %.3f from %.3f; their "
        "direct effects predict %.3f.</p>\n<p class=\"note\">Layers lie upward; dashed heads are "
        "ablated. <b class=\"plus\">This colour</b> is for heads that then add more to the "
        "difference, <b class=\"minus\">this one</b> for those that add less.</p>\n"
        "<div class=\"heats\">\n",
        (total[SELF_REPAIR_CLEAN] - total[SELF_REPAIR_ABLATED]) / prompts,
        total[SELF_REPAIR_CLEAN] / prompts, total[SELF_REPAIR_PREDICTED] / prompts);
    heat_map_write(page.out, &map);
    fputs("</div>\n", page.out);
    free(change);
    free(total);
    return task_page_write(&page);
}

static enum status check_finite(const struct finding *finding)
{
    const int64_t count = count_sums(finding->circuit->config);
    enum status st = OK;

    for (int64_t i = 0; i < finding->circuit->prompts->count * count; i++)
        REQUIRE(isfinite(finding->sums[i]), E_NUMERIC, "the logits of prompt %lld are infinite or "
                "not numbers", (long long)(i / count) + 1);
done:
    return st;
}

/* Local; rank 0 alone. */
static enum status write_files(const struct finding *finding, const char *name)
{
    enum status st;

    TRY(check_finite(finding));
    TRY(write_table(finding, name));
    TRY(write_page(finding, name));
    TRY(write_summary(finding, name));
done:
    return st;
}

static enum status run_task(const struct circuit *circuit, int64_t task)
{
    const struct lm_config *config = circuit->config;
    struct unembedding unembedding = {0};
    struct finding finding = {
        .circuit = circuit,
        .ablated = allocate(count_heads(config), sizeof(bool)),
        .chosen = allocate(count_heads(config), sizeof(bool)),
        .sums = allocate(circuit->prompts->count * count_sums(config), sizeof(double)),
    };
    char name[METHODS_NAME];
    enum status st;

    methods_name(name, circuit->suite, task);
    TRY(unembedding_check(circuit->weights));
    TRY(heads_choose_ablated(finding.ablated, circuit->suite, config));
    TRY(heads_choose(finding.chosen, circuit->suite, config));
    unembedding_make(&unembedding, circuit->weights, true);
    TRY(find(&finding, &unembedding));
    TRY_ROOT(circuit->run->comm, write_files(&finding, name));
done:
    unembedding_free(&unembedding);
    free(finding.sums);
    free(finding.chosen);
    free(finding.ablated);
    return st;
}

const struct circuit_method SELF_REPAIR_METHOD = {
    .name = "self_repair", .check = check, .bytes = bytes, .work = work, .disk = disk,
    .run = run_task,
};
