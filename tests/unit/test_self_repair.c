/* Self-repair: direct effects against golden data, shares of planted backup heads by hand. */
#include "base/allocate.h"
#include "heads/self_repair.h"
#include "tests/handmade.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* --- a model with two backup heads ------------------------------------------------------- */

/* Values of the stream: logit of token 1, logit of token 2, "I am BOS". */
enum { ONE, TWO, BOS, WIDTH };
enum { HEADS = 2, TOKENS = 3 };

static const float MOVED = 3, BACKUP[HEADS] = { 1.5f, 0.5f }, SHARP = 40;

/* Head 0.0 writes MOVED to the logit of token 1 everywhere; head 0.1 writes nothing.  Heads of
 * layer 1 write BACKUP to it for what they attend to, unless that is BOS: and they attend to BOS
 * where head 0.0 has written, since their query is SHARP (2 stream / MOVED - 1) and their key says
 * BOS. */
static void plant(struct weights *weights)
{
    const struct lm_config c = {
        .vocabulary = TOKENS, .outputs = TOKENS, .width = WIDTH, .layers = 2, .heads = HEADS,
        .kv_heads = HEADS, .head_width = 1, .positions = 2, .learned_positions = true,
        .bias = { .qkv = true }, .activation = ACTIVATION_RELU, .embedding_scale = 1,
        .score_scale = 1, .bos = -1, .eos = -1, .pad = -1,
    };
    float qkv[2][3 * HEADS * WIDTH] = {{0}}, out[2][WIDTH * HEADS] = {{0}};

    weights_make(weights, &c, PRECISION_F32, MPI_COMM_SELF);
    weights->final_norm = (struct norm_weights){0};
    memset(weights->embedding, 0, TOKENS * WIDTH * sizeof(float));
    memset(weights->unembedding, 0, TOKENS * WIDTH * sizeof(float));
    memset(weights->positions, 0, 2 * WIDTH * sizeof(float));
    for (int layer = 0; layer < 2; layer++)
        memset(weights->layers[layer].qkv_bias, 0, 3 * HEADS * sizeof(float));
    weights->embedding[0 * WIDTH + BOS] = 1;
    weights->unembedding[1 * WIDTH + ONE] = weights->unembedding[2 * WIDTH + TWO] = 1;
    weights->layers[0].qkv_bias[2 * HEADS] = 1;
    out[0][ONE * HEADS] = MOVED;
    for (int h = 0; h < HEADS; h++) {
        qkv[1][h * WIDTH + ONE] = 2 * SHARP / MOVED;
        weights->layers[1].qkv_bias[h] = -SHARP;
        qkv[1][(HEADS + h) * WIDTH + BOS] = 1;
        qkv[1][(2 * HEADS + h) * WIDTH + BOS] = -1;
        weights->layers[1].qkv_bias[2 * HEADS + h] = 1;
        out[1][ONE * HEADS + h] = BACKUP[h];
    }
    for (int layer = 0; layer < 2; layer++) {
        handmade_pack(&weights->layers[layer].qkv, qkv[layer]);
        handmade_pack(&weights->layers[layer].attn_out, out[layer]);
    }
}

/* The sums of one prompt: BOS, token 2; token 1 is right. */
static void add_planted(double *sums, const struct weights *weights, const bool *ablated,
                        const float *mean)
{
    const int32_t ids[] = { 0, 2 };
    const struct self_repair_prompt prompt = { .ids = ids, .end = 1, .right = 1, .wrong = 2 };
    struct unembedding unembedding;
    struct self_repair repair;

    unembedding_make(&unembedding, weights, true);
    self_repair_make(&repair, &(struct self_repair_job){ .weights = weights,
                                                         .unembedding = &unembedding,
                                                         .context = 2,
                                                         .ablated = ablated,
                                                         .mean = mean });
    memset(sums, 0, (SELF_REPAIR_HEADS + 2 * HEADS) * sizeof *sums);
    assert_int_equal(self_repair_add(&repair, sums, &prompt), OK);
    self_repair_free(&repair);
    unembedding_free(&unembedding);
}

static void check_near(double value, double want)
{
    assert_true(fabs(value - want) < 1e-5);
}

