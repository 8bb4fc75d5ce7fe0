#include "step/step_scratch.h"
#include "base/minmax.h"
#include "base/split.h"

struct scratch_size step_scratch_widest(struct scratch_size a, struct scratch_size b)
{
    return (struct scratch_size){ max_int64(a.shared, b.shared), max_int64(a.own, b.own) };
}

void step_scratch_storage(struct step_scratch *scratch, struct scratch_size size, int threads,
                          struct storage *storage)
{
    scratch->threads = threads;
    scratch->own_bytes = split_blocks(size.own, 64) * 64;
    scratch->shared = storage_aligned(storage, scratch->shared, size.shared);
    scratch->own = storage_aligned(storage, scratch->own, threads * scratch->own_bytes);
}
