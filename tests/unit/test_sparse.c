/* Scans, joins, transposition and products of sparse codes against their definitions, on
 * lists of every density, on edge shapes, with latents all dead, all active, all near. */
#include "base/allocate.h"
#include "base/random.h"
#include "base/refuse.h"
#include "kernels/codes.h"
#include "kernels/sparse.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 23, WIDTH = 150, WIDE = 300 };

/* What a scan sees, and what it lists. */
struct scene {
    float   pre[ROWS * WIDTH], bias[WIDTH], threshold[WIDTH];
    int32_t start[ROWS + 1], middle[ROWS];
    int32_t index[2 * ROWS * WIDTH];
    float   value[2 * ROWS * WIDTH];
};

static struct codes codes_of(struct scene *scene)
{
    return (struct codes){ ROWS, scene->start, scene->middle, scene->index, scene->value };
}

static void fill(float *x, int64_t n, uint64_t seed)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = random_uniform(seed, 0, (uint64_t)i) - 0.5f;
}

/* Pre-activations in (-0.5, 0.5) + bias; `threshold` decides how many are above. */
static struct scene *make_scene(float threshold, uint64_t seed)
{
    struct scene *scene = allocate(1, sizeof *scene);

    fill(scene->pre, ROWS * WIDTH, seed);
    fill(scene->bias, WIDTH, seed + 1);
    fill(scene->threshold, WIDTH, seed + 2);
    for (int i = 0; i < WIDTH; i++) {
        scene->bias[i] *= 0.1f;
        scene->threshold[i] = threshold + 0.01f * scene->threshold[i];
    }
    return scene;
}

static void assert_same_codes(const struct codes *a, const struct codes *b)
{
    assert_int_equal(a->groups, b->groups);
    assert_memory_equal(a->start, b->start, (size_t)(a->groups + 1) * sizeof *a->start);
    assert_memory_equal(a->middle, b->middle, (size_t)a->groups * sizeof *a->middle);
    const int64_t n = a->start[a->groups];
    if (n > 0) {
        assert_memory_equal(a->index, b->index, (size_t)n * sizeof *a->index);
        assert_memory_equal(a->value, b->value, (size_t)n * sizeof *a->value);
    }
}

/* All dead; few; many; nearly all; all active.  With a window and without. */
static const float THRESHOLDS[] = { 9, 0.45f, 0.1f, -0.4f, -9 };
enum { DENSITIES = sizeof THRESHOLDS / sizeof *THRESHOLDS };

static void scan_equals_its_definition(void **state)
{
    static const int64_t WIDTHS[] = { 1, 15, 16, 17, 128, WIDTH };
    static const float HALVES[] = { 0, 0.05f, 20 };

    (void)state;
    for (int d = 0; d < DENSITIES; d++)
        for (size_t w = 0; w < sizeof WIDTHS / sizeof *WIDTHS; w++)
            for (int h = 0; h < 3; h++) {
                struct scene *scene = make_scene(THRESHOLDS[d], 10 + w);
                struct scene *wanted = make_scene(THRESHOLDS[d], 10 + w);
                struct codes ours = codes_of(scene), want = codes_of(wanted);
                codes_scan(&ours, scene->pre, scene->bias, scene->threshold, HALVES[h], 7, ROWS,
                           WIDTHS[w]);
                codes_scan_ref(&want, scene->pre, scene->bias, scene->threshold, HALVES[h], 7,
                               ROWS, WIDTHS[w]);
                assert_same_codes(&ours, &want);
                free(wanted);
                free(scene);
            }
}

/* By hand: bias 0.5; thresholds 1, 1, 1, 1; half a bandwidth 0.25. */
static void scan_puts_near_entries_behind_active_ones(void **state)
{
    const float pre[] = { 0.4f, 0.6f, NAN, 0.25f,    0.1f, 0.5f, 9, 0.3f };
    const float bias[] = { 0.5f, 0.5f, 0.5f, 0.5f }, threshold[] = { 1, 1, 1, 1 };
    struct scene *scene = make_scene(0, 1);
    struct codes codes = codes_of(scene);

    (void)state;
    codes_scan(&codes, pre, bias, threshold, 0.25f, 100, 2, 4);
    assert_int_equal(codes.groups, 2);
    assert_int_equal(codes.start[0], 0);
    assert_int_equal(codes.middle[0], 1);       /* 1.1 is active; 0.9 is near; 0.75 is too far */
    assert_int_equal(codes.start[1], 2);
    assert_int_equal(codes.middle[1], 3);       /* 9.5; near are 1 itself and 0.8 */
    assert_int_equal(codes.start[2], 5);
    const int32_t want[] = { 101, 100, 102, 101, 103 };
    assert_memory_equal(codes.index, want, sizeof want);
    free(scene);
}

/* Gates and magnitudes that agree, that do not, that are all shut or all open. */
static void scan_of_two_equals_its_definition(void **state)
{
    static const float SHIFTS[] = { 0, 0.3f, -0.3f, 1, -1 };

    (void)state;
    for (uint64_t seed = 0; seed < 25; seed++) {
        struct scene *scene = make_scene(0, 10 * seed), *again = make_scene(0, 10 * seed);
        struct codes ours = codes_of(scene), want = codes_of(again);
        float gain[WIDTH], gate[WIDTH], floors[WIDTH];
        for (int i = 0; i < WIDTH; i++) {
            gain[i] = (float)(1 << i % 4) / 2;      /* exact products: fused or not, the same */
            gate[i] = scene->bias[i] + SHIFTS[seed % 5];
            floors[i] = i % 3 == 0 ? INFINITY : 0;
            scene->bias[i] += SHIFTS[seed / 5];
        }
        for (int i = 0; i < WIDTH; i++)
            scene->threshold[i] = i % 4 == 0 ? 0.1f : 0;
        const struct two_lists lists = { gain, scene->bias, scene->threshold, gate, floors };
        for (int64_t width = 1; width <= WIDTH; width += 37) {
            codes_scan_two(&ours, scene->pre, &lists, 7, ROWS, width);
            codes_scan_two_ref(&want, scene->pre, &lists, 7, ROWS, width);
            assert_same_codes(&ours, &want);
        }
        free(again);
        free(scene);
    }
}

