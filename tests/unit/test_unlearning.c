/* Questions in every order of their choices, latents chosen by their firing, fronts and scores, and
 * a model that is made to forget one of the two things that it knows. */
#include "base/blas_core.h"
#include "base/random.h"
#include "circuit_scene.h"
#include "intervene/clamped_runs.h"
#include "intervene/question_attribution.h"
#include "intervene/questions.h"
#include "intervene/unlearning.h"
#include "prompts/generators.h"

static void check_number(double found, double expected)
{
    if (!(fabs(found - expected) < 1e-12))
        fail_msg("%.17g, and not %.17g", found, expected);
}

/* --- choosing and judging --------------------------------------------------------------- */

/* Latent 1 fires too often on what is retained, 3 never on what is to be forgotten; 0 and 4 are
 * equal. */
static void chooses_what_fires_on_one_text_alone(void **state)
{
    static const double FORGET[] = { 0.25, 0.75, 0.5, 0, 0.25, 0.125 };
    static const double RETAIN[] = { 0, 0.01, 0.0099, 0, 0.001, 0 };
    int32_t chosen[6] = { -1, -1, -1, -1, -1, -1 };

    (void)state;
    assert_int_equal(unlearning_choose(chosen, 3, FORGET, RETAIN, 6, 0.01), 3);
    assert_int_equal(chosen[0], 2);
    assert_int_equal(chosen[1], 0);
    assert_int_equal(chosen[2], 4);
    assert_int_equal(chosen[3], -1);
    assert_int_equal(unlearning_choose(chosen, 6, FORGET, RETAIN, 6, 0.001), 2);
    assert_int_equal(chosen[0], 0);
    assert_int_equal(chosen[1], 5);
    assert_int_equal(unlearning_choose(chosen, 0, FORGET, RETAIN, 6, 0.01), 0);
}

/* (3, 4) / 5; equal means have no direction. */
static void finds_the_direction_between_means(void **state)
{
    static const double FORGET[] = { 4, 3, 1 }, RETAIN[] = { 1, -1, 1 };
    float direction[3];

    (void)state;
    check_number(unlearning_direction(direction, FORGET, RETAIN, 3), 5);
    assert_true(direction[0] == 0.6f && direction[1] == 0.8f && direction[2] == 0);
    check_number(unlearning_direction(direction, RETAIN, RETAIN, 3), 0);
    assert_true(direction[0] == 0 && direction[1] == 0 && direction[2] == 0);
}

/* Measured by Farrell et al. with gemma-2-2b-it, threshold 0.01: biosecurity against other
 * questions, layer 3 with 10, 20 and 50 latents, then layer 7 with 10 and 20. */
static const struct unlearning_point PUBLISHED[] = {
    { 0.946, 1.000 }, { 0.584, 0.963 }, { 0.908, 1.000 }, { 0.475, 0.923 }, { 0.818, 0.993 },
    { 0.416, 0.863 }, { 0.787, 0.997 }, { 0.596, 0.983 }, { 0.653, 0.980 }, { 0.421, 0.957 },
};

enum { POINTS = sizeof PUBLISHED / sizeof *PUBLISHED };

static void finds_the_front_of_published_points(void **state)
{
    static const bool FRONT[POINTS] = { false, true, true, false, false, true, true, true, false,
                                        true };
    bool on_front[POINTS];

    (void)state;
    unlearning_front(on_front, PUBLISHED, POINTS);
    for (int i = 0; i < POINTS; i++)
        assert_int_equal(on_front[i], FRONT[i]);
}

/* Two equal points are both on it. */
static void equal_points_do_not_exclude_each_other(void **state)
{
    static const struct unlearning_point POINT[] = { { 0.5, 1 }, { 0.5, 1 }, { 0.6, 1 } };
    bool on_front[3];

    (void)state;
    unlearning_front(on_front, POINT, 3);
    assert_true(on_front[0] && on_front[1] && !on_front[2]);
}

/* Of the points that retain 99 %, the lowest is 0.787. */
static void scores_what_is_forgotten_at_no_cost(void **state)
{
    (void)state;
    check_number(unlearning_score(PUBLISHED, POINTS, 0.99), 0.213);
    check_number(unlearning_score(PUBLISHED, POINTS, 0.95), 1 - 0.421);
    check_number(unlearning_score(PUBLISHED, 0, 0.99), 0);
}

/* --- questions -------------------------------------------------------------------------- */

