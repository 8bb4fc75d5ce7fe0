/* Successor heads: scores against golden data, and what was planted: digits, classes, indices. */
#include "base/random.h"
#include "heads/effective.h"
#include "heads/successor.h"
#include "tests/handmade.h"
#include "tests/unit/scratch.h"

#include <jansson.h>
#include <math.h>
#include <omp.h>

#define MODEL "jobs/circuits/tiny-gpt2"

/* --- the trained model -------------------------------------------------------------------- */

struct trained {
    struct weights     weights;
    struct unembedding unembedding;
    struct ordinals    ordinals;
    json_t            *json;
};

static void read_ordinals(struct ordinals *ordinals, const char *path)
{
    struct tokenizer tokenizer;

    assert_int_equal(tokenizer_open(&tokenizer, MODEL "/tokenizer.json"), OK);
    assert_int_equal(ordinals_read(ordinals, path, &tokenizer), OK);
    tokenizer_close(&tokenizer);
}

static void set_up(struct trained *t)
{
    struct lm_config config;

    assert_int_equal(config_read(&config, MODEL), OK);
    assert_int_equal(weights_read(&t->weights, &config, PRECISION_F32, MODEL, MPI_COMM_SELF), OK);
    unembedding_make(&t->unembedding, &t->weights, true);
    read_ordinals(&t->ordinals, "jobs/circuits/ordinals.json");
    t->json = json_load_file("tests/golden/circuits/successor.json", 0, NULL);
    assert_non_null(t->json);
}

static void tear_down(struct trained *t)
{
    json_decref(t->json);
    ordinals_free(&t->ordinals);
    unembedding_free(&t->unembedding);
    weights_free(&t->weights);
}

static void the_classes_have_the_golden_ids(void **state)
{
    struct trained t;

    (void)state;
    set_up(&t);
    const json_t *classes = json_object_get(t.json, "classes");
    assert_int_equal(t.ordinals.count, json_object_size(classes));
    for (int32_t k = 0; k < t.ordinals.count; k++) {
        const struct ordinal_class *class = &t.ordinals.classes[k];
        const json_t *want = json_object_get(classes, class->name);
        const json_t *ids = json_object_get(want, "ids");
        assert_int_equal(class->count, json_array_size(ids));
        assert_int_equal(class->length, class->count);
        assert_true(class->cyclic == json_is_true(json_object_get(want, "cyclic")));
        for (int32_t i = 0; i < class->count; i++)
            assert_int_equal(class->id[i], json_integer_value(json_array_get(ids, (size_t)i)));
    }
    tear_down(&t);
}

/* All heads' scores in one class, each token being what `kind` says. */
static void check_scores(const struct trained *t, const struct ordinal_class *class,
                         enum effective_kind kind, const char *name)
{
    float *x = allocate(class->count * 128, sizeof *x);
    int32_t *answer = allocate(class->count, sizeof *answer);
    char key[64];

    snprintf(key, sizeof key, "%s.%s", name, class->name);
    effective_embeddings(x, &t->weights, kind, class->id, class->count);
    for (int head = 0; head < 32; head++) {
        const json_t *want = json_array_get(json_object_get(t->json, "heads"), (size_t)head);
        successor_answers(answer, &t->weights, &t->unembedding, class, x, class->count, head / 8,
                          head % 8);
        assert_true(fabs(successor_score(answer, class)
                         - json_number_value(json_object_get(want, key))) < 1e-12);
    }
    free(answer);
    free(x);
}

static void scores_are_the_golden_ones(void **state)
{
    struct trained t;

    (void)state;
    set_up(&t);
    for (int32_t k = 0; k < t.ordinals.count; k++) {
        check_scores(&t, &t.ordinals.classes[k], EFFECTIVE_MLP, "mlp0");
        check_scores(&t, &t.ordinals.classes[k], EFFECTIVE_BOTH, "embed_plus_mlp0");
        check_scores(&t, &t.ordinals.classes[k], EFFECTIVE_EMBEDDING, "embed");
    }
    tear_down(&t);
}

/* --- files of classes --------------------------------------------------------------------- */

static const char *write_classes(const char *text)
{
    const char *path = in_scratch("classes.json");

    assert_int_equal(file_write(path, text, (int64_t)strlen(text)), OK);
    return path;
}

