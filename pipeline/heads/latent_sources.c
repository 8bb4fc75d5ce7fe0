#include "heads/latent_sources.h"
#include "base/allocate.h"
#include "heads/attribution.h"
#include "heads/effective.h"
#include "kernels/attention_weights.h"
#include "kernels/gemm.h"

#include <stdlib.h>
#include <string.h>

/* With fewer products than this, one thread is done before others wake up. */
enum { FEW = 1 << 20 };

static double dot(const float *a, const float *b, int32_t n)
{
    double sum = 0;

    for (int32_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* --- a latent ------------------------------------------------------------------------ */

int64_t latent_sources_target_bytes(const struct lm_config *c)
{
    return c->heads * (c->width * (int64_t)sizeof(float) + (int64_t)sizeof(double));
}

/* reading [width] in place: let the norm's scale and its mean act on the reader. */
static void fold_norm(float *reading, struct norm_weights norm, int32_t width)
{
    double mean = 0;

    for (int32_t i = 0; i < width && norm.scale != NULL; i++)
        reading[i] *= norm.scale[i];
    for (int32_t i = 0; i < width && norm.bias != NULL; i++)
        mean += (double)reading[i] / width;
    for (int32_t i = 0; i < width; i++)
        reading[i] = (float)((double)reading[i] - mean);
}

/* The reading and the constant of a head. */
static void read_head(struct latent_sources_target *target, int layer, int32_t k)
{
    const struct lm_config *c = &target->weights->config;
    const struct layer_weights *w = &target->weights->layers[layer];
    const struct effective_head head = effective_head(target->weights, layer, k);
    const int64_t kv = k / (c->heads / c->kv_heads), e = c->head_width;
    const int64_t biases = (c->heads + c->kv_heads + kv) * e;   /* before those of its values */
    const float *encoder = target->encoder + k * e;
    float *reading = target->reading + (int64_t)k * c->width;

    gemm_nn(reading, c->width, encoder, e, head.value, c->width, 1, c->width, e, false);
    if (w->attn_norm.bias != NULL)
        target->constant[k] += dot(reading, w->attn_norm.bias, c->width);
    if (w->qkv_bias != NULL)
        target->constant[k] += dot(encoder, w->qkv_bias + biases, c->head_width);
    fold_norm(reading, w->attn_norm, c->width);
}

void latent_sources_target_make(struct latent_sources_target *target,
                                const struct weights *weights, const struct sae *sae, int layer,
                                int32_t latent)
{
    const struct lm_config *c = &weights->config;

    *target = (struct latent_sources_target){
        .weights = weights,
        .encoder = sae->encoder + (int64_t)latent * sae->inputs,
        .bias = sae->encoder_bias[latent],
        .reading = allocate((int64_t)c->heads * c->width, sizeof(float)),
        .constant = allocate(c->heads, sizeof(double)),
    };
    for (int32_t k = 0; k < c->heads; k++)
        read_head(target, layer, k);
}

void latent_sources_target_free(struct latent_sources_target *target)
{
    free(target->constant);
    free(target->reading);
    *target = (struct latent_sources_target){0};
}

double latent_sources_pre_activation(double *part, const struct latent_sources_target *target,
                                     const float *z)
{
    const struct lm_config *c = &target->weights->config;
    const int32_t e = c->head_width;
    double sum = (double)target->bias;

    for (int32_t k = 0; k < c->heads; k++) {
        const double own = dot(target->encoder + (int64_t)k * e, z + (int64_t)k * e, e);
        if (part != NULL)
            part[k] = own;
        sum += own;
    }
    return sum;
}

/* --- its sources --------------------------------------------------------------------- */

int64_t latent_sources_bytes(const struct lm_config *c, int64_t context)
{
    return context * c->heads * (int64_t)(sizeof(float) + sizeof(double))
         + context * (c->width + 1) * (int64_t)sizeof(double);
}

void latent_sources_make(struct latent_sources *sources, const struct lm_config *c, int64_t context)
{
    *sources = (struct latent_sources){
        .context = context,
        .attention = allocate(c->heads * context, sizeof(float)),
        .part = allocate(c->heads * context, sizeof(double)),
        .gradient = allocate(context * c->width, sizeof(double)),
        .constant = allocate(context, sizeof(double)),
    };
}

void latent_sources_free(struct latent_sources *sources)
{
    free(sources->constant);
    free(sources->gradient);
    free(sources->part);
    free(sources->attention);
    *sources = (struct latent_sources){0};
}

void latent_sources_find(struct latent_sources *sources, const struct latent_sources_target *target,
                         const struct forward *forward, int64_t sequence, int64_t token)
{
    const struct attention shape = forward_attention(forward);
    const int64_t stride = attention_stride(&shape), e = shape.head_width;
    const float *qkv = forward->qkv + sequence * shape.context * stride;

    #pragma omp parallel for if (shape.heads * shape.context * e > FEW)
    for (int32_t k = 0; k < shape.heads; k++) {
        const int64_t kv = k / (shape.heads / shape.kv_heads);
        const float *values = qkv + (shape.heads + shape.kv_heads + kv) * e;
        float *attention = sources->attention + k * shape.context;
        attention_weights(attention, forward->qkv, &shape, sequence, token, k);
        for (int64_t s = 0; s < shape.context; s++)
            sources->part[k * shape.context + s] = (double)attention[s]
                * dot(target->encoder + k * e, values + s * stride, shape.head_width);
    }
}

/* The gradient and the constant at source s, whose row of the stream is x. */
static void reach(struct latent_sources *sources, const struct latent_sources_target *target,
                  struct norm_weights norm, int64_t s, const float *x)
{
    const struct lm_config *c = &target->weights->config;
    const double inverse = norm.scale == NULL ? 1 : attribution_norm_of(c, norm, x).inverse;
    double *gradient = sources->gradient + s * c->width;

    memset(gradient, 0, (size_t)c->width * sizeof *gradient);
    sources->constant[s] = 0;
    for (int32_t k = 0; k < c->heads; k++) {
        const double weight = (double)sources->attention[k * sources->context + s];
        const float *reading = target->reading + (int64_t)k * c->width;
        for (int32_t i = 0; i < c->width && weight > 0; i++)
            gradient[i] += weight * inverse * (double)reading[i];
        sources->constant[s] += weight * target->constant[k];
    }
}

void latent_sources_go_below(struct latent_sources *sources,
                             const struct latent_sources_target *target,
                             const struct forward *forward, int64_t sequence)
{
    const struct lm_config *c = &target->weights->config;
    const float *x = forward->residual + sequence * sources->context * c->width;

    #pragma omp parallel for if (sources->context * c->heads * c->width > FEW)
    for (int64_t s = 0; s < sources->context; s++)
        reach(sources, target, target->weights->layers[forward->tap.layer].attn_norm, s,
              x + s * c->width);
}

double latent_sources_of(const struct latent_sources *sources, int64_t source, const float *x,
                         int32_t width)
{
    const double *gradient = sources->gradient + source * width;
    double sum = 0;

    for (int32_t i = 0; i < width; i++)
        sum += gradient[i] * (double)x[i];
    return sum;
}

/* The parts of the latents of a row; most are not active. */
static void divide_row(double *part, const struct latent_sources *sources, int64_t source,
                       const struct sae *below, const float *f)
{
    for (int64_t i = 0; i < below->latents; i++) {
        const float *direction = below->decoder + i * below->outputs;
        part[i] = f[i] == 0 ? 0
                : (double)f[i] * latent_sources_of(sources, source, direction, below->outputs);
    }
}

void latent_sources_below(double *part, const struct latent_sources *sources,
                          const struct sae *below, const float *f)
{
    #pragma omp parallel for if (sources->context * below->latents > FEW)
    for (int64_t s = 0; s < sources->context; s++)
        divide_row(part + s * below->latents, sources, s, below, f + s * below->latents);
}
