#include "methods/knockout.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/die.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

const char *knockout_class_name(int class)
{
    return class == KNOCKOUT_REST ? "rest" : prompts_class_name((enum prompts_class) class);
}

int knockout_class_parse(const char *name)
{
    for (int class = 0; class < KNOCKOUT_CLASSES; class ++)
        if (strcmp(name, knockout_class_name(class)) == 0)
            return class;
    return -1;
}

/* --- memory -------------------------------------------------------------------------- */

int64_t knockout_bytes(const struct suite *suite, const struct lm_config *config,
                       struct circuit_shape shape)
{
    const int64_t worker = differences_bytes(suite, config)
                         + forward_bytes(config, PRECISION_F32, suite->circuit.block, shape.tokens,
                                         1);

    return shape.threads * worker + template_means_bytes(config, shape)
         + shape.prompts * (shape.tokens + (int64_t)sizeof(double));
}

/* The class of each position of a prompt.
 *   class [tokens]  out */
static void find_classes(uint8_t *class, const struct prompts *prompts, int64_t prompt)
{
    memset(class, KNOCKOUT_REST, (size_t)prompts->tokens);
    for (int c = PROMPTS_CLASSES; c-- > 0; ) {
        const int32_t at = prompts->classes[prompt * PROMPTS_CLASSES + c];
        if (at >= 0)
            class[at] = (uint8_t)c;
    }
}

void knockout_classes(bool used[KNOCKOUT_CLASSES], const struct prompts *prompts)
{
    uint8_t *class = allocate(prompts->tokens, 1);

    memset(used, false, KNOCKOUT_CLASSES * sizeof *used);
    for (int64_t p = 0; p < prompts->count; p++) {
        find_classes(class, prompts, p);
        for (int64_t t = 0; t < prompts->length[p]; t++)
            used[class[t]] = true;
    }
    free(class);
}

static void make_worker(struct knockout_worker *worker, const struct circuit *circuit)
{
    forward_make(&worker->forward, circuit->weights, circuit->suite->circuit.block,
                 circuit->prompts->tokens);
    differences_make(&worker->differences, circuit);
}

enum status knockout_make(struct knockout *k, const struct circuit *circuit)
{
    const struct lm_config *c = circuit->config;
    const struct prompts *prompts = circuit->prompts;
    const int threads = omp_get_max_threads();
    enum status st;

    *k = (struct knockout){
        .circuit = circuit,
        .nodes = (int64_t)c->layers * c->heads * KNOCKOUT_CLASSES,
        .class = allocate(prompts->count * prompts->tokens, 1),
        .threads = threads,
        .workers = allocate(threads, sizeof *k->workers),
        .values = allocate(prompts->count, sizeof *k->values),
    };
    for (int64_t p = 0; p < prompts->count; p++)
        find_classes(k->class + p * prompts->tokens, prompts, p);
    omp_set_num_threads(1);     /* each worker has the buffers of one thread */
    for (int t = 0; t < threads; t++)
        make_worker(&k->workers[t], circuit);
    TRY_ALL(circuit->run->comm,
            forward_check(c, prompts->clean, prompts->count * prompts->tokens, prompts->tokens));
    TRY(template_means_find(&k->means, circuit, &k->workers[0].forward));
done:
    omp_set_num_threads(threads);
    return st;
}

void knockout_free(struct knockout *k)
{
    for (int t = 0; t < k->threads; t++) {
        forward_free(&k->workers[t].forward);
        differences_free(&k->workers[t].differences);
    }
    free(k->workers);
    free(k->class);
    free(k->values);
    template_means_free(&k->means);
    *k = (struct knockout){0};
}

/* --- a run --------------------------------------------------------------------------- */

/* Knock out what is not kept of the layer where the cursor stands. */
static void knock_out(const struct knockout *k, struct forward *f, const bool *kept,
                      struct range range, int layer)
{
    const struct prompts *prompts = k->circuit->prompts;
    const int32_t heads = k->circuit->config->heads;

    for (int64_t p = range.first; p < range.end; p++)
        for (int64_t t = 0; t < prompts->length[p]; t++)
            for (int32_t h = 0; h < heads; h++)
                if (!kept[((int64_t)layer * heads + h) * KNOCKOUT_CLASSES
                          + k->class[p * prompts->tokens + t]])
                    template_means_put(&k->means, f, p - range.first, prompts->template[p], layer,
                                       h, t);
}

static void run_block(struct knockout *k, struct knockout_worker *worker, const bool *kept,
                      struct range range)
{
    const struct prompts *prompts = k->circuit->prompts;
    struct forward *f = &worker->forward;

    if (forward_start(f, prompts->clean + range.first * prompts->tokens, range_length(range)) != OK)
        die("bug: %s", refuse_reason());    /* knockout_make() has checked */
    for (int layer = 0; layer < k->circuit->config->layers; layer++) {
        forward_to(f, (struct tap){ SITE_ATTN, layer });
        knock_out(k, f, kept, range, layer);
    }
    differences_find(&worker->differences, f, range);
    for (int64_t p = range.first; p < range.end; p++)
        k->values[p] = differences_of(&worker->differences, range, p);
}

double knockout_value(struct knockout *k, const bool *kept)
{
    const struct run *run = k->circuit->run;
    const int64_t count = k->circuit->prompts->count, block = k->circuit->suite->circuit.block;
    const struct range mine = split_range(split_blocks(count, block), run->rank, run->size);
    double sum = 0;

    memset(k->values, 0, (size_t)count * sizeof *k->values);
    #pragma omp parallel for schedule(dynamic) num_threads(k->threads)
    for (int64_t b = mine.first; b < mine.end; b++)
        run_block(k, &k->workers[omp_get_thread_num()], kept, split_block(count, block, b));
    /* Each value is one rank's; the others add 0. */
    MPI_Allreduce(MPI_IN_PLACE, k->values, comm_count(count), MPI_DOUBLE, MPI_SUM, run->comm);
    for (int64_t p = 0; p < count; p++)
        sum += k->values[p];
    return sum / (double)count;
}
