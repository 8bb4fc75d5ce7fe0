/* Matryoshka autoencoders (Bussmann et al., arXiv:2503.17547): they activate as BatchTopK ones
 * (batch_topk.c), and every prefix of their latents has a reconstruction of its own (residuals.h).
 * They have no AuxK.
 */
#include "step/batch_topk.h"

const struct architecture MATRYOSHKA = {
    KEEPS_K_OF_BATCH,
    .traits = &ARCHITECTURES[ARCHITECTURE_MATRYOSHKA],
    .auxiliary = AUXILIARY_NEAR,
    .scan = plain_scan,
};
