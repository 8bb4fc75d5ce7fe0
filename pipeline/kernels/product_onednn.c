#ifdef HAVE_ONEDNN
#include "base/die.h"
#include "kernels/product.h"

#include <oneapi/dnnl/dnnl.h>
#include <oneapi/dnnl/dnnl_debug.h>
#include <stdlib.h>
#include <string.h>

struct product {
    int64_t          outputs, inputs;
    dnnl_engine_t    engine;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
};

/* Shapes and types of the operands; oneDNN chooses the layout of W.  The scratch memory (a kilobyte
 * a thread) is ours, as oneDNN would use that of the thread that compiled the product. */
static dnnl_status_t describe(struct product *product, int64_t rows, bool add)
{
    const int64_t outputs = product->outputs, inputs = product->inputs;
    dnnl_memory_desc_t x, w, y;
    dnnl_matmul_desc_t matmul;
    dnnl_primitive_attr_t attributes;
    dnnl_post_ops_t after;
    dnnl_status_t status;

    dnnl_primitive_attr_create(&attributes);
    dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    dnnl_post_ops_create(&after);
    if (add)
        dnnl_post_ops_append_sum(after, 1);
    dnnl_primitive_attr_set_post_ops(attributes, after);
    dnnl_engine_create(&product->engine, dnnl_cpu, 0);
    dnnl_memory_desc_init_by_tag(&x, 2, (dnnl_dims_t){ rows, inputs }, dnnl_bf16, dnnl_ab);
    dnnl_memory_desc_init_by_tag(&w, 2, (dnnl_dims_t){ inputs, outputs }, dnnl_bf16,
                                 dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&y, 2, (dnnl_dims_t){ rows, outputs }, dnnl_f32, dnnl_ab);
    dnnl_matmul_desc_init(&matmul, &x, &w, NULL, &y);
    status = dnnl_primitive_desc_create(&product->description, &matmul, attributes,
                                        product->engine, NULL);
    dnnl_post_ops_destroy(after);
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

static const dnnl_memory_desc_t *operand(const struct product *product, dnnl_query_t which)
{
    return dnnl_primitive_desc_query_md(product->description, which, 0);
}

static dnnl_memory_t memory(const struct product *product, dnnl_query_t which, void *address)
{
    dnnl_memory_t handle = NULL;

    dnnl_memory_create(&handle, operand(product, which), product->engine, address);
    return handle;
}

/* Execute it now, on a stream that belongs to the calling thread. */
static void execute(const struct product *product, dnnl_primitive_t primitive, int count,
                    const dnnl_exec_arg_t *arguments)
{
    dnnl_stream_t stream = NULL;

    dnnl_stream_create(&stream, product->engine, dnnl_stream_default_flags);
    dnnl_primitive_execute(primitive, stream, count, arguments);
    dnnl_stream_wait(stream);
    dnnl_stream_destroy(stream);
}

bool product_offered(void)
{
    struct product small = { .outputs = 64, .inputs = 64 };
    const bool offered = describe(&small, 64, false) == dnnl_success;

    if (offered)
        dnnl_primitive_desc_destroy(small.description);
    dnnl_engine_destroy(small.engine);
    return offered;
}

const char *product_isa(void)
{
    static const char COMMON[] = "cpu_isa_";
    const char *name = dnnl_cpu_isa2str(dnnl_get_effective_cpu_isa());

    return strncmp(name, COMMON, strlen(COMMON)) == 0 ? name + strlen(COMMON) : name;
}

struct product *product_make(int64_t rows, int64_t outputs, int64_t inputs, bool add)
{
    struct product *product = calloc(1, sizeof *product);

    if (product == NULL)
        die("no memory for a product");
    product->outputs = outputs;
    product->inputs = inputs;
    describe(product, rows, add);
    dnnl_primitive_create(&product->primitive, product->description);
    return product;
}

void product_free(struct product *product)
{
    if (product == NULL)
        return;
    dnnl_primitive_destroy(product->primitive);
    dnnl_primitive_desc_destroy(product->description);
    dnnl_engine_destroy(product->engine);
    free(product);
}

int64_t product_bytes(const struct product *product)
{
    return (int64_t)dnnl_memory_desc_get_size(operand(product, dnnl_query_weights_md));
}

void product_pack(const struct product *product, void *packed, const void *w,
                  enum precision precision, int64_t by_output, int64_t by_input)
{
    const dnnl_memory_desc_t *to = operand(product, dnnl_query_weights_md);
    dnnl_memory_t target = memory(product, dnnl_query_weights_md, packed), plain = NULL;
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_memory_desc_t from;

    dnnl_memory_desc_init_by_strides(&from, 2, (dnnl_dims_t){ product->inputs, product->outputs },
                                     precision == PRECISION_BF16 ? dnnl_bf16 : dnnl_f32,
                                     (dnnl_dims_t){ by_input, by_output });
    dnnl_memory_create(&plain, &from, product->engine, (void *)(uintptr_t)w);
    dnnl_reorder_primitive_desc_create(&description, &from, product->engine, to, product->engine,
                                       NULL);
    dnnl_primitive_create(&reorder, description);
    execute(product, reorder, 2, (dnnl_exec_arg_t[]){ { DNNL_ARG_FROM, plain },
                                                      { DNNL_ARG_TO, target } });
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(description);
    dnnl_memory_destroy(plain);
    dnnl_memory_destroy(target);
}

/* oneDNN's objects for an execution are created and freed here, which takes microseconds, so that
 * the product stays constant and threads can share it. */
void product_run(const struct product *product, float *y, const uint16_t *x, const void *packed)
{
    dnnl_exec_arg_t operands[] = {
        { DNNL_ARG_SRC, memory(product, dnnl_query_src_md, (void *)(uintptr_t)x) },
        { DNNL_ARG_WEIGHTS, memory(product, dnnl_query_weights_md, (void *)(uintptr_t)packed) },
        { DNNL_ARG_DST, memory(product, dnnl_query_dst_md, y) },
        { DNNL_ARG_SCRATCHPAD, memory(product, dnnl_query_scratchpad_md, DNNL_MEMORY_ALLOCATE) },
    };

    execute(product, product->primitive, 4, operands);
    for (int i = 0; i < 4; i++)
        dnnl_memory_destroy(operands[i].memory);
}

#endif
