#include "methods/succession.h"
#include "base/allocate.h"
#include "heads/heads.h"
#include "sae/saefile.h"

#include <stdlib.h>
#include <string.h>

/* --- memory ---------------------------------------------------------------------------- */

/* Bytes that a file of an autoencoder has at least for each value of a latent's two rows: float32,
 * of which compression takes a quarter at most. */
enum { BYTES_OF_LATENT = 6 };

/* 0 if there is none. */
static int64_t size_of(const char *path)
{
    int64_t bytes = 0;

    if (path[0] != '\0' && file_exists(path) && file_size(path, &bytes) != OK)
        refuse_clear();     /* reading it will refuse it */
    return bytes;
}

int64_t succession_bytes(const struct suite *suite, const struct lm_config *c)
{
    const int64_t heads = (int64_t)c->layers * c->heads;
    const int64_t sae = size_of(suite->circuit.autoencoder);
    const int32_t latents = (int32_t)(sae / (BYTES_OF_LATENT * c->width));
    int64_t words, longest;

    ordinals_count(suite->circuit.data, &words, &longest);
    const int64_t numbers = (EFFECTIVE_KINDS + 2 * SUCCESSION_DIGITS) * heads * words;
    return 2 * sae + words * c->width * EFFECTIVE_KINDS * (int64_t)sizeof(float)
         + numbers * (int64_t)sizeof(int32_t) + unembedding_bytes(c) + effective_bytes(c, 1)
         + successor_bytes(c, words, longest, latents) + mod_ten_bytes(c->width, latents, words);
}

/* --- making it ------------------------------------------------------------------------- */

static enum status read_classes(struct succession *s)
{
    const struct circuit *circuit = s->circuit;
    struct wording wording = {0};
    enum status st;

    TRY(wording_open(&wording, circuit->suite, circuit->config));
    REQUIRE(wording.tokenizer.kind != NULL, E_IO,
            "classes are words, but there is no tokenizer %s; "
            "a checkpoint's folder should hold one, or model.tokenizer should name it",
            wording.path);
    TRY(ordinals_read(&s->ordinals, circuit->suite->circuit.data, &wording.tokenizer));
done:
    wording_close(&wording);
    return st;
}

static enum status read_sae(struct succession *s)
{
    const char *path = s->circuit->suite->circuit.autoencoder;
    const size_t length = strlen(path);
    enum status st = OK;

    if (length == 0)
        return OK;
    if (length > 4 && strcmp(path + length - 4, ".npz") == 0)
        TRY(sae_read_npz(&s->sae, path));
    else
        TRY(saefile_read(&s->sae, path));
done:
    return st;
}

static enum status find_numbers(struct succession *s)
{
    const struct suite_circuit *options = &s->circuit->suite->circuit;
    enum status st = OK;

    s->numbers = -1;
    for (int32_t k = 0; k < s->ordinals.count; k++)
        if (strcmp(s->ordinals.classes[k].name, options->numbers) == 0)
            s->numbers = k;
    REQUIRE(s->numbers >= 0 || options->numbers[0] == '\0', E_USAGE, "%s has no class \"%s\"; let "
            "circuit.numbers name the class whose words are numbers, or be empty", options->data,
            options->numbers);
    REQUIRE(s->numbers >= 0 || options->autoencoder[0] == '\0', E_USAGE, "circuit.autoencoder is "
            "read for last digits, which need a class of numbers; name it as circuit.numbers");
done:
    return st;
}

static void make_arrays(struct succession *s)
{
    const struct lm_config *c = s->circuit->config;

    s->first = allocate(s->ordinals.count + 1, sizeof *s->first);
    for (int32_t k = 0; k < s->ordinals.count; k++)
        s->first[k + 1] = s->first[k] + s->ordinals.classes[k].count;
    const int64_t tokens = s->first[s->ordinals.count];
    for (int kind = 0; kind < EFFECTIVE_KINDS; kind++) {
        s->x[kind] = allocate(tokens * c->width, sizeof *s->x[kind]);
        s->answer[kind] = allocate(s->heads * tokens, sizeof *s->answer[kind]);
    }
    for (int d = 0; d < SUCCESSION_DIGITS; d++) {
        s->right[d] = allocate(s->heads * tokens, sizeof *s->right[d]);
        s->tried[d] = allocate(s->heads * tokens, sizeof *s->tried[d]);
    }
}

enum status succession_make(struct succession *s, const struct circuit *circuit)
{
    const struct lm_config *config = circuit->config;
    bool *chosen = allocate((int64_t)config->layers * config->heads, sizeof *chosen);
    enum status st;

    *s = (struct succession){ .circuit = circuit };
    TRY(unembedding_check(circuit->weights));
    TRY(heads_choose(chosen, circuit->suite, config));
    s->heads = heads_list(&s->head, chosen, config);
    TRY(read_classes(s));
    TRY(find_numbers(s));
    TRY(read_sae(s));
    make_arrays(s);
done:
    free(chosen);
    return st;
}