/* A scan cut into tiles and joined is the scan of the whole; with a window of `half`. */
static void check_joining(float half)
{
    for (int d = 0; d < DENSITIES; d++) {
        static const int64_t CUTS[] = { 0, 40, 41, 128, WIDTH };
        struct scene *scene = make_scene(THRESHOLDS[d], 3), *joined = make_scene(0, 3);
        struct scene *tiles[4];
        struct codes parts[4], whole = codes_of(scene), out = codes_of(joined);

        codes_scan(&whole, scene->pre, scene->bias, scene->threshold, half, 0, ROWS, WIDTH);
        for (int t = 0; t < 4; t++) {
            const int64_t first = CUTS[t], width = CUTS[t + 1] - first;
            float part[ROWS * WIDTH];
            for (int64_t row = 0; row < ROWS; row++)
                memcpy(part + row * width, scene->pre + row * WIDTH + first,
                       (size_t)width * sizeof *part);
            tiles[t] = make_scene(0, 3);
            parts[t] = codes_of(tiles[t]);
            codes_scan(&parts[t], part, scene->bias + first, scene->threshold + first, half,
                       (int32_t)first, ROWS, width);
        }
        codes_join_sizes(&out, 10, ROWS - 10, parts, 4, 10);
        codes_join_sizes(&out, 0, 10, parts, 4, 0);
        codes_join_places(&out, 0, 7);
        codes_join_places(&out, 7, ROWS - 7);
        codes_join(&out, 10, ROWS - 10, parts, 4, 10);
        codes_join(&out, 0, 10, parts, 4, 0);
        assert_same_codes(&out, &whole);
        for (int t = 0; t < 4; t++)
            free(tiles[t]);
        free(joined);
        free(scene);
    }
}

static void joined_tiles_are_the_whole(void **state)
{
    (void)state;
    check_joining(0.1f);
    check_joining(20);      /* what is not active is near */
}

/* By its definition: for each latent, all rows that have it active, then all near ones. */
static void check_transposition(float half)
{
    for (int d = 0; d < DENSITIES; d++) {
        struct scene *scene = make_scene(THRESHOLDS[d], 5);
        struct codes codes = codes_of(scene);
        int32_t start[WIDTH + 1], middle[WIDTH];
        int64_t n = 0;
        int32_t index[ROWS * WIDTH];
        float value[ROWS * WIDTH], extra[ROWS * WIDTH], moved[ROWS * WIDTH];
        struct codes out = { WIDTH, start, middle, index, value };

        fill(extra, ROWS * WIDTH, 6);
        codes_scan(&codes, scene->pre, scene->bias, scene->threshold, half, 0, ROWS, WIDTH);
        codes_transpose(&out, moved, &codes, extra);
        for (int32_t latent = 0; latent < WIDTH; latent++)
            for (int near = 0; near <= 1; near++) {
                assert_int_equal(near ? middle[latent] : start[latent], n);
                for (int32_t row = 0; row < ROWS; row++) {
                    const int64_t first = near ? codes.middle[row] : codes.start[row];
                    const int64_t end = near ? codes.start[row + 1] : codes.middle[row];
                    for (int64_t k = first; k < end; k++)
                        if (codes.index[k] == latent) {
                            assert_int_equal(index[n], row);
                            assert_true(value[n] == codes.value[k] && moved[n] == extra[k]);
                            n++;
                        }
                }
            }
        assert_int_equal(n, start[WIDTH]);
        assert_int_equal(n, codes.start[ROWS]);
        free(scene);
    }
}

static void transposition_groups_by_latent(void **state)
{
    (void)state;
    check_transposition(0.2f);
    check_transposition(20);
}

static void expansion_and_picking_are_inverse(void **state)
{
    (void)state;
    for (int d = 0; d < DENSITIES; d++) {
        struct scene *scene = make_scene(THRESHOLDS[d], 8);
        float dense[ROWS * WIDTH] = {0};
        struct codes k = codes_of(scene);
        float picked[ROWS * WIDTH];
        int64_t zeros = 0;

        fill(picked, ROWS * WIDTH, 9);      /* what was there before does not count */
        codes_scan(&k, scene->pre, scene->bias, scene->threshold, 0, 0, ROWS, WIDTH);
        sparse_expand(dense, k.start, k.middle, k.index, k.value, ROWS, 0, WIDTH);
        sparse_pick(picked, k.start, k.middle, k.index, dense, ROWS, 0, WIDTH);
        for (int64_t i = 0; i < k.start[ROWS]; i++)
            assert_true(picked[i] == k.value[i]);
        for (int i = 0; i < ROWS * WIDTH; i++)
            zeros += dense[i] == 0;
        assert_int_equal(zeros, ROWS * WIDTH - k.start[ROWS]);
        free(scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scan_equals_its_definition),
        cmocka_unit_test(scan_puts_near_entries_behind_active_ones),
        cmocka_unit_test(scan_of_two_equals_its_definition),
        cmocka_unit_test(joined_tiles_are_the_whole),
        cmocka_unit_test(transposition_groups_by_latent),
        cmocka_unit_test(expansion_and_picking_are_inverse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
