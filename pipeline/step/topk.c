/* Autoencoders that keep a number of latents, not what is above a threshold:
 *
 *   p = ReLU(product + b_enc)      f = the k largest p of each row     (TopK, arXiv:2406.04093)
 *                                  f = the k B largest p of all       (BatchTopK, arXiv:2412.06410)
 *   dpi = G where active
 *
 * Matryoshka autoencoders (arXiv:2503.17547) activate as BatchTopK.  Both need a threshold when
 * training is over, since then there is no batch: the running mean of the least f of each batch.
 *
 * AuxK revives dead latents: of those, the `auxk_latents` largest p of each row, the entries
 * aside, reconstruct e = x - y, which counts as given:
 *
 *   loss += auxk mean |e - f_aside W_dec|^2 / mean |e - mean e|^2
 */
#include "step/architecture.h"
#include "step/decode.h"
#include "step/step.h"

#include <math.h>

/* Weight of a batch in the running mean of the least f. */
static const double CUT_SHARE = 0.01;

static void start(struct training *training)
{
    (void)training;
}

/* Values below this share of the least f of the last batches are not even listed; should that
 * leave out an f, the batch is listed again above a lower bar, which costs as much as a product.
 * So the bar falls at once and rises slowly.  It saves time and memory and changes no result. */
static const double BAR_SHARE = 0.9, BAR_RISE = 0.1;

/* Are there so many that more would be listed than may stay? */
static bool many_dead(const struct training *training)
{
    return training_dead(training) > 2 * training->recipe.train.auxk_latents;
}

/* What the entries of dead latents must exceed to be listed. */
static float bar_aside(const struct training *training, const struct workspace *w)
{
    return many_dead(training) ? w->bar[BAR_ASIDE] : 0;
}

/* Dead latents are listed aside, the others above infinity. */
static void prepare(const struct training *training, struct workspace *w)
{
    const struct recipe *recipe = &training->recipe;
    const int64_t first = training->own_latents.first;
    const float aside = bar_aside(training, w);

    for (int64_t i = 0; i < own_count(training); i++) {
        w->threshold[i] = w->bar[BAR_ACTIVE];
        w->gain[i] = 1;
        w->floor[i] = training->silent[first + i] >= recipe->train.dead_after ? aside : INFINITY;
    }
    w->aside_decoded = has_auxk(recipe) && training_dead(training) > 0;
}

static void scan(const struct training *training, const struct workspace *w, struct codes *piece,
                 const float *pre, int64_t rows, struct range own)
{
    const float *bias = training->tensors[ENCODER_BIAS].value + own.first;
    const struct two_lists lists = {
        .gain = w->gain + own.first,
        .bias = bias,
        .threshold = w->threshold + own.first,
        .gate = bias,
        .floor = w->floor + own.first,
    };

    if (w->aside_decoded)
        codes_scan_two(piece, pre, &lists, (int32_t)(training->own_latents.first + own.first),
                       rows, own.end - own.first);
    else
        scan_active(training, w, piece, pre, rows, own);
}

/* The cuts that leave k entries of each row, from start to end. */
static void cut_to(struct cut *cuts, const struct codes *codes, const int32_t *start,
                   const int32_t *end, int64_t k)
{
    #pragma omp parallel for
    for (int64_t row = 0; row < codes->groups; row++)
        cuts[row] = select_largest(codes->value, start + row, end + row, 1, k);
}

/* Has some row fewer entries than k, from start to end? */
static bool some_lack(const struct codes *codes, const int32_t *start, const int32_t *end,
                      int64_t k)
{
    for (int64_t row = 0; row < codes->groups; row++)
        if (end[row] - start[row] < k)
            return true;
    return false;
}

static unsigned high_if(bool high, int bar)
{
    return high ? 1u << bar : 0;
}

/* Of the entries aside, if there are any, the largest of each row stay. */
static unsigned cut_aside(const struct training *training, struct workspace *w,
                          const struct codes *codes, int64_t first)
{
    const int64_t k = training->recipe.train.auxk_latents;
    const int32_t *start = codes->middle, *end = codes->start + 1;

    if (!w->aside_decoded) {
        select_all(w->aside_cuts + first, codes->groups);
        return 0;
    }
    cut_to(w->aside_cuts + first, codes, start, end, k);
    return high_if(bar_aside(training, w) > 0 && some_lack(codes, start, end, k), BAR_ASIDE);
}

static int64_t k_of(const struct training *training)
{
    return llround(training->recipe.target_l0);
}

/* TopK: of the active ones, too. */
static unsigned cut_rows(const struct training *training, struct workspace *w,
                         const struct codes *codes, int64_t first)
{
    const int64_t k = k_of(training);

    cut_to(w->active_cuts + first, codes, codes->start, codes->middle, k);
    return high_if(w->bar[BAR_ACTIVE] > 0 && some_lack(codes, codes->start, codes->middle, k),
                   BAR_ACTIVE)
           | cut_aside(training, w, codes, first);
}

/* BatchTopK: of the active ones the largest of all rows stay. */
static unsigned cut_rows_aside(const struct training *training, struct workspace *w,
                               const struct codes *codes, int64_t first)
{
    select_all(w->active_cuts + first, codes->groups);
    return cut_aside(training, w, codes, first);
}

