/* linear_apply(), linear_activate() and their ways back: the products, and their bits. */
#include "base/allocate.h"
#include "base/random.h"
#include "base/refuse.h"
#include "kernels/bf16.h"
#include "kernels/linear.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static float *random_floats(int64_t n, uint64_t seed)
{
    float *x = allocate(n, sizeof *x);

    for (int64_t i = 0; i < n; i++)
        x[i] = random_uniform(seed, 0, (uint64_t)i) - 0.5f;
    return x;
}

static float *rounded(const float *x, int64_t n)
{
    uint16_t *half = allocate(n, sizeof *half);
    float *out = allocate(n, sizeof *out);

    bf16_from_float(half, x, n);
    bf16_to_float(out, half, n);
    free(half);
    return out;
}

/* Packed weights, ready to multiply; `room` is the caller's to free. */
static struct linear ready(enum precision precision, bool gated, const float *w, int64_t outputs,
                           int64_t inputs, void **room)
{
    struct linear linear;
    uint16_t *half = allocate(LINEAR_COLUMNS * inputs, sizeof *half);

    *room = aligned_alloc(64, (size_t)(linear_bytes(precision, outputs, inputs) + 63) / 64 * 64);
    linear_make(&linear, precision, gated, outputs, inputs, *room);
    for (int64_t block = 0; block < linear_blocks(&linear); block++) {
        const float *rows = w + block * LINEAR_COLUMNS * inputs;
        bf16_from_float(half, rows, linear_block_outputs(&linear, block) * inputs);
        linear_pack(&linear, block, precision == PRECISION_BF16 ? (const void *)half : rows);
    }
    free(half);
    return linear;
}

static void *room_for_input(int64_t rows, int64_t inputs)
{
    return allocate((rows / LINEAR_ROWS + 1) * LINEAR_ROWS * inputs, sizeof(uint16_t));
}

static void *scratch_of(const struct linear *linear)
{
    return allocate(linear_scratch(linear->precision, omp_get_max_threads()), 1);
}

/* Operands, and as they are multiplied: for bf16 rounded by another route. */
struct operands {
    enum precision precision;
    bool    gated;
    int64_t rows, outputs, inputs;
    float  *x, *w, *exact_x, *exact_w;
    struct linear linear;
    void   *room, *scratch, *input;
};

static void set_up(struct operands *o)
{
    const bool bf16 = o->precision == PRECISION_BF16;

    o->x = random_floats(o->rows * o->inputs, 1);
    o->w = random_floats(o->outputs * o->inputs, 2);
    o->exact_x = bf16 ? rounded(o->x, o->rows * o->inputs) : o->x;
    o->exact_w = bf16 ? rounded(o->w, o->outputs * o->inputs) : o->w;
    o->linear = ready(o->precision, o->gated, o->w, o->outputs, o->inputs, &o->room);
    o->scratch = scratch_of(&o->linear);
    o->input = room_for_input(o->rows, o->inputs);
}

static void tear_down(struct operands *o)
{
    linear_free(&o->linear);
    if (o->exact_x != o->x) {
        free(o->exact_x);
        free(o->exact_w);
    }
    free(o->input);
    free(o->scratch);
    free(o->room);
    free(o->w);
    free(o->x);
}

static const void *input_of(const struct operands *o)
{
    return linear_input(o->precision, o->input, o->x, o->rows, o->inputs);
}

/* An output by its definition. */
static double dot(const struct operands *o, int64_t row, int64_t output)
{
    double sum = 0;

    for (int64_t i = 0; i < o->inputs; i++)
        sum += (double)o->exact_x[row * o->inputs + i] * (double)o->exact_w[output * o->inputs + i];
    return sum;
}

static void check_product(enum precision precision, int64_t rows, int64_t outputs, int64_t inputs)
{
    struct operands o = { .precision = precision, .rows = rows, .outputs = outputs,
                          .inputs = inputs };
    float *y = allocate(rows * outputs, sizeof *y), *bias = random_floats(outputs, 3);

    set_up(&o);
    for (int biased = 0; biased < 2; biased++) {
        linear_apply(&o.linear, y, input_of(&o), biased ? bias : NULL, rows, o.scratch);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < outputs; i++)
                assert_true(fabs(dot(&o, r, i) + (biased ? (double)bias[i] : 0)
                                 - (double)y[r * outputs + i]) < 2e-5);
    }
    tear_down(&o);
    free(bias);
    free(y);
}

static void equals_the_definition(void **state)
{
    (void)state;
    for (int p = 0; p < 2; p++)
        if (linear_offers((enum precision)p)) {
            check_product((enum precision)p, 5, 96, 48);
            check_product((enum precision)p, 600, 33, 65);
            check_product((enum precision)p, 260, 2 * LINEAR_COLUMNS + 34, 12);
            check_product((enum precision)p, 1, 1, 1);
        }
}

