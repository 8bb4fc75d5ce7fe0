#include "kernels/codes.h"
#include "kernels/clones.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum { WIDEST = 4096 };     /* most latents of a tile */

/* A bit for each of sixteen latents: is it above `low`? */
static inline uint32_t sixteen_above(const float *pre, const float *bias, const float *low)
{
    typedef int32_t bits __attribute__((vector_size(64)));
    typedef int32_t eight __attribute__((vector_size(32)));
    typedef int32_t four __attribute__((vector_size(16)));
    const bits places = { 1 << 0, 1 << 1, 1 << 2,  1 << 3,  1 << 4,  1 << 5,  1 << 6,  1 << 7,
                          1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15 };
    const bits above = (LOAD(pre) + LOAD(bias) > LOAD(low)) & places;
    const eight a = __builtin_shufflevector(above, above, 0, 1, 2, 3, 4, 5, 6, 7)
                  | __builtin_shufflevector(above, above, 8, 9, 10, 11, 12, 13, 14, 15);
    const four b = __builtin_shufflevector(a, a, 0, 1, 2, 3)
                 | __builtin_shufflevector(a, a, 4, 5, 6, 7);
    const four c = b | __builtin_shufflevector(b, b, 2, 3, 0, 1);

    return (uint32_t)(c[0] | c[1]);
}

static inline uint32_t some_above(const float *pre, const float *bias, const float *low,
                                  int64_t count)
{
    uint32_t above = 0;

    for (int64_t i = 0; i < count; i++)
        above |= (uint32_t)(pre[i] + bias[i] > low[i]) << i;
    return above;
}

/* The same for the latents from `block` on, sixteen at most. */
static inline uint32_t above_in(const float *pre, const float *bias, const float *low,
                                int64_t block, int64_t width)
{
    return width - block >= LANES
        ? sixteen_above(pre + block, bias + block, low + block)
        : some_above(pre + block, bias + block, low + block, width - block);
}

/* Few latents of a row have an entry, so sixteen are compared at a time, and only those with an
 * entry are visited.  Each is written to both sections, and only one of the counters moves: a
 * branch would often be predicted wrong. */
CLONES
void codes_scan(struct codes *codes, const float *pre, const float *bias,
                const float *threshold, float half, int32_t first, int64_t rows, int64_t width)
{
    int32_t aux_index[WIDEST];
    float aux_value[WIDEST], low[WIDEST];
    int32_t n = 0;

    assert(width <= WIDEST);
    for (int64_t i = 0; i < width; i++)
        low[i] = threshold[i] - half;
    codes->groups = rows;
    for (int64_t row = 0; row < rows; row++) {
        const float *p = pre + row * width;
        int32_t auxiliaries = 0;

        codes->start[row] = n;
        for (int64_t block = 0; block < width; block += LANES) {
            uint32_t above = above_in(p, bias, low, block, width);
            for (; above != 0; above &= above - 1) {
                const int64_t i = block + __builtin_ctz(above);
                const float value = p[i] + bias[i];
                const int active = value > threshold[i];
                codes->index[n] = aux_index[auxiliaries] = first + (int32_t)i;
                codes->value[n] = aux_value[auxiliaries] = value;
                n += active;
                auxiliaries += !active;
            }
        }
        codes->middle[row] = n;
        memcpy(codes->index + n, aux_index, (size_t)auxiliaries * sizeof *aux_index);
        memcpy(codes->value + n, aux_value, (size_t)auxiliaries * sizeof *aux_value);
        n += auxiliaries;
    }
    codes->start[rows] = n;
}

void codes_scan_ref(struct codes *codes, const float *pre, const float *bias,
                    const float *threshold, float half, int32_t first, int64_t rows,
                    int64_t width)
{
    int32_t n = 0;

    codes->groups = rows;
    for (int64_t row = 0; row < rows; row++) {
        codes->start[row] = n;
        for (int aux = 0; aux <= 1; aux++) {
            if (aux)
                codes->middle[row] = n;
            for (int64_t i = 0; i < width; i++) {
                const float value = pre[row * width + i] + bias[i];
                const bool active = value > threshold[i];
                if (aux ? !active && value > threshold[i] - half : active) {
                    codes->index[n] = first + (int32_t)i;
                    codes->value[n++] = value;
                }
            }
        }
    }
    codes->start[rows] = n;
}

