/* permute_*(): a bijection by count, its definition step by step, and its randomness by
 * chi-square.  The seeds are fixed, so a statistic is either always within bounds or never. */
#include "base/allocate.h"
#include "base/random.h"
#include "base/refuse.h"
#include "kernels/permute.h"
#include "tests/sanitized.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Seeds of large permutations; the bits of the largest one that is inverted; and a divisor of the
 * number of small ones that are drawn. */
enum { SEEDS = SANITIZED(2, 20), BITS = SANITIZED(13, 20), PART = SANITIZED(10, 1) };

/* Images of 0, 1, ..., n - 1.  Caller frees. */
static int64_t *images(int64_t n, uint64_t seed, uint32_t stream, uint64_t key)
{
    int64_t *image = allocate(n, sizeof *image);
    struct permute p;

    permute_make(&p, n, seed, stream, key);
    for (int64_t i = 0; i < n; i++)
        image[i] = i;
    permute_forward(image, image, n, &p);
    return image;
}

static void check_bijection(int64_t n)
{
    int64_t *image = images(n, (uint64_t)n, 7, 0);
    char *hit = allocate(n, 1);
    struct permute p;

    for (int64_t i = 0; i < n; i++) {
        assert_in_range(image[i], 0, n - 1);
        assert_false(hit[image[i]]);
        hit[image[i]] = 1;
    }
    permute_make(&p, n, (uint64_t)n, 7, 0);
    permute_inverse(image, image, n, &p);
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(image[i], i);
    free(hit);
    free(image);
}

static void is_a_bijection(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= 300; n++)
        check_bijection(n);
    for (int bits = 9; bits <= BITS; bits++)
        for (int64_t n = (1 << bits) - 1; n <= (1 << bits) + 1; n++)
            check_bijection(n);
    check_bijection(SANITIZED(10007, 1000003));
}

static void inverts_up_to_two_to_the_62(void **state)
{
    static const int64_t LARGE[] = { ((int64_t)1 << 31) + 1, ((int64_t)1 << 32) - 1,
                                     ((int64_t)1 << 33) + 1, 1000000000000000003,
                                     ((int64_t)1 << 61) + 1, (int64_t)1 << 62 };
    enum { PROBES = 1000 };

    (void)state;
    for (size_t k = 0; k < sizeof LARGE / sizeof *LARGE; k++) {
        const int64_t n = LARGE[k];
        int64_t from[PROBES], to[PROBES];
        struct permute p;

        for (int i = 0; i < PROBES; i++) {
            uint32_t words[4];

            random_words(words, 3, 0, (uint64_t)i);
            from[i] = (int64_t)((uint64_t)words[0] << 32 | words[1]) & INT64_MAX;
            from[i] = i < 10 ? i : i < 20 ? n - i + 9 : from[i] % n;
        }
        permute_make(&p, n, 5, 0, 0);
        permute_forward(to, from, PROBES, &p);
        for (int i = 0; i < PROBES; i++)
            assert_true(0 <= to[i] && to[i] < n);
        permute_inverse(to, to, PROBES, &p);
        assert_memory_equal(to, from, sizeof to);
    }
}

/* FORMATS.md, "Permutation", one index and one round at a time. */
static int64_t by_definition(int64_t x, int64_t n, uint64_t seed, uint32_t stream, uint64_t key)
{
    int bits = 0;

    while (((int64_t)1 << bits) < n)
        bits++;
    const uint64_t high_size = (uint64_t)1 << bits / 2, low_size = (uint64_t)1 << (bits + 1) / 2;
    do {
        uint64_t high = (uint64_t)x / low_size, low = (uint64_t)x % low_size;

        for (uint64_t r = 0; r < 24; r++) {
            uint32_t k[4], y = (uint32_t)(r % 2 == 0 ? low : high);

            random_words(k, seed, stream, 24 * key + r);
            y = (y ^ k[0]) * 0x85EBCA6Bu;
            y = ((y ^ y >> 15) + k[1]) * 0xC2B2AE35u;
            y = ((y ^ y >> 13) + k[2]) * 0x85EBCA6Bu;
            y = y ^ y >> 16;
            if (r % 2 == 0)
                high = (high + y) % high_size;
            else
                low = (low + y) % low_size;
        }
        x = (int64_t)(high * low_size + low);
    } while (x >= n);
    return x;
}

static void equals_its_definition(void **state)
{
    static const int64_t SIZES[] = { 1, 2, 3, 5, 100, 1000, 65537, ((int64_t)1 << 40) + 1,
                                     (int64_t)1 << 62 };
    const uint64_t seed = 0x123456789abcdefu;

    (void)state;
    for (size_t k = 0; k < sizeof SIZES / sizeof *SIZES; k++) {
        struct permute p;

        permute_make(&p, SIZES[k], seed, 9, 4);
        for (int64_t i = 0; i < 300 && i < SIZES[k]; i++) {
            const int64_t from = i % 2 == 0 ? i : SIZES[k] - i;
            int64_t to;

            permute_forward(&to, &from, 1, &p);
            assert_int_equal(to, by_definition(from, SIZES[k], seed, 9, 4));
        }
    }
}

/* Is chi-square q of so many degrees of freedom between its quantiles of 0.1 and 99.9 %?
 * Wilson and Hilferty: the cube root is nearly normal. */
static void check_chi_square(double q, double freedom)
{
    const double spread = 2 / (9 * freedom), z = (cbrt(q / freedom) - 1 + spread) / sqrt(spread);

    if (fabs(z) > 3.09)
        fail_msg("chi-square %g of %g degrees of freedom: %.2f deviations", q, freedom, z);
}

