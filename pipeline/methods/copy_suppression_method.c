#include "base/allocate.h"
#include "heads/function_words.h"
#include "heads/heads.h"
#include "lm/head.h"
#include "methods/suppression.h"

#include <stdio.h>
#include <stdlib.h>

/* --- what it takes ------------------------------------------------------------------- */

static int64_t tasks(const struct suite *suite)
{
    return suite->circuit.heads_count;
}

static void part_of(char part[METHODS_NAME], const struct suite *suite, int64_t task)
{
    snprintf(part, METHODS_NAME, "%s", suite->circuit.heads[task]);
}

static enum status check(const struct suite *suite, const struct lm_config *config,
                         const struct prompts *prompts)
{
    int64_t heads;

    (void)prompts;
    return heads_count(&heads, suite, config);
}

/* The heads of the task that has most. */
static int64_t most_heads(const struct suite *suite, const struct lm_config *config)
{
    const int64_t all = (int64_t)config->layers * config->heads;
    bool *chosen = allocate(all, sizeof *chosen);
    int64_t most = 0;

    for (int64_t task = 0; task < tasks(suite); task++) {
        int64_t *head = NULL;
        if (heads_choose_entry(chosen, suite, config, task) != OK)
            refuse_clear();     /* check() will refuse it */
        const int64_t count = heads_list(&head, chosen, config);
        most = count > most ? count : most;
        free(head);
    }
    free(chosen);
    return most;
}

static int64_t bytes(const struct suite *suite, const struct lm_config *config,
                     struct circuit_shape shape)
{
    return unembedding_bytes(config) + config->vocabulary * (int64_t)sizeof(bool)
         + suppression_bytes(suite, config, shape, most_heads(suite, config));
}

/* Two tables of ranks for each head; means; and for each text two passes, its logits, and those of
 * each head and variant. */
static double work(const struct suite *suite, const struct lm_config *config,
                   struct circuit_shape shape)
{
    const struct tap end = { SITE_RES, config->layers - 1 };
    const double vocabulary = config->vocabulary, heads = (double)most_heads(suite, config);
    const double logits = head_work(config) * (double)shape.tokens;
    const double variants = COPY_SUPPRESSION_VARIANTS + 2 * (double)suite->circuit.shares_count + 1;
    const double text = 3 * forward_work(config, end, shape.tokens)
                      + logits * (1 + heads * variants);
    const double ranks = 4 * heads * config->head_width * vocabulary * vocabulary;

    return (double)tasks(suite) * (ranks + (double)shape.prompts * text);
}

/* --- the task ------------------------------------------------------------------------ */

/* What it reads besides the prompts. */
struct inputs {
    struct prompts texts;           /* of circuit.mean_texts */
    bool          *function_word;   /* [vocabulary] */
};

/* Local; rank 0 alone. */
static enum status read_inputs(struct inputs *inputs, const struct circuit *circuit)
{
    const struct suite_circuit *options = &circuit->suite->circuit;
    struct wording wording = {0};
    enum status st;

    TRY(wording_open(&wording, circuit->suite, circuit->config));
    for (unsigned f = 0; f < options->mean_texts_count; f++)
        TRY(prompts_read(&inputs->texts, &wording, options->mean_texts[f], options->count));
    if (options->function_words[0] != '\0')
        TRY(function_words_read(inputs->function_word, circuit->config->vocabulary,
                                options->function_words, &wording.tokenizer));
done:
    wording_close(&wording);
    return st;
}

/* Collective. */
static enum status share_inputs(struct inputs *inputs, const struct circuit *circuit)
{
    const MPI_Comm comm = circuit->run->comm;
    const int32_t vocabulary = circuit->config->vocabulary;
    enum status st;

    *inputs = (struct inputs){ .function_word = allocate(vocabulary, sizeof(bool)) };
    if (circuit->run->rank == 0)
        prompts_make(&inputs->texts, circuit->suite->circuit.context);
    TRY_ROOT(comm, read_inputs(inputs, circuit));
    prompts_share(&inputs->texts, comm);
    MPI_Bcast(inputs->function_word, vocabulary, MPI_C_BOOL, 0, comm);
done:
    return st;
}

/* Over which texts is the mean? */
static struct suppression_texts mean_texts(const struct inputs *inputs,
                                           const struct circuit *circuit)
{
    const struct prompts *prompts = circuit->prompts, *texts = &inputs->texts;

    if (circuit->suite->circuit.ablation == ABLATION_ZERO)
        return (struct suppression_texts){0};
    if (texts->count > 0)
        return (struct suppression_texts){ texts->clean, texts->length, texts->count,
                                           texts->tokens };
    return (struct suppression_texts){ prompts->corrupted, prompts->length, prompts->count,
                                       prompts->tokens };
}

static enum status run_task(const struct circuit *circuit, int64_t task)
{
    const struct lm_config *config = circuit->config;
    const struct prompts *prompts = circuit->prompts;
    const struct suppression_texts texts = { prompts->clean, prompts->length, prompts->count,
                                             prompts->tokens };
    bool *chosen = allocate((int64_t)config->layers * config->heads, sizeof *chosen);
    struct suppression s = {0};
    struct unembedding unembedding = {0};
    struct inputs inputs = {0};
    char name[METHODS_NAME];
    enum status st;

    methods_name(name, circuit->suite, task);
    TRY(unembedding_check(circuit->weights));
    TRY(heads_choose_entry(chosen, circuit->suite, config, task));
    TRY(share_inputs(&inputs, circuit));
    unembedding_make(&unembedding, circuit->weights, true);
    suppression_make(&s, circuit, chosen);
    TRY(suppression_rank(&s, &unembedding));
    const struct suppression_texts means = mean_texts(&inputs, circuit);
    TRY(suppression_score(&s, &unembedding, &texts, &means, inputs.function_word));
    TRY_ROOT(circuit->run->comm, suppression_write(&s, name));
done:
    suppression_free(&s);
    unembedding_free(&unembedding);
    prompts_free(&inputs.texts);
    free(inputs.function_word);
    free(chosen);
    return st;
}

const struct circuit_method COPY_SUPPRESSION_METHOD = {
    .name = "copy_suppression", .tasks = tasks, .part = part_of,
    .check = check, .bytes = bytes, .work = work,
    .disk = suppression_disk, .run = run_task,
};
