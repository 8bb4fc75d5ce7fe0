#include "circuit/metric.h"
#include "kernels/entropy.h"

#include <math.h>
#include <string.h>

/* Sums over some ids. */
static double sum_logits(const float *logits, const int32_t *ids, int32_t count)
{
    double sum = 0;

    for (int32_t i = 0; i < count; i++)
        sum += (double)logits[ids[i]];
    return sum;
}

static double log_sum(const float *logits, int32_t outputs)
{
    float sum;

    entropy_log_sums(&sum, logits, 1, outputs);
    return (double)sum;
}

static double sum_probabilities(const float *logits, double total, const int32_t *ids,
                                int32_t count)
{
    double sum = 0;

    for (int32_t i = 0; i < count; i++)
        sum += exp((double)logits[ids[i]] - total);
    return sum;
}

/* gradient += weight * derivatives of the sum of these probabilities, which is `sum`. */
static void add_probabilities(float *gradient, double weight, double sum, const float *logits,
                              double total, const int32_t *ids, int32_t count, int32_t outputs)
{
    for (int32_t i = 0; i < outputs; i++)
        gradient[i] -= (float)(weight * sum * exp((double)logits[i] - total));
    for (int32_t i = 0; i < count; i++)
        gradient[ids[i]] += (float)(weight * exp((double)logits[ids[i]] - total));
}

/* The id whose logit is largest, or smallest if sign is -1. */
static int32_t extreme(const float *logits, const int32_t *ids, int32_t count, float sign)
{
    int32_t best = ids[0];

    for (int32_t i = 1; i < count; i++)
        if (sign * logits[ids[i]] > sign * logits[best])
            best = ids[i];
    return best;
}

/* --- values and gradients ---------------------------------------------------------------- */

static double kl(const struct question *q, const float *logits, const float *clean, int32_t outputs)
{
    const double of_run = log_sum(logits, outputs), of_clean = log_sum(clean, outputs);
    double sum = 0;

    (void)q;
    for (int32_t i = 0; i < outputs; i++) {
        const double log_p = (double)clean[i] - of_clean;
        sum += exp(log_p) * (log_p - ((double)logits[i] - of_run));
    }
    return sum;
}

static void kl_gradient(const struct question *q, float *gradient, const float *logits,
                        const float *clean, int32_t outputs)
{
    const double of_run = log_sum(logits, outputs), of_clean = log_sum(clean, outputs);

    (void)q;
    for (int32_t i = 0; i < outputs; i++)
        gradient[i] = (float)(exp((double)logits[i] - of_run) - exp((double)clean[i] - of_clean));
}

static double logit_difference(const struct question *q, const float *logits, const float *clean,
                               int32_t outputs)
{
    (void)clean, (void)outputs;
    return (q->wrongs == 0 ? 0 : sum_logits(logits, q->wrong, q->wrongs) / q->wrongs)
         - sum_logits(logits, q->answer, q->answers) / q->answers;
}

static void logit_difference_gradient(const struct question *q, float *gradient,
                                      const float *logits, const float *clean, int32_t outputs)
{
    (void)logits, (void)clean, (void)outputs;
    for (int32_t i = 0; i < q->wrongs; i++)
        gradient[q->wrong[i]] += 1.0f / (float)q->wrongs;
    for (int32_t i = 0; i < q->answers; i++)
        gradient[q->answer[i]] -= 1.0f / (float)q->answers;
}

static double loss(const struct question *q, const float *logits, const float *clean,
                   int32_t outputs)
{
    (void)clean;
    return -log(sum_probabilities(logits, log_sum(logits, outputs), q->answer, q->answers));
}

static void loss_gradient(const struct question *q, float *gradient, const float *logits,
                          const float *clean, int32_t outputs)
{
    const double total = log_sum(logits, outputs);
    const double sum = sum_probabilities(logits, total, q->answer, q->answers);

    (void)clean;
    add_probabilities(gradient, -1 / sum, sum, logits, total, q->answer, q->answers, outputs);
}