/* " thirteenth" is several tokens of this model. */
static void words_of_several_tokens_leave_gaps(void **state)
{
    struct ordinals ordinals;

    (void)state;
    read_ordinals(&ordinals,
                  write_classes("{\"some\": {\"cyclic\": true, \"first\": 12, \"words\": "
                                "[\" twelfth\", \" thirteenth\", \" first\", \" second\"]}}"));
    const struct ordinal_class *class = &ordinals.classes[0];
    assert_true(class->count == 3 && class->length == 4);
    assert_int_equal(ordinals_successor(class, 0), -1);
    assert_int_equal(ordinals_successor(class, 1), 2);
    assert_int_equal(ordinals_successor(class, 2), 0);
    assert_int_equal(ordinals_number(class, 1), 14);
    assert_int_equal(ordinals_find(class, 15), 2);
    assert_int_equal(ordinals_find(class, 13), -1);
    ordinals_free(&ordinals);
}

static void check_refused(const char *text, const char *reason)
{
    struct tokenizer tokenizer;
    struct ordinals ordinals;

    assert_int_equal(tokenizer_open(&tokenizer, MODEL "/tokenizer.json"), OK);
    refuse_clear();
    assert_int_equal(ordinals_read(&ordinals, write_classes(text), &tokenizer), E_FORMAT);
    assert_non_null(strstr(refuse_reason(), reason));
    refuse_clear();
    ordinals_free(&ordinals);
    tokenizer_close(&tokenizer);
}

static void refuses_files_that_are_not_classes(void **state)
{
    (void)state;
    check_refused("[1]", "JSON object of classes");
    check_refused("{", "is not JSON: line 1");
    check_refused("{\"days\": {\"words\": [\" Monday\"]}}", "1 words that are one token");
    check_refused("{\"days\": {\"words\": [\" Monday\", 2]}}", "word 2 is not a text");
    check_refused("{\"days\": {\"words\": [\" Monday\", \" Monday\"]}}", "\" Monday\" twice");
    check_refused("{\"days\": {\"first\": -1, \"words\": [\" one\", \" two\"]}}", "number from 0");
    check_refused("{\"days\": {\"cyclic\": 1, \"words\": [\" one\", \" two\"]}}", "must be");
}

/* --- the hand-made head ------------------------------------------------------------------- */

enum { DOMAINS = 3, INDICES = 10, WIDE = DOMAINS + INDICES };

/* Token 10 domain + index; no domain is cyclic; the first index means 0. */
struct handmade {
    hid_t              file;
    struct weights     weights;
    struct unembedding unembedding;
    struct ordinals    ordinals;
    float              x[DOMAINS * INDICES * WIDE];     /* the embeddings */
};

static void set_up_handmade(struct handmade *h)
{
    h->file = handmade_open("successor");
    handmade_make(&h->weights, h->file);
    unembedding_make(&h->unembedding, &h->weights, false);
    h->ordinals = (struct ordinals){ allocate(DOMAINS, sizeof *h->ordinals.classes), DOMAINS };
    for (int32_t k = 0; k < DOMAINS; k++) {
        struct ordinal_class *class = &h->ordinals.classes[k];
        *class = (struct ordinal_class){ .length = INDICES, .count = INDICES,
                                         .id = allocate(INDICES, sizeof(int32_t)),
                                         .place = allocate(INDICES, sizeof(int32_t)) };
        for (int32_t i = 0; i < INDICES; i++) {
            class->id[i] = INDICES * k + i;
            class->place[i] = i;
        }
    }
    effective_embeddings(h->x, &h->weights, EFFECTIVE_EMBEDDING, NULL, DOMAINS * INDICES);
}

static void tear_down_handmade(struct handmade *h)
{
    ordinals_free(&h->ordinals);
    unembedding_free(&h->unembedding);
    weights_free(&h->weights);
    H5Fclose(h->file);
}

/* The score over all domains. */
static double handmade_score(const struct handmade *h)
{
    int32_t answer[INDICES];
    double score = 0;

    for (int32_t k = 0; k < DOMAINS; k++) {
        successor_answers(answer, &h->weights, &h->unembedding, &h->ordinals.classes[k],
                          h->x + k * INDICES * WIDE, INDICES, 0, 0);
        score += successor_score(answer, &h->ordinals.classes[k]) / DOMAINS;
    }
    return score;
}

