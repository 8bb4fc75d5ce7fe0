/* Copy suppression: ranks and CSPA against golden data, against a hand-made head and by hand. */
#include "base/random.h"
#include "heads/copy_ranks.h"
#include "heads/copy_suppression.h"
#include "tests/handmade.h"
#include "tests/sanitized.h"

#include <jansson.h>
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MODEL "jobs/circuits/tiny-gpt2"
#define GOLDEN "tests/golden/circuits/cspa"

enum { LAYERS = 4, HEADS = 8, WIDTH = 128, VOCABULARY = 2048, CONTEXT = 48 };

static void read_model(struct weights *weights)
{
    struct lm_config config;

    assert_int_equal(config_read(&config, MODEL), OK);
    assert_int_equal(weights_read(weights, &config, PRECISION_F32, MODEL, MPI_COMM_SELF), OK);
}

/* A data set of numbers or of ids of the golden file.  Caller frees. */
static float *golden_floats(const char *name, int64_t count)
{
    hid_t file;

    assert_int_equal(h5_open(&file, GOLDEN ".h5"), OK);
    float *values = handmade_floats(file, name, count);
    H5Fclose(file);
    return values;
}

static int32_t *golden_ids(const char *name, int64_t *rows)
{
    int64_t context;
    hid_t file;

    assert_int_equal(h5_open(&file, GOLDEN ".h5"), OK);
    int32_t *ids = handmade_ids(file, name, rows, &context);
    assert_int_equal(context, CONTEXT);
    H5Fclose(file);
    return ids;
}

/* --- ranks ----------------------------------------------------------------------------- */

/* Ranks of one head in EVERY are compared. */
enum { EVERY = SANITIZED(11, 1), RANKED = (LAYERS * HEADS + EVERY - 1) / EVERY * VOCABULARY };

/* All but a few in a thousand ranks are the golden ones, and those are near. */
static void check_ranks(struct copy_ranks *ranks, enum copy_ranks_kind kind, const char *name)
{
    float *want = golden_floats(name, LAYERS * HEADS * VOCABULARY);
    int32_t *rank = allocate(VOCABULARY, sizeof *rank);
    int64_t differ = 0, places = 0;

    for (int head = 0; head < LAYERS * HEADS; head += EVERY) {
        copy_ranks_of(ranks, rank, kind, head / HEADS, head % HEADS,
                      (struct range){ 0, VOCABULARY });
        for (int64_t t = 0; t < VOCABULARY; t++) {
            const int64_t off = llabs((long long)want[head * VOCABULARY + t] - rank[t]);
            differ += off > 0;
            places = off > places ? off : places;
        }
    }
    printf("    %s: %lld of %d ranks differ, by %lld at most\n", name, (long long)differ,
           RANKED, (long long)places);
    assert_true(differ < RANKED / 200 && places <= 5);
    free(rank);
    free(want);
}

static void ranks_agree_with_the_reference(void **state)
{
    struct weights weights;
    struct unembedding unembedding;
    struct copy_ranks ranks;

    (void)state;
    read_model(&weights);
    assert_int_equal(copy_ranks_check(&weights, COPY_RANKS_QK), OK);
    unembedding_make(&unembedding, &weights, true);
    copy_ranks_make(&ranks, &weights, &unembedding);
    check_ranks(&ranks, COPY_RANKS_OV, "ov_rank");
    check_ranks(&ranks, COPY_RANKS_QK, "qk_rank");
    copy_ranks_free(&ranks);
    unembedding_free(&unembedding);
    weights_free(&weights);
}

/* Ranges of tokens and numbers of threads change nothing. */
static void ranks_do_not_depend_on_how_they_are_divided(void **state)
{
    struct weights weights;
    struct unembedding unembedding;
    struct copy_ranks ranks;
    int32_t whole[VOCABULARY], part[VOCABULARY];

    (void)state;
    read_model(&weights);
    unembedding_make(&unembedding, &weights, true);
    omp_set_num_threads(3);
    copy_ranks_make(&ranks, &weights, &unembedding);
    for (int kind = 0; kind < 2; kind++) {
        omp_set_num_threads(1);
        copy_ranks_of(&ranks, whole, (enum copy_ranks_kind)kind, 2, 4,
                      (struct range){ 0, VOCABULARY });
        omp_set_num_threads(3);
        copy_ranks_of(&ranks, part, (enum copy_ranks_kind)kind, 2, 4, (struct range){ 0, 768 });
        copy_ranks_of(&ranks, part + 768, (enum copy_ranks_kind)kind, 2, 4,
                      (struct range){ 768, VOCABULARY });
        assert_memory_equal(whole, part, sizeof whole);
    }
    copy_ranks_free(&ranks);
    unembedding_free(&unembedding);
    weights_free(&weights);
}

