/* TopK autoencoders (Gao et al., arXiv:2406.04093): f is the k largest p of a row (keeps_k.h). */
#include "step/keeps_k.h"

static void select_entries(const struct training *training, const struct criteria *criteria,
                           const struct codes *rows, struct cutoff *active,
                           struct cutoff *auxiliary)
{
    keeps_k_of_rows(active, rows, rows->start, rows->middle, keeps_k_count(training));
    keeps_k_of_dead(training, criteria, rows, auxiliary);
}

static bool lower_bounds(const struct training *training, struct criteria *criteria,
                         const struct codes *rows)
{
    return keeps_k_lower_bounds(training, criteria, rows,
                                keeps_k_lacks(rows, rows->start, rows->middle,
                                              keeps_k_count(training)));
}

const struct architecture TOPK = {
    KEEPS_K,
    .traits = &ARCHITECTURES[ARCHITECTURE_TOPK],
    .auxiliary = AUXILIARY_REST,
    .scan = keeps_k_scan,
    .select = select_entries,
    .lower_bounds = lower_bounds,
    .penalise = keeps_k_penalise,
    .infer = plain_infer,
};
