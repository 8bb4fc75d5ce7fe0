/* Searches of an inversion have the same bits on any number of ranks and threads. */
#include "invert/restarts.h"
#include "tests/ranked/ranked.h"
#include "tests/unit/networks.h"
#include "tests/unit/searches.h"

#include <math.h>
#include <omp.h>

/* Two ranks and three have not all as many of seven. */
enum { COUNT = 7, POINT = 2 + 4 };

struct scene {
    struct network   map, generator;
    struct observation seen;
    struct inversion inversion;
};

static void make_scene(struct scene *s)
{
    static const double TARGET[] = { 0.5, -0.4, 0.3 };
    const int32_t map[] = { 2, 6, 4 }, generator[] = { 4, 8, 6 }, group[] = { 0, 0, 1, 1, 2, 2 };

    networks_make(&s->map, map, 2, NETWORK_TANH, 1, 1.5);
    networks_make(&s->generator, generator, 2, NETWORK_TANH, 2, 1.5);
    CHECK(observation_average(&s->seen, group, 6, 3) == OK);
    CHECK(inversion_make(&s->inversion, &(struct inversion_setup){
        &s->map, &s->generator, &s->seen, NULL, TARGET, 1, { 1, 0, 1, 0.01 } }) == OK);
}

static void free_scene(struct scene *s)
{
    inversion_free(&s->inversion);
    observation_free(&s->seen);
    network_free(&s->generator);
    network_free(&s->map);
}

static void has_the_same_bits(struct run *run, const struct inversion *inversion)
{
    const struct descent_options options = { 300, 0.1, 0.5, 10, 5 };
    struct run by_itself = { .stage = "test", .comm = MPI_COMM_SELF, .size = 1 };
    struct restarts together, alone;

    CHECK(restarts_run(&together, inversion, &options, COUNT, run) == OK);
    omp_set_num_threads(3);
    CHECK(restarts_run(&alone, inversion, &options, COUNT, &by_itself) == OK);
    omp_set_num_threads(1);
    CHECK(together.best == alone.best);
    CHECK(memcmp(together.terms, alone.terms, COUNT * sizeof *alone.terms) == 0);
    CHECK(memcmp(together.points, alone.points, COUNT * POINT * sizeof(double)) == 0);
    CHECK(together.rounds == alone.rounds);
    CHECK(memcmp(together.losses, alone.losses, (size_t)(COUNT * (alone.rounds + 1))
                                                    * sizeof(double)) == 0);
    for (int i = 0; i < COUNT; i++) {
        CHECK(alone.terms[i].loss >= alone.terms[alone.best].loss);
        CHECK(i == 0 || alone.points[i * POINT] != alone.points[0]);
    }
    restarts_free(&together);
    restarts_free(&alone);
}

/* Search number 5 of seven is search number 5, and its curve leads from its start to its end. */
static void a_search_does_not_depend_on_the_others(struct run *run,
                                                   const struct inversion *inversion)
{
    const struct descent_options options = { 250, 0.1, 0, 3, 5 };
    struct restarts restarts;
    double point[POINT];

    CHECK(restarts_run(&restarts, inversion, &options, COUNT, run) == OK);
    const double *losses = restarts.losses + 5 * (restarts.rounds + 1);
    const struct inversion_terms terms = searches_run(inversion, point, &options, 5);
    CHECK(memcmp(point, restarts.points + 5 * POINT, sizeof point) == 0);
    CHECK(losses[restarts.rounds] == terms.loss);
    const struct descent_options shorter = { restarts_step(&restarts, &options, 7), 0.1, 0, 3, 5 };
    CHECK(losses[7] == searches_run(inversion, point, &shorter, 5).loss);
    CHECK(losses[0] > losses[restarts.rounds]);
    restarts_free(&restarts);
}

static void all_ranks_leave_without_a_solution(struct run *run, const struct inversion *inversion)
{
    const struct descent_options far = { 3, 1e300, 0, 1, 5 }, wild = { 3, 50, 0, 1, 5 };
    struct restarts restarts;

    CHECK(restarts_run(&restarts, inversion, &far, COUNT, run) == E_NUMERIC);
    CHECK(strstr(refuse_reason(), "none of 7 searches ends at a finite loss") != NULL);
    refuse_clear();
    CHECK(restarts_run(&restarts, inversion, &wild, COUNT, run) == E_NUMERIC);
    CHECK(strstr(refuse_reason(), "none of 7 searches ends below its start") != NULL);
    refuse_clear();
    CHECK(restarts_run(&restarts, inversion, &wild, 0, run) == E_USAGE);
    refuse_clear();
    CHECK(restarts.points == NULL);
}

int main(int argc, char **argv)
{
    struct ranked here = ranked_start(&argc, &argv);
    struct run run = { .stage = "test", .comm = MPI_COMM_WORLD, .rank = here.rank,
                       .size = here.size };
    struct scene scene;

    make_scene(&scene);
    has_the_same_bits(&run, &scene.inversion);
    a_search_does_not_depend_on_the_others(&run, &scene.inversion);
    all_ranks_leave_without_a_solution(&run, &scene.inversion);
    free_scene(&scene);
    return ranked_finish(&here);
}
