/* Completions against the plain forward pass, and against themselves whatever else is completed. */
#include "base/allocate.h"
#include "base/refuse.h"
#include "lm/completions.h"
#include "shard/h5.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/golden.h"
#include "tests/sanitized.h"

/* Models of every family, and how many tokens each reference has (tests/golden/README.md). */
static const struct golden {
    const char *model;
    int64_t     tokens;
} MODELS[] = {
    { "tests/golden/gemma1-random", 144 }, { "tests/golden/gemma2-random", 144 },
    { "tests/golden/gemma3-random", 144 }, { "tests/golden/gpt2-random", 144 },
    { "tests/golden/llama3-random", 160 }, { "tests/golden/mistral-random", 96 },
    { "tests/golden/qwen2-random", 96 }, { "tests/golden/qwen3-random", 96 },
    { "tests/golden/gpt-neox-random", 96 }, { "tests/golden/olmo2-random", 96 },
    { "tests/golden/phi3-random", 96 },
};

/* One model in EVERY is compared with itself; all are compared with the plain forward pass. */
enum { MODELS_COUNT = sizeof MODELS / sizeof *MODELS, EVERY = SANITIZED(5, 1), PROMPTS = 5,
       TOKENS = SANITIZED(12, 24), CAPACITY = 60 };

/* Prompts of unequal lengths, from the reference's tokens. */
static const int64_t LENGTHS[PROMPTS] = { 1, 33, 7, 20, 2 };

struct scene {
    struct weights weights;
    int32_t       *text;                        /* the reference's tokens */
    int32_t        ids[PROMPTS][TOKENS];
    struct completion completion[PROMPTS];
};

static void set_up(struct scene *s, const struct golden *golden)
{
    struct lm_config config;
    char path[128];
    hid_t file;

    *s = (struct scene){0};
    assert_int_equal(config_read(&config, golden->model), OK);
    assert_int_equal(weights_read(&s->weights, &config, PRECISION_F32, golden->model,
                                  MPI_COMM_SELF), OK);
    snprintf(path, sizeof path, "%s/expected.h5", golden->model);
    assert_int_equal(h5_open(&file, path), OK);
    s->text = allocate(golden->tokens, sizeof *s->text);
    golden_read(file, "tokens", H5T_NATIVE_INT32, golden->tokens, s->text);
    assert_int_equal(h5_close(&file, path, OK), OK);
    for (int p = 0; p < PROMPTS; p++)
        s->completion[p] = (struct completion){ .prompt = s->text + 5 * p,
                                                .prompt_tokens = LENGTHS[p], .ids = s->ids[p] };
}

static void tear_down(struct scene *s)
{
    free(s->text);
    weights_free(&s->weights);
}

/* Complete some of the prompts, `most` at a time. */
static void complete(struct scene *s, int first, int count, int64_t most, struct sampling sampling)
{
    struct completions c;

    completions_make(&c, &s->weights, CAPACITY, most);
    c.sampling = sampling;
    c.tokens = TOKENS;
    assert_int_equal(completions_run(&c, s->completion + first, count), OK);
    for (int p = first; p < first + count; p++)
        assert_int_equal(s->completion[p].count, TOKENS);
    completions_free(&c);
}

static const struct sampling GREEDY = { .top_p = 1 };
static const struct sampling FREE = { .temperature = 10, .top_k = 50, .top_p = 0.9, .seed = 1 };

/* --- against the plain forward pass ------------------------------------------------------ */

/* Is each token that was added the most probable after what is before it? */
static void check_greedy(struct scene *s, const struct completion *completion)
{
    const int64_t prompt = completion->prompt_tokens, tokens = prompt + TOKENS;
    const int32_t words = s->weights.config.outputs;
    int32_t ids[CAPACITY];
    struct forward forward;
    struct head head;
    float *logits = allocate(tokens * words, sizeof *logits);

    memcpy(ids, completion->prompt, (size_t)prompt * sizeof *ids);
    memcpy(ids + prompt, completion->ids, TOKENS * sizeof *ids);
    forward_make(&forward, &s->weights, 1, tokens);
    head_make(&head, &s->weights);
    assert_int_equal(forward_start(&forward, ids, 1), OK);
    forward_to(&forward, forward_end(&forward));
    head_logits(&head, logits, forward.values, tokens);
    for (int64_t t = prompt; t < tokens; t++) {
        const float *row = logits + (t - 1) * words;
        for (int32_t w = 0; w < words; w++)
            assert_true(row[w] <= row[ids[t]]);
    }
    head_free(&head);
    forward_free(&forward);
    free(logits);
}

static void takes_the_most_probable_token_of_the_plain_forward_pass(void **state)
{
    struct scene s;

    (void)state;
    for (int i = 0; i < MODELS_COUNT; i++) {
        set_up(&s, &MODELS[i]);
        complete(&s, 0, PROMPTS, PROMPTS, GREEDY);
        for (int p = 0; p < PROMPTS; p++)
            check_greedy(&s, &s.completion[p]);
        tear_down(&s);
    }
}