/* The first loop lists the latents with an open gate, in order. */
CLONES
void codes_scan_two(struct codes *codes, const float *pre, const struct two_lists *lists,
                    int32_t first, int64_t rows, int64_t width)
{
    static const float zero[WIDEST];
    int32_t open[WIDEST];
    int32_t n = 0;

    assert(width <= WIDEST);
    codes->groups = rows;
    for (int64_t row = 0; row < rows; row++) {
        const float *p = pre + row * width;
        int32_t opens = 0;

        codes->start[row] = n;
        for (int64_t block = 0; block < width; block += LANES)
            for (uint32_t above = above_in(p, lists->gate, zero, block, width); above != 0;
                 above &= above - 1)
                open[opens++] = (int32_t)block + __builtin_ctz(above);
        for (int32_t o = 0; o < opens; o++) {
            const int32_t i = open[o];
            const float value = lists->gain[i] * p[i] + lists->bias[i];
            codes->index[n] = first + i;
            codes->value[n] = value;
            n += value > lists->threshold[i];
        }
        codes->middle[row] = n;
        for (int32_t o = 0; o < opens; o++) {
            const int32_t i = open[o];
            const float value = p[i] + lists->gate[i];
            codes->index[n] = first + i;
            codes->value[n] = value;
            n += value > lists->floor[i];
        }
    }
    codes->start[rows] = n;
}

void codes_scan_two_ref(struct codes *codes, const float *pre, const struct two_lists *lists,
                        int32_t first, int64_t rows, int64_t width)
{
    int32_t n = 0;

    codes->groups = rows;
    for (int64_t row = 0; row < rows; row++) {
        codes->start[row] = n;
        for (int aux = 0; aux <= 1; aux++) {
            if (aux)
                codes->middle[row] = n;
            for (int64_t i = 0; i < width; i++) {
                const float p = pre[row * width + i], gate = p + lists->gate[i];
                const float value = lists->gain[i] * p + lists->bias[i];
                if (aux ? gate > lists->floor[i] : gate > 0 && value > lists->threshold[i]) {
                    codes->index[n] = first + (int32_t)i;
                    codes->value[n++] = aux ? gate : value;
                }
            }
        }
    }
    codes->start[rows] = n;
}

/* Part by part: start and middle of a part are contiguous. */
void codes_join_sizes(struct codes *codes, int64_t first, int64_t rows,
                      const struct codes *parts, int64_t count, int64_t from)
{
    int32_t *actives = codes->middle + first, *all = codes->start + first + 1;

    memset(actives, 0, (size_t)rows * sizeof *actives);
    memset(all, 0, (size_t)rows * sizeof *all);
    for (int64_t p = 0; p < count; p++) {
        const int32_t *start = parts[p].start + from, *middle = parts[p].middle + from;
        for (int64_t row = 0; row < rows; row++) {
            actives[row] += middle[row] - start[row];
            all[row] += start[row + 1] - start[row];
        }
    }
}

void codes_join_places(struct codes *codes, int64_t first, int64_t rows)
{
    int64_t n = first > 0 ? codes->start[first] : 0;

    codes->start[first] = (int32_t)n;
    for (int64_t g = first; g < first + rows; g++) {
        codes->middle[g] += (int32_t)n;
        n += codes->start[g + 1];
        assert(n <= INT32_MAX);
        codes->start[g + 1] = (int32_t)n;
    }
}

static int64_t copy(struct codes *to, int64_t at, const struct codes *from, int64_t start,
                    int64_t end)
{
    for (int64_t k = start; k < end; k++, at++) {
        to->index[at] = from->index[k];
        to->value[at] = from->value[k];
    }
    return at;
}

