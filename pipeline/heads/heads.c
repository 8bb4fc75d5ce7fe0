#include "heads/heads.h"
#include "base/allocate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "9.6" */
static enum status choose_one(bool *chosen, const char *text, const char *key,
                              const struct suite *suite, const struct lm_config *config)
{
    char place[SUITE_PLACE];
    int layer, head, end = 0;
    enum status st;

    suite_place(place, suite, "circuit", 0, key);
    REQUIRE(sscanf(text, "%d.%d%n", &layer, &head, &end) == 2 && text[end] == '\0', E_USAGE,
            "%s: '%.40s' does not name a head; try all, or LAYER.HEAD like 9.6", place, text);
    REQUIRE(0 <= layer && layer < config->layers && 0 <= head && head < config->heads, E_USAGE,
            "%s: there is no head %s: the model has %d layers of %d heads, numbered from 0", place,
            text, config->layers, config->heads);
    chosen[layer * config->heads + head] = true;
done:
    return st;
}

/* What `count` values of a key name. */
static enum status choose(bool *chosen, char *const *texts, int64_t count, const char *key,
                          const struct suite *suite, const struct lm_config *config)
{
    const size_t all = (size_t)config->layers * (size_t)config->heads;
    enum status st = OK;

    memset(chosen, false, all * sizeof *chosen);
    for (int64_t i = 0; i < count; i++)
        if (strcmp(texts[i], "all") == 0)
            memset(chosen, true, all * sizeof *chosen);
        else
            TRY(choose_one(chosen, texts[i], key, suite, config));
done:
    return st;
}

enum status heads_choose(bool *chosen, const struct suite *suite, const struct lm_config *config)
{
    return choose(chosen, suite->circuit.heads, suite->circuit.heads_count, "heads", suite,
                  config);
}

enum status heads_choose_entry(bool *chosen, const struct suite *suite,
                               const struct lm_config *config, int64_t entry)
{
    return choose(chosen, suite->circuit.heads + entry, 1, "heads", suite, config);
}

enum status heads_choose_ablated(bool *chosen, const struct suite *suite,
                                 const struct lm_config *config)
{
    return choose(chosen, suite->circuit.ablated, suite->circuit.ablated_count, "ablated", suite,
                  config);
}

int64_t heads_list(int64_t **head, const bool *chosen, const struct lm_config *config)
{
    const int64_t all = (int64_t)config->layers * config->heads;
    int64_t count = 0;

    *head = allocate(all, sizeof **head);
    for (int64_t h = 0; h < all; h++)
        if (chosen[h])
            (*head)[count++] = h;
    return count;
}

enum status heads_count(int64_t *count, const struct suite *suite, const struct lm_config *config)
{
    const int64_t all = (int64_t)config->layers * config->heads;
    bool *chosen = allocate(all, sizeof *chosen);
    const enum status st = heads_choose(chosen, suite, config);

    *count = 0;
    for (int64_t h = 0; h < all; h++)
        *count += chosen[h];
    free(chosen);
    return st;
}
