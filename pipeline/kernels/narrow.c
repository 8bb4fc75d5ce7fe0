#include "kernels/narrow.h"
#include "base/minmax.h"

#include <assert.h>
#include <string.h>

/* The sums of a tile stay in registers: TILE outputs, two vectors of rows each. */
enum { TILE = 6, VECTORS = 2 };

/* Vectors of each kind of CPU, at any address. */
typedef float lanes_512 __attribute__((vector_size(64), aligned(4), may_alias));
typedef float lanes_256 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float lanes_128 __attribute__((vector_size(16), aligned(4), may_alias));

/* Add a run of products to the sums of a tile.
 *   sums [TILE, NARROW_ROWS]   in and out
 *   x    [depth, NARROW_ROWS]  in
 *   w    [TILE, depth]         in, rows ldw values apart */
typedef void tile_function(float *restrict sums, const float *restrict x, const float *restrict w,
                           int64_t ldw, int64_t depth);

/* Compilers lower vectors that a CPU does not have to code that is slow, so each kind of CPU has
 * its own; a target attribute alone would not do. */
#define TILE_FUNCTION(name, lanes, ...)                                                         \
    __VA_ARGS__ static void name(float *restrict sums, const float *restrict x,                 \
                                 const float *restrict w, int64_t ldw, int64_t depth)           \
    {                                                                                           \
        enum { WIDTH = sizeof(lanes) / sizeof(float) };                                         \
        for (int64_t from = 0; from < NARROW_ROWS; from += VECTORS * WIDTH) {                   \
            lanes sum[TILE][VECTORS] = {0};                                                     \
            for (int64_t i = 0; i < depth; i++)                                                 \
                for (int t = 0; t < TILE; t++)                                                  \
                    for (int v = 0; v < VECTORS; v++)                                           \
                        sum[t][v] += *(const lanes *)(x + i * NARROW_ROWS + from + v * WIDTH)   \
                                   * w[t * ldw + i];                                            \
            for (int t = 0; t < TILE; t++)                                                      \
                for (int v = 0; v < VECTORS; v++)                                               \
                    *(lanes *)(sums + t * NARROW_ROWS + from + v * WIDTH) += sum[t][v];         \
        }                                                                                       \
    }

TILE_FUNCTION(add_512, lanes_512, __attribute__((target("arch=x86-64-v4"))))
TILE_FUNCTION(add_256, lanes_256, __attribute__((target("arch=x86-64-v3"))))
TILE_FUNCTION(add_128, lanes_128)

/* The best that this CPU has, by what clones.h knows of it; the tests run each of them. */
static tile_function *tile_of_cpu(void)
{
    static tile_function *const TILES[] = { add_128, add_256, add_512 };

#ifdef ONE_CLONE
#define TEXT(...) #__VA_ARGS__
#define TEXT_OF(...) TEXT(__VA_ARGS__)
    return TILES[sizeof TEXT_OF(ONE_CLONE) > 1];
#else
    return TILES[__builtin_cpu_supports("x86-64-v4") ? 2 : __builtin_cpu_supports("x86-64-v3")];
#endif
}

/* --- packing ----------------------------------------------------------------------------- */

static int64_t groups_of(int64_t rows)
{
    return (rows + NARROW_ROWS - 1) / NARROW_ROWS;
}

int64_t narrow_count(int64_t rows, int64_t inputs)
{
    return groups_of(rows) * NARROW_ROWS * inputs;
}

/* Rows that are not there are 0. */
void narrow_pack(float *packed, const float *x, int64_t rows, int64_t inputs)
{
    const int64_t all = groups_of(rows) * inputs;

    #pragma omp parallel for
    for (int64_t at = 0; at < all; at++) {
        const int64_t first = at / inputs * NARROW_ROWS, i = at % inputs;
        float *to = packed + at * NARROW_ROWS;
        for (int64_t r = 0; r < NARROW_ROWS; r++)
            to[r] = first + r < rows ? x[(first + r) * inputs + i] : 0;
    }
}

/* --- products ---------------------------------------------------------------------------- */

/* Outputs of one group of rows. */
struct sums {
    float value[NARROW_OUTPUTS][NARROW_ROWS];
};

/* Add a run of inputs.  What is left after the last whole tile is computed an output at a time,
 * each in all places of a tile, so that nothing is read that is not there. */
static void add_run(struct sums *sums, const float *x, const float *w, int64_t ldw, int64_t outputs,
                    int64_t depth)
{
    tile_function *const add = tile_of_cpu();
    const int64_t whole = outputs / TILE * TILE;
    float same[TILE][NARROW_ROWS];

    for (int64_t o = 0; o < whole; o += TILE)
        add(sums->value[o], x, w + o * ldw, ldw, depth);
    for (int64_t o = whole; o < outputs; o++) {
        for (int t = 0; t < TILE; t++)
            memcpy(same[t], sums->value[o], sizeof same[t]);
        add(same[0], x, w + o * ldw, 0, depth);
        memcpy(sums->value[o], same[0], sizeof same[0]);
    }
}

static void store(float *y, int64_t ldy, const struct sums *sums, int64_t rows, int64_t outputs)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t o = 0; o < outputs; o++)
            y[r * ldy + o] = sums->value[o][r];
}

/* Two groups go together, so that W is read from memory once for both. */
enum { TOGETHER = 2 };

void narrow_product(float *y, int64_t ldy, const float *packed, const float *w, int64_t rows,
                    int64_t outputs, int64_t inputs)
{
    struct sums sums[TOGETHER];

    assert(outputs <= NARROW_OUTPUTS);
    for (int64_t group = 0; group < groups_of(rows); group += TOGETHER) {
        const int64_t groups = min_int64(TOGETHER, groups_of(rows) - group);
        memset(sums, 0, sizeof sums);
        for (int64_t i = 0; i < inputs; i += NARROW_RUN)
            for (int64_t g = 0; g < groups; g++)
                add_run(&sums[g], packed + ((group + g) * inputs + i) * NARROW_ROWS, w + i, inputs,
                        outputs, min_int64(NARROW_RUN, inputs - i));
        for (int64_t g = 0; g < groups; g++) {
            const int64_t first = (group + g) * NARROW_ROWS;
            store(y + first * ldy, ldy, &sums[g], min_int64(NARROW_ROWS, rows - first), outputs);
        }
    }
}

void narrow_apply(float *y, int64_t ldy, const float *packed, const float *w, int64_t rows,
                  int64_t outputs, int64_t inputs)
{
    const int64_t spans = (outputs + NARROW_OUTPUTS - 1) / NARROW_OUTPUTS;

    #pragma omp parallel for schedule(dynamic)
    for (int64_t span = 0; span < spans; span++) {
        const int64_t first = span * NARROW_OUTPUTS;
        narrow_product(y + first, ldy, packed, w + first * inputs, rows,
                       min_int64(NARROW_OUTPUTS, outputs - first), inputs);
    }
}