/* --- against themselves ------------------------------------------------------------------ */

/* Alone; two at a time, so that some wait; all at once; a sample more changes none of them. */
static void completes_the_same_whatever_else_is_completed(void **state)
{
    int32_t all[PROMPTS][TOKENS];
    struct scene s;

    (void)state;
    for (int i = 0; i < MODELS_COUNT; i += EVERY) {
        set_up(&s, &MODELS[i]);
        complete(&s, 0, PROMPTS, COMPLETIONS_ROWS, FREE);
        memcpy(all, s.ids, sizeof all);
        complete(&s, 0, PROMPTS, 2, FREE);
        assert_memory_equal(all, s.ids, sizeof all);
        for (int p = 0; p < PROMPTS; p++) {
            complete(&s, p, 1, 1, FREE);
            assert_memory_equal(all[p], s.ids[p], sizeof all[p]);
        }
        s.completion[0].sample = 1;
        complete(&s, 0, PROMPTS, PROMPTS, FREE);
        assert_memory_not_equal(all[0], s.ids[0], sizeof all[0]);
        assert_memory_equal(all[1], s.ids[1], sizeof all - sizeof all[0]);
        tear_down(&s);
    }
}

static void stops_after_the_end(void **state)
{
    struct completions c;
    struct scene s;
    int32_t whole[TOKENS];
    int64_t first = 0;

    (void)state;
    set_up(&s, &MODELS[1]);
    complete(&s, 0, 2, 2, FREE);
    memcpy(whole, s.ids[1], sizeof whole);
    completions_make(&c, &s.weights, CAPACITY, 2);
    c.sampling = FREE;
    c.tokens = TOKENS;
    c.end = whole[9];
    while (whole[first] != c.end)
        first++;
    assert_int_equal(completions_run(&c, s.completion, PROMPTS), OK);
    assert_int_equal(s.completion[1].count, first + 1);
    assert_memory_equal(s.ids[1], whole, (size_t)(first + 1) * sizeof *whole);
    completions_free(&c);
    tear_down(&s);
}

/* The last layer's stream made equal to that of another token: the next token follows that one. */
static void replace(struct forward *forward, void *data)
{
    const struct tap end = forward_end(forward);

    forward_to(forward, end);
    for (int64_t r = 0; r < forward->rows; r++)
        memcpy(forward->values + r * forward->width, data,
               (size_t)forward->width * sizeof *forward->values);
}

static void goes_on_with_what_is_put_into_a_site(void **state)
{
    struct completions c;
    struct scene s;

    (void)state;
    set_up(&s, &MODELS[3]);
    float *stream = allocate(s.weights.config.width, sizeof *stream);
    stream[3] = 1;
    completions_make(&c, &s.weights, CAPACITY, PROMPTS);
    c.sampling = GREEDY;
    c.tokens = TOKENS;
    c.walk = replace;
    c.data = stream;
    assert_int_equal(completions_run(&c, s.completion, PROMPTS), OK);
    for (int p = 0; p < PROMPTS; p++)
        for (int t = 0; t < TOKENS; t++)
            assert_int_equal(s.ids[p][t], s.ids[0][0]);
    c.walk = NULL;
    assert_int_equal(completions_run(&c, s.completion, 1), OK);
    assert_memory_not_equal(s.ids[0], s.ids[1], sizeof s.ids[0]);
    completions_free(&c);
    free(stream);
    tear_down(&s);
}

/* --- refusals ---------------------------------------------------------------------------- */

static void check_refusal(struct completions *c, struct scene *s, enum status code,
                          const char *word)
{
    assert_int_equal(completions_run(c, s->completion, 1), code);
    assert_non_null(strstr(refuse_reason(), word));
    refuse_clear();
}

static void refuses_what_it_cannot_complete(void **state)
{
    struct completions c;
    struct scene s;

    (void)state;
    set_up(&s, &MODELS[1]);
    completions_make(&c, &s.weights, CAPACITY, 1);
    c.sampling = GREEDY;
    check_refusal(&c, &s, E_USAGE, "one at least");
    c.tokens = CAPACITY;
    check_refusal(&c, &s, E_USAGE, "a prompt of 1 tokens");
    c.tokens = TOKENS;
    s.text[0] = s.weights.config.vocabulary;
    check_refusal(&c, &s, E_FORMAT, "vocabulary of 512");
    c.sampling.top_p = 2;
    check_refusal(&c, &s, E_USAGE, "top-p 2");
    completions_free(&c);
    completions_make(&c, &s.weights, s.weights.config.positions + 1, 1);
    c.sampling = GREEDY;
    c.tokens = TOKENS;
    check_refusal(&c, &s, E_USAGE, "this model was made for");
    completions_free(&c);
    tear_down(&s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_most_probable_token_of_the_plain_forward_pass),
        cmocka_unit_test(completes_the_same_whatever_else_is_completed),
        cmocka_unit_test(stops_after_the_end),
        cmocka_unit_test(goes_on_with_what_is_put_into_a_site),
        cmocka_unit_test(refuses_what_it_cannot_complete),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
