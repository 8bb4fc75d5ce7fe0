#include "lm/sampling.h"
#include "base/random.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <xxhash.h>

enum status sampling_check(const struct sampling *s)
{
    enum status st = OK;

    REQUIRE(s->temperature >= 0 && isfinite(s->temperature), E_USAGE,
            "a temperature of %g: it is 0, "
            "for the most probable token, or above",
            s->temperature);
    REQUIRE(s->top_k >= 0, E_USAGE, "top-k %lld: it is 0, for all tokens, or above",
            (long long)s->top_k);
    REQUIRE(s->top_p > 0 && s->top_p <= 1, E_USAGE, "top-p %g: it is above 0 and at most 1",
            s->top_p);
done:
    return st;
}

uint64_t sampling_prompt(const int32_t *ids, int64_t count)
{
    return XXH64(ids, (size_t)count * sizeof *ids, 0);
}

/* Uniform in [0, 1), 53 random bits. */
static double uniform(const struct sampling *s, struct sampling_place place)
{
    const uint64_t index = (uint64_t)place.sample << 32 | (uint64_t)place.position;
    uint32_t words[4];

    random_words(words, s->seed, RANDOM_TOKENS, place.prompt);
    random_words(words, (uint64_t)words[0] << 32 | words[1], RANDOM_TOKENS, index);
    return (double)(((uint64_t)words[0] << 32 | words[1]) >> 11) * 0x1p-53;
}

static int32_t largest(const float *logits, int32_t words)
{
    int32_t best = 0;

    for (int32_t i = 1; i < words; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

/* Probability up to a factor. */
static double weight(const struct sampling *s, float logit, float top)
{
    return exp(((double)logit - (double)top) / s->temperature);
}

/* --- the tokens that may be chosen ------------------------------------------------------- */

/* Does a come before b? */
static bool before(struct sampling_token a, struct sampling_token b)
{
    return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

static int by_rank(const void *a, const void *b)
{
    return before(*(const struct sampling_token *)a, *(const struct sampling_token *)b) ? -1 : 1;
}

/* The k most probable tokens, sorted: each token that comes before the last one is put in its
 * place. Returns how many. */
static int64_t keep_k(struct sampling_token *kept, const float *logits, int32_t words, int64_t k)
{
    int64_t count = 0;

    for (int32_t i = 0; i < words; i++) {
        const struct sampling_token token = { logits[i], i };
        if (count == k && !before(token, kept[k - 1]))
            continue;
        int64_t at = count < k ? count++ : k - 1;
        for (; at > 0 && before(token, kept[at - 1]); at--)
            kept[at] = kept[at - 1];
        kept[at] = token;
    }
    return count;
}

/* All tokens, in their order. */
static int64_t keep_all(struct sampling_token *kept, const float *logits, int32_t words)
{
    for (int32_t i = 0; i < words; i++)
        kept[i] = (struct sampling_token){ logits[i], i };
    return words;
}

static double total(const struct sampling_token *kept, int64_t count, const struct sampling *s,
                    float top)
{
    double sum = 0;

    for (int64_t i = 0; i < count; i++)
        sum += weight(s, kept[i].logit, top);
    return sum;
}

/* Keep and sort the tokens that can be among those of top_p.  All that have less than
 * (1 - p) / count of the probability have less than 1 - p together, so none of them is needed, and
 * few are left to be sorted.  Returns how many. */
static int64_t sort_probable(struct sampling_token *kept, int64_t count, const struct sampling *s,
                             double sum, float top)
{
    const double least = (1 - s->top_p) / (double)count * sum;
    int64_t left = 0;

    for (int64_t i = 0; i < count; i++)
        if (weight(s, kept[i].logit, top) >= least)
            kept[left++] = kept[i];
    qsort(kept, (size_t)left, sizeof *kept, by_rank);
    return left;
}

/* How many of the sorted tokens have the share p of `sum`? */
static int64_t cut(const struct sampling_token *kept, int64_t count, const struct sampling *s,
                   double sum, float top)
{
    double share = 0;

    for (int64_t i = 0; i < count; i++) {
        share += weight(s, kept[i].logit, top);
        if (share >= s->top_p * sum)
            return i + 1;
    }
    return count;
}

/* --- the choice -------------------------------------------------------------------------- */

int32_t sampling_choose(const struct sampling *s, const float *logits, int32_t words,
                        struct sampling_place place, struct sampling_token *scratch)
{
    const bool some = s->top_k > 0 && s->top_k < words;
    const int32_t first = largest(logits, words);
    const float top = logits[first];
    double reached = 0;
    int64_t chosen = 0;

    if (s->temperature == 0)
        return first;
    int64_t count = some ? keep_k(scratch, logits, words, s->top_k)
                         : keep_all(scratch, logits, words);
    double sum = total(scratch, count, s, top);
    if (s->top_p < 1) {
        if (!some)
            count = sort_probable(scratch, count, s, sum, top);
        count = cut(scratch, count, s, sum, top);
        sum = total(scratch, count, s, top);
    }
    const double wanted = uniform(s, place) * sum;
    for (; chosen < count - 1; chosen++) {
        reached += weight(s, scratch[chosen].logit, top);
        if (reached > wanted)
            break;
    }
    return scratch[chosen].id;
}
