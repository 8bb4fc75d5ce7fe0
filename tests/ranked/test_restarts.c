/* Searches of an inversion have the same bits on any number of ranks and threads. */
#include "invert/restarts.h"
#include "tests/ranked/ranked.h"
#include "tests/unit/networks.h"

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

static void has_the_same_bits(const struct inversion *inversion)
{
    const struct descent_options options = { 300, 0.1, 0.5, 10, 5 };
    struct restarts together, alone;

    CHECK(restarts_run(&together, inversion, &options, COUNT, MPI_COMM_WORLD) == OK);
    omp_set_num_threads(3);
    CHECK(restarts_run(&alone, inversion, &options, COUNT, MPI_COMM_SELF) == OK);
    omp_set_num_threads(1);
    CHECK(together.best == alone.best);
    CHECK(memcmp(together.terms, alone.terms, COUNT * sizeof *alone.terms) == 0);
    CHECK(memcmp(together.points, alone.points, COUNT * POINT * sizeof(double)) == 0);
    for (int i = 0; i < COUNT; i++) {
        CHECK(alone.terms[i].loss >= alone.terms[alone.best].loss);
        CHECK(i == 0 || alone.points[i * POINT] != alone.points[0]);
    }
    restarts_free(&together);
    restarts_free(&alone);
}

/* Search number 5 of seven is search number 5. */
static void a_search_does_not_depend_on_the_others(const struct inversion *inversion)
{
    const struct descent_options options = { 50, 0.1, 0, 3, 5 };
    double *work = malloc((size_t)descent_work_count(&inversion->setup) * sizeof *work);
    struct restarts restarts;
    double point[POINT];

    CHECK(restarts_run(&restarts, inversion, &options, COUNT, MPI_COMM_WORLD) == OK);
    descent_run(inversion, point, &options, 5, work);
    CHECK(memcmp(point, restarts.points + 5 * POINT, sizeof point) == 0);
    restarts_free(&restarts);
    free(work);
}

static void all_ranks_leave_without_a_finite_loss(const struct inversion *inversion)
{
    const struct descent_options options = { 3, 1e300, 0, 1, 5 };
    struct restarts restarts;

    CHECK(restarts_run(&restarts, inversion, &options, COUNT, MPI_COMM_WORLD) == E_NUMERIC);
    CHECK(strstr(refuse_reason(), "none of 7 searches ends at a finite loss") != NULL);
    refuse_clear();
    CHECK(restarts_run(&restarts, inversion, &options, 0, MPI_COMM_WORLD) == E_USAGE);
    refuse_clear();
    CHECK(restarts.points == NULL);
}

int main(int argc, char **argv)
{
    struct ranked here = ranked_start(&argc, &argv);
    struct scene scene;

    make_scene(&scene);
    has_the_same_bits(&scene.inversion);
    a_search_does_not_depend_on_the_others(&scene.inversion);
    all_ranks_leave_without_a_finite_loss(&scene.inversion);
    free_scene(&scene);
    return ranked_finish(&here);
}
