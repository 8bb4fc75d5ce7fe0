#include "heads/mod_ten.h"
#include "base/allocate.h"
#include "kernels/values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t mod_ten_bytes(int32_t width, int32_t latents, int64_t count)
{
    const int64_t find = (count + 1) * latents * (int64_t)sizeof(float)
                       + latents * (int64_t)(sizeof(double) + sizeof(int64_t));
    const int64_t fit = ridge_bytes(MOD_TEN, width, count);

    return (find > fit ? find : fit) + count * (MOD_TEN + 2) * (int64_t)sizeof(double);
}

/* Start, and refuse numbers that lack a digit. */
static enum status start(struct mod_ten *ten, int32_t width, const int64_t *number, int64_t count)
{
    int64_t numbers[MOD_TEN] = {0};
    enum status st = OK;

    *ten = (struct mod_ten){
        .width = width,
        .direction = allocate((int64_t)MOD_TEN * width, sizeof(float)),
        .centre = allocate(width, sizeof(float)),
    };
    for (int64_t i = 0; i < count; i++)
        numbers[number[i] % MOD_TEN]++;
    for (int digit = 0; digit < MOD_TEN; digit++)
        REQUIRE(numbers[digit] > 0, E_USAGE, "none of the %lld numbers ends in %d; directions "
                "modulo 10 need numbers with each last digit", (long long)count, digit);
done:
    return st;
}

/* The mean value of each digit on its numbers. */
static void find_strengths(struct mod_ten *ten, const float *x, const int64_t *number,
                           int64_t count)
{
    double *value = allocate(count * MOD_TEN, sizeof *value);
    int64_t numbers[MOD_TEN] = {0};

    mod_ten_read(ten, value, x, count);
    for (int64_t i = 0; i < count; i++) {
        const int64_t digit = number[i] % MOD_TEN;
        ten->strength[digit] += value[i * MOD_TEN + digit];
        numbers[digit]++;
    }
    for (int digit = 0; digit < MOD_TEN; digit++)
        ten->strength[digit] /= (double)numbers[digit];
    free(value);
}

/* --- latents --------------------------------------------------------------------------- */

/* The latent of the largest excess on each row.
 *   winner [count]  out */
static void find_winners(int32_t *winner, const struct sae *sae, const float *x, int64_t count)
{
    const int64_t latents = sae->latents;
    float *f = allocate(count * latents, sizeof *f);
    double *mean = allocate(latents, sizeof *mean);

    sae_encode(sae, f, x, count);
    for (int64_t i = 0; i < count * latents; i++)
        mean[i % latents] += (double)f[i] / (double)count;
    for (int64_t r = 0; r < count; r++) {
        double largest = -INFINITY;
        for (int32_t j = 0; j < latents; j++) {
            const double excess = (double)f[r * latents + j] - mean[j];
            /* Most latents do not fire, and their rows need no norm. */
            if (excess <= 0)
                continue;
            const double norm = sqrt(values_sum_squares(sae->decoder + (int64_t)j * sae->outputs,
                                                        sae->outputs));
            if (excess * norm > largest) {
                largest = excess * norm;
                winner[r] = j;
            }
        }
    }
    free(mean);
    free(f);
}

/* The latent that wins on most numbers of a digit, and on how many. */
static int32_t modal_winner(int64_t *most, const int32_t *winner, const int64_t *number,
                            int64_t count, int32_t latents, int digit)
{
    int64_t *wins = allocate(latents, sizeof *wins);
    int32_t modal = 0;

    for (int64_t r = 0; r < count; r++)
        if (number[r] % MOD_TEN == digit)
            wins[winner[r]]++;
    for (int32_t j = 0; j < latents; j++)
        if (wins[j] > wins[modal])
            modal = j;
    *most = wins[modal];
    free(wins);
    return modal;
}

