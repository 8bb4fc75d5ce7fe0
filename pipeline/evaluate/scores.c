#include "evaluate/scores.h"
#include "base/allocate.h"
#include "base/checksum.h"
#include "base/die.h"
#include "base/file.h"
#include "base/json_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- sums ---------------------------------------------------------------------------- */

int scores_sums_span(int64_t position)
{
    int span = 0;

    while (position >> (span + 1) != 0)
        span++;
    return span;
}

static int64_t width_of(const struct score_sums *sums)
{
    return MODEL_SUMS + (int64_t)sums->saes * SAE_SUMS;
}

void scores_sums_make(struct score_sums *sums, int64_t context, int saes)
{
    *sums = (struct score_sums){ .context = context, .spans = scores_sums_span(context - 1) + 1,
                                 .saes = saes };
    sums->count = sums->spans * width_of(sums);
    sums->values = allocate(sums->count, sizeof *sums->values);
}

void scores_sums_free(struct score_sums *sums)
{
    free(sums->values);
    *sums = (struct score_sums){0};
}

double *scores_sums_of_model(const struct score_sums *sums, int span)
{
    return sums->values + span * width_of(sums);
}

double *scores_sums_of_sae(const struct score_sums *sums, int span, int sae)
{
    return scores_sums_of_model(sums, span) + MODEL_SUMS + (int64_t)sae * SAE_SUMS;
}

/* --- scores -------------------------------------------------------------------------- */

/* Sums of the spans first <= span < end. */
struct total {
    double model[MODEL_SUMS];
    double sae[SAE_SUMS];
};

static struct total add_spans(const struct score_sums *sums, int sae, int first, int end)
{
    struct total total = {0};

    for (int span = first; span < end; span++) {
        for (int i = 0; i < MODEL_SUMS; i++)
            total.model[i] += scores_sums_of_model(sums, span)[i];
        for (int i = 0; i < SAE_SUMS; i++)
            total.sae[i] += scores_sums_of_sae(sums, span, sae)[i];
    }
    return total;
}

static void put(json_t *scores, const char *name, double value)
{
    json_object_set_new(scores, name, isfinite(value) ? json_real(value) : json_null());
}

static void put_count(json_t *scores, const char *name, double value)
{
    json_object_set_new(scores, name, json_integer((json_int_t)value));
}

/* What is said of a span as of the whole. */
static void put_common(json_t *scores, const struct total *t)
{
    const double rows = t->model[MODEL_ROWS], predictions = t->model[MODEL_PREDICTIONS];

    put_count(scores, "tokens", rows);
    put_count(scores, "predictions", predictions);
    put(scores, "ce", t->model[MODEL_LOSS] / predictions);
    put(scores, "ce_spliced", t->sae[SAE_LOSS] / predictions);
    put(scores, "delta_loss", (t->sae[SAE_LOSS] - t->model[MODEL_LOSS]) / predictions);
    put(scores, "kl", t->sae[SAE_KL] / rows);
    put(scores, "l0", t->sae[SAE_L0] / rows);
    put(scores, "l1", t->sae[SAE_L1] / rows);
    put(scores, "mse", t->sae[SAE_ERROR] / rows);
    put(scores, "fvu", t->sae[SAE_ERROR] / t->model[MODEL_VARIANCE]);
    put(scores, "cosine", t->sae[SAE_COSINE] / rows);
    put(scores, "gamma", t->sae[SAE_Y_SQUARE] / t->sae[SAE_DOT]);
    put(scores, "l2_ratio", t->sae[SAE_L2_RATIO] / rows);
}

static void put_ablations(json_t *scores, const struct total *t)
{
    const double n = t->model[MODEL_PREDICTIONS], loss = t->model[MODEL_LOSS];
    const double zero = t->model[MODEL_LOSS_ZERO], mean = t->model[MODEL_LOSS_MEAN];

    put(scores, "ce_zero", zero / n);
    put(scores, "ce_mean", mean / n);
    put(scores, "loss_recovered_zero", (zero - t->sae[SAE_LOSS]) / (zero - loss));
    put(scores, "loss_recovered_mean", (mean - t->sae[SAE_LOSS]) / (mean - loss));
}

