/* The lists of a batch: a row's depend on it alone, wherever it lies among rows that are encoded
 * some at a time, and threads find them in any order. */
#include "base/allocate.h"
#include "kernels/product.h"
#include "shard/store.h"
#include "step/architecture.h"
#include "step/encode.h"
#include "step/step.h"
#include "tests/synthetic.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* The period after which rows repeat.  A repeated row has another place in its product. */
enum { INPUTS = 40, LATENTS = 300, PERIOD = 601 };

/* More rows than are encoded at a time, and the last of them not a whole block. */
static int64_t batch_of(enum precision precision)
{
    return 2 * encode_rows(precision) + 90;
}

static struct recipe recipe_of(enum architecture_id architecture, enum precision precision)
{
    return (struct recipe){
        .architecture = architecture, .steps = 10,
        .target_l0 = ARCHITECTURES[architecture].keeps_k ? 9 : 0,
        .train = { .precision = precision, .batch = batch_of(precision), .learning_rate = 1e-9,
                   .bandwidth = 0.02, .threshold = 0.05, .beta2 = 0.999, .epsilon = 1e-8,
                   .auxk = 0.1, .auxk_latents = 4, .dead_after = 1, .seed = 3 },
    };
}

/* Round to multiples of 1/64.  Sums of few of their products are exact, in any order. */
static void coarsen(float *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        values[i] = roundf(values[i] * 64) / 64;
}

/* A section of two rows: of the active or the auxiliary entries. */
static void assert_same_section(const struct codes *codes, int64_t row, int64_t other,
                                bool auxiliary)
{
    const int32_t *start = auxiliary ? codes->middle : codes->start;
    const int32_t *end = auxiliary ? codes->start + 1 : codes->middle;
    const int32_t count = end[row] - start[row];

    assert_int_equal(end[other] - start[other], count);
    assert_memory_equal(codes->index + start[other], codes->index + start[row],
                        (size_t)count * sizeof *codes->index);
    assert_memory_equal(codes->value + start[other], codes->value + start[row],
                        (size_t)count * sizeof *codes->value);
}

static void check(enum architecture_id architecture, enum precision precision)
{
    const struct recipe recipe = recipe_of(architecture, precision);
    const struct shape shape = { INPUTS, INPUTS, LATENTS };
    struct training training = {0};
    struct step memory = {0};
    struct step_report report;
    struct step_needs needs = {0};
    float *x = allocate(recipe.train.batch * INPUTS, sizeof *x);
    const struct packed_rows rows = { x, STORE_F32, INPUTS, 1, NULL };

    for (int64_t row = 0; row < recipe.train.batch; row++)
        synthetic_rows(x + row * INPUTS, row % PERIOD, 1, INPUTS);
    coarsen(x, recipe.train.batch * INPUTS);
    training_make(&training, MPI_COMM_SELF, &recipe, shape);
    coarsen(training.tensors[ENCODER].value, LATENTS * INPUTS);
    for (int i = 0; i < LATENTS; i += 2)
        training.rows_since_active[i] = recipe.train.dead_after;
    step_needs_add(&needs, &recipe, shape);
    step_make(&memory, MPI_COMM_SELF, &needs);
    assert_int_equal(step_run(&memory, &training, &rows, &rows, &report), OK);
    assert_true(report.l0 > 5 && (architecture == ARCHITECTURE_JUMPRELU || report.near > 3));
    for (int64_t row = PERIOD; row < recipe.train.batch; row++) {
        assert_same_section(&memory.lists.rows, row % PERIOD, row, false);
        assert_same_section(&memory.lists.rows, row % PERIOD, row, true);
    }
    step_free(&memory);
    training_free(&training);
    free(x);
}

static void a_rows_lists_depend_on_it_alone(void **state)
{
    static const enum architecture_id BY_ROW[] = {
        ARCHITECTURE_JUMPRELU, ARCHITECTURE_GATED, ARCHITECTURE_TOPK,
    };

    (void)state;
    omp_set_num_threads(2);
    for (size_t i = 0; i < sizeof BY_ROW / sizeof *BY_ROW; i++) {
        check(BY_ROW[i], PRECISION_F32);
        if (product_offered())
            check(BY_ROW[i], PRECISION_BF16);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rows_lists_depend_on_it_alone),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