static const char TEMPLATE[] = "{question}\nA. {A}\nB. {B}\nC. {C}\nD. {D}\nAnswer:";

static void write_lines(const char *name, const char *text)
{
    assert_int_equal(file_write(in_scratch(name), text, (int64_t)strlen(text)), OK);
}

/* Decode a prompt without BOS.  Caller frees. */
static char *text_of(const struct prompts *prompts, int64_t p, const struct wording *wording)
{
    char *text;
    int64_t bytes;

    assert_int_equal(prompts->clean[p * prompts->tokens], wording->bos);
    assert_int_equal(tokenizer_decode(&wording->tokenizer, prompts->clean + p * prompts->tokens + 1,
                                      prompts->length[p] - 1, &text, &bytes), OK);
    return text;
}

/* The letter of the only right answer that has no space before it. */
static char letter_of(const struct prompts *prompts, int64_t p, const struct wording *wording)
{
    const int32_t *ids;
    const int64_t count = prompts_list(&prompts->answers, p, &ids);
    char *text, letter = '?';
    int64_t bytes;

    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(tokenizer_decode(&wording->tokenizer, &ids[i], 1, &text, &bytes), OK);
        letter = text[bytes - 1];
        free(text);
    }
    return letter;
}

/* Each of four texts is at each letter six times, and the letter of the right one is the answer. */
static void asks_a_question_in_every_order(void **state)
{
    static const char LINES[] =
        "{\"question\": \"Which war?\", \"choices\": [\"one\", \"two\", \"six\", \"ten\"], "
        "\"answer\": 2}\n\n"
        "{\"question\": \"Why?\", \"choices\": [\"a\", \"b\", \"c\", \"d\"], \"answer\": \"D\"}\n";
    struct scene scene;
    struct wording wording = {0};
    struct prompts prompts;
    int at[QUESTIONS_CHOICES] = {0};

    (void)state;
    scene_open(&scene, "method: ioi");
    write_lines("questions.jsonl", LINES);
    assert_int_equal(wording_open(&wording, &scene.suite, &scene.config), OK);
    prompts_make(&prompts, 64);
    assert_int_equal(questions_read(&prompts, &wording, in_scratch("questions.jsonl"), TEMPLATE, 2),
                     OK);
    assert_int_equal(prompts.count, 2 * QUESTIONS_ORDERS);
    for (int64_t p = 0; p < QUESTIONS_ORDERS; p++) {
        char *text = text_of(&prompts, p, &wording), line[8];
        const char letter = letter_of(&prompts, p, &wording);
        snprintf(line, sizeof line, "%c. six\n", letter);
        assert_non_null(strstr(text, line));
        at[letter - 'A']++;
        for (int64_t before = 0; before < p; before++) {
            char *other = text_of(&prompts, before, &wording);
            assert_string_not_equal(text, other);
            free(other);
        }
        free(text);
    }
    for (int i = 0; i < QUESTIONS_CHOICES; i++)
        assert_int_equal(at[i], QUESTIONS_ORDERS / QUESTIONS_CHOICES);
    char *first = text_of(&prompts, QUESTIONS_ORDERS, &wording);
    assert_string_equal(first, "Why?\nA. a\nB. b\nC. c\nD. d\nAnswer:");
    assert_int_equal(letter_of(&prompts, QUESTIONS_ORDERS, &wording), 'D');
    free(first);
    prompts_free(&prompts);
    wording_close(&wording);
    scene_tear_down(&scene);
}