static json_t *by_position(const struct score_sums *sums, int sae)
{
    json_t *list = json_array();

    for (int span = 0; span < sums->spans; span++) {
        const struct total total = add_spans(sums, sae, span, span + 1);
        const int64_t last = ((int64_t)2 << span) - 1;
        json_t *scores = json_object();

        put_count(scores, "first", span == 0 ? 0 : (double)((int64_t)1 << span));
        put_count(scores, "last", (double)(last < sums->context ? last : sums->context - 1));
        put_common(scores, &total);
        json_array_append_new(list, scores);
    }
    return list;
}

/* How many latents are active on which share of the rows: edges are powers of ten, four a
 * decade, from the least share that can be, one row, to all. */
static json_t *frequency_histogram(const int64_t *fired, int32_t latents, double rows)
{
    enum { BINS_PER_DECADE = 4, BINS_MOST = 1 + 19 * BINS_PER_DECADE };
    const int bins = (int)ceil(log10(rows > 1 ? rows : 2) * BINS_PER_DECADE);
    int64_t counts[BINS_MOST] = {0};
    json_t *edges = json_array(), *list = json_array();

    for (int32_t i = 0; i < latents; i++) {
        const double place = log10((double)fired[i] / rows) * BINS_PER_DECADE + bins;
        if (fired[i] > 0)
            counts[place < bins ? (int)place : bins - 1]++;
    }
    for (int i = 0; i <= bins; i++)
        json_array_append_new(edges, json_real((double)(i - bins) / BINS_PER_DECADE));
    for (int i = 0; i < bins; i++)
        json_array_append_new(list, json_integer(counts[i]));
    return json_pack("{s:o, s:o}", "edges", edges, "counts", list);
}

static void put_latents(json_t *scores, const int64_t *fired, int32_t latents, double rows)
{
    int64_t never = 0, dense = 0;

    for (int32_t i = 0; i < latents; i++) {
        never += fired[i] == 0;
        dense += (double)fired[i] > 0.1 * rows;
    }
    json_object_set_new(scores, "width", json_integer(latents));
    json_object_set_new(scores, "never_active", json_integer(never));
    json_object_set_new(scores, "dense_above_10_percent", json_integer(dense));
    json_object_set_new(scores, "frequency_histogram", frequency_histogram(fired, latents, rows));
}

json_t *scores_json(const struct score_sums *sums, int sae, struct tap tap,
                    const int64_t *fired, int32_t latents)
{
    const struct total total = add_spans(sums, sae, 0, sums->spans);
    json_t *scores = json_object();

    json_object_set_new(scores, "site", json_string(site_name(tap.site)));
    json_object_set_new(scores, "layer", json_integer(tap.layer));
    json_object_set_new(scores, "context", json_integer(sums->context));
    put_common(scores, &total);
    put_ablations(scores, &total);
    put_latents(scores, fired, latents, total.model[MODEL_ROWS]);
    json_object_set_new(scores, "by_position", by_position(sums, sae));
    return scores;
}

void scores_tell_identity(json_t *scores, const struct identity *identity)
{
    char hash[32];

    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)identity->hash);
    json_object_set_new(scores, "place", json_string(identity->place));
    json_object_set_new(scores, "identity", json_string(hash));
}

enum status scores_check_identity(const json_t *scores, const char *path,
                                  const struct identity *wanted)
{
    const char *place = json_string_value(json_object_get(scores, "place"));
    const char *hash = json_string_value(json_object_get(scores, "identity"));
    enum status st;

    REQUIRE(place != NULL && hash != NULL, E_FORMAT, "the scores %s do not say what they were made "
            "from, as those of an earlier version; remove the file and run evaluate again", path);
    TRY(identity_compare(path, place, strtoull(hash, NULL, 16), NULL, wanted));
done:
    return st;
}

char *scores_text(const json_t *scores)
{
    char *object = json_dumps(scores, JSON_INDENT(1) | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    char *text;

    if (object == NULL)
        die("no memory for the text of scores");
    text = checksum_json(object);
    free(object);
    return text;
}

enum status scores_write(const json_t *scores, const char *path)
{
    char *text = scores_text(scores);
    const enum status st = file_write(path, text, (int64_t)strlen(text));

    free(text);
    return st;
}

enum status scores_read(json_t **scores, const char *path)
{
    return json_file_read_checked(scores, path);
}
