#include "heads/heads.h"
#include "methods/succession.h"

static enum status check(const struct suite *suite, const struct lm_config *config,
                         const struct prompts *prompts)
{
    char place[SUITE_PLACE];
    int64_t heads;
    enum status st;

    (void)prompts;
    REQUIRE(suite->circuit.data[0] != '\0', E_USAGE, "%s: which classes?  Give circuit.data, such "
            "as jobs/circuits/ordinals.json", suite_place(place, suite, "circuit", 0, "data"));
    TRY(heads_count(&heads, suite, config));
done:
    return st;
}

static int64_t bytes(const struct suite *suite, const struct lm_config *config,
                     struct circuit_shape shape)
{
    (void)shape;
    return succession_bytes(suite, config);
}

/* Each word is asked once as each kind of token, and ten times for each kind of digits: through the
 * head, for the logits of its class. */
static double work(const struct suite *suite, const struct lm_config *config,
                   struct circuit_shape shape)
{
    const int64_t heads = (int64_t)config->layers * config->heads;
    const int64_t asked = EFFECTIVE_KINDS + SUCCESSION_DIGITS * MOD_TEN;
    int64_t words, longest;

    (void)shape;
    ordinals_count(suite->circuit.data, &words, &longest);
    return 2 * (double)(heads * words * asked) * config->width
           * (2 * config->head_width + (double)longest);
}

static double disk(const struct lm_config *config, struct circuit_shape shape)
{
    enum { WORDS = 1000 };      /* most files of classes have fewer */
    const int64_t heads = (int64_t)config->layers * config->heads;

    (void)shape;
    return (double)(heads * WORDS * (EFFECTIVE_KINDS + 2 * SUCCESSION_DIGITS)) * sizeof(int32_t)
           + (double)(SUCCESSION_DIGITS * MOD_TEN * config->width) * sizeof(float);
}

static enum status run_task(const struct circuit *circuit, int64_t task)
{
    struct succession s = {0};
    char name[METHODS_NAME];
    enum status st;

    methods_name(name, circuit->suite, task);
    TRY_ALL(circuit->run->comm, succession_make(&s, circuit));
    TRY(succession_find(&s));
    TRY_ROOT(circuit->run->comm, succession_write(&s, name));
done:
    succession_free(&s);
    return st;
}

const struct circuit_method SUCCESSOR_METHOD = {
    .name = "successor", .without_prompts = true, .check = check, .bytes = bytes,
    .work = work, .disk = disk, .run = run_task,
};