/* Make the head add `shift` to the index, modulo the number of indices. */
static void set_shift(struct handmade *h, int shift)
{
    float out[WIDE * WIDE] = {0};

    for (int i = 0; i < DOMAINS; i++)
        out[i * WIDE + i] = 1;
    for (int i = 0; i < INDICES; i++)
        out[(DOMAINS + (i + shift) % INDICES) * WIDE + DOMAINS + i] = 1;
    handmade_pack(&h->weights.layers[0].attn_out, out);
}

static void the_hand_made_head_has_the_golden_scores(void **state)
{
    struct handmade h;
    char *text;

    (void)state;
    set_up_handmade(&h);
    text = handmade_text(h.file, "scores");
    json_t *scores = json_loads(text, 0, NULL);
    assert_true(handmade_score(&h) == json_number_value(json_object_get(scores, "1")));
    for (int shift = 0; shift <= 2; shift++) {
        const char name[] = { (char)('0' + shift), 0 };
        set_shift(&h, shift);
        assert_true(handmade_score(&h) == json_number_value(json_object_get(scores, name)));
    }
    handmade_pack_transposed(&h.weights.layers[0].attn_out, h.file, "W_O_random");
    assert_true(fabs(handmade_score(&h) - json_number_value(json_object_get(scores, "random")))
                < 1e-9);
    json_decref(scores);
    free(text);
    tear_down_handmade(&h);
}

/* In a cyclic class the last word has a successor, too. */
static void the_end_of_a_cyclic_class_counts(void **state)
{
    const int32_t id[] = { 4, 5, 6 }, place[] = { 0, 1, 2 }, answer[] = { 1, 0, 0 };
    struct ordinal_class class = { .length = 3, .count = 3, .id = (int32_t *)id,
                                   .place = (int32_t *)place };

    (void)state;
    assert_true(successor_score(answer, &class) == 0.5);
    class.cyclic = true;
    assert_true(fabs(successor_score(answer, &class) - 2.0 / 3) < 1e-12);
}

/* Each token is the sum of its domain and its index, which linear maps find in tokens they have not
 * seen. */
static void index_and_class_are_decoded(void **state)
{
    struct successor_decoding result;
    struct handmade h;

    (void)state;
    set_up_handmade(&h);
    successor_decode(&result, &h.ordinals, h.x, WIDE);
    assert_int_equal(result.tokens, DOMAINS * INDICES);
    assert_int_equal(result.class_right, result.tokens);
    assert_int_equal(result.indices, result.tokens);
    assert_int_equal(result.index_right, result.tokens);
    tear_down_handmade(&h);
}

/* Of noise nothing can be told, though maps of as many values could learn each token by heart. */
static void noise_is_not_decoded(void **state)
{
    enum { COUNT = DOMAINS * INDICES };
    struct successor_decoding result;
    float noise[COUNT * COUNT];
    struct handmade h;

    (void)state;
    set_up_handmade(&h);
    for (int i = 0; i < COUNT * COUNT; i++)
        noise[i] = random_uniform(3, 0, (uint64_t)i) - 0.5f;
    successor_decode(&result, &h.ordinals, noise, COUNT);
    assert_true(result.class_right < 2 * COUNT / 3 && result.index_right < COUNT / 3);
    tear_down_handmade(&h);
}

/* What is fitted is where the derivatives of sum (prediction - target)^2 + penalty |weights|^2 by
 * offset and weights are 0. */
