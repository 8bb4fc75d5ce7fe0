/* Planted dictionary: do JumpReLU, TopK and Gated recover 512 unit vectors in 128 dimensions, of
 * which 5 make a row?  Passes if each finds 95 % of them within two minutes. */
#include "tests/planted.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

enum { INPUTS = 128, ATOMS = 512, ACTIVE = 5 };

/* Windows and rates a hundred times Gemma Scope's, since there are as many times fewer steps;
 * the penalty of JumpReLU grows all the way, or latents share atoms before they have told them
 * apart. */
static const struct recipe RECIPES[] = {
    { .architecture = ARCHITECTURE_JUMPRELU, .steps = 6000, .sparsity = 0.04,
      .train = { .learning_rate = 6e-3, .sparsity_warmup = 5000, .bandwidth = 0.1,
                 .threshold = 0.2, .batch = 1024, .warmup = 100, .decay = 0.3, .beta2 = 0.999,
                 .epsilon = 1e-8, .dead_after = 100000, .seed = 1 } },
    { .architecture = ARCHITECTURE_TOPK, .steps = 4000, .target_l0 = ACTIVE,
      .train = { .learning_rate = 2e-3, .auxk = 0.03125, .auxk_latents = 64, .batch = 1024,
                 .warmup = 100, .decay = 0.3, .beta2 = 0.999, .epsilon = 1e-8,
                 .dead_after = 100000, .seed = 1 } },
    { .architecture = ARCHITECTURE_GATED, .steps = 5000, .sparsity = 0.3,
      .train = { .learning_rate = 1e-2, .sparsity_warmup = 500, .batch = 1024, .warmup = 100,
                 .decay = 0.3, .beta2 = 0.999, .epsilon = 1e-8, .dead_after = 100000, .seed = 1 } },
};

int main(int argc, char **argv)
{
    struct planted planted;
    bool good = true;

    MPI_Init(&argc, &argv);
    planted_make(&planted, INPUTS, ATOMS, ACTIVE);
    printf("%d unit vectors in %d dimensions, %d in a row\n%-12s %10s %8s %8s %9s\n", ATOMS, INPUTS,
           ACTIVE, "recipe", "recovered", "FVU", "L0", "seconds");
    for (int i = 0; i < 3; i++) {
        const double since = omp_get_wtime();
        const struct planted_result result = planted_train(&planted, &RECIPES[i], ATOMS);
        const double seconds = omp_get_wtime() - since;
        printf("%-12s %8.1f %% %8.4f %8.2f %9.1f\n", ARCHITECTURES[RECIPES[i].architecture].name,
               100 * result.recovered, result.fvu, result.l0, seconds);
        good &= result.recovered >= 0.95 && seconds < 120;
    }
    free(planted.atom);
    MPI_Finalize();
    return good ? 0 : 1;
}
