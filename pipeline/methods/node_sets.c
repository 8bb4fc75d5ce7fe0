#include "methods/node_sets.h"
#include "base/allocate.h"
#include "base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t count_of(const bool *set, int64_t nodes)
{
    int64_t count = 0;

    for (int64_t v = 0; v < nodes; v++)
        count += set[v];
    return count;
}

/* --- sets ---------------------------------------------------------------------------- */

/* F of a set without some nodes. */
static enum status value_without(double *value, const struct node_space *space, const bool *set,
                                 const bool *out)
{
    const int64_t nodes = node_search_nodes(space);
    bool *rest = allocate(nodes, sizeof *rest);

    for (int64_t v = 0; v < nodes; v++)
        rest[v] = set[v] && !out[v];
    const enum status st = space->value(space->context, value, rest);
    free(rest);
    return st;
}

static enum status judge(struct node_set *set, const struct node_space *space, const bool *circuit)
{
    enum status st;

    TRY(value_without(&set->circuit, space, circuit, set->nodes));
    TRY(value_without(&set->whole, space, space->whole, set->nodes));
done:
    return st;
}

static double badness(const struct node_set *set)
{
    return fabs(set->circuit - set->whole);
}

/* The next set, which is empty. */
static struct node_set *next_set(struct node_sets *sets, const struct node_space *space)
{
    struct node_set *set = &sets->set[sets->count++];

    set->nodes = allocate(node_search_nodes(space), sizeof *set->nodes);
    return set;
}

/* Judge the last set, or drop it if it is empty. */
static enum status finish_set(struct node_sets *sets, const struct node_space *space,
                              const bool *circuit)
{
    struct node_set *set = &sets->set[sets->count - 1];

    if (count_of(set->nodes, node_search_nodes(space)) > 0)
        return judge(set, space, circuit);
    free(set->nodes);
    sets->count--;
    return OK;
}

/* The circuit's nodes of each class, then of each layer. */
static enum status add_parts(struct node_sets *sets, const struct node_space *space,
                             const bool *circuit, const char *const *class_names)
{
    const int64_t nodes = node_search_nodes(space);
    const int32_t parts = space->classes + space->layers;
    enum status st = OK;

    for (int32_t part = 0; part < parts; part++) {
        const int32_t layer = part - space->classes;
        struct node_set *set = next_set(sets, space);
        if (layer < 0)
            snprintf(set->label, NODE_SET_LABEL, "class %s", class_names[part]);
        else
            snprintf(set->label, NODE_SET_LABEL, "layer %d", (int)layer);
        for (int64_t v = 0; v < nodes; v++)
            set->nodes[v] = circuit[v] && (layer < 0 ? v % space->classes == part
                                           : v / (space->heads * space->classes) == layer);
        TRY(finish_set(sets, space, circuit));
    }
done:
    return st;
}

/* Each node of the circuit with probability 1/2. */
static enum status add_random(struct node_sets *sets, const struct node_space *space,
                              const bool *circuit, const struct node_plan *plan)
{
    const int64_t nodes = node_search_nodes(space);
    enum status st = OK;

    for (int64_t r = 0; r < plan->random; r++) {
        struct node_set *set = next_set(sets, space);
        snprintf(set->label, NODE_SET_LABEL, "random %lld", (long long)r);
        for (int64_t v = 0; v < nodes; v++)
            set->nodes[v] = circuit[v]
                            && random_uniform(plan->seed, RANDOM_SETS, (uint64_t)(r * nodes + v))
                               < 0.5F;
        TRY(finish_set(sets, space, circuit));
    }
done:
    return st;
}

/* --- the greedy search --------------------------------------------------------------- */

struct greedy {
    const struct node_space *space;
    const bool              *circuit;
    const struct node_plan  *plan;
    uint64_t                 draws;     /* made so far */
    struct node_set          now;       /* K */
    struct node_set         *worst;     /* that was met */
};

static void copy_set(struct node_set *to, const struct node_set *from, int64_t nodes)
{
    memcpy(to->nodes, from->nodes, (size_t)nodes * sizeof *to->nodes);
    to->circuit = from->circuit;
    to->whole = from->whole;
}

/* Draw one of `count` nodes, and take it out of the list. */
static int64_t draw(struct greedy *greedy, int64_t *list, int64_t count)
{
    uint32_t words[4];

    random_words(words, greedy->plan->seed, RANDOM_GREEDY, greedy->draws++);
    const int64_t at = (int64_t)((uint64_t)words[0] * (uint64_t)count >> 32), node = list[at];
    list[at] = list[count - 1];
    return node;
}

/* Add the worst of some nodes of `list`, the rest of the circuit, to K. */
static enum status add_worst(struct greedy *greedy, int64_t *list, int64_t count)
{
    const int64_t nodes = node_search_nodes(greedy->space);
    struct node_set best = { .nodes = allocate(nodes, sizeof *best.nodes) };
    enum status st = OK;

