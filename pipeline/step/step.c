#include "step/step.h"
#include "step/architecture.h"
#include "step/clip.h"
#include "step/decode.h"
#include "step/dense.h"
#include "step/update.h"

#include <math.h>

/* ---- memory -------------------------------------------------------------------------- */

static struct scratch_size scratch_size(const struct step_sizes *sizes)
{
    struct scratch_size size = encode_scratch(sizes);

    size = step_scratch_widest(size, decode_scratch(sizes));
    size = step_scratch_widest(size, backpropagate_scratch(sizes));
    size = step_scratch_widest(size, weight_gradients_scratch(sizes));
    return sizes->needs.dense ? step_scratch_widest(size, dense_scratch(sizes)) : size;
}

/* All arrays of the step. */
static void visit_storage(struct step *step, struct storage *storage)
{
    const struct step_sizes *sizes = &step->sizes;

    step_scratch_storage(&step->scratch, scratch_size(sizes), sizes->threads, storage);
    encode_storage(&step->encoder, sizes, storage);
    criteria_storage(&step->criteria, sizes, storage);
    lists_storage(&step->lists, sizes, storage);
    residuals_storage(&step->residuals, sizes, storage);
    loss_storage(&step->penalty, &step->errors, sizes, storage);
    gradients_storage(&step->gradients, sizes, storage);
    norms_storage(&step->norms, sizes, storage);
}

void step_make(struct step *step, MPI_Comm comm, const struct step_needs *needs)
{
    int ranks;

    MPI_Comm_size(comm, &ranks);
    *step = (struct step){ .sizes = step_sizes_of(needs, ranks, omp_get_max_threads()) };
    visit_storage(step, &(struct storage){ .action = STORAGE_ALLOCATE });
    square_make(&step->scratch.square, needs->precision);
}

void step_free(struct step *step)
{
    if (step->sizes.threads == 0)
        return;
    square_free(&step->scratch.square);
    visit_storage(step, &(struct storage){ .action = STORAGE_FREE });
    *step = (struct step){0};
}

int64_t step_bytes(const struct step_needs *needs, int ranks, int threads)
{
    struct step step = { .sizes = step_sizes_of(needs, ranks, threads) };
    struct storage storage = { .action = STORAGE_COUNT };

    visit_storage(&step, &storage);
    return storage.bytes;
}

/* ---- passes -------------------------------------------------------------------------- */

/* The lists of a pass, unless they are there.  Collective. */
static void list_pass(struct step *step, const struct training *training, const struct batch *batch,
                      struct pass pass)
{
    if (step->lists.pass.number != pass.number)
        encode(training, batch, pass, &step->encoder, &step->scratch, &step->criteria,
               &step->lists);
}

/* Does decode() begin the dot products of backpropagate()? */
static bool begins_dots(const struct training *training, struct pass pass)
{
    return pass.count == 1 && agree_is_root(training->comm);
}

/* Does it make all of them?  Other ranks add theirs, and dense products are made by block. */
static bool dots_are_complete(const struct step *step, const struct training *training,
                              int64_t passes)
{
    return passes == 1 && step->sizes.ranks == 1 && !dense_is_used(training);
}

/* The first sweep: list all latents, pass by pass, and make the residuals.  Collective. */
static void reconstruct(struct step *step, const struct training *training,
                        const struct batch *batch, int64_t passes)
{
    struct step_timer *timer = &step->scratch.timer;
    double since = omp_get_wtime();

    if (!training->architecture->unit_decoder)
        norms_of_decoder(&step->norms, training, step->penalty.decoder_norms);
    step_timer_part(timer, PART_DECODE, 1, since);
    for (int64_t p = 0; p < passes; p++) {
        const struct pass pass = { p, passes };
        list_pass(step, training, batch, pass);
        since = omp_get_wtime();
        loss_count(&step->penalty, training, &step->lists);
        if (p == 0)
            residuals_begin(&step->residuals, training, step->criteria.auxiliary_decoded,
                            dots_are_complete(step, training, passes));
        since = step_timer_part(timer, PART_SCAN, 1, since);
        decode(training, batch, &step->lists, &step->scratch, &step->residuals,
               begins_dots(training, pass) ? step->gradients.dots : NULL);
        step_timer_part(timer, PART_DECODE, 1, since);
    }
}