/* The hand-made head lowers each token most of all by attending to it, and finds it best. */
static void the_hand_made_head_has_ranks_0(void **state)
{
    const hid_t file = handmade_open("copy_suppression");
    struct weights weights;
    struct unembedding unembedding;
    struct copy_ranks ranks;
    int32_t rank[8];

    (void)state;
    handmade_make(&weights, file);
    unembedding_make(&unembedding, &weights, false);
    copy_ranks_make(&ranks, &weights, &unembedding);
    for (int kind = 0; kind < 2; kind++) {
        copy_ranks_of(&ranks, rank, (enum copy_ranks_kind)kind, 1, 0, (struct range){ 0, 8 });
        for (int t = 0; t < 8; t++)
            assert_int_equal(rank[t], 0);
    }
    /* Head 0.0 copies: it raises token pi(t), all others are level with t. */
    copy_ranks_of(&ranks, rank, COPY_RANKS_OV, 0, 0, (struct range){ 0, 8 });
    for (int t = 0; t < 8; t++)
        assert_int_equal(rank[t], 0);
    copy_ranks_free(&ranks);
    unembedding_free(&unembedding);
    weights_free(&weights);
    H5Fclose(file);
}

/* The divergences of heads `first` to `end` - 1. */
static enum status add_heads(struct copy_suppression *cspa, double *sums, const int32_t *ids,
                             int64_t first, int64_t end)
{
    int64_t head[128];

    assert_true(end - first <= 128);
    for (int64_t h = first; h < end; h++)
        head[h - first] = h;
    return copy_suppression_add(cspa, sums, ids, head, end - first);
}

/* --- CSPA of the trained model --------------------------------------------------------- */

/* In the order of the golden `kl`. */
static const struct copy_suppression_variant VARIANTS[] = {
    { .share = 0.05 },
    { .share = 0.2 },
    { .share = 1 },
    { .share = 0.05, .whole = true },
};

enum { COUNT = sizeof VARIANTS / sizeof *VARIANTS, SUMS = COPY_SUPPRESSION_VARIANTS + COUNT };

/* Heads whose scores are compared: those of layers 1 and 2, or 2.4 and 2.5. */
enum { FIRST = SANITIZED(2 * HEADS + 4, HEADS), END = SANITIZED(2 * HEADS + 6, 3 * HEADS) };

/* The trained model, its means, and the reference's list of function words, for all tests. */
static struct trained {
    struct weights     weights;
    struct unembedding unembedding;
    json_t            *json;
    bool               function_word[VOCABULARY];
    float             *mean;
} trained;

static void find_means(struct trained *t)
{
    const int64_t count = LAYERS * CONTEXT * WIDTH;
    const struct copy_suppression_job job = { .weights = &t->weights,
                                              .unembedding = &t->unembedding,
                                              .context = CONTEXT };
    double *sums = allocate(count, sizeof *sums);
    struct copy_suppression cspa;
    int64_t rows;

    int32_t *ids = golden_ids("mean_tokens", &rows);
    copy_suppression_make(&cspa, &job);
    for (int64_t r = 0; r < rows; r++)
        assert_int_equal(copy_suppression_add_means(&cspa, sums, ids + r * CONTEXT), OK);
    t->mean = allocate(count, sizeof *t->mean);
    for (int64_t i = 0; i < count; i++)
        t->mean[i] = (float)(sums[i] / (double)rows);
    copy_suppression_free(&cspa);
    free(ids);
    free(sums);
}

static int set_up(void **state)
{
    struct trained *t = &trained;
    json_t *id;
    size_t i;

    (void)state;
    read_model(&t->weights);
    unembedding_make(&t->unembedding, &t->weights, true);
    t->json = json_load_file(GOLDEN ".json", 0, NULL);
    json_array_foreach(json_object_get(t->json, "function_word_ids"), i, id)
        t->function_word[json_integer_value(id)] = true;
    find_means(t);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(trained.mean);
    json_decref(trained.json);
    unembedding_free(&trained.unembedding);
    weights_free(&trained.weights);
    return 0;
}