enum status mod_ten_find(struct mod_ten *ten, const struct sae *sae, const float *x, int32_t width,
                         const int64_t *number, int64_t count)
{
    int32_t *winner = allocate(count, sizeof *winner);
    int64_t covered = 0, most;
    enum status st;

    TRY(start(ten, width, number, count));
    REQUIRE(sae->inputs == width && sae->outputs == width, E_USAGE, "the autoencoder is of rows of "
            "%d values (it gives %d), the MLP adds rows of %d; take one of the site mlp, layer 0",
            (int)sae->inputs, (int)sae->outputs, (int)width);
    ten->sae = sae;
    find_winners(winner, sae, x, count);
    for (int digit = 0; digit < MOD_TEN; digit++) {
        const int32_t latent = modal_winner(&most, winner, number, count, sae->latents, digit);
        ten->latent[digit] = latent;
        covered += most;
        memcpy(ten->direction + (int64_t)digit * width, sae->decoder + (int64_t)latent * width,
               (size_t)width * sizeof(float));
    }
    ten->coverage = (double)covered / (double)count;
    find_strengths(ten, x, number, count);
done:
    free(winner);
    return st;
}

/* --- the probe ------------------------------------------------------------------------- */

enum status mod_ten_fit(struct mod_ten *ten, const float *x, int32_t width, const int64_t *number,
                        int64_t count)
{
    int32_t *label = allocate(count, sizeof *label);
    struct ridge ridge = {0};
    enum status st;

    TRY(start(ten, width, number, count));
    for (int64_t r = 0; r < count; r++)
        label[r] = (int32_t)(number[r] % MOD_TEN);
    ridge_fit(&ridge, x, label, count, width, MOD_TEN);
    memcpy(ten->centre, ridge.centre, (size_t)width * sizeof(float));
    for (int64_t digit = 0; digit < MOD_TEN; digit++) {
        const float *weight = ridge.weight + digit * width;
        const double norm = sqrt(values_sum_squares(weight, width));
        for (int64_t i = 0; norm > 0 && i < width; i++)
            ten->direction[digit * width + i] = (float)((double)weight[i] / norm);
    }
    find_strengths(ten, x, number, count);
done:
    ridge_free(&ridge);
    free(label);
    return st;
}

void mod_ten_free(struct mod_ten *ten)
{
    free(ten->direction);
    free(ten->centre);
    *ten = (struct mod_ten){0};
}

/* --- what they are good for ------------------------------------------------------------- */

void mod_ten_read(const struct mod_ten *ten, double *value, const float *x, int64_t count)
{
    const int64_t width = ten->width, latents = ten->sae == NULL ? 0 : ten->sae->latents;
    float *f = allocate(count * latents, sizeof *f);

    if (ten->sae != NULL)
        sae_encode(ten->sae, f, x, count);
    for (int64_t i = 0; i < count * MOD_TEN; i++) {
        const int64_t row = i / MOD_TEN, digit = i % MOD_TEN;
        const float *direction = ten->direction + digit * width;
        value[i] = ten->sae != NULL ? (double)f[row * latents + ten->latent[digit]]
                                    : values_dot(direction, x + row * width, width)
                                          - values_dot(direction, ten->centre, width);
    }
    free(f);
}

double mod_ten_right(const struct mod_ten *ten, const float *x, const int64_t *number,
                     int64_t count)
{
    double *value = allocate(count * MOD_TEN, sizeof *value);
    int64_t right = 0;

    mod_ten_read(ten, value, x, count);
    for (int64_t r = 0; r < count; r++) {
        double highest = -INFINITY;
        int best = -1;
        for (int digit = 0; digit < MOD_TEN; digit++) {
            const double relative = value[r * MOD_TEN + digit] / ten->strength[digit];
            if (ten->strength[digit] > 0 && relative > highest) {
                highest = relative;
                best = digit;
            }
        }
        right += best == number[r] % MOD_TEN;
    }
    free(value);
    return (double)right / (double)count;
}

double mod_ten_cosine(const struct mod_ten *a, const struct mod_ten *b)
{
    const int64_t width = a->width;
    double sum = 0;

    for (int64_t digit = 0; digit < MOD_TEN; digit++) {
        const float *x = a->direction + digit * width, *y = b->direction + digit * width;
        const double norms = sqrt(values_sum_squares(x, width) * values_sum_squares(y, width));
        sum += norms > 0 ? values_dot(x, y, width) / norms : 0;
    }
    return sum / MOD_TEN;
}

void mod_ten_exchange(const struct mod_ten *ten, float *y, const float *x, const double *value,
                      int from, int to)
{
    const float *out = ten->direction + (int64_t)from * ten->width;
    const float *in = ten->direction + (int64_t)to * ten->width;

    for (int64_t i = 0; i < ten->width; i++)
        y[i] = (float)((double)x[i] - value[from] * (double)out[i]
                       + ten->strength[to] * (double)in[i]);
}