static double gelu_of(double g)
{
    return g / 2 * (1 + tanh(sqrt(2 / acos(-1)) * (g + 0.044715 * g * g * g)));
}

/* A value of the hidden layer by its definition; gates and ups take turns block by block. */
static double hidden_of(const struct operands *o, int64_t row, int64_t i)
{
    const int64_t half = LINEAR_COLUMNS / 2, block = i / half;
    const int64_t gates = linear_block_outputs(&o->linear, block) / 2;
    const int64_t gate = block * LINEAR_COLUMNS + i % half;

    return o->gated ? gelu_of(dot(o, row, gate)) * dot(o, row, gate + gates)
                    : gelu_of(dot(o, row, i));
}

static void check_activation(enum precision precision, bool gated)
{
    struct operands o = { .precision = precision, .gated = gated, .rows = 300,
                          .outputs = LINEAR_COLUMNS + 74, .inputs = 20 };
    const int64_t width = o.outputs / (gated ? 2 : 1);
    float *h = allocate(o.rows * width, sizeof *h);
    void *made = allocate(o.rows * width, sizeof(float));

    set_up(&o);
    linear_activate(&o.linear, ACTIVATION_GELU_TANH, made, input_of(&o), NULL, o.rows, o.scratch);
    if (precision == PRECISION_BF16)
        bf16_to_float(h, made, o.rows * width);
    else
        memcpy(h, made, (size_t)(o.rows * width) * sizeof *h);
    for (int64_t r = 0; r < o.rows; r++)
        for (int64_t i = 0; i < width; i++) {
            const double want = hidden_of(&o, r, i);
            assert_true(fabs(want - (double)h[r * width + i])
                        < (precision == PRECISION_BF16 ? 0.004 * fabs(want) : 0) + 2e-5);
        }
    tear_down(&o);
    free(made);
    free(h);
}

static void activation_follows_its_definition(void **state)
{
    (void)state;
    for (int p = 0; p < 2; p++)
        for (int gated = 0; linear_offers((enum precision)p) && gated < 2; gated++)
            check_activation((enum precision)p, gated);
}

/* By itself, and as a gate; -0 may come out as either 0. */
static void relu_clips_at_0(void **state)
{
    const float x[] = { -2, -0.5f, 0, 0.25f, 3 }, up[] = { 5, 5, 5, 5, -2 };
    float h[5], gated[5];

    (void)state;
    activation_apply(ACTIVATION_RELU, h, x, 5);
    activation_gate(ACTIVATION_RELU, gated, x, up, 5);
    for (int i = 0; i < 5; i++) {
        const float want = x[i] > 0 ? x[i] : 0;
        assert_true(h[i] == want && gated[i] == want * up[i]);
    }
}

/* A row alone, in a short tile, in a full one, on one thread and on two. */
static void gives_a_row_the_same_bits_in_any_company(void **state)
{
    struct operands o = { .precision = PRECISION_BF16, .rows = 1100,
                          .outputs = LINEAR_COLUMNS + 192, .inputs = 128 };
    float *whole = allocate(o.rows * o.outputs, sizeof *whole);
    float *part = allocate(o.rows * o.outputs, sizeof *part);

    (void)state;
    if (!linear_offers(PRECISION_BF16))
        skip();
    omp_set_num_threads(2);
    set_up(&o);
    omp_set_num_threads(1);
    linear_apply(&o.linear, whole, input_of(&o), NULL, o.rows, o.scratch);
    for (int64_t first = 0; first < o.rows; first += 123) {
        const int64_t n = first + 700 < o.rows ? 700 : o.rows - first;
        omp_set_num_threads(1 + (int)(first % 2));
        linear_apply(&o.linear, part, linear_input(PRECISION_BF16, o.input, o.x + first * o.inputs,
                                                   n, o.inputs), NULL, n, o.scratch);
        assert_memory_equal(part, whole + first * o.outputs,
                            (size_t)(n * o.outputs) * sizeof *part);
    }
    tear_down(&o);
    free(part);
    free(whole);
}

/* All outputs, and some in the middle, across the blocks of W. */
static void goes_back_through_any_of_the_outputs(void **state)
{
    struct operands o = { .precision = PRECISION_F32, .rows = 70,
                          .outputs = LINEAR_COLUMNS + 90, .inputs = 40 };
    const struct range ranges[] = { { 0, o.outputs }, { LINEAR_COLUMNS - 3, LINEAR_COLUMNS + 5 } };
    float *y = random_floats(o.rows * o.outputs, 4);
    float *back = allocate(o.rows * o.inputs, sizeof *back);

    (void)state;
    set_up(&o);
    for (int i = 0; i < 2; i++) {
        const struct range range = ranges[i];
        linear_apply_back(&o.linear, back, y + range.first, o.outputs, range, o.rows);
        for (int64_t r = 0; r < o.rows; r++)
            for (int64_t c = 0; c < o.inputs; c++) {
                double sum = 0;
                for (int64_t j = range.first; j < range.end; j++)
                    sum += (double)y[r * o.outputs + j] * (double)o.w[j * o.inputs + c];
                assert_true(fabs(sum - (double)back[r * o.inputs + c]) < 2e-5);
            }
    }
    tear_down(&o);
    free(back);
    free(y);
}