static struct copy_suppression_job job_of(const struct trained *t)
{
    return (struct copy_suppression_job){
        .weights = &t->weights, .unembedding = &t->unembedding, .context = CONTEXT,
        .variants = VARIANTS, .count = COUNT, .function_word = t->function_word, .mean = t->mean,
    };
}

/* The mean output of each head of layer 2 is the reference's. */
static void means_agree_with_the_reference(void **state)
{
    (void)state;
    float *want = golden_floats("mean_result_layer_2", CONTEXT * HEADS * WIDTH);
    const float *out = linear_matrix(&trained.weights.layers[2].attn_out);
    for (int64_t i = 0; i < CONTEXT * HEADS * WIDTH; i++) {
        const int64_t position = i / (HEADS * WIDTH), head = i / WIDTH % HEADS;
        const float *z = trained.mean + (2 * CONTEXT + position) * WIDTH + head * 16;
        double sum = 0;
        for (int k = 0; k < 16; k++)
            sum += (double)z[k] * (double)out[i % WIDTH * WIDTH + head * 16 + k];
        assert_true(fabs(sum - (double)want[i]) < 1e-5);
    }
    free(want);
}

/* Sums of the heads of layers 1 and 2 over all rows.  Caller frees. */
static double *run(const struct trained *t, int64_t *rows)
{
    const struct copy_suppression_job job = job_of(t);
    double *sums = allocate((END - FIRST) * SUMS * CONTEXT, sizeof *sums);
    struct copy_suppression cspa;
    int32_t *ids = golden_ids("tokens", rows);

    copy_suppression_make(&cspa, &job);
    for (int64_t r = 0; r < *rows; r++)
        assert_int_equal(add_heads(&cspa, sums, ids + r * CONTEXT, FIRST, END), OK);
    copy_suppression_free(&cspa);
    free(ids);
    return sums;
}

static double golden_number(const struct trained *t, int head, const char *name)
{
    return json_number_value(json_object_get(json_array_get(json_object_get(t->json, "heads"),
                                                            (size_t)head), name));
}

/* The divergences of a head by position, in the order of the golden file: the variants, then the
 * mean.  How large is the largest difference, relative to what is allowed?
 *   sums [SUMS, CONTEXT]  of the head
 *   want [COUNT + 1, CONTEXT] */
static double check_divergences(const double *sums, const float *want, int64_t rows)
{
    double worst = 0;

    for (int64_t i = 0; i < (COUNT + 1) * CONTEXT; i++) {
        const int64_t kind = i / CONTEXT;
        const int64_t at = kind < COUNT ? COPY_SUPPRESSION_VARIANTS + kind : COPY_SUPPRESSION_MEAN;
        const double kl = sums[at * CONTEXT + i % CONTEXT] / (double)rows;
        worst = fmax(worst, fabs(kl - (double)want[i]) / (1e-5 + 1e-4 * (double)want[i]));
    }
    return worst;
}

/* The same of the mean with the head ablated to 0. */
static double check_zero(const struct trained *t, const double *sums, int head, int64_t rows)
{
    const double want = golden_number(t, head, "kl_zero_ablated");
    double zero = 0;

    for (int i = 0; i < CONTEXT; i++)
        zero += sums[COPY_SUPPRESSION_ZERO * CONTEXT + i] / (double)(rows * CONTEXT);
    return fabs(zero - want) / (1e-5 + 1e-4 * want);
}

static void scores_agree_with_the_reference(void **state)
{
    static const char *const NAMES[] = { "cspa_0.05", "cspa_0.2", "cspa_ov_only",
                                         "cspa_qk_only_0.05" };
    const int64_t of_head = (COUNT + 1) * CONTEXT;
    float *kl = golden_floats("kl", LAYERS * HEADS * of_head);
    const struct trained *t = &trained;
    double worst = 0, kl_off = 0;
    int64_t rows;

    (void)state;
    double *sums = run(t, &rows);
    for (int head = FIRST; head < END; head++) {
        const double *own = sums + (head - FIRST) * SUMS * CONTEXT;
        kl_off = fmax(kl_off, check_divergences(own, kl + head * of_head, rows));
        kl_off = fmax(kl_off, check_zero(t, own, head, rows));
        for (int v = 0; golden_number(t, head, "kl_mean_ablated") > 1e-3 && v < COUNT; v++)
            worst = fmax(worst, fabs(copy_suppression_score(own, v, CONTEXT)
                                     - golden_number(t, head, NAMES[v])));
    }
    printf("    scores differ by %.2g at most, KL by %.2g of what is allowed\n", worst, kl_off);
    assert_true(worst < 1e-3 && kl_off < 1);
    free(sums);
    free(kl);
}