static void refuses_what_is_no_question(void **state)
{
    static const struct { const char *line, *words; } CASES[] = {
        { "no", "questions.jsonl:1: the line is no JSON object" },
        { "{\"choices\": []}", "\"question\" is missing" },
        { "{\"question\": \"q\", \"choices\": [\"a\", \"b\"]}", "a list of 4 texts" },
        { "{\"question\": \"q\", \"choices\": [\"a\", \"b\", 3, \"d\"]}", "choice 2 is no text" },
        { "{\"question\": \"q\", \"choices\": [\"a\", \"b\", \"c\", \"d\"]}",
          "\"answer\" is missing" },
        { "{\"question\": \"q\", \"choices\": [\"a\", \"b\", \"c\", \"d\"], \"answer\": 4}",
          "from 0 to 3" },
    };
    struct scene scene;
    struct wording wording = {0};

    (void)state;
    scene_open(&scene, "method: ioi");
    assert_int_equal(wording_open(&wording, &scene.suite, &scene.config), OK);
    for (size_t c = 0; c < sizeof CASES / sizeof *CASES; c++) {
        struct prompts prompts;
        write_lines("questions.jsonl", CASES[c].line);
        prompts_make(&prompts, 64);
        assert_int_equal(questions_read(&prompts, &wording, in_scratch("questions.jsonl"), TEMPLATE,
                                        9), E_FORMAT);
        if (strstr(refuse_reason(), CASES[c].words) == NULL)
            fail_msg("'%s' is not in: %s", CASES[c].words, refuse_reason());
        refuse_clear();
        prompts_free(&prompts);
    }
    assert_int_equal(questions_check(TEMPLATE, "x.yaml:3"), OK);
    assert_int_equal(questions_check("{question} {A} {B} {C}", "x.yaml:3"), E_USAGE);
    assert_non_null(strstr(refuse_reason(), "x.yaml:3: the template must have"));
    refuse_clear();
    wording_close(&wording);
    scene_tear_down(&scene);
}

/* Three questions, the second wrong in one order; each prompt is its number, and so are its answer
 * and its wrong answers, another number of them in each prompt. */
static void keeps_what_is_right_in_every_order(void **state)
{
    const struct wording wording = { .bos = 0, .pad = 0, .vocabulary = 3 * QUESTIONS_ORDERS };
    double right[3 * QUESTIONS_ORDERS];
    struct prompts prompts;

    (void)state;
    prompts_make(&prompts, 2);
    for (int32_t p = 0; p < 3 * QUESTIONS_ORDERS; p++) {
        int32_t ids[] = { p, p, p };
        const struct prompts_pair pair = {
            .clean = { ids, 1 + p % 2 }, .corrupted = { ids, 1 + p % 2 }, .answers = { ids, 1 },
            .wrong = { ids, p % 4 },
        };
        right[p] = p != QUESTIONS_ORDERS + 5;
        assert_int_equal(prompts_add(&prompts, &wording, &pair, "x"), OK);
    }
    questions_keep_known(&prompts, right);
    assert_int_equal(prompts.count, 2 * QUESTIONS_ORDERS);
    for (int32_t p = 0; p < prompts.count; p++) {
        const int32_t number = p < QUESTIONS_ORDERS ? p : p + QUESTIONS_ORDERS, *ids;
        assert_int_equal(prompts.clean[2 * p], number);
        assert_int_equal(prompts.length[p], 1 + number % 2);
        assert_int_equal(prompts_list(&prompts.answers, p, &ids), 1);
        assert_int_equal(ids[0], number);
        assert_int_equal(prompts_list(&prompts.wrong, p, &ids), number % 4);
        if (number % 4 > 0)
            assert_int_equal(ids[number % 4 - 1], number);
        assert_int_equal(prompts_list(&prompts.positions, p, &ids), 1);
        assert_int_equal(ids[0], number % 2);
    }
    prompts_free(&prompts);
}

static void counts_all_orders_and_the_given_one(void **state)
{
    double right[2 * QUESTIONS_ORDERS];

    (void)state;
    for (int i = 0; i < 2 * QUESTIONS_ORDERS; i++)
        right[i] = i >= 6;
    const struct questions_accuracy accuracy = questions_accuracy(right, 2);
    check_number(accuracy.all, 42.0 / 48);
    check_number(accuracy.given, 0.5);
    assert_true(isnan(questions_accuracy(right, 0).all));
}

/* --- a model that forgets --------------------------------------------------------------- */

enum { FORGET = 24, RETAIN = 24, WIDTH = 128, BLOCK = 7 };

static const struct tap TAP = { SITE_RES, 2 };

/* What the model knows: golden prompts of indirect objects, and years that are later. */
struct knowledge {
    struct scene   scene;
    struct wording wording;
    struct prompts years;
};

static void knowledge_open(struct knowledge *k)
{
    scene_set_up(&k->scene, FORGET, "method: ioi, generator: greater_than, count: 24, "
                 "data: jobs/circuits/greater_than.json");
    k->wording = (struct wording){0};
    assert_int_equal(wording_open(&k->wording, &k->scene.suite, &k->scene.config), OK);
    prompts_make(&k->years, 32);
    assert_int_equal(generators_make(&k->years, &k->wording, &k->scene.suite.circuit), OK);
    prompts_trim(&k->years);
    prompts_trim(&k->scene.prompts);
}

