#include "lm/checkpoint.h"

static enum status read_norm(struct norm_weights *to, const struct checkpoint *from,
                             int32_t width, int layer, const char *name)
{
    enum status st;

    TRY(checkpoint_read(to->scale, from, width, "h.%d.%s.weight", layer, name));
    TRY(checkpoint_read(to->bias, from, width, "h.%d.%s.bias", layer, name));
done:
    return st;
}

/* Matrices of GPT-2 lie [inputs, outputs]. */
static enum status read_turned(struct linear *to, float *bias, const struct checkpoint *from,
                               int layer, const char *name)
{
    struct matrix matrix = { .turned = true };
    enum status st;

    TRY(checkpoint_find(&matrix.part[0], from, to->inputs, to->outputs, "h.%d.%s.weight", layer,
                        name));
    TRY(checkpoint_pack(to, from, &matrix));
    TRY(checkpoint_read(bias, from, to->outputs, "h.%d.%s.bias", layer, name));
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
    const struct safetensor *table;
    enum status st;

    TRY(checkpoint_find(&table, from, c->vocabulary, c->width, "wte.weight"));
    TRY(checkpoint_read_share(to->embedding, from, table));
    if (!c->tied) {
        TRY(checkpoint_find(&table, from, c->vocabulary, c->width, "lm_head.weight"));
        TRY(checkpoint_read_share(to->unembedding, from, table));
    }
    TRY(checkpoint_find(&table, from, c->positions, c->width, "wpe.weight"));
    TRY(checkpoint_read_share(to->positions, from, table));
    if (from->share == 0) {
        TRY(checkpoint_read(to->final_norm.scale, from, c->width, "ln_f.weight"));
        TRY(checkpoint_read(to->final_norm.bias, from, c->width, "ln_f.bias"));
    }
done:
    return st;
}