/* A range of heads gives what all heads give, on any number of threads, to the bit. */
static void sums_do_not_depend_on_how_heads_are_divided(void **state)
{
    const int64_t count = 12 * SUMS * CONTEXT;
    double *one = allocate(count, sizeof *one), *many = allocate(count, sizeof *many);
    struct copy_suppression cspa;
    int64_t rows;

    (void)state;
    int32_t *ids = golden_ids("tokens", &rows);
    const struct copy_suppression_job job = job_of(&trained);
    omp_set_num_threads(3);
    copy_suppression_make(&cspa, &job);
    omp_set_num_threads(1);
    assert_int_equal(add_heads(&cspa, one, ids, 14, 26), OK);
    omp_set_num_threads(3);
    for (int64_t h = 14; h < 26; h += 4)
        assert_int_equal(add_heads(&cspa, many + (h - 14) * SUMS * CONTEXT, ids, h, h + 4), OK);
    assert_memory_equal(one, many, (size_t)count * sizeof *one);
    copy_suppression_free(&cspa);
    free(ids);
    free(many);
    free(one);
}

/* --- the hand-made head ---------------------------------------------------------------- */

/* Give head 1.0 the weights of a variant, and say what it keeps: "5%", "2", "all". */
static struct copy_suppression_variant take_variant(struct weights *weights, hid_t file,
                                                    const json_t *row)
{
    const char *keep = json_string_value(json_object_get(row, "keep"));
    char query[HANDMADE_NAME], out[HANDMADE_NAME], group[HANDMADE_NAME - 8];

    snprintf(group, sizeof group, "variants/eps_%.1f_scale_%.1f",
             json_real_value(json_object_get(row, "eps")),
             json_real_value(json_object_get(row, "scale")));
    snprintf(query, sizeof query, "%s/W_Q", group);
    snprintf(out, sizeof out, "%s/W_O", group);
    handmade_pack_qkv(&weights->layers[1], &weights->config, file,
                      (const char *const[]){ query, "model/layers/1/W_K", "model/layers/1/W_V" });
    handmade_pack_transposed(&weights->layers[1].attn_out, file, out);
    if (strcmp(keep, "all") == 0)
        return (struct copy_suppression_variant){ .share = 1 };
    if (strcmp(keep, "5%") == 0)
        return (struct copy_suppression_variant){ .share = 0.05 };
    return (struct copy_suppression_variant){ .tokens = atoi(keep) };
}

/* The sums of head 1.0 over all rows; its mean is 0.
 *   sums [COPY_SUPPRESSION_VARIANTS + 1, 8]  out */
static void run_handmade(double *sums, const struct weights *weights, hid_t file,
                         const struct copy_suppression_variant *variant)
{
    struct unembedding unembedding;
    struct copy_suppression cspa;
    int64_t rows, context;

    int32_t *ids = handmade_ids(file, "tokens", &rows, &context);
    assert_int_equal(unembedding_check(weights), OK);
    unembedding_make(&unembedding, weights, false);
    const struct copy_suppression_job job = { .weights = weights, .unembedding = &unembedding,
                                              .context = context, .variants = variant,
                                              .count = 1 };
    copy_suppression_make(&cspa, &job);
    memset(sums, 0, (size_t)(3 * context) * sizeof *sums);
    for (int64_t r = 0; r < rows; r++)
        assert_int_equal(add_heads(&cspa, sums, ids + r * context, 1, 2), OK);
    copy_suppression_free(&cspa);
    unembedding_free(&unembedding);
    free(ids);
}