static void knowledge_close(struct knowledge *k)
{
    prompts_free(&k->years);
    wording_close(&k->wording);
    scene_tear_down(&k->scene);
}

/* The rows of the tap, of prompts one by one: where a prompt ends, or all others but BOS too.
 * Returns how many. */
static int64_t take_rows(float *rows, const struct knowledge *k, const struct prompts *prompts,
                         bool all)
{
    struct forward forward;
    int64_t count = 0;

    for (int64_t p = 0; p < prompts->count; p++) {
        const int64_t length = prompts->length[p];
        forward_make(&forward, &k->scene.weights, 1, length);
        assert_int_equal(forward_start(&forward, prompts->clean + p * prompts->tokens, 1), OK);
        forward_to(&forward, TAP);
        for (int64_t t = all ? 1 : length - 1; t < length; t++)
            memcpy(rows + count++ * WIDTH, forward.values + t * WIDTH, WIDTH * sizeof *rows);
        forward_free(&forward);
    }
    return count;
}

static double along(const float *row, const double *direction)
{
    double dot = 0;

    for (int i = 0; i < WIDTH; i++)
        dot += (double)row[i] * direction[i];
    return dot;
}

/* An autoencoder of two latents.  Number 1 is the difference of means of both kinds of rows, and is
 * active above the largest of the rows to be retained; number 0 is active everywhere. */
static void plant(struct sae *sae, const struct knowledge *k)
{
    static float ends[FORGET * WIDTH], others[RETAIN * 32 * WIDTH];
    const int64_t end_count = take_rows(ends, k, &k->scene.prompts, false);
    const int64_t other_count = take_rows(others, k, &k->years, true);
    double direction[WIDTH] = {0}, square = 0, most = -1e30, least = 1e30;

    for (int64_t i = 0; i < end_count * WIDTH; i++)
        direction[i % WIDTH] += (double)ends[i] / (double)end_count;
    for (int64_t i = 0; i < other_count * WIDTH; i++)
        direction[i % WIDTH] -= (double)others[i] / (double)other_count;
    for (int i = 0; i < WIDTH; i++)
        square += direction[i] * direction[i];
    for (int64_t r = 0; r < end_count; r++)
        least = fmin(least, along(ends + r * WIDTH, direction));
    for (int64_t r = 0; r < other_count; r++)
        most = fmax(most, along(others + r * WIDTH, direction));
    assert_true(most < least);
    sae_make(sae, WIDTH, WIDTH, 2);
    for (int i = 0; i < WIDTH; i++)
        sae->encoder[WIDTH + i] = sae->decoder[WIDTH + i] = (float)(direction[i] / sqrt(square));
    sae->encoder_bias[0] = 1;
    sae->encoder_bias[1] = (float)(-(most + least) / 2 / sqrt(square));
}

static struct clamped_runs_setup setup_of(struct knowledge *k, const struct sae *sae,
                                          int64_t tokens)
{
    return (struct clamped_runs_setup){
        .run = &k->scene.run, .weights = &k->scene.weights, .sae = sae, .tap = TAP,
        .bos = k->wording.bos, .block = BLOCK, .tokens = tokens,
    };
}

static double share_of(const double *right, int64_t count)
{
    double sum = 0;

    for (int64_t i = 0; i < count; i++)
        sum += right[i];
    return sum / (double)count;
}

/* The mean loss by its definition, each prompt alone and in double. */
static double loss_of(const struct knowledge *k, const struct prompts *prompts)
{
    struct forward forward;
    struct head head;
    double sum = 0, count = 0;

    head_make(&head, &k->scene.weights);
    for (int64_t p = 0; p < prompts->count; p++) {
        const int32_t *ids = prompts->clean + p * prompts->tokens;
        const int64_t length = prompts->length[p], outputs = k->scene.config.outputs;
        forward_make(&forward, &k->scene.weights, 1, length);
        assert_int_equal(forward_start(&forward, ids, 1), OK);
        forward_to(&forward, forward_end(&forward));
        head_logits(&head, head.first, forward.values, length);
        for (int64_t t = 0; t + 1 < length; t++, count++) {
            double exponents = 0;
            for (int64_t i = 0; i < outputs; i++)
                exponents += exp((double)head.first[t * outputs + i]);
            sum += log(exponents) - (double)head.first[t * outputs + ids[t + 1]];
        }
        forward_free(&forward);
    }
    head_free(&head);
    return sum / count;
}