void codes_join(struct codes *codes, int64_t first, int64_t rows,
                const struct codes *parts, int64_t count, int64_t from)
{
    for (int64_t row = from; row < from + rows; row++) {
        int64_t at = codes->start[first + row - from];
        for (int64_t p = 0; p < count; p++)
            at = copy(codes, at, &parts[p], parts[p].start[row], parts[p].middle[row]);
        for (int64_t p = 0; p < count; p++)
            at = copy(codes, at, &parts[p], parts[p].middle[row], parts[p].start[row + 1]);
    }
}

/* Entries `first` to `end` - 1 of a list. */
struct section {
    int64_t first, end;
};

/* The active or auxiliary entries of a row for latents `from` to `to` - 1, by binary search. */
static struct section part_of_row(const struct codes *codes, int64_t row, bool aux, int64_t from,
                                  int64_t to)
{
    const int64_t bounds[] = { from, to };
    int64_t found[2];

    for (int b = 0; b < 2; b++) {
        int64_t low = aux ? codes->middle[row] : codes->start[row];
        int64_t high = aux ? codes->start[row + 1] : codes->middle[row];
        while (low < high) {
            const int64_t middle = (low + high) / 2;
            if (codes->index[middle] < bounds[b])
                low = middle + 1;
            else
                high = middle;
        }
        found[b] = low;
    }
    return (struct section){ found[0], found[1] };
}

/* Count the entries of latents `from` to `to` - 1: the active ones in start[], the auxiliary ones
 * in middle[]. */
static void count_latents(struct codes *out, const struct codes *codes, int64_t from, int64_t to)
{
    for (int64_t row = 0; row < codes->groups; row++)
        for (int aux = 0; aux <= 1; aux++) {
            const struct section section = part_of_row(codes, row, aux, from, to);
            int32_t *count = aux ? out->middle : out->start;
            for (int64_t k = section.first; k < section.end; k++)
                count[codes->index[k]]++;
        }
}

/* Move the entries of latents `from` to `to` - 1 to their places. start[] and middle[] are the
 * next free places for each latent's active and auxiliary entries. */
static void move_latents(struct codes *out, float *moved, const struct codes *codes,
                         const float *extra, int64_t from, int64_t to)
{
    for (int64_t row = 0; row < codes->groups; row++)
        for (int aux = 0; aux <= 1; aux++) {
            const struct section section = part_of_row(codes, row, aux, from, to);
            int32_t *next = aux ? out->middle : out->start;
            for (int64_t k = section.first; k < section.end; k++) {
                const int64_t at = next[codes->index[k]]++;
                out->index[at] = (int32_t)row;
                out->value[at] = codes->value[k];
                moved[at] = extra[k];
            }
        }
}

enum { TRANSPOSE_PARTS = 8 };       /* parts of the latents, each for one thread */

/* After move_latents() start[] and middle[] are where the next section begins, so the last loop
 * shifts them back. */
void codes_transpose(struct codes *out, float *moved, const struct codes *codes,
                     const float *extra)
{
    const int64_t latents = out->groups;
    int32_t n = 0;

    memset(out->start, 0, (size_t)(latents + 1) * sizeof *out->start);
    memset(out->middle, 0, (size_t)latents * sizeof *out->middle);
    #pragma omp parallel for schedule(dynamic)
    for (int p = 0; p < TRANSPOSE_PARTS; p++)
        count_latents(out, codes, latents * p / TRANSPOSE_PARTS,
                      latents * (p + 1) / TRANSPOSE_PARTS);
    for (int64_t i = 0; i < latents; i++) {
        const int32_t actives = out->start[i], auxiliaries = out->middle[i];
        out->start[i] = n;
        out->middle[i] = n + actives;
        n += actives + auxiliaries;
    }
    #pragma omp parallel for schedule(dynamic)
    for (int p = 0; p < TRANSPOSE_PARTS; p++)
        move_latents(out, moved, codes, extra, latents * p / TRANSPOSE_PARTS,
                     latents * (p + 1) / TRANSPOSE_PARTS);
    for (int64_t i = latents; i-- > 0; ) {
        const int32_t middle = out->start[i];
        out->start[i + 1] = out->middle[i];
        out->middle[i] = middle;
    }
    out->start[0] = 0;
}