static void the_hand_made_head_has_the_golden_scores(void **state)
{
    const hid_t file = handmade_open("copy_suppression");
    double sums[3 * 8];
    struct weights weights;
    char *text;
    json_t *row;
    size_t i;

    (void)state;
    handmade_make(&weights, file);
    text = handmade_text(file, "table");
    json_t *table = json_loads(text, 0, NULL);
    assert_int_equal(json_array_size(table), 32);
    json_array_foreach(table, i, row) {
        const struct copy_suppression_variant variant = take_variant(&weights, file, row);
        run_handmade(sums, &weights, file, &variant);
        assert_true(fabs(copy_suppression_score(sums, 0, 8)
                         - json_real_value(json_object_get(row, "score"))) < 2e-5);
        double ablated = 0;
        for (int t = 0; t < 8; t++)
            ablated += sums[COPY_SUPPRESSION_MEAN * 8 + t] / (12 * 8);
        assert_true(fabs(ablated - json_real_value(json_object_get(row, "kl_ablated"))) < 2e-6);
    }
    json_decref(table);
    free(text);
    weights_free(&weights);
    H5Fclose(file);
}

/* A head that raises what was predicted and seen keeps nothing. */
static void a_copying_head_scores_0(void **state)
{
    const hid_t file = handmade_open("copy_suppression");
    const struct copy_suppression_variant all = { .share = 1 };
    double sums[3 * 8];
    struct weights weights;

    (void)state;
    handmade_make(&weights, file);
    float *out = (float *)weights.layers[1].attn_out.weights;
    for (int64_t i = 0; i < weights.config.width * 8; i++)
        out[i] = -out[i];
    run_handmade(sums, &weights, file, &all);
    assert_true(copy_suppression_score(sums, 0, 8) == 0);
    weights_free(&weights);
    H5Fclose(file);
}

/* --- other families ----------------------------------------------------------------------- */

/* Models with grouped heads, windows, soft-caps, norms after attention, norms of queries and keys,
 * and attention next to the MLP. */
static const char *const FAMILIES[] = {
    "tests/golden/gemma2-random", "tests/golden/gpt-neox-random", "tests/golden/olmo2-random",
    "tests/golden/qwen3-random", "tests/golden/mistral-random",
};

enum { SHORT = 24 };

/* Nothing survives; everything does, as a whole. */
static const struct copy_suppression_variant EXTREMES[] = { { .share = 0 },
                                                            { .share = 1, .whole = true } };

/* The sums [heads, COPY_SUPPRESSION_VARIANTS + 2, SHORT] of some tokens, the mean being anything.
 * Caller frees. */
static double *run_extremes(const struct weights *weights, bool centred)
{
    const struct lm_config *c = &weights->config;
    const int64_t heads = c->layers * c->heads, means = heads * SHORT * c->head_width;
    float *mean = allocate(means, sizeof *mean);
    double *sums = allocate(heads * 4 * SHORT, sizeof *sums);
    struct unembedding unembedding;
    struct copy_suppression cspa;
    int32_t ids[SHORT];

    for (int64_t i = 0; i < means; i++)
        mean[i] = random_uniform(1, 0, (uint64_t)i) - 0.5f;
    for (int i = 0; i < SHORT; i++)
        ids[i] = 7 * i * i % c->vocabulary;
    const struct copy_suppression_job job = { .weights = weights, .unembedding = &unembedding,
                                              .context = SHORT, .variants = EXTREMES,
                                              .count = 2, .mean = mean };
    unembedding_make(&unembedding, weights, centred);
    copy_suppression_make(&cspa, &job);
    assert_int_equal(add_heads(&cspa, sums, ids, 0, heads), OK);
    copy_suppression_free(&cspa);
    unembedding_free(&unembedding);
    free(mean);
    return sums;
}

/* Where all is kept the model is as it was; where nothing is, the head is ablated.  Centring the
 * directions changes nothing. */
static void check_family(const char *folder)
{
    struct lm_config config;
    struct weights weights;
    double largest = 0;

    assert_int_equal(config_read(&config, folder), OK);
    assert_int_equal(weights_read(&weights, &config, PRECISION_F32, folder, MPI_COMM_SELF), OK);
    double *sums = run_extremes(&weights, true), *raw = run_extremes(&weights, false);
    for (int64_t i = 0; i < config.layers * config.heads * SHORT; i++) {
        const int64_t at = i / SHORT * 4 * SHORT + i % SHORT;
        assert_true(sums[at + 2 * SHORT] == sums[at + COPY_SUPPRESSION_MEAN * SHORT]);
        assert_true(fabs(sums[at + 3 * SHORT]) < 2e-6);
        for (int kind = 0; kind < 2; kind++)
            assert_true(fabs(sums[at + kind * SHORT] - raw[at + kind * SHORT]) < 5e-6);
        largest = fmax(largest, sums[at]);
    }
    assert_true(largest > 1e-3);
    free(raw);
    free(sums);
    weights_free(&weights);
}

