#ifdef HAVE_ONEDNN
#include "kernels/product.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>

struct product {
    int64_t          outputs, inputs;
    dnnl_engine_t    engine;
    dnnl_stream_t    stream;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    dnnl_memory_t    x, w, y, scratch;
    void            *room;      /* of `scratch` */
};

/* Shapes and types of the operands; W in whatever order oneDNN likes best.  Scratch memory is
 * ours, or oneDNN would give the product that of the thread that made it. */
static dnnl_status_t describe(struct product *product, int64_t rows)
{
    const int64_t outputs = product->outputs, inputs = product->inputs;
    dnnl_memory_desc_t x, w, y;
    dnnl_matmul_desc_t matmul;
    dnnl_primitive_attr_t attributes;
    dnnl_status_t status;

    dnnl_primitive_attr_create(&attributes);
    dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    dnnl_engine_create(&product->engine, dnnl_cpu, 0);
    dnnl_memory_desc_init_by_tag(&x, 2, (dnnl_dims_t){ rows, inputs }, dnnl_bf16, dnnl_ab);
    dnnl_memory_desc_init_by_tag(&w, 2, (dnnl_dims_t){ inputs, outputs }, dnnl_bf16,
                                 dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&y, 2, (dnnl_dims_t){ rows, outputs }, dnnl_f32, dnnl_ab);
    dnnl_matmul_desc_init(&matmul, &x, &w, NULL, &y);
    status = dnnl_primitive_desc_create(&product->description, &matmul, attributes,
                                        product->engine, NULL);
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

static const dnnl_memory_desc_t *operand(const struct product *product, dnnl_query_t which)
{
    return dnnl_primitive_desc_query_md(product->description, which, 0);
}

static dnnl_memory_t handle(const struct product *product, dnnl_query_t which)
{
    dnnl_memory_t memory = NULL;

    dnnl_memory_create(&memory, operand(product, which), product->engine, DNNL_MEMORY_NONE);
    return memory;
}

static size_t room_bytes(const struct product *product)
{
    const size_t bytes = dnnl_memory_desc_get_size(operand(product, dnnl_query_scratchpad_md));

    return bytes > 0 ? (bytes + 63) / 64 * 64 : 64;
}

bool product_offered(void)
{
    struct product small = { .outputs = 64, .inputs = 64 };
    const bool offered = describe(&small, 64) == dnnl_success;

    if (offered)
        dnnl_primitive_desc_destroy(small.description);
    dnnl_engine_destroy(small.engine);
    return offered;
}

struct product *product_make(int64_t rows, int64_t outputs, int64_t inputs)
{
    struct product *product = calloc(1, sizeof *product);

    if (product == NULL)
        abort();
    product->outputs = outputs;
    product->inputs = inputs;
    describe(product, rows);
    dnnl_stream_create(&product->stream, product->engine, dnnl_stream_default_flags);
    dnnl_primitive_create(&product->primitive, product->description);
    product->x = handle(product, dnnl_query_src_md);
    product->w = handle(product, dnnl_query_weights_md);
    product->y = handle(product, dnnl_query_dst_md);
    product->scratch = handle(product, dnnl_query_scratchpad_md);
    product->room = aligned_alloc(64, room_bytes(product));
    if (product->room == NULL)
        abort();
    dnnl_memory_set_data_handle(product->scratch, product->room);
    return product;
}

void product_free(struct product *product)
{
    if (product == NULL)
        return;
    free(product->room);
    dnnl_memory_destroy(product->scratch);
    dnnl_memory_destroy(product->y);
    dnnl_memory_destroy(product->w);
    dnnl_memory_destroy(product->x);
    dnnl_primitive_destroy(product->primitive);
    dnnl_primitive_desc_destroy(product->description);
    dnnl_stream_destroy(product->stream);
    dnnl_engine_destroy(product->engine);
    free(product);
}

int64_t product_bytes(const struct product *product)
{
    return (int64_t)dnnl_memory_desc_get_size(operand(product, dnnl_query_weights_md));
}

void product_pack(struct product *product, void *packed, const uint16_t *w)
{
    const dnnl_memory_desc_t *to = operand(product, dnnl_query_weights_md);
    dnnl_memory_desc_t from;
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_memory_t plain = NULL;

    /* [outputs, inputs] row by row is [inputs, outputs] column by column. */
    dnnl_memory_desc_init_by_tag(&from, 2, (dnnl_dims_t){ product->inputs, product->outputs },
                                 dnnl_bf16, dnnl_ba);
    dnnl_memory_create(&plain, &from, product->engine, (void *)(uintptr_t)w);
    dnnl_memory_set_data_handle(product->w, packed);
    dnnl_reorder_primitive_desc_create(&description, &from, product->engine, to, product->engine,
                                       NULL);
    dnnl_primitive_create(&reorder, description);
    dnnl_primitive_execute(reorder, product->stream, 2, (dnnl_exec_arg_t[]){
        { DNNL_ARG_FROM, plain }, { DNNL_ARG_TO, product->w } });
    dnnl_stream_wait(product->stream);
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(description);
    dnnl_memory_destroy(plain);
}

void product_run(struct product *product, float *y, const uint16_t *x, const void *packed)
{
    dnnl_memory_set_data_handle(product->x, (void *)(uintptr_t)x);
    dnnl_memory_set_data_handle(product->w, (void *)(uintptr_t)packed);
    dnnl_memory_set_data_handle(product->y, y);
    dnnl_primitive_execute(product->primitive, product->stream, 4, (dnnl_exec_arg_t[]){
        { DNNL_ARG_SRC, product->x }, { DNNL_ARG_WEIGHTS, product->w },
        { DNNL_ARG_DST, product->y }, { DNNL_ARG_SCRATCHPAD, product->scratch } });
    dnnl_stream_wait(product->stream);
}

#endif
