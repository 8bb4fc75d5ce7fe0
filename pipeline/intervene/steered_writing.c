#include "intervene/steered_writing.h"
#include "base/allocate.h"
#include "base/minmax.h"

#include <stdlib.h>
#include <string.h>

static int64_t most_of(int64_t prompts, int64_t samples)
{
    return STEERED_WRITING_PLAIN * prompts * samples;
}

static int64_t at_once(int64_t prompts, int64_t samples)
{
    return min_int64(COMPLETIONS_ROWS, most_of(prompts, samples));
}

int64_t steered_writing_bytes(const struct lm_config *config, int32_t latents, int64_t block,
                              int64_t prompts, int64_t samples, int64_t longest, int64_t tokens,
                              int threads)
{
    const int64_t each = (int64_t)sizeof(struct completion)
                         + (longest + 2 * tokens + 1) * (int64_t)sizeof(int32_t);

    return completions_bytes(config, longest + tokens, at_once(prompts, samples), threads)
         + most_of(prompts, samples) * each
         + steered_runs_bytes(config, latents, block, longest + tokens, threads);
}

void steered_writing_make(struct steered_writing *writing,
                          const struct steered_writing_setup *setup)
{
    const struct prompts *prompts = setup->runs.texts;
    const int64_t most = most_of(prompts->count, setup->samples);
    const int64_t longest = prompts->tokens + setup->tokens;
    struct steered_runs_setup reading = setup->runs;

    *writing = (struct steered_writing){
        .prompts = prompts, .tap = setup->runs.tap, .samples = setup->samples,
        .list = allocate(most, sizeof *writing->list),
        .ids = allocate(most * setup->tokens, sizeof *writing->ids),
        .written = {
            .tokens = longest,
            .clean = allocate(most * longest, sizeof(int32_t)),
            .length = allocate(most, sizeof(int32_t)),
        },
    };
    completions_make(&writing->completions, setup->runs.weights, longest,
                     at_once(prompts->count, setup->samples));
    writing->completions.sampling = setup->sampling;
    writing->completions.tokens = setup->tokens;
    writing->completions.end = setup->end;
    reading.texts = &writing->written;
    steered_runs_make(&writing->reading, &reading);
}

void steered_writing_free(struct steered_writing *writing)
{
    steered_runs_free(&writing->reading);
    completions_free(&writing->completions);
    free(writing->list);
    free(writing->ids);
    free(writing->written.clean);
    free(writing->written.length);
    *writing = (struct steered_writing){0};
}

/* Go through the model, and add the vector on the way. */
static void walk(struct forward *forward, void *data)
{
    const struct steered_writing *writing = data;

    forward_to(forward, writing->tap);
    steered_runs_add(forward, writing->steering);
    forward_to(forward, forward_end(forward));
}

/* Put prompts and completions together. */
static void keep_written(struct steered_writing *writing, int64_t count)
{
    struct prompts *written = &writing->written;

    written->count = count;
    memset(written->clean, 0, (size_t)(count * written->tokens) * sizeof *written->clean);
    for (int64_t i = 0; i < count; i++) {
        const struct completion *completion = &writing->list[i];
        int32_t *row = written->clean + i * written->tokens;
        memcpy(row, completion->prompt, (size_t)completion->prompt_tokens * sizeof *row);
        memcpy(row + completion->prompt_tokens, completion->ids,
               (size_t)completion->count * sizeof *row);
        written->length[i] = (int32_t)(completion->prompt_tokens + completion->count);
    }
}

enum status steered_writing_write(struct steered_writing *writing, struct steering steering)
{
    const struct prompts *prompts = writing->prompts;
    const int64_t samples = (steering.scale == 0 ? STEERED_WRITING_PLAIN : 1) * writing->samples;
    const int64_t count = prompts->count * samples;
    enum status st;

    for (int64_t i = 0; i < count; i++)
        writing->list[i] = (struct completion){
            .prompt = prompts->clean + i / samples * prompts->tokens,
            .prompt_tokens = prompts->length[i / samples], .sample = i % samples,
            .ids = writing->ids + i * writing->completions.tokens,
        };
    writing->steering = steering;
    writing->completions.walk = walk;
    writing->completions.data = writing;
    TRY(completions_run(&writing->completions, writing->list, count));
    keep_written(writing, count);
done:
    return st;
}

enum status steered_writing_latents(struct steered_writing *writing, double *mean)
{
    return steered_runs_latents(&writing->reading, (struct steering){0}, mean);
}