static void every_family_keeps_all_or_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof FAMILIES / sizeof *FAMILIES; i++)
        check_family(FAMILIES[i]);
}

/* What the heads of the last layer write adds up to what attention adds to the stream, a norm after
 * attention included. */
static void check_sum_of_heads(const char *folder)
{
    struct lm_config c;
    struct weights weights;
    struct unembedding unembedding;
    struct copy_suppression cspa;
    struct forward forward;
    int32_t ids[SHORT];

    for (int i = 0; i < SHORT; i++)
        ids[i] = 7 * i * i % 100;
    assert_int_equal(config_read(&c, folder), OK);
    assert_true(c.post_norms && !c.bias.attn_out);
    assert_int_equal(weights_read(&weights, &c, PRECISION_F32, folder, MPI_COMM_SELF), OK);
    const int64_t count = SHORT * c.width, last = (c.layers - 1) * c.heads;
    double *sum = allocate(count, sizeof *sum), sums[2 * SHORT];
    unembedding_make(&unembedding, &weights, true);
    const struct copy_suppression_job job = { .weights = &weights, .unembedding = &unembedding,
                                              .context = SHORT };
    copy_suppression_make(&cspa, &job);
    for (int64_t h = last; h < last + c.heads; h++) {
        assert_int_equal(add_heads(&cspa, sums, ids, h, h + 1), OK);
        for (int64_t i = 0; i < count; i++)
            sum[i] += (double)cspa.own[i];
    }
    forward_make(&forward, &weights, 1, SHORT);
    assert_int_equal(forward_start(&forward, ids, 1), OK);
    forward_to(&forward, (struct tap){ .site = SITE_MLP_IN, .layer = c.layers - 1 });
    for (int64_t i = 0; i < count; i++)
        assert_true(fabs(sum[i] - (double)forward.branch[i]) < 1e-5);
    forward_free(&forward);
    copy_suppression_free(&cspa);
    unembedding_free(&unembedding);
    weights_free(&weights);
    free(sum);
}

static void heads_add_up_to_what_attention_adds(void **state)
{
    (void)state;
    check_sum_of_heads("tests/golden/gemma2-random");
    check_sum_of_heads("tests/golden/olmo2-random");
}

static void refuses_ranks_of_normed_queries(void **state)
{
    const char *folder = "tests/golden/qwen3-random";
    struct lm_config config;
    struct weights weights;

    (void)state;
    assert_int_equal(config_read(&config, folder), OK);
    assert_int_equal(weights_read(&weights, &config, PRECISION_F32, folder, MPI_COMM_SELF), OK);
    assert_int_equal(copy_ranks_check(&weights, COPY_RANKS_OV), OK);
    refuse_clear();
    assert_int_equal(copy_ranks_check(&weights, COPY_RANKS_QK), E_USAGE);
    assert_non_null(strstr(refuse_reason(), "normalises its queries"));
    refuse_clear();
    weights_free(&weights);
}

static void refuses_models_whose_logits_are_not_of_tokens(void **state)
{
    const hid_t file = handmade_open("x_proportion");
    struct weights weights;

    (void)state;
    handmade_make(&weights, file);
    refuse_clear();
    assert_int_equal(unembedding_check(&weights), E_USAGE);
    assert_non_null(strstr(refuse_reason(), "1 logits for 4 token ids"));
    refuse_clear();
    weights_free(&weights);
    H5Fclose(file);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_agree_with_the_reference),
        cmocka_unit_test(ranks_do_not_depend_on_how_they_are_divided),
        cmocka_unit_test(the_hand_made_head_has_ranks_0),
        cmocka_unit_test(means_agree_with_the_reference),
        cmocka_unit_test(scores_agree_with_the_reference),
        cmocka_unit_test(sums_do_not_depend_on_how_heads_are_divided),
        cmocka_unit_test(the_hand_made_head_has_the_golden_scores),
        cmocka_unit_test(a_copying_head_scores_0),
        cmocka_unit_test(every_family_keeps_all_or_nothing),
        cmocka_unit_test(heads_add_up_to_what_attention_adds),
        cmocka_unit_test(refuses_ranks_of_normed_queries),
        cmocka_unit_test(refuses_models_whose_logits_are_not_of_tokens),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, set_up, tear_down);
    MPI_Finalize();
    return failed;
}