/* The gradients of a pass's latents, unless they are there.  Collective. */
static void backpropagate_pass(struct step *step, const struct training *training,
                               const struct batch *batch, struct pass pass)
{
    list_pass(step, training, batch, pass);
    if (step->gradients.pass.number != pass.number)
        backpropagate(training, &step->criteria, &step->penalty, &step->lists, &step->residuals,
                      begins_dots(training, pass), &step->scratch, &step->gradients);
}

/* Pass number i of another sweep, which begins with the pass whose lists are in memory: the first
 * or the last one. */
static struct pass pass_again(bool backwards, int64_t i, int64_t passes)
{
    return (struct pass){ backwards ? passes - 1 - i : i, passes };
}

/* The factor of all gradients: another sweep.  Collective. */
static double find_factor(struct step *step, const struct training *training,
                          const struct weight_sources *sources, int64_t passes)
{
    const bool backwards = step->lists.pass.number > 0;
    double squares = 0;

    if (!(training->recipe.train.clip > 0))
        return 1;
    for (int64_t i = 0; i < passes; i++) {
        backpropagate_pass(step, training, sources->batch, pass_again(backwards, i, passes));
        clip_add_squares(sources, &step->norms, &squares);
    }
    backpropagate_decoder_bias(training, &step->errors, &step->gradients);
    return clip_factor(sources, &step->norms, squares);
}

/* The last sweep: move everything.  Collective. */
static void move(struct step *step, struct training *training, const struct batch *batch,
                 int64_t passes)
{
    const struct weight_sources sources = { training, batch, &step->residuals, &step->gradients,
                                            &step->scratch };
    struct step_timer *timer = &step->scratch.timer;

    step->gradients.factor = 1;
    step->gradients.factor = find_factor(step, training, &sources, passes);
    const bool backwards = step->lists.pass.number > 0;
    for (int64_t i = 0; i < passes; i++) {
        backpropagate_pass(step, training, batch, pass_again(backwards, i, passes));
        const double since = omp_get_wtime();
        clip_entries(training, &step->gradients);
        update_weights(training, &sources, &step->norms);
        step_timer_part(timer, PART_UPDATE, 1, since);
    }
    double since = omp_get_wtime();
    backpropagate_decoder_bias(training, &step->errors, &step->gradients);
    clip_vectors(training, &step->gradients);
    since = step_timer_part(timer, PART_LATENTS, 1, since);
    update_rest(training, &sources, &step->norms);
    if (training->architecture->settle != NULL)
        training->architecture->settle(training, &step->criteria, &step->lists.rows,
                                       &step->gradients);
    step_timer_part(timer, PART_UPDATE, 1, since);
}

/* ---- all of it ----------------------------------------------------------------------- */

static void count_rows_since_active(struct training *training, const int32_t *fired)
{
    for (int32_t i = 0; i < training->latents; i++)
        if (fired[i] > 0)
            training->rows_since_active[i] = 0;
        else
            training->rows_since_active[i] += training->batch;
}

enum status step_run(struct step *step, struct training *training, const struct packed_rows *x,
                     const struct packed_rows *target, struct step_report *report)
{
    const struct batch batch = { training->batch, x, target };
    const int64_t passes = pass_count(training);

    step->lists.pass.number = step->gradients.pass.number = -1;
    loss_begin(&step->penalty, training);
    reconstruct(step, training, &batch, passes);
    const double since = omp_get_wtime();
    loss_sum_errors(&step->errors, training, &step->criteria, &step->residuals);
    loss_find(&step->penalty, training, &step->errors, report);
    step_timer_part(&step->scratch.timer, PART_EXCHANGE, 1, since);
    if (!isfinite(report->loss))
        return refuse(E_NUMERIC, "the loss of step %lld is not finite", (long long)report->step);
    move(step, training, &batch, passes);
    count_rows_since_active(training, step->penalty.fired);
    report->dead = training_dead(training);
    training->density = (report->l0 + report->near) / training->latents;
    training->step++;
    return OK;
}
