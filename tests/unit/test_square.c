/* square_add(): sums of products by their definition, in both precisions, of whole blocks and of
 * parts of them, whichever way the operands lie. */
#include "base/allocate.h"
#include "base/random.h"
#include "base/refuse.h"
#include "kernels/product.h"
#include "kernels/square.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Rows of a, columns of a that are rows of b, columns of b. */
struct shape {
    int m, k, n;
};

static const struct shape SHAPES[] = { { SIDE, SIDE, SIDE }, { 1, 1, 1 }, { 77, SIDE, 5 },
                                       { SIDE, 33, 127 } };

enum { LD = 150 };

struct scene {
    float a[SIDE * LD], b[SIDE * LD], transposed[SIDE * LD], before[SQUARE];
};

/* Numbers that bf16 has exactly, so that both precisions must give the same. */
static void fill(float *x, int64_t n, uint64_t seed)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(lround(255 * (double)random_uniform(seed, 0, (uint64_t)i)) - 127) / 128;
}

static struct scene *make_scene(void)
{
    struct scene *scene = allocate(1, sizeof *scene);

    fill(scene->a, SIDE * LD, 1);
    fill(scene->b, SIDE * LD, 2);
    fill(scene->before, SQUARE, 3);
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++)
            scene->transposed[j * LD + i] = scene->b[i * LD + j];
    return scene;
}

/* What is beyond the shape counts as 0. */
static double wanted(const struct scene *scene, struct shape s, int row, int column)
{
    double sum = (double)scene->before[row * SIDE + column];

    for (int k = 0; k < s.k && row < s.m && column < s.n; k++)
        sum += (double)scene->a[row * LD + k] * (double)scene->b[k * LD + column];
    return sum;
}

static void check(const struct square *square, const struct scene *scene, struct shape s,
                  bool transposed)
{
    void *a = allocate_aligned(square_bytes(square->precision));
    void *b = allocate_aligned(square_bytes(square->precision));
    float *y = allocate_aligned(SQUARE * sizeof *y);

    memcpy(y, scene->before, SQUARE * sizeof *y);
    square_left(square, a, scene->a, LD, s.m, s.k);
    if (transposed)
        square_right_transposed(square, b, scene->transposed, LD, s.n, s.k);
    else
        square_right(square, b, scene->b, LD, s.k, s.n);
    square_add(square, y, a, b);
    for (int row = 0; row < SIDE; row++)
        for (int column = 0; column < SIDE; column++)
            if (fabs((double)y[row * SIDE + column] - wanted(scene, s, row, column)) > 1e-5)
                fail_msg("%d x %d x %d%s: y[%d, %d] is %g and not %g", s.m, s.k, s.n,
                         transposed ? ", transposed" : "", row, column,
                         (double)y[row * SIDE + column],
                         wanted(scene, s, row, column));
    free(y);
    free(b);
    free(a);
}

static void equals_the_definition(void **state)
{
    struct scene *scene = make_scene();

    (void)state;
    for (int bf16 = 0; bf16 <= product_offered(); bf16++) {
        struct square square;
        square_make(&square, bf16 ? PRECISION_BF16 : PRECISION_F32);
        for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++)
            for (int transposed = 0; transposed <= 1; transposed++)
                check(&square, scene, SHAPES[i], transposed);
        square_free(&square);
    }
    free(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_definition),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
