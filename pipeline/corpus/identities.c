#include "corpus/identities.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/text.h"
#include "corpus/inputs.h"
#include "suite/paths.h"
#include "suite/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* --- hashes -------------------------------------------------------------------------- */

static uint64_t add_number(uint64_t hash, uint64_t number)
{
    return XXH3_64bits_withSeed(&number, sizeof number, hash);
}

static uint64_t add_text(uint64_t hash, const char *text)
{
    return XXH3_64bits_withSeed(text, strlen(text), hash);
}

/* The values of a section, and whatever else `before` says. */
static uint64_t add_values(uint64_t hash, const char *before, const char *section,
                           const void *values)
{
    char *text;
    size_t length;
    FILE *out = text_open(&text, &length);

    fprintf(out, "%s%s:\n", before, section);
    suite_write_values(out, section, values);
    text_close(out);
    hash = add_text(hash, text);
    free(text);
    return hash;
}

/* All inputs of a kind. */
static uint64_t add_inputs(uint64_t hash, const struct inputs *inputs, enum input_kind kind)
{
    for (int i = 0; i < inputs->count; i++)
        if (inputs->file[i].kind == kind) {
            hash = add_number(hash, (uint64_t)inputs->file[i].bytes);
            hash = add_number(hash, inputs->file[i].hash);
        }
    return add_number(hash, (uint64_t)kind);
}

/* --- a run --------------------------------------------------------------------------- */

static uint64_t of_result(const struct suite *suite, const struct inputs *inputs)
{
    static const enum input_kind KINDS[] = { INPUT_CONFIG, INPUT_TOKENIZER, INPUT_WEIGHTS,
                                             INPUT_PROMPTS, INPUT_MEANS,
                                             INPUT_AUTOENCODERS };
    const struct section *section = schema_section_named(kinds_section(suite->kind));
    uint64_t hash = add_values(0, "", "model", &suite->model);

    for (size_t k = 0; k < sizeof KINDS / sizeof *KINDS; k++)
        hash = add_inputs(hash, inputs, KINDS[k]);
    return add_values(hash, "", section->name, (const char *)suite + section->offset);
}

static void make(struct identities *identities, const struct inputs *inputs)
{
    const struct suite *suite = identities->suite;
    uint64_t tokens = add_values(0, "", "corpus", &suite->corpus);
    uint64_t harvest = add_values(0, "", "model", &suite->model);

    identities->tokens = allocate(inputs->count, sizeof *identities->tokens);
    tokens = add_inputs(tokens, inputs, INPUT_CONFIG);
    tokens = add_inputs(tokens, inputs, INPUT_TOKENIZER);
    for (int i = 0; i < inputs->count; i++) {
        const struct input *file = &inputs->file[i];
        if (file->kind != INPUT_CORPUS)
            continue;
        const uint64_t shard = add_number(add_number(tokens, (uint64_t)file->bytes), file->hash);
        identities->tokens[identities->files++] = shard;
        harvest = add_number(harvest, shard);
    }
    harvest = add_inputs(harvest, inputs, INPUT_WEIGHTS);
    identities->harvest = add_values(harvest, "", "harvest", &suite->harvest);
    identities->shuffle = add_values(identities->harvest, "", "shuffle", &suite->shuffle);
    if (suite->kind != SUITE_SAES)
        identities->result = of_result(suite, inputs);
}

enum status identities_read(struct identities *identities, const struct suite *suite)
{
    struct inputs inputs;
    enum status st;

    *identities = (struct identities){ .suite = suite };
    TRY(inputs_read(&inputs, suite));
    make(identities, &inputs);
done:
    inputs_free(&inputs);
    return st;
}

enum status identities_recorded(struct identities *identities, bool *found,
                                const struct suite *suite)
{
    struct inputs inputs;
    enum status st;

    *identities = (struct identities){ .suite = suite };
    TRY(inputs_recorded(&inputs, suite));
    *found = inputs.count > 0;
    make(identities, &inputs);
done:
    inputs_free(&inputs);
    return st;
}

void identities_free(struct identities *identities)
{
    free(identities->tokens);
    *identities = (struct identities){0};
}

enum status identities_open(struct identities *identities, MPI_Comm comm,
                            const struct suite *suite)
{
    enum status st;

    TRY_ROOT(comm, inputs_keep(suite));
    TRY_ALL(comm, identities_read(identities, suite));
done:
    return st;
}

/* --- its files ----------------------------------------------------------------------- */

static struct identity of(const struct identities *identities, const char *path, uint64_t hash,
                          const char *until)
{
    const char *place = path + strlen(identities->suite->run) + 1;
    struct identity identity = { .hash = hash, .suite = identities->suite->text, .until = until };

    snprintf(identity.place, sizeof identity.place, "%s", place);
    return identity;
}

struct identity identities_tokens(const struct identities *identities, int64_t file)
{
    char path[PATH_LENGTH];

    paths_tokens(path, identities->suite, file);
    return of(identities, path, identities->tokens[file], "harvest");
}

struct identity identities_harvest(const struct identities *identities, int64_t shard)
{
    char path[PATH_LENGTH];

    paths_harvest(path, identities->suite, shard);
    return of(identities, path, identities->harvest, "shuffle");
}

struct identity identities_shuffle(const struct identities *identities, struct tap tap)
{
    char path[PATH_LENGTH];

    paths_shuffle(path, identities->suite, tap);
    return of(identities, path, identities->shuffle, "train");
}

struct identity identities_sae(const struct identities *identities, struct tap tap,
                               const struct sae_task *task)
{
    const struct suite *suite = identities->suite;
    const uint64_t hash = add_values(identities->shuffle, "", "train", &suite->train);
    char path[PATH_LENGTH], own[128];

    snprintf(own, sizeof own, "width: %d\nsparsity: %.17g\ntarget_l0: %.17g\n", task->width,
             task->sparsity, task->target_l0);
    paths_sae(path, suite, tap, task->name, "");
    return of(identities, path, add_values(hash, own, "saes", task->group), "saes");
}

struct identity identities_scores(const struct identities *identities, struct tap tap,
                                  const struct sae_task *task)
{
    const struct suite *suite = identities->suite;
    const uint64_t hash = identities_sae(identities, tap, task).hash;
    char path[PATH_LENGTH];

    paths_scores(path, suite, tap, task->name);
    return of(identities, path, add_values(hash, "", "evaluate", &suite->evaluate), "resources");
}

struct identity identities_result(const struct identities *identities, const char *name)
{
    char path[PATH_LENGTH];

    paths_result(path, identities->suite, name, "");
    return of(identities, path, identities->result, "resources");
}