static void goes_back_with_the_same_bits_on_any_number_of_threads(void **state)
{
    struct operands o = { .precision = PRECISION_F32, .rows = 1300, .outputs = 64,
                          .inputs = 1100 };
    const size_t count = (size_t)(o.rows * o.inputs);
    float *y = random_floats(o.rows * o.outputs, 4);
    float *one = allocate((long long)count, sizeof *one);
    float *three = allocate((long long)count, sizeof *three);

    (void)state;
    set_up(&o);
    omp_set_num_threads(1);
    linear_apply_back(&o.linear, one, y, o.outputs, (struct range){ 0, o.outputs }, o.rows);
    omp_set_num_threads(3);
    linear_apply_back(&o.linear, three, y, o.outputs, (struct range){ 0, o.outputs }, o.rows);
    assert_memory_equal(one, three, count * sizeof *one);
    tear_down(&o);
    free(three);
    free(one);
    free(y);
}

/* The slope of hidden_of() by a gate, by central differences, or by an up. */
static double hidden_slope(double gate, double up, bool gated, bool at_up)
{
    const double step = 1e-5;

    if (at_up)
        return gelu_of(gate);
    return (gelu_of(gate + step) - gelu_of(gate - step)) / (2 * step) * (gated ? up : 1);
}

static void check_activation_back(bool gated)
{
    struct operands o = { .precision = PRECISION_F32, .gated = gated, .rows = 30,
                          .outputs = LINEAR_COLUMNS + 74, .inputs = 20 };
    const int64_t width = o.outputs / (gated ? 2 : 1), part = LINEAR_COLUMNS / (gated ? 2 : 1);
    float *y = allocate(o.rows * o.outputs, sizeof *y), *h = random_floats(o.rows * width, 5);

    set_up(&o);
    linear_apply(&o.linear, y, o.x, NULL, o.rows, o.scratch);
    linear_activate_back(&o.linear, ACTIVATION_GELU_TANH, y, h, o.rows);
    for (int64_t r = 0; r < o.rows; r++)
        for (int64_t i = 0; i < width; i++) {
            const int64_t block = i / part, first = block * LINEAR_COLUMNS + i % part;
            const int64_t second = gated ? first + linear_block_outputs(&o.linear, block) / 2
                                         : first;
            const double gate = dot(&o, r, first), up = dot(&o, r, second);
            const double g = (double)h[r * width + i];
            assert_true(fabs(g * hidden_slope(gate, up, gated, false)
                             - (double)y[r * o.outputs + first]) < 1e-5);
            assert_true(!gated || fabs(g * hidden_slope(gate, up, gated, true)
                                       - (double)y[r * o.outputs + second]) < 1e-5);
        }
    tear_down(&o);
    free(h);
    free(y);
}

static void goes_back_through_activation_and_gates(void **state)
{
    (void)state;
    check_activation_back(false);
    check_activation_back(true);
}

/* Gates 0 to 399 and ups 0 to 399 are two blocks: 384 gates, 384 ups, 16 gates, 16 ups. */
static void finds_rows_of_gates_and_ups(void **state)
{
    enum { WIDTH = 400, INPUTS = 2 };
    float w[2 * WIDTH * INPUTS];
    void *room;

    (void)state;
    for (int i = 0; i < 2 * WIDTH * INPUTS; i++)
        w[i] = (float)i;
    struct linear linear = ready(PRECISION_F32, true, w, 2 * WIDTH, INPUTS, &room);
    assert_true(linear_row(&linear, 383)[1] == 383 * INPUTS + 1);
    assert_true(linear_row(&linear, 384)[0] == 768 * INPUTS);
    assert_true(linear_row(&linear, 400)[0] == 384 * INPUTS);
    assert_true(linear_row(&linear, 783)[0] == 767 * INPUTS);
    assert_true(linear_row(&linear, 784)[0] == 784 * INPUTS);
    assert_true(linear_row(&linear, 799)[1] == 799 * INPUTS + 1);
    linear.gated = false;
    assert_true(linear_row(&linear, 400)[0] == 400 * INPUTS);
    free(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_definition),
        cmocka_unit_test(activation_follows_its_definition),
        cmocka_unit_test(relu_clips_at_0),
        cmocka_unit_test(gives_a_row_the_same_bits_in_any_company),
        cmocka_unit_test(goes_back_through_any_of_the_outputs),
        cmocka_unit_test(goes_back_with_the_same_bits_on_any_number_of_threads),
        cmocka_unit_test(goes_back_through_activation_and_gates),
        cmocka_unit_test(finds_rows_of_gates_and_ups),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
