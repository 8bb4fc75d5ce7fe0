#include "step/step_scratch.h"
#include "base/allocate.h"
#include "base/minmax.h"

#include <stdlib.h>

struct scratch_size step_scratch_widest(struct scratch_size a, struct scratch_size b)
{
    return (struct scratch_size){ max_int64(a.shared, b.shared), max_int64(a.own, b.own) };
}

void step_scratch_make(struct step_scratch *scratch, struct scratch_size size, int threads,
                       enum precision precision)
{
    *scratch = (struct step_scratch){
        .threads = threads,
        .shared = allocate_aligned(size.shared),
        .own = allocate(threads, sizeof *scratch->own),
    };
    for (int i = 0; i < threads; i++)
        scratch->own[i] = allocate_aligned(size.own);
    square_make(&scratch->square, precision);
}

void step_scratch_free(struct step_scratch *scratch)
{
    square_free(&scratch->square);
    for (int i = 0; i < scratch->threads; i++)
        free(scratch->own[i]);
    free(scratch->own);
    free(scratch->shared);
    *scratch = (struct step_scratch){0};
}

int64_t step_scratch_bytes(struct scratch_size size, int threads)
{
    return size.shared + threads * size.own;
}