    for (int64_t s = 0; s < greedy->plan->samples && s < count; s++) {
        const int64_t v = draw(greedy, list, count - s);
        greedy->now.nodes[v] = true;
        TRY(judge(&greedy->now, greedy->space, greedy->circuit));
        if (s == 0 || badness(&greedy->now) > badness(&best))
            copy_set(&best, &greedy->now, nodes);
        greedy->now.nodes[v] = false;
    }
    copy_set(&greedy->now, &best, nodes);
    if (badness(&best) > badness(greedy->worst))
        copy_set(greedy->worst, &best, nodes);
done:
    free(best.nodes);
    return st;
}

static enum status run_greedy(struct greedy *greedy)
{
    const int64_t nodes = node_search_nodes(greedy->space);
    int64_t *list = allocate(nodes, sizeof *list);
    enum status st = OK;

    for (int64_t step = 0; step < greedy->plan->steps; step++) {
        int64_t count = 0;
        for (int64_t v = 0; v < nodes; v++)
            if (greedy->circuit[v] && !greedy->now.nodes[v])
                list[count++] = v;
        if (count > 0)
            TRY(add_worst(greedy, list, count));
    }
done:
    free(list);
    return st;
}

static enum status add_greedy(struct node_sets *sets, const struct node_space *space,
                              const bool *circuit, const struct node_plan *plan)
{
    const int64_t nodes = node_search_nodes(space);
    struct greedy greedy = {
        .space = space, .circuit = circuit, .plan = plan,
        .now.nodes = allocate(nodes, sizeof(bool)), .worst = next_set(sets, space),
    };
    enum status st = OK;

    snprintf(greedy.worst->label, NODE_SET_LABEL, "greedy");
    for (int64_t r = 0; r < plan->restarts; r++) {
        memset(greedy.now.nodes, false, (size_t)nodes * sizeof(bool));
        TRY(run_greedy(&greedy));
    }
    if (count_of(greedy.worst->nodes, nodes) == 0) {
        free(greedy.worst->nodes);
        sets->count--;
    }
done:
    free(greedy.now.nodes);
    return st;
}

enum status node_sets_run(struct node_sets *sets, const struct node_space *space,
                          const bool *circuit, const char *const *class_names,
                          const struct node_plan *plan)
{
    enum status st;

    *sets = (struct node_sets){
        .set = allocate(node_sets_most(space, plan), sizeof *sets->set),
    };
    TRY(add_parts(sets, space, circuit, class_names));
    TRY(add_random(sets, space, circuit, plan));
    TRY(add_greedy(sets, space, circuit, plan));
done:
    return st;
}

void node_sets_free(struct node_sets *sets)
{
    for (int64_t i = 0; i < sets->count; i++)
        free(sets->set[i].nodes);
    free(sets->set);
    *sets = (struct node_sets){0};
}

int64_t node_sets_most(const struct node_space *space, const struct node_plan *plan)
{
    return space->classes + space->layers + plan->random + 1;
}

int64_t node_sets_evaluations(const struct node_space *space, const struct node_plan *plan)
{
    return 2 * (node_sets_most(space, plan) + plan->restarts * plan->steps * plan->samples);
}

/* --- minimality ---------------------------------------------------------------------- */

/* The nodes of C of one class, whose values share F(C - K - v), which lacks all of them. */
static enum status judge_class(struct node_minimality *result, const struct node_space *space,
                               const bool *circuit, int32_t class, double of_circuit)
{
    const int64_t nodes = node_search_nodes(space);
    bool *out = allocate(nodes, sizeof *out);
    double without_all;
    enum status st;

    for (int64_t v = class; v < nodes; v += space->classes)
        out[v] = circuit[v];
    TRY(value_without(&without_all, space, circuit, out));
    for (int64_t v = class; v < nodes; v += space->classes) {
        if (!circuit[v])
            continue;
        result[v] = (struct node_minimality){ .circuit = of_circuit, .without_both = without_all };
        out[v] = false;
        TRY(value_without(&result[v].without_others, space, circuit, out));
        out[v] = true;
        bool *alone = allocate(nodes, sizeof *alone);
        alone[v] = true;
        st = value_without(&result[v].without, space, circuit, alone);
        free(alone);
        TRY(st);
    }
done:
    free(out);
    return st;
}

enum status node_sets_minimality(struct node_minimality *result, const struct node_space *space,
                                 const bool *circuit)
{
    double of_circuit;
    enum status st;

    TRY(space->value(space->context, &of_circuit, circuit));
    for (int32_t class = 0; class < space->classes; class ++)
        TRY(judge_class(result, space, circuit, class, of_circuit));
done:
    return st;
}
