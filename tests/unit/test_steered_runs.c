/* Runs of a small model with a vector added to its stream, against its definition: each text alone,
 * sums in double, the next token by hand. */
#include "base/blas_core.h"
#include "base/random.h"
#include "circuit_scene.h"
#include "intervene/steered_writing.h"

enum { TEXTS = 3, LATENTS = 3, ADDED = 4 };

static const struct tap TAP = { SITE_RES, 1 }, READ = { SITE_RES, 2 };

/* A model, a vector, and an autoencoder whose latents are active everywhere. */
struct bench {
    struct scene scene;
    struct sae   sae;
    float       *vector;
    struct steering steering;
};

static float noise(uint64_t i)
{
    return 2 * random_uniform(3, 77, i) - 1;
}

static void bench_open(struct bench *b)
{
    scene_set_up(&b->scene, TEXTS, "method: ioi");
    const int32_t width = b->scene.config.width;
    sae_make(&b->sae, width, width, LATENTS);
    for (int32_t i = 0; i < LATENTS * width; i++)
        b->sae.encoder[i] = noise((uint64_t)i);
    for (int32_t i = 0; i < LATENTS; i++)
        b->sae.encoder_bias[i] = 200;
    b->vector = allocate(width, sizeof *b->vector);
    for (int32_t k = 0; k < width; k++)
        b->vector[k] = noise(10000 + (uint64_t)k) / sqrtf((float)width);
    b->steering = (struct steering){ b->vector, 40 };
}

static void bench_close(struct bench *b)
{
    free(b->vector);
    sae_free(&b->sae);
    scene_tear_down(&b->scene);
}

static struct steered_runs_setup setup_of(const struct bench *b, struct tap read)
{
    return (struct steered_runs_setup){
        .weights = &b->scene.weights, .texts = &b->scene.prompts, .sae = &b->sae, .tap = TAP,
        .read = read, .bos = 2047, .block = 2,
    };
}

/* --- by definition ---------------------------------------------------------------------- */

/* Bring some ids to the place where vectors are added, and add one. */
static void start(struct forward *forward, const struct bench *b, const int32_t *ids,
                  int64_t count, double scale)
{
    forward_make(forward, &b->scene.weights, 1, count);
    assert_int_equal(forward_start(forward, ids, 1), OK);
    forward_to(forward, TAP);
    for (int64_t r = 0; r < count; r++)
        for (int32_t k = 0; k < forward->width; k++)
            forward->values[r * forward->width + k] += (float)scale * b->vector[k];
}

/* Add up latents over the rows that are no BOS. */
static int64_t add_latents(double sum[LATENTS], const struct bench *b, const float *values,
                           const int32_t *ids, int64_t count)
{
    const int32_t width = b->scene.config.width;
    int64_t rows = 0;

    for (int64_t r = 0; r < count; r++) {
        if (ids[r] == 2047)
            continue;
        for (int i = 0; i < LATENTS; i++) {
            sum[i] += (double)b->sae.encoder_bias[i];
            for (int32_t k = 0; k < width; k++)
                sum[i] += (double)values[r * width + k] * (double)b->sae.encoder[i * width + k];
        }
        rows++;
    }
    return rows;
}

static void find_latents(double mean[LATENTS], const struct bench *b, const struct prompts *texts,
                         double scale)
{
    int64_t rows = 0;

    memset(mean, 0, LATENTS * sizeof *mean);
    for (int64_t p = 0; p < texts->count; p++) {
        const int32_t *ids = texts->clean + p * texts->tokens;
        struct forward forward;
        start(&forward, b, ids, texts->length[p], scale);
        forward_to(&forward, READ);
        rows += add_latents(mean, b, forward.values, ids, texts->length[p]);
        forward_free(&forward);
    }
    for (int i = 0; i < LATENTS; i++)
        mean[i] /= (double)rows;
}

/* Logits of all rows after some ids.  Caller frees. */
static float *find_logits(const struct bench *b, const int32_t *ids, int64_t count, double scale)
{
    float *logits = allocate(count * b->scene.config.outputs, sizeof *logits);
    struct forward forward;
    struct head head;

    start(&forward, b, ids, count, scale);
    forward_to(&forward, forward_end(&forward));
    head_make(&head, &b->scene.weights);
    head_logits(&head, logits, forward.values, count);
    head_free(&head);
    forward_free(&forward);
    return logits;
}

static double loss_of(const float *logits, int32_t outputs, int32_t next)
{
    double sum = 0;

    for (int32_t w = 0; w < outputs; w++)
        sum += exp((double)logits[w]);
    return log(sum) - (double)logits[next];
}

static double find_loss(const struct bench *b, double scale)
{
    const struct prompts *texts = &b->scene.prompts;
    const int32_t outputs = b->scene.config.outputs;
    double sum = 0, tokens = 0;

    for (int64_t p = 0; p < texts->count; p++) {
        const int32_t *ids = texts->clean + p * texts->tokens;
        float *logits = find_logits(b, ids, texts->length[p], scale);
        for (int64_t t = 0; t + 1 < texts->length[p]; t++) {
            sum += loss_of(logits + t * outputs, outputs, ids[t + 1]);
            tokens++;
        }
        free(logits);
    }
    return sum / tokens;
}