static void ridge_solves_its_equations(void **state)
{
    enum { ROWS = 7, VALUES_OF_ROW = 3, LABELS = 2 };
    const int32_t label[ROWS] = { 0, 1, 1, 0, 1, 1, 1 };
    float x[ROWS * VALUES_OF_ROW];
    double mean[VALUES_OF_ROW] = {0}, square = 0;
    struct ridge ridge;

    (void)state;
    for (int i = 0; i < ROWS * VALUES_OF_ROW; i++) {
        x[i] = 5 + random_uniform(4, 0, (uint64_t)i);
        mean[i % VALUES_OF_ROW] += (double)x[i] / ROWS;
    }
    for (int i = 0; i < ROWS * VALUES_OF_ROW; i++)
        square += pow((double)x[i] - mean[i % VALUES_OF_ROW], 2) / ROWS;
    ridge_fit(&ridge, x, label, ROWS, VALUES_OF_ROW, LABELS);
    for (int l = 0; l < LABELS; l++) {
        const float *weight = ridge.weight + l * VALUES_OF_ROW;
        double by_offset = 0, by_weight[VALUES_OF_ROW] = {0};
        for (int r = 0; r < ROWS; r++) {
            double off = ridge.offset[l] - (label[r] == l);
            for (int i = 0; i < VALUES_OF_ROW; i++)
                off += (double)weight[i] * (double)x[r * VALUES_OF_ROW + i];
            by_offset += off;
            for (int i = 0; i < VALUES_OF_ROW; i++)
                by_weight[i] += off * (double)x[r * VALUES_OF_ROW + i];
        }
        assert_true(fabs(by_offset) < 1e-5);
        for (int i = 0; i < VALUES_OF_ROW; i++)
            assert_true(fabs(by_weight[i] + RIDGE_PENALTY * square * (double)weight[i]) < 1e-4);
    }
    ridge_free(&ridge);
}

/* --- digits ------------------------------------------------------------------------------- */

/* A dictionary with a latent for each domain and index, in reverse order, decoder rows of length 1
 * and encoder rows of length 1, and threshold 0.5. */
static void plant(struct sae *sae)
{
    sae_make(sae, WIDE, WIDE, WIDE);
    for (int32_t i = 0; i < WIDE; i++) {
        sae->encoder[i * WIDE + WIDE - 1 - i] = sae->decoder[i * WIDE + WIDE - 1 - i] = 1;
        sae->threshold[i] = 0.5f;
    }
}

/* The numbers 0 to 99: the tens are in the first ten values, the digits in the next ten, and the
 * last value says that it is a number. */
enum { NUMBERS = 100, VALUES = 21 };

static void make_numbers(float *x, int64_t *number)
{
    memset(x, 0, NUMBERS * VALUES * sizeof *x);
    for (int i = 0; i < NUMBERS; i++) {
        number[i] = i;
        x[i * VALUES + i / 10] = 1;
        x[i * VALUES + 10 + i % 10] = 1.5f;
        x[i * VALUES + 20] = 4;
    }
}

static void planted_digits_are_found(void **state)
{
    float x[NUMBERS * VALUES];
    int64_t number[NUMBERS];
    struct sae sae;
    struct mod_ten latents, probe;

    (void)state;
    make_numbers(x, number);
    sae_make(&sae, VALUES, VALUES, VALUES);
    for (int32_t i = 0; i < VALUES; i++)
        sae.encoder[i * VALUES + (i + 7) % VALUES] = sae.decoder[i * VALUES + (i + 7) % VALUES] = 1;
    assert_int_equal(mod_ten_find(&latents, &sae, x, VALUES, number, NUMBERS), OK);
    for (int digit = 0; digit < MOD_TEN; digit++) {
        assert_int_equal((latents.latent[digit] + 7) % VALUES, 10 + digit);
        assert_true(fabs(latents.strength[digit] - 1.5) < 1e-6);
    }
    assert_true(latents.coverage == 1 && mod_ten_right(&latents, x, number, NUMBERS) == 1);
    assert_int_equal(mod_ten_fit(&probe, x, VALUES, number, NUMBERS), OK);
    assert_true(mod_ten_right(&probe, x, number, NUMBERS) == 1);
    /* The probe's directions are the digits' less their mean: cosine sqrt(9/10). */
    assert_true(fabs(mod_ten_cosine(&latents, &probe) - sqrt(0.9)) < 1e-5);
    mod_ten_free(&probe);
    mod_ten_free(&latents);
    sae_free(&sae);
}

