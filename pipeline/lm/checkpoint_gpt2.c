#include "lm/checkpoint.h"

static enum status read_norm(struct norm_weights *to, const struct checkpoint *from,
                             int32_t width, int layer, const char *name)
{
    enum status st;

    TRY(checkpoint_read(to->scale, from, width, 0, "h.%d.%s.weight", layer, name));
    TRY(checkpoint_read(to->bias, from, width, 0, "h.%d.%s.bias", layer, name));
done:
    return st;
}

/* Matrices of GPT-2 lie [inputs, outputs]. */
static enum status read_turned(struct linear *to, float *bias, const struct checkpoint *from,
                               int layer, const char *name)
{
    const int64_t inputs = to->inputs, outputs = to->outputs;
    float *turned = from->matrix, *w = turned + inputs * outputs;
    enum status st;

    TRY(checkpoint_read(w, from, inputs, outputs, "h.%d.%s.weight", layer, name));
    TRY(checkpoint_read(bias, from, outputs, 0, "h.%d.%s.bias", layer, name));
    for (int64_t o = 0; o < outputs; o++)
        for (int64_t i = 0; i < inputs; i++)
            turned[o * inputs + i] = w[i * outputs + o];
    linear_pack(to, turned, (uint16_t *)w);
done:
    return st;
}

enum status gpt2_read_layer(struct layer_weights *to, const struct checkpoint *from,
                            const struct lm_config *c, int layer)
{
    enum status st;

    TRY(read_norm(&to->attn_norm, from, c->width, layer, "ln_1"));
    TRY(read_turned(&to->qkv, to->qkv_bias, from, layer, "attn.c_attn"));
    TRY(read_turned(&to->attn_out, to->attn_out_bias, from, layer, "attn.c_proj"));
    TRY(read_norm(&to->mlp_norm, from, c->width, layer, "ln_2"));
    TRY(read_turned(&to->mlp_in, to->mlp_in_bias, from, layer, "mlp.c_fc"));
    TRY(read_turned(&to->mlp_out, to->mlp_out_bias, from, layer, "mlp.c_proj"));
done:
    return st;
}

enum status gpt2_read_ends(struct weights *to, const struct checkpoint *from)
{
    const struct lm_config *c = &to->config;
    enum status st;

    TRY(checkpoint_read(to->embedding, from, c->vocabulary, c->width, "wte.weight"));
    if (!c->tied)
        TRY(checkpoint_read(to->unembedding, from, c->vocabulary, c->width, "lm_head.weight"));
    TRY(checkpoint_read(to->positions, from, c->positions, c->width, "wpe.weight"));
    TRY(checkpoint_read(to->final_norm.scale, from, c->width, 0, "ln_f.weight"));
    TRY(checkpoint_read(to->final_norm.bias, from, c->width, 0, "ln_f.bias"));
done:
    return st;
}
