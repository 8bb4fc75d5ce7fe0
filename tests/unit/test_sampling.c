/* sampling_choose(): frequencies against probabilities, and what top-k and top-p keep against their
 * definitions. */
#include "base/random.h"
#include "base/refuse.h"
#include "lm/sampling.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WORDS = 24, DRAWS = 20000 };

/* Two logits are equal, and they are not sorted. */
static void set_logits(float logits[WORDS])
{
    for (int i = 0; i < WORDS; i++)
        logits[i] = 4 * random_uniform(1, 0, (uint64_t)i);
    logits[17] = logits[5];
}

/* The place of a word among all, the most probable first. */
static int rank_of(const float logits[WORDS], int word)
{
    int rank = 0;

    for (int i = 0; i < WORDS; i++)
        rank += logits[i] > logits[word] || (logits[i] == logits[word] && i < word);
    return rank;
}

/* Probabilities by definition: of the words whose rank is below k, the fewest that have p. */
static void define(double probability[WORDS], const float logits[WORDS], const struct sampling *s)
{
    const int k = s->top_k > 0 && s->top_k < WORDS ? (int)s->top_k : WORDS;
    double sum = 0, kept = 0, reached = 0;
    int by_rank[WORDS];

    for (int i = 0; i < WORDS; i++)
        by_rank[rank_of(logits, i)] = i;
    for (int r = 0; r < k; r++)
        sum += exp((double)logits[by_rank[r]] / s->temperature);
    for (int i = 0; i < WORDS; i++)
        probability[i] = 0;
    for (int r = 0; r < k && reached < s->top_p * sum; r++) {
        const double e = exp((double)logits[by_rank[r]] / s->temperature);
        reached += e;
        probability[by_rank[r]] = e;
    }
    for (int i = 0; i < WORDS; i++)
        kept += probability[i];
    for (int i = 0; i < WORDS; i++)
        probability[i] /= kept;
}

/* Pearson's chi-square of draws by sample and by position stays below its mean by four times its
 * standard deviation; a word without probability is never drawn. */
static void check_frequencies(struct sampling s)
{
    struct sampling_token scratch[WORDS];
    float logits[WORDS];
    double probability[WORDS], square = 0;
    int64_t found[WORDS] = {0};
    int kinds = 0;

    set_logits(logits);
    define(probability, logits, &s);
    for (int64_t i = 0; i < DRAWS; i++) {
        const struct sampling_place place = { .prompt = 3, .sample = i / 100, .position = i % 100 };
        found[sampling_choose(&s, logits, WORDS, place, scratch)]++;
    }
    for (int i = 0; i < WORDS; i++) {
        const double expected = DRAWS * probability[i], d = (double)found[i] - expected;
        assert_true(expected > 0 || found[i] == 0);
        if (expected > 0) {
            square += d * d / expected;
            kinds++;
        }
    }
    assert_true(square < kinds - 1 + 4 * sqrt(2 * (kinds - 1)) + 1e-9);
}

static void draws_by_the_softmax(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 3; seed++) {
        check_frequencies((struct sampling){ .temperature = 1, .top_p = 1, .seed = seed });
        check_frequencies((struct sampling){ .temperature = 0.7, .top_p = 1, .seed = seed });
        check_frequencies((struct sampling){ .temperature = 2, .top_p = 1, .seed = seed });
    }
}

static void keeps_what_top_k_and_top_p_say(void **state)
{
    static const double SHARES[] = { 1e-6, 0.3, 0.5, 0.9, 0.999, 1 };

    (void)state;
    for (int64_t k = 0; k <= WORDS + 1; k += 5)
        for (int i = 0; i < 6; i++)
            check_frequencies((struct sampling){ .temperature = 1.3, .top_k = k,
                                                 .top_p = SHARES[i], .seed = 1 });
}

/* The first of equal ones; whatever the rest says. */
static void takes_the_most_probable_at_temperature_0(void **state)
{
    const struct sampling s = { .temperature = 0, .top_k = 3, .top_p = 0.5 };
    float logits[WORDS];

    (void)state;
    set_logits(logits);
    logits[5] = logits[17] = 9;
    for (int64_t i = 0; i < 20; i++)
        assert_int_equal(sampling_choose(&s, logits, WORDS, (struct sampling_place){ .sample = i },
                                         NULL), 5);
}

/* Seed, prompt, sample and position each give other draws, and the same again. */
static void depends_on_seed_prompt_sample_and_position(void **state)
{
    struct sampling s = { .temperature = 1, .top_p = 1 };
    struct sampling_token scratch[WORDS];
    float logits[WORDS] = {0};
    int32_t draws[5][50];

    (void)state;
    for (int kind = 0; kind < 5; kind++)
        for (int i = 0; i < 50; i++) {
            const struct sampling_place place = { .prompt = kind == 1, .sample = kind == 2,
                                                  .position = i + 50 * (kind == 3) };
            s.seed = kind == 4;
            draws[kind][i] = sampling_choose(&s, logits, WORDS, place, scratch);
            assert_int_equal(draws[kind][i],
                             sampling_choose(&s, logits, WORDS, place, scratch));
        }
    for (int a = 0; a < 5; a++)
        for (int b = 0; b < a; b++)
            assert_memory_not_equal(draws[a], draws[b], sizeof draws[a]);
    const int32_t prompt[] = { 1, 2, 3 }, other[] = { 1, 2, 4 };
    assert_true(sampling_prompt(prompt, 3) != sampling_prompt(other, 3));
    assert_true(sampling_prompt(prompt, 2) == sampling_prompt(other, 2));
}

static void check_refusal(struct sampling s, const char *word)
{
    assert_int_equal(sampling_check(&s), E_USAGE);
    assert_non_null(strstr(refuse_reason(), word));
    refuse_clear();
}

static void refuses_what_is_no_sampling(void **state)
{
    (void)state;
    check_refusal((struct sampling){ .temperature = -1, .top_p = 1 }, "temperature of -1");
    check_refusal((struct sampling){ .temperature = (double)NAN, .top_p = 1 }, "temperature");
    check_refusal((struct sampling){ .temperature = 1, .top_k = -1, .top_p = 1 }, "top-k -1");
    check_refusal((struct sampling){ .temperature = 1, .top_p = 0 }, "top-p 0");
    check_refusal((struct sampling){ .temperature = 1, .top_p = 1.1 }, "top-p 1.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_by_the_softmax),
        cmocka_unit_test(keeps_what_top_k_and_top_p_say),
        cmocka_unit_test(takes_the_most_probable_at_temperature_0),
        cmocka_unit_test(depends_on_seed_prompt_sample_and_position),
        cmocka_unit_test(refuses_what_is_no_sampling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