static void refuses_numbers_and_dictionaries_that_do_not_fit(void **state)
{
    float x[NUMBERS * VALUES];
    int64_t number[NUMBERS];
    struct mod_ten ten;
    struct sae sae;

    (void)state;
    make_numbers(x, number);
    plant(&sae);
    refuse_clear();
    assert_int_equal(mod_ten_find(&ten, &sae, x, VALUES, number, NUMBERS), E_USAGE);
    assert_non_null(strstr(refuse_reason(), "rows of 13 values"));
    refuse_clear();
    mod_ten_free(&ten);
    assert_int_equal(mod_ten_fit(&ten, x, VALUES, number, 9), E_USAGE);
    assert_non_null(strstr(refuse_reason(), "ends in 9"));
    refuse_clear();
    mod_ten_free(&ten);
    sae_free(&sae);
}

/* In each domain, exchanging index n for m gives the successor of m, for all n and m but the
 * last. */
static void arithmetic_with_planted_digits_is_right(void **state)
{
    int32_t right[INDICES], tried[INDICES];
    struct handmade h;
    struct sae sae;

    (void)state;
    set_up_handmade(&h);
    plant(&sae);
    for (int32_t k = 0; k < DOMAINS; k++) {
        const float *x = h.x + k * INDICES * WIDE;
        int64_t number[INDICES];
        struct mod_ten ten;
        for (int32_t i = 0; i < INDICES; i++)
            number[i] = ordinals_number(&h.ordinals.classes[k], i);
        for (int probe = 0; probe < 2; probe++) {
            assert_int_equal(probe ? mod_ten_fit(&ten, x, WIDE, number, INDICES)
                                   : mod_ten_find(&ten, &sae, x, WIDE, number, INDICES), OK);
            successor_arithmetic(right, tried, &h.weights, &h.unembedding, &h.ordinals.classes[k],
                                 &ten, x, 0, 0);
            for (int32_t i = 0; i < INDICES; i++) {
                assert_int_equal(tried[i], i == INDICES - 1 ? INDICES - 1 : INDICES - 2);
                assert_int_equal(right[i], tried[i]);
            }
            mod_ten_free(&ten);
        }
    }
    /* A head that copies never gives the successor. */
    struct mod_ten ten;
    const int64_t number[INDICES] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
    set_shift(&h, 0);
    assert_int_equal(mod_ten_find(&ten, &sae, h.x, WIDE, number, INDICES), OK);
    successor_arithmetic(right, tried, &h.weights, &h.unembedding, &h.ordinals.classes[0], &ten,
                         h.x, 0, 0);
    for (int32_t i = 0; i < INDICES; i++)
        assert_int_equal(right[i], 0);
    mod_ten_free(&ten);
    sae_free(&sae);
    tear_down_handmade(&h);
}

static void gives_the_same_answers_on_any_number_of_threads(void **state)
{
    enum { COUNT = 99 };
    static float one[COUNT * 128], many[COUNT * 128];
    struct trained t;

    (void)state;
    set_up(&t);
    const struct ordinal_class *numbers = &t.ordinals.classes[3];
    assert_int_equal(numbers->count, COUNT);
    for (int kind = 0; kind < EFFECTIVE_KINDS; kind++) {
        omp_set_num_threads(1);
        effective_embeddings(one, &t.weights, (enum effective_kind)kind, numbers->id, COUNT);
        omp_set_num_threads(3);
        effective_embeddings(many, &t.weights, (enum effective_kind)kind, numbers->id, COUNT);
        assert_memory_equal(one, many, sizeof one);
    }
    tear_down(&t);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_classes_have_the_golden_ids),
        cmocka_unit_test(scores_are_the_golden_ones),
        cmocka_unit_test(words_of_several_tokens_leave_gaps),
        cmocka_unit_test(refuses_files_that_are_not_classes),
        cmocka_unit_test(the_hand_made_head_has_the_golden_scores),
        cmocka_unit_test(the_end_of_a_cyclic_class_counts),
        cmocka_unit_test(index_and_class_are_decoded),
        cmocka_unit_test(noise_is_not_decoded),
        cmocka_unit_test(ridge_solves_its_equations),
        cmocka_unit_test(planted_digits_are_found),
        cmocka_unit_test(refuses_numbers_and_dictionaries_that_do_not_fit),
        cmocka_unit_test(arithmetic_with_planted_digits_is_right),
        cmocka_unit_test(gives_the_same_answers_on_any_number_of_threads),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, make_scratch, remove_scratch);
    MPI_Finalize();
    return failed;
}