void succession_free(struct succession *s)
{
    for (int kind = 0; kind < EFFECTIVE_KINDS; kind++) {
        free(s->x[kind]);
        free(s->answer[kind]);
    }
    for (int d = 0; d < SUCCESSION_DIGITS; d++) {
        mod_ten_free(&s->ten[d]);
        free(s->right[d]);
        free(s->tried[d]);
    }
    sae_free(&s->sae);
    ordinals_free(&s->ordinals);
    free(s->first);
    free(s->head);
    *s = (struct succession){0};
}

/* --- what tokens are ------------------------------------------------------------------- */

/* What the tokens of all classes are, each class by itself. */
static void find_tokens(struct succession *s)
{
    const int64_t width = s->circuit->config->width;

    for (int kind = 0; kind < EFFECTIVE_KINDS; kind++) {
        for (int32_t k = 0; k < s->ordinals.count; k++)
            effective_embeddings(s->x[kind] + s->first[k] * width, s->circuit->weights,
                                 (enum effective_kind)kind, s->ordinals.classes[k].id,
                                 s->ordinals.classes[k].count);
        successor_decode(&s->decoding[kind], &s->ordinals, s->x[kind], (int32_t)width);
    }
}

/* The directions of last digits.  Local, the same on all ranks. */
static enum status find_digits(struct succession *s)
{
    const struct ordinal_class *class = &s->ordinals.classes[s->numbers];
    const int32_t width = s->circuit->config->width;
    const float *x = s->x[EFFECTIVE_MLP] + s->first[s->numbers] * width;
    int64_t *number = allocate(class->count, sizeof *number);
    enum status st;

    for (int32_t i = 0; i < class->count; i++)
        number[i] = ordinals_number(class, i);
    TRY(mod_ten_fit(&s->ten[SUCCESSION_PROBE], x, width, number, class->count));
    if (s->sae.latents > 0)
        TRY(mod_ten_find(&s->ten[SUCCESSION_LATENTS], &s->sae, x, width, number, class->count));
done:
    free(number);
    return st;
}

/* --- heads ----------------------------------------------------------------------------- */

/* All about head number i of the chosen ones and one class. */
static void visit_class(struct succession *s, const struct unembedding *unembedding, int64_t i,
                        int32_t k)
{
    const struct ordinal_class *class = &s->ordinals.classes[k];
    const struct weights *weights = s->circuit->weights;
    const int layer = (int)(s->head[i] / weights->config.heads);
    const int head = (int)(s->head[i] % weights->config.heads);
    const int64_t at = i * s->first[s->ordinals.count] + s->first[k];
    const int64_t row = s->first[k] * weights->config.width;

    for (int kind = 0; kind < EFFECTIVE_KINDS; kind++)
        successor_answers(s->answer[kind] + at, weights, unembedding, class, s->x[kind] + row,
                          class->count, layer, head);
    for (int d = 0; d < SUCCESSION_DIGITS; d++)
        if (s->ten[d].width > 0)
            successor_arithmetic(s->right[d] + at, s->tried[d] + at, weights, unembedding, class,
                                 &s->ten[d], s->x[EFFECTIVE_MLP] + row, layer, head);
}

/* Add up on rank 0: each rank has some heads, and 0 for the others.  Collective. */
static void collect(int32_t *values, const struct succession *s)
{
    const struct run *run = s->circuit->run;
    const int count = comm_count(s->heads * s->first[s->ordinals.count]);

    MPI_Reduce(run->rank == 0 ? MPI_IN_PLACE : values, values, count, MPI_INT32_T, MPI_SUM, 0,
               run->comm);
}

/* Collective. */
static enum status visit_heads(struct succession *s, const struct unembedding *unembedding)
{
    struct run *run = s->circuit->run;
    const struct range own = split_range(s->heads, run->rank, run->size);
    const int64_t rounds = range_length(split_range(s->heads, 0, run->size));
    enum status st = OK;

    for (int64_t r = 0; r < rounds; r++) {
        for (int32_t k = 0; own.first + r < own.end && k < s->ordinals.count; k++)
            visit_class(s, unembedding, own.first + r, k);
        TRY(run_stopping(run) ? run_stopped() : OK);
    }
    for (int kind = 0; kind < EFFECTIVE_KINDS; kind++)
        collect(s->answer[kind], s);
    for (int d = 0; d < SUCCESSION_DIGITS; d++) {
        collect(s->right[d], s);
        collect(s->tried[d], s);
    }
done:
    return st;
}

enum status succession_find(struct succession *s)
{
    struct unembedding unembedding = {0};
    enum status st;

    find_tokens(s);
    TRY_ALL(s->circuit->run->comm, s->numbers >= 0 ? find_digits(s) : OK);
    unembedding_make(&unembedding, s->circuit->weights, true);
    TRY(visit_heads(s, &unembedding));
done:
    unembedding_free(&unembedding);
    return st;
}