/* --- claims ----------------------------------------------------------------------------- */

/* Whether or not rows are kept, and again after a vector. */
static void a_vector_is_added_to_every_row(void **state)
{
    struct bench b;
    struct steered_runs runs;
    double mean[LATENTS], expected[LATENTS], loss;

    (void)state;
    bench_open(&b);
    const struct steered_runs_setup setup = setup_of(&b, READ);
    steered_runs_make(&runs, &setup);
    for (int kept = 0; kept < 2; kept++) {
        for (double scale = b.steering.scale; scale >= 0; scale -= b.steering.scale) {
            const struct steering steering = { b.vector, scale };
            find_latents(expected, &b, &b.scene.prompts, scale);
            assert_int_equal(steered_runs_latents(&runs, steering, mean), OK);
            for (int i = 0; i < LATENTS; i++)
                assert_true(fabs(mean[i] - expected[i]) < 1e-3);
            assert_int_equal(steered_runs_loss(&runs, steering, &loss), OK);
            assert_true(fabs(loss - find_loss(&b, scale)) < 1e-4);
        }
        if (!kept)
            assert_int_equal(steered_runs_keep(&runs), OK);
    }
    steered_runs_free(&runs);
    bench_close(&b);
}

/* Latents that are active everywhere and read where it is added: the effect is scale * v . e. */
static void an_effect_where_a_vector_is_added_is_the_vector_itself(void **state)
{
    struct bench b;
    struct steered_runs runs;
    double mean[LATENTS], before[LATENTS];

    (void)state;
    bench_open(&b);
    const int32_t width = b.scene.config.width;
    const struct steered_runs_setup setup = setup_of(&b, TAP);
    steered_runs_make(&runs, &setup);
    assert_int_equal(steered_runs_latents(&runs, (struct steering){0}, before), OK);
    assert_int_equal(steered_runs_latents(&runs, b.steering, mean), OK);
    for (int i = 0; i < LATENTS; i++) {
        double expected = 0;
        for (int32_t k = 0; k < width; k++)
            expected += b.steering.scale * (double)b.vector[k]
                        * (double)b.sae.encoder[i * width + k];
        assert_true(fabs(mean[i] - before[i] - expected) < 1e-3);
    }
    steered_runs_free(&runs);
    bench_close(&b);
}

static int32_t best(const float *logits, int32_t outputs)
{
    int32_t most = 0;

    for (int32_t w = 0; w < outputs; w++)
        if (logits[w] > logits[most])
            most = w;
    return most;
}

/* Continue a prompt by hand with the most probable tokens. */
static void check_completion(const struct bench *b, const struct completion *completion,
                             double scale)
{
    const int32_t outputs = b->scene.config.outputs;
    int32_t ids[TOKENS + ADDED];
    int64_t count = completion->prompt_tokens;

    assert_int_equal(completion->count, ADDED);
    memcpy(ids, completion->prompt, (size_t)count * sizeof *ids);
    for (int t = 0; t < ADDED; t++, count++) {
        float *logits = find_logits(b, ids, count, scale);
        ids[count] = best(logits + (count - 1) * outputs, outputs);
        free(logits);
        assert_int_equal(completion->ids[t], ids[count]);
    }
}

/* Written with the vector, read without it; ten times as often without one, and then other
 * things. */
static void writes_with_a_vector_and_reads_without_it(void **state)
{
    struct bench b;
    struct steered_writing writing;
    double mean[LATENTS], expected[LATENTS];
    int32_t steered[ADDED];

    (void)state;
    bench_open(&b);
    const struct steering strong = { b.vector, 400 };
    const struct steered_writing_setup setup = {
        .runs = setup_of(&b, READ), .sampling = { .temperature = 0, .top_p = 1 }, .samples = 1,
        .tokens = ADDED, .end = -1,
    };
    steered_writing_make(&writing, &setup);
    assert_int_equal(steered_writing_write(&writing, strong), OK);
    assert_int_equal(writing.written.count, TEXTS);
    for (int p = 0; p < TEXTS; p += 2)
        check_completion(&b, &writing.list[p], strong.scale);
    memcpy(steered, writing.list[0].ids, sizeof steered);
    assert_int_equal(steered_writing_latents(&writing, mean), OK);
    find_latents(expected, &b, &writing.written, 0);
    for (int i = 0; i < LATENTS; i++)
        assert_true(fabs(mean[i] - expected[i]) < 1e-3);

    assert_int_equal(steered_writing_write(&writing, (struct steering){0}), OK);
    assert_int_equal(writing.written.count, 10 * TEXTS);
    check_completion(&b, &writing.list[10], 0);
    assert_memory_not_equal(steered, writing.list[0].ids, sizeof steered);
    steered_writing_free(&writing);
    bench_close(&b);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vector_is_added_to_every_row),
        cmocka_unit_test(an_effect_where_a_vector_is_added_is_the_vector_itself),
        cmocka_unit_test(writes_with_a_vector_and_reads_without_it),
    };

    blas_core_settle(argv);
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, make_scratch, remove_scratch);
    MPI_Finalize();
    return failed;
}
