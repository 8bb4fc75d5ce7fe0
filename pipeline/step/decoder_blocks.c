#include "step/decoder_blocks.h"
#include "base/minmax.h"
#include "kernels/slice.h"

static void pack_slice(const struct training *training, struct pass pass,
                       struct step_scratch *scratch, struct range columns)
{
    const enum precision precision = training->recipe.train.precision;
    const struct range all = { 0, training->latents };
    const int64_t own = training_own_columns(training), width = range_length(columns);
    const float *decoder = training->tensors[DECODER].value + columns.first;

    #pragma omp parallel for
    for (int64_t t = 0; t < pass_pieces(pass, all, LATENT_TILE); t++) {
        const struct range latents = pass_piece(pass, all, LATENT_TILE, t);
        slice_pack((char *)scratch->shared + slice_bytes(precision, latents.first, width),
                   precision, decoder + latents.first * own, own, range_length(latents), width);
    }
}

void decoder_blocks_visit(const struct training *training, struct pass pass,
                          struct step_scratch *scratch, struct range rows,
                          decoder_blocks_work *work, const void *context)
{
    const int64_t own = training_own_columns(training);
    const int64_t wide = slice_columns(training->recipe.train.precision);
    const int64_t row_blocks = split_blocks(range_length(rows), ROW_BLOCK);

    for (int64_t c = 0; c < split_blocks(own, wide); c++) {
        const struct range columns = split_block(own, wide, c);
        pack_slice(training, pass, scratch, columns);
        #pragma omp parallel for schedule(dynamic)
        for (int64_t b = 0; b < row_blocks; b++) {
            const struct range part = split_block(range_length(rows), ROW_BLOCK, b);
            const struct range block = { rows.first + part.first, rows.first + part.end };
            work(context, block, columns);
        }
    }
}

int64_t decoder_blocks_widest(const struct step_sizes *sizes)
{
    const struct shape shape = sizes->needs.shape;

    return min_int64(max_int64(shape.inputs, shape.outputs), slice_columns(sizes->needs.precision));
}

struct scratch_size decoder_blocks_scratch(const struct step_sizes *sizes)
{
    return (struct scratch_size){
        .shared = slice_bytes(sizes->needs.precision, sizes->needs.shape.latents,
                              decoder_blocks_widest(sizes)),
    };
}
