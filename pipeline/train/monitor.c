#include "train/monitor.h"
#include "step/architecture.h"

#include <math.h>
#include <stdio.h>

/* Thresholds of the warnings. */
static const double FAR = 0.2;          /* |L0 - target| / target */
static const double MANY_DEAD = 0.1;    /* share of the latents */
static const double HARDLY = 0.1;       /* mean change of thresholds / their first value */
static const double EXPLODED = 100;     /* mean squared error / its lowest value, or 1 */

enum { LOOKS = 20 };    /* times that a training is checked for warnings */

static double dead_share(const struct member *member)
{
    return (double)member->last.dead / member->task->width;
}

void monitor_text(const struct trainings *trainings, char *text, size_t size)
{
    size_t n = 0;

    text[0] = '\0';
    for (int i = 0; i < trainings->count && n < size; i++) {
        const struct member *member = &trainings->members[i];
        const struct step_report *last = &member->last;
        if (last->loss > 0)
            n += (size_t)snprintf(text + n, size - n,
                                  "%s%s loss %.4g, FVU %.3f, L0 %.1f, dead %.1f %%",
                                  n > 0 ? "; " : "", member->task->name, last->loss,
                                  last->mse / trainings_target(trainings, member)->variance,
                                  last->l0, 100 * dead_share(member));
    }
}

enum status monitor_check_loss(const struct trainings *trainings, struct member *member,
                               enum status st)
{
    double *lowest = &member->training.lowest_mse;

    if (*lowest == 0 || member->last.mse < *lowest)
        *lowest = member->last.mse;
    /* An autoencoder that gives 0 has the error 1, the mean square of normalised rows. */
    if (st == OK && member->last.mse <= EXPLODED * fmax(*lowest, 1))
        return OK;
    refuse_clear();
    return refuse(E_NUMERIC, "%s %s: the loss of step %lld is %g, it has exploded; lower "
                  "train.learning_rate, or raise train.warmup, and remove the checkpoints to "
                  "begin again (they are kept as they were)", trainings->name, member->task->name,
                  (long long)member->last.step, member->last.loss);
}

/* Mean distance of the thresholds from their first value.  Collective. */
static double thresholds_moved(const struct training *training)
{
    const struct suite_train *train = &training->recipe.train;
    const float *trained = training->tensors[THRESHOLD].value;
    double sum = 0;

    for (int64_t i = 0; i < training_own_latents(training); i++)
        sum += fabs((train->threshold_form == THRESHOLD_LOG ? exp((double)trained[i])
                                                            : (double)trained[i])
                    - train->threshold);
    MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_DOUBLE, MPI_SUM, training->comm);
    return sum / training->latents;
}

/* The share of the last batch's pre-activations from which thresholds learnt: those within half a
 * bandwidth of their threshold, on either side.  Collective. */
static double share_in_window(const struct training *training)
{
    int64_t count = training->state.in_window;

    MPI_Allreduce(MPI_IN_PLACE, &count, 1, MPI_INT64_T, MPI_SUM, training->comm);
    return (double)count / ((double)training->batch * training->latents);
}

/* Each of these returns whether to warn; `text` then says what was seen, and the remedy. */

static bool l0_is_far(const struct trainings *trainings, const struct member *member, char *text,
                      size_t size)
{
    const double l0 = member->last.l0, target = member->recipe.target_l0;

    (void)trainings;
    snprintf(text, size, "L0 is %.1f where %g was asked for; %s", l0, target,
             ARCHITECTURES[member->recipe.architecture].keeps_k
             ? "fewer latents than that are above 0: lower train.learning_rate"
             : "train longer, or raise train.target_strength or train.learning_rate");
    return target > 0 && fabs(l0 / target - 1) > FAR;
}

static bool many_are_dead(const struct trainings *trainings, const struct member *member,
                          char *text, size_t size)
{
    (void)trainings;
    snprintf(text, size, "%.0f %% of the latents are dead; a %s, a lower train.learning_rate or a "
             "smaller width leaves fewer", 100 * dead_share(member),
             ARCHITECTURES[member->recipe.architecture].auxk ? "larger train.auxk"
                                               : "longer train.sparsity_warmup");
    return dead_share(member) > MANY_DEAD;
}

/* Collective. */
static bool thresholds_stay(const struct trainings *trainings, const struct member *member,
                            char *text, size_t size)
{
    (void)trainings;
    if (!ARCHITECTURES[member->recipe.architecture].trains_threshold)
        return false;
    const double first = member->recipe.train.threshold;
    const double moved = thresholds_moved(&member->training);
    snprintf(text, size, "the thresholds hardly move: by %.2g in the mean, from %.4g; %.2g %% of "
             "the pre-activations lie within half of train.bandwidth of them, and only what is so "
             "near moves them: raise train.bandwidth or train.learning_rate", moved, first,
             100 * share_in_window(&member->training));
    return moved < HARDLY * first;
}

static bool (*const REASONS[])(const struct trainings *, const struct member *, char *, size_t) = {
    l0_is_far, many_are_dead, thresholds_stay,
};
enum { REASONS_COUNT = sizeof REASONS / sizeof *REASONS };

void monitor_warn(struct run *run, const struct trainings *trainings, struct member *member)
{
    const struct recipe *recipe = &member->recipe;
    const int64_t step = member->training.step, each = split_blocks(recipe->steps, LOOKS);
    const bool last = step == recipe->steps;
    const bool warm = step > recipe->train.warmup && step > recipe->train.sparsity_warmup;
    char text[512];

    if (!last && (!warm || step % each != 0))
        return;
    for (int r = 0; r < REASONS_COUNT; r++) {
        const unsigned bit = 1u << r;
        if ((!last && (member->warned & bit) != 0)
            || !REASONS[r](trainings, member, text, sizeof text))
            continue;
        member->warned |= bit;
        run_warn(run, "%s %s, step %lld of %lld: %s", trainings->name, member->task->name,
                 (long long)step, (long long)recipe->steps, text);
    }
}