/* It forgets indirect objects; its loss and answers on years, on which the latent is silent, keep
 * their bits. */
static void forgets_one_thing_and_keeps_the_other(void **state)
{
    static const int32_t CHOSEN[] = { 1 };
    struct knowledge k;
    struct sae sae;
    double before[FORGET], after[FORGET], kept[RETAIN], changed[RETAIN], loss, loss_after;

    (void)state;
    knowledge_open(&k);
    plant(&sae, &k);
    const struct clamp clamp = { CLAMP_VALUE, 160, &sae, CHOSEN, 1 };
    struct clamped_runs_setup setup = setup_of(&k, &sae, k.scene.prompts.tokens);
    struct clamped_runs runs;

    clamped_runs_make(&runs, &setup);
    assert_int_equal(clamped_runs_answers(&runs, &k.scene.prompts, NULL, before), OK);
    assert_int_equal(clamped_runs_answers(&runs, &k.scene.prompts, &clamp, after), OK);
    clamped_runs_free(&runs);
    print_message("indirect objects: %.3f right, then %.3f\n", share_of(before, FORGET),
                  share_of(after, FORGET));
    assert_true(share_of(before, FORGET) > 0.9);
    assert_true(share_of(after, FORGET) < 0.5);

    setup.tokens = k.years.tokens;
    clamped_runs_make(&runs, &setup);
    assert_int_equal(clamped_runs_answers(&runs, &k.years, NULL, kept), OK);
    assert_int_equal(clamped_runs_answers(&runs, &k.years, &clamp, changed), OK);
    assert_memory_equal(kept, changed, sizeof kept);
    assert_int_equal(clamped_runs_loss(&runs, &k.years, NULL, &loss), OK);
    assert_int_equal(clamped_runs_loss(&runs, &k.years, &clamp, &loss_after), OK);
    assert_memory_equal(&loss, &loss_after, sizeof loss);
    assert_true(fabs(loss - loss_of(&k, &k.years)) < 1e-5);
    print_message("years: loss %.4f, %.3f right\n", loss, share_of(kept, RETAIN));
    clamped_runs_free(&runs);
    sae_free(&sae);
    knowledge_close(&k);
}

/* Next to the mean of rows that are taken prompt by prompt. */
static void takes_the_mean_of_rows(void **state)
{
    struct knowledge k;
    struct sae sae;
    struct clamped_runs runs;
    double mean[WIDTH];

    (void)state;
    knowledge_open(&k);
    sae_make(&sae, WIDTH, WIDTH, 1);
    struct clamped_runs_setup setup = setup_of(&k, &sae, k.scene.prompts.tokens);
    float *rows = allocate(FORGET * setup.tokens * WIDTH, sizeof *rows);
    const int64_t count = take_rows(rows, &k, &k.scene.prompts, true);
    clamped_runs_make(&runs, &setup);
    assert_int_equal(clamped_runs_mean(&runs, &k.scene.prompts, mean), OK);
    for (int i = 0; i < WIDTH; i++) {
        double sum = 0;
        for (int64_t r = 0; r < count; r++)
            sum += (double)rows[r * WIDTH + i];
        assert_true(fabs(mean[i] - sum / (double)count) < 1e-5);
    }
    clamped_runs_free(&runs);
    free(rows);
    sae_free(&sae);
    knowledge_close(&k);
}

/* The latent that is active everywhere is so in every row but those of BOS and padding; the planted
 * one where prompts end, and in no row of the others. */
static void counts_rows_on_which_latents_fire(void **state)
{
    struct knowledge k;
    struct sae sae;
    struct clamped_runs runs;
    double fired[2], rows, expected = 0;

    (void)state;
    knowledge_open(&k);
    plant(&sae, &k);
    struct clamped_runs_setup setup = setup_of(&k, &sae, k.scene.prompts.tokens);
    clamped_runs_make(&runs, &setup);
    assert_int_equal(clamped_runs_firing(&runs, &k.scene.prompts, fired, &rows), OK);
    for (int64_t p = 0; p < FORGET; p++)
        expected += k.scene.prompts.length[p] - 1;
    assert_true(rows == expected && fired[0] == expected);
    assert_in_range(fired[1], FORGET, expected);
    clamped_runs_free(&runs);
    setup.tokens = k.years.tokens;
    clamped_runs_make(&runs, &setup);
    assert_int_equal(clamped_runs_firing(&runs, &k.years, fired, &rows), OK);
    assert_true(fired[0] == rows && fired[1] == 0);
    clamped_runs_free(&runs);
    sae_free(&sae);
    knowledge_close(&k);
}