static double chi_square(const int64_t *counts, int64_t cells, double expected)
{
    double q = 0;

    for (int64_t c = 0; c < cells; c++)
        q += ((double)counts[c] - expected) * ((double)counts[c] - expected) / expected;
    return q;
}

/* The differences a[i] - b[i] modulo n fall evenly into 64 ranges. */
static void check_differences(const int64_t *a, const int64_t *b, int64_t n)
{
    enum { CELLS = 64 };
    int64_t counts[CELLS] = {0};

    for (int64_t i = 0; i < n; i++)
        counts[(a[i] - b[i] + n) % n * CELLS / n]++;
    check_chi_square(chi_square(counts, CELLS, (double)n / CELLS), CELLS - 1);
}

static const int64_t ODD_SIZES[] = { 6400, 100003, (1 << 17) + 1 };
enum { ODD_COUNT = sizeof ODD_SIZES / sizeof *ODD_SIZES };

static void displaces_evenly(void **state)
{
    (void)state;
    for (int k = 0; k < ODD_COUNT; k++) {
        const int64_t n = ODD_SIZES[k];
        int64_t *identity = allocate(n, sizeof *identity);

        for (int64_t i = 0; i < n; i++)
            identity[i] = i;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            int64_t *image = images(n, seed, RANDOM_SHUFFLE, 0);

            check_differences(image, identity, n);
            free(image);
        }
        free(identity);
    }
}

/* Neighbours, taken round the end, fall evenly into an 8 by 8 table of their images.  Each
 * image is met once as a left and once as a right neighbour, so the margins are given. */
static void separates_neighbours(void **state)
{
    enum { SIDE = 8 };

    (void)state;
    for (int k = 0; k < ODD_COUNT; k++)
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            const int64_t n = ODD_SIZES[k];
            int64_t *image = images(n, seed, RANDOM_SHUFFLE, 0);
            int64_t counts[SIDE * SIDE] = {0};

            for (int64_t i = 0; i < n; i++)
                counts[image[i] * SIDE / n * SIDE + image[(i + 1) % n] * SIDE / n]++;
            check_chi_square(chi_square(counts, SIDE * SIDE, (double)n / (SIDE * SIDE)),
                             (SIDE - 1) * (SIDE - 1));
            free(image);
        }
}

static void seeds_streams_and_keys_are_unrelated(void **state)
{
    enum { SIZE = 100003 };

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        int64_t *one = images(SIZE, seed, 1, 0), *other_seed = images(SIZE, seed + 1, 1, 0);
        int64_t *other_stream = images(SIZE, seed, 2, 0), *other_key = images(SIZE, seed, 1, 1);

        check_differences(one, other_seed, SIZE);
        check_differences(one, other_stream, SIZE);
        check_differences(one, other_key, SIZE);
        free(other_key);
        free(other_stream);
        free(other_seed);
        free(one);
    }
}

/* All 120 orders of five things are equally likely. */
static void draws_every_order_of_few(void **state)
{
    enum { THINGS = 5, ORDERS = 120, DRAWS = 60000 / PART };
    int64_t counts[ORDERS] = {0};

    (void)state;
    for (uint64_t seed = 0; seed < DRAWS; seed++) {
        int64_t *image = images(THINGS, seed, 1, 0), order = 0;

        for (int i = 0; i < THINGS; i++) {
            int64_t smaller = 0;

            for (int j = i + 1; j < THINGS; j++)
                smaller += image[j] < image[i];
            order = order * (THINGS - i) + smaller;
        }
        counts[order]++;
        free(image);
    }
    check_chi_square(chi_square(counts, ORDERS, DRAWS / ORDERS), ORDERS - 1);
}

/* Every index goes to every place equally often.  Row and column sums are given. */
static void treats_every_place_alike(void **state)
{
    static const int64_t SIZES[] = { 2, 3, 7, 8, 9, 16, 33, 64, 99 };
    enum { DRAWS = 20000 / PART };

    (void)state;
    for (size_t k = 0; k < sizeof SIZES / sizeof *SIZES; k++) {
        const int64_t n = SIZES[k];
        int64_t *counts = allocate(n * n, sizeof *counts);

        for (uint64_t key = 0; key < DRAWS; key++) {
            int64_t *image = images(n, 11, 1, key);

            for (int64_t i = 0; i < n; i++)
                counts[i * n + image[i]]++;
            free(image);
        }
        const double cells = (double)(n * n), freedom = (double)((n - 1) * (n - 1));
        /* the statistic of a table with given margins is a little larger than chi-square */
        check_chi_square(chi_square(counts, n * n, DRAWS / (double)n) * freedom
                         / (cells - (double)n), freedom);
        free(counts);
    }
}

/* Of sixteen things, whose indices fill the network, odd orders are drawn as often as even. */
static void draws_odd_and_even_orders(void **state)
{
    enum { THINGS = 16, DRAWS = 10000 / PART };
    int64_t counts[2] = {0};

    (void)state;
    for (uint64_t seed = 0; seed < DRAWS; seed++) {
        int64_t *image = images(THINGS, seed, 1, 0), inversions = 0;

        for (int i = 0; i < THINGS; i++)
            for (int j = i + 1; j < THINGS; j++)
                inversions += image[j] < image[i];
        counts[inversions % 2]++;
        free(image);
    }
    check_chi_square(chi_square(counts, 2, DRAWS / 2), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_a_bijection),
        cmocka_unit_test(inverts_up_to_two_to_the_62),
        cmocka_unit_test(equals_its_definition),
        cmocka_unit_test(displaces_evenly),
        cmocka_unit_test(separates_neighbours),
        cmocka_unit_test(seeds_streams_and_keys_are_unrelated),
        cmocka_unit_test(draws_every_order_of_few),
        cmocka_unit_test(treats_every_place_alike),
        cmocka_unit_test(draws_odd_and_even_orders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