static double probability(const struct question *q, const float *logits, const float *clean,
                          int32_t outputs)
{
    const double total = log_sum(logits, outputs);

    (void)clean;
    return sum_probabilities(logits, total, q->wrong, q->wrongs)
         - sum_probabilities(logits, total, q->answer, q->answers);
}

static void probability_gradient(const struct question *q, float *gradient, const float *logits,
                                 const float *clean, int32_t outputs)
{
    const double total = log_sum(logits, outputs);

    (void)clean;
    add_probabilities(gradient, 1, sum_probabilities(logits, total, q->wrong, q->wrongs), logits,
                      total, q->wrong, q->wrongs, outputs);
    add_probabilities(gradient, -1, sum_probabilities(logits, total, q->answer, q->answers), logits,
                      total, q->answer, q->answers, outputs);
}

static double margin(const struct question *q, const float *logits, const float *clean,
                     int32_t outputs)
{
    (void)clean, (void)outputs;
    return (double)logits[extreme(logits, q->wrong, q->wrongs, 1)]
         - (double)logits[extreme(logits, q->answer, q->answers, -1)];
}

static void margin_gradient(const struct question *q, float *gradient, const float *logits,
                            const float *clean, int32_t outputs)
{
    (void)clean, (void)outputs;
    gradient[extreme(logits, q->wrong, q->wrongs, 1)] += 1;
    gradient[extreme(logits, q->answer, q->answers, -1)] -= 1;
}

static double square(const struct question *q, const float *logits, const float *clean,
                     int32_t outputs)
{
    double sum = 0;

    (void)q;
    for (int32_t i = 0; i < outputs; i++)
        sum += ((double)logits[i] - (double)clean[i]) * ((double)logits[i] - (double)clean[i]);
    return sum / outputs;
}

static void square_gradient(const struct question *q, float *gradient, const float *logits,
                            const float *clean, int32_t outputs)
{
    (void)q;
    for (int32_t i = 0; i < outputs; i++)
        gradient[i] = 2 * (logits[i] - clean[i]) / (float)outputs;
}

/* --- the table --------------------------------------------------------------------------- */

static const struct row {
    const char *name;
    bool        compares;       /* with the clean run */
    bool        wrong;          /* it needs wrong answers */
    double (*value)(const struct question *q, const float *logits, const float *clean,
                    int32_t outputs);
    void (*gradient)(const struct question *q, float *gradient, const float *logits,
                     const float *clean, int32_t outputs);
} ROWS[METRICS] = {
    [METRIC_KL] = { "kl", true, false, kl, kl_gradient },
    [METRIC_LOGIT_DIFFERENCE] = { "logit_difference", false, true, logit_difference,
                                  logit_difference_gradient },
    [METRIC_LOSS] = { "loss", false, false, loss, loss_gradient },
    [METRIC_PROBABILITY] = { "probability", false, true, probability, probability_gradient },
    [METRIC_MARGIN] = { "margin", false, true, margin, margin_gradient },
    [METRIC_SQUARE] = { "square", true, false, square, square_gradient },
};

const char *metric_name(enum circuit_metric metric)
{
    return ROWS[metric].name;
}

bool metric_compares(enum circuit_metric metric)
{
    return ROWS[metric].compares;
}

bool metric_needs_wrong(enum circuit_metric metric)
{
    return ROWS[metric].wrong;
}

double metric_value(enum circuit_metric metric, const struct question *question,
                    const float *logits, const float *clean, int32_t outputs)
{
    return ROWS[metric].value(question, logits, clean, outputs);
}

void metric_gradient(enum circuit_metric metric, const struct question *question, float *gradient,
                     const float *logits, const float *clean, int32_t outputs)
{
    memset(gradient, 0, (size_t)outputs * sizeof *gradient);
    ROWS[metric].gradient(question, gradient, logits, clean, outputs);
}
