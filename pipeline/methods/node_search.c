#include "methods/node_search.h"
#include "base/allocate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t node_search_nodes(const struct node_space *space)
{
    return (int64_t)space->layers * space->heads * space->classes;
}

static bool *copy_of(const bool *set, int64_t nodes)
{
    bool *copy = allocate(nodes, sizeof *copy);

    memcpy(copy, set, (size_t)nodes * sizeof *copy);
    return copy;
}

/* --- search -------------------------------------------------------------------------- */

static enum status find_singles(struct node_search *search, const struct node_space *space)
{
    const int64_t nodes = node_search_nodes(space);
    enum status st;

    TRY(space->value(space->context, &search->whole, search->circuit));
    for (int64_t v = 0; v < nodes; v++) {
        search->single[v] = (double)NAN;
        if (!space->whole[v])
            continue;
        search->circuit[v] = false;
        TRY(space->value(space->context, &search->single[v], search->circuit));
        search->single[v] -= search->whole;
        search->circuit[v] = true;
    }
done:
    return st;
}

struct ranked {
    double  size;
    int64_t node;
};

static int by_size(const void *a, const void *b)
{
    const struct ranked *p = a, *q = b;

    if (p->size != q->size)
        return p->size < q->size ? -1 : 1;
    return p->node < q->node ? -1 : p->node > q->node;
}

/* The nodes in the order in which they are tried. */
static void order_steps(struct node_search *search, const struct node_space *space)
{
    const int64_t nodes = node_search_nodes(space);
    struct ranked *order = allocate(nodes, sizeof *order);

    search->count = 0;
    for (int64_t v = 0; v < nodes; v++)
        if (space->whole[v])
            order[search->count++] = (struct ranked){ fabs(search->single[v]), v };
    qsort(order, (size_t)search->count, sizeof *order, by_size);
    for (int64_t i = 0; i < search->count; i++)
        search->steps[i].node = order[i].node;
    free(order);
}

static enum status eliminate(struct node_search *search, const struct node_space *space,
                             struct node_tolerance tolerance)
{
    const double whole = search->whole;
    double current = whole;
    enum status st = OK;

    for (int64_t i = 0; i < search->count; i++) {
        struct node_step *step = &search->steps[i];
        search->circuit[step->node] = false;
        TRY(space->value(space->context, &step->value, search->circuit));
        step->removed = fabs(step->value - whole) <= tolerance.all * fabs(whole)
                        && fabs(step->value - current) <= tolerance.step * fabs(whole);
        if (step->removed)
            current = step->value;
        else
            search->circuit[step->node] = true;
    }
done:
    return st;
}

enum status node_search_run(struct node_search *search, const struct node_space *space,
                            struct node_tolerance tolerance)
{
    const int64_t nodes = node_search_nodes(space);
    enum status st;

    *search = (struct node_search){
        .single = allocate(nodes, sizeof *search->single),
        .steps = allocate(nodes, sizeof *search->steps),
        .circuit = copy_of(space->whole, nodes),
    };
    TRY(find_singles(search, space));
    order_steps(search, space);
    TRY(eliminate(search, space, tolerance));
done:
    return st;
}

void node_search_free(struct node_search *search)
{
    free(search->single);
    free(search->steps);
    free(search->circuit);
    *search = (struct node_search){0};
}
