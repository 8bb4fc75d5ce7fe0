#include "evaluate/held_out.h"
#include "base/allocate.h"
#include "base/block_sum.h"
#include "base/memory.h"

#include <stdlib.h>

enum status held_out_open(struct held_out *text, struct run *run, const struct suite *suite,
                          const struct lm_config *config, enum precision precision,
                          int64_t bytes, const char *purpose)
{
    const int64_t block = suite->harvest.block;
    enum status st;

    *text = (struct held_out){ .run = run, .suite = suite };
    TRY_ALL(run->comm, selection_of_evaluate(&text->selection, suite));
    TRY(memory_check(run->comm, bytes, purpose));
    TRY(memory_check_shared(run->comm, weights_bytes(config, precision), purpose));
    TRY(weights_read(&text->weights, config, precision, suite->model.path, run->comm));
    text->ids = allocate(block * suite->corpus.context, sizeof *text->ids);
    text->origins = allocate(block, sizeof *text->origins);
    text->since = MPI_Wtime();
done:
    return st;
}

void held_out_close(struct held_out *text)
{
    free(text->ids);
    free(text->origins);
    weights_free(&text->weights);
    selection_close(&text->selection);
    *text = (struct held_out){0};
}

/* A pass that is going on. */
struct going {
    struct held_out            *text;
    const struct held_out_pass *pass;
};

/* Read block number `block`, and let the pass have it.  Local. */
static enum status compute_block(void *context, int64_t block, double *sums)
{
    const struct going *going = context;
    struct held_out *text = going->text;
    const int64_t sequences = text->selection.sequences;
    const struct range range = split_block(sequences, text->suite->harvest.block, block);
    const enum phase before = phase_enter(PHASE_READ);
    enum status st = selection_read(&text->selection, range, text->ids, text->origins);

    phase_enter(before);
    run_progress(text->run, "held-out text", text->since, 0,
                 text->passes * sequences + range.first, text->planned * sequences, "sequences");
    if (st == OK)
        st = going->pass->add_block(going->pass->context, text->ids, range.end - range.first, sums);
    return st;
}

enum status held_out_sum(struct held_out *text, const struct held_out_pass *pass, double *total)
{
    struct going going = { text, pass };
    const struct block_sum sum = {
        .run = text->run,
        .blocks = split_blocks(text->selection.sequences, text->suite->harvest.block),
        .count = pass->count,
        .context = &going,
        .compute = compute_block,
    };
    const enum status st = block_sum_run(&sum, total);

    text->passes++;
    return st;
}