/* --- attribution ------------------------------------------------------------------------ */

enum { LATENTS = 6 };

/* Random latents, about half of them active in a row. */
static void make_random(struct sae *sae)
{
    sae_make(sae, WIDTH, WIDTH, LATENTS);
    for (uint64_t i = 0; i < LATENTS * WIDTH; i++) {
        sae->encoder[i] = 2 * random_uniform(1, 2, i) - 1;
        sae->decoder[i] = (2 * random_uniform(1, 3, i) - 1) / 10;
    }
}

/* The mean logit of answers less that of wrong answers, with a latent's value (1 - s) times what it
 * is in all rows but BOS and padding. */
static double preference(const struct knowledge *k, const struct sae *sae, int32_t latent, double s)
{
    const struct prompts *prompts = &k->scene.prompts;
    const struct clamp clamp = { CLAMP_SCALE, s, sae, &latent, 1 };
    struct forward forward;
    struct head head;
    double sum = 0;

    forward_make(&forward, &k->scene.weights, FORGET, prompts->tokens);
    head_make(&head, &k->scene.weights);
    float *f = allocate(FORGET * prompts->tokens * sae->latents, sizeof *f);
    assert_int_equal(forward_start(&forward, prompts->clean, FORGET), OK);
    forward_to(&forward, TAP);
    sae_encode(sae, f, forward.values, forward.rows);
    for (int64_t p = 0; p < FORGET; p++) {
        const int64_t row = p * prompts->tokens + 1;
        clamp_rows(&clamp, forward.values + row * WIDTH, f + row * LATENTS, prompts->length[p] - 1);
    }
    forward_to(&forward, forward_end(&forward));
    for (int64_t p = 0; p < FORGET; p++) {
        const int64_t row = p * prompts->tokens + prompts->length[p] - 1;
        head_logits(&head, head.first, forward.values + row * WIDTH, 1);
        sum += (double)head.first[prompts->answers.items[p]]
               - (double)head.first[prompts->wrong.items[p]];
    }
    free(f);
    head_free(&head);
    forward_free(&forward);
    return sum / FORGET;
}

/* Next to differences between runs of the whole model. */
static void attribution_is_a_derivative(void **state)
{
    static const double STEP = 0.02;
    struct knowledge k;
    struct sae sae;
    double attribution[LATENTS], largest = 0;

    (void)state;
    knowledge_open(&k);
    make_random(&sae);
    const struct clamped_runs_setup setup = setup_of(&k, &sae, k.scene.prompts.tokens);
    assert_int_equal(question_attribution_find(&setup, &k.scene.prompts, attribution), OK);
    for (int i = 0; i < LATENTS; i++)
        largest = fmax(largest, fabs(attribution[i]));
    for (int i = 0; i < LATENTS; i++) {
        const double measured = (preference(&k, &sae, i, -STEP) - preference(&k, &sae, i, STEP))
                                / (2 * STEP);
        print_message("latent %d: %.5f, measured %.5f\n", i, attribution[i], measured);
        assert_true(fabs(measured - attribution[i]) < 0.005 * largest);
    }
    sae_free(&sae);
    knowledge_close(&k);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chooses_what_fires_on_one_text_alone),
        cmocka_unit_test(finds_the_direction_between_means),
        cmocka_unit_test(finds_the_front_of_published_points),
        cmocka_unit_test(equal_points_do_not_exclude_each_other),
        cmocka_unit_test(scores_what_is_forgotten_at_no_cost),
        cmocka_unit_test(asks_a_question_in_every_order),
        cmocka_unit_test(refuses_what_is_no_question),
        cmocka_unit_test(keeps_what_is_right_in_every_order),
        cmocka_unit_test(counts_all_orders_and_the_given_one),
        cmocka_unit_test(forgets_one_thing_and_keeps_the_other),
        cmocka_unit_test(takes_the_mean_of_rows),
        cmocka_unit_test(counts_rows_on_which_latents_fire),
        cmocka_unit_test(attribution_is_a_derivative),
    };

    blas_core_settle(argv);
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, make_scratch, remove_scratch);
    MPI_Finalize();
    return failed;
}