static unsigned cut_batch(const struct training *training, struct workspace *w,
                          const struct codes *codes)
{
    const int64_t rows = codes->groups, k = k_of(training) * rows;
    const struct cut cut = select_largest(codes->value, codes->start, codes->middle, rows, k);
    int64_t actives = 0;

    select_each(w->active_cuts, cut, codes->value, codes->start, codes->middle, rows);
    select_all(w->aside_cuts, rows);
    for (int64_t row = 0; row < rows; row++)
        actives += codes->middle[row] - codes->start[row];
    return high_if(w->bar[BAR_ACTIVE] > 0 && actives < k, BAR_ACTIVE);
}

/* mean |e - mean e|^2 = mean |e|^2 - |mean e|^2. */
static double variance_of_rest(const struct training *training, const struct workspace *w)
{
    double square = 0;

    for (int64_t j = 0; j < training->outputs; j++)
        square += pow(w->column_sums[j] / (double)w->batch, 2);
    return w->square_sums[0] / (double)w->batch - square;
}

static void penalise(const struct training *training, struct workspace *w,
                     struct step_report *report)
{
    const double variance = variance_of_rest(training, w);

    report->threshold = 0;      /* the bar is none */
    if (!w->aside_decoded || !(variance > 0)) {
        w->aside_scale = 0;
        return;
    }
    report->auxiliary = training->recipe.train.auxk * w->square_sums[1] / (double)w->batch
                        / variance;
    w->aside_scale = 2 * training->recipe.train.auxk / ((double)w->batch * variance);
}

/* The running cut takes the threshold's place in the report. */
static void penalise_by_batch(const struct training *training, struct workspace *w,
                              struct step_report *report)
{
    penalise(training, w, report);
    report->threshold = training->cut;
}

static void differentiate(const struct training *training, struct workspace *w, int64_t latent)
{
    const struct codes *codes = w->columns;
    const int64_t own = own_place(training, latent), middle = codes->middle[latent];
    const float scale = (float)residual_scale(training, w), aside = (float)w->aside_scale;
    double bias = 0, along = 0;

    for (int64_t k = codes->start[latent]; k < codes->start[latent + 1]; k++) {
        const float by_residual = k < middle ? scale : aside;
        const float value = codes->value[k], g = by_residual * w->gradient[k];
        w->gradient[k] = g;
        codes->value[k] = by_residual * value;
        bias += (double)g;
        along += (double)value * (double)g;
    }
    w->along[latent] = along;
    if (own < 0)
        return;
    w->input_sum[own] = bias;
    w->vector_gradient[0][own] = (float)bias;
}

static float least_of(const struct codes *codes, const int32_t *start, const int32_t *end)
{
    float least = INFINITY;

    for (int64_t row = 0; row < codes->groups; row++)
        for (int64_t k = start[row]; k < end[row]; k++)
            least = fminf(least, codes->value[k]);
    return least;
}

/* The next bar, where `least` was the least that stayed. */
static void move_bar(double *bar, double least)
{
    const double next = BAR_SHARE * least;
    const bool rises = *bar >= 0 && next > *bar;

    *bar = rises ? *bar + BAR_RISE * (next - *bar) : next;
}

/* If some row has fewer entries aside than may stay there is nothing to leave out; but what was
 * found while few were dead says nothing of more. */
static void settle_aside(struct training *training, const struct workspace *w)
{
    const struct codes *rows = w->rows;
    const int32_t *start = rows->middle, *end = rows->start + 1;

    if (!w->aside_decoded || !many_dead(training))
        return;
    const bool all = some_lack(rows, start, end, training->recipe.train.auxk_latents);
    move_bar(&training->bar[BAR_ASIDE], all ? 0 : (double)least_of(rows, start, end));
}

static void settle(struct training *training, const struct workspace *w)
{
    const float least = least_of(w->rows, w->rows->start, w->rows->middle);

    settle_aside(training, w);
    if (isinf(least)) {
        training->bar[BAR_ACTIVE] = -1;
        return;
    }
    move_bar(&training->bar[BAR_ACTIVE], (double)least);
    training->cut += (training->step == 0 ? 1 : CUT_SHARE) * ((double)least - training->cut);
}

static void infer_cut(const struct training *training, float *gain, float *bias, float *threshold)
{
    infer_plain(training, gain, bias, threshold);
    for (int64_t i = 0; i < own_count(training); i++)
        threshold[i] = (float)training->cut;
}

/* What the three have in common. */
#define KEEPS_A_NUMBER                                                                            \
    .vectors = { "encoder_bias" }, .centred = true, .unit_decoder = true, .decoder_norm = 1,      \
    .start = start, .prepare = prepare, .differentiate = differentiate, .settle = settle

const struct architecture TOPK = {
    KEEPS_A_NUMBER,
    .traits = &ARCHITECTURES[ARCHITECTURE_TOPK],
    .aside = ASIDE_REST,
    .scan = scan,
    .cut_rows = cut_rows,
    .penalise = penalise,
    .infer = infer_plain,
};

const struct architecture BATCH_TOPK = {
    KEEPS_A_NUMBER,
    .traits = &ARCHITECTURES[ARCHITECTURE_BATCH_TOPK],
    .aside = ASIDE_REST,
    .scan = scan,
    .cut_rows = cut_rows_aside,
    .cut_batch = cut_batch,
    .penalise = penalise_by_batch,
    .infer = infer_cut,
};

/* The recipe has no AuxK for it. */
const struct architecture MATRYOSHKA = {
    KEEPS_A_NUMBER,
    .traits = &ARCHITECTURES[ARCHITECTURE_MATRYOSHKA],
    .aside = ASIDE_NEAR,
    .scan = scan_active,
    .cut_rows = cut_rows_aside,
    .cut_batch = cut_batch,
    .penalise = penalise_by_batch,
    .infer = infer_cut,
};