static void backup_heads_have_the_shares_that_were_planted(void **state)
{
    const bool ablated[2 * HEADS] = { true };
    double sums[SELF_REPAIR_HEADS + 2 * HEADS];
    struct weights weights;

    (void)state;
    plant(&weights);
    add_planted(sums, &weights, ablated, NULL);
    check_near(sums[SELF_REPAIR_CLEAN], 3);
    check_near(sums[SELF_REPAIR_ABLATED], 2);
    check_near(sums[SELF_REPAIR_PREDICTED], 3);
    check_near(self_repair_total(sums), 2);
    check_near(self_repair_share(sums, 0), -1.5);   /* what was ablated */
    check_near(self_repair_share(sums, 1), 0);
    check_near(self_repair_share(sums, 2), 0.75);
    check_near(self_repair_share(sums, 3), 0.25);
    weights_free(&weights);
}

/* Half of the mover is left: the backups, whose scores are then 0, attend to both tokens alike. */
static void heads_can_be_ablated_to_a_mean(void **state)
{
    const bool ablated[2 * HEADS] = { true };
    const float mean[2 * 2 * HEADS] = { 0.5f, 0, 0.5f, 0 };
    double sums[SELF_REPAIR_HEADS + 2 * HEADS];
    struct weights weights;

    (void)state;
    plant(&weights);
    add_planted(sums, &weights, ablated, mean);
    check_near(sums[SELF_REPAIR_PREDICTED], 1.5);
    check_near(sums[SELF_REPAIR_ABLATED], 1.5 + 1);
    check_near(self_repair_total(sums), 1);
    check_near(self_repair_share(sums, 2), 0.75);
    weights_free(&weights);
}

/* --- the trained model ------------------------------------------------------------------- */

enum { PROMPTS = 12, LENGTH = 20, ALL = 32 };

/* A data set of the golden file.  Caller frees. */
static float *golden(const char *name, int64_t count)
{
    hid_t file;

    assert_int_equal(h5_open(&file, "tests/golden/circuits/direct_effects.h5"), OK);
    float *values = handmade_floats(file, name, count);
    H5Fclose(file);
    return values;
}

/* With one head ablated to 0, the predicted drop is the head's direct effect. */
static void check_head(struct self_repair *repair, bool *ablated, int head, const float *tokens,
                       const float *effects)
{
    float *length = golden("length", PROMPTS), *ld = golden("ld", PROMPTS);
    float *io = golden("io", PROMPTS), *s = golden("s", PROMPTS);
    int32_t ids[LENGTH];

    memset(ablated, 0, ALL * sizeof *ablated);
    ablated[head] = true;
    for (int p = 0; p < PROMPTS; p++) {
        double sums[SELF_REPAIR_HEADS + ALL] = {0};
        for (int i = 0; i < LENGTH; i++)
            ids[i] = (int32_t)tokens[p * LENGTH + i];
        const struct self_repair_prompt prompt = { .ids = ids, .end = (int64_t)length[p] - 1,
                                                   .right = (int32_t)io[p],
                                                   .wrong = (int32_t)s[p] };
        assert_int_equal(self_repair_add(repair, sums, &prompt), OK);
        assert_true(fabs(sums[SELF_REPAIR_CLEAN] - (double)ld[p]) < 5e-5);
        assert_true(fabs(sums[SELF_REPAIR_PREDICTED] - (double)effects[p * ALL + head]) < 5e-5);
    }
    free(s);
    free(io);
    free(ld);
    free(length);
}

static void direct_effects_agree_with_the_reference(void **state)
{
    float *tokens = golden("tokens", PROMPTS * LENGTH);
    float *effects = golden("dla_head", PROMPTS * ALL);
    bool ablated[ALL];
    struct weights weights;
    struct unembedding unembedding;
    struct self_repair repair;
    struct lm_config config;

    (void)state;
    assert_int_equal(config_read(&config, "jobs/circuits/tiny-gpt2"), OK);
    assert_int_equal(weights_read(&weights, &config, PRECISION_F32, "jobs/circuits/tiny-gpt2",
                                  MPI_COMM_SELF), OK);
    unembedding_make(&unembedding, &weights, true);
    self_repair_make(&repair, &(struct self_repair_job){ .weights = &weights,
                                                         .unembedding = &unembedding,
                                                         .context = LENGTH,
                                                         .ablated = ablated });
    for (int head = 3; head < ALL; head += 14)
        check_head(&repair, ablated, head, tokens, effects);
    self_repair_free(&repair);
    unembedding_free(&unembedding);
    weights_free(&weights);
    free(effects);
    free(tokens);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backup_heads_have_the_shares_that_were_planted),
        cmocka_unit_test(heads_can_be_ablated_to_a_mean),
        cmocka_unit_test(direct_effects_agree_with_the_reference),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
