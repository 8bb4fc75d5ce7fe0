/* handmade.h -- models whose circuits are known, because their weights were written by hand.
 *
 * tests/golden/README.md, "circuits/handmade", defines the files and what each model does.  They
 * have no norms, positions are learned, and the MLP, if there is one, is a ReLU's.
 *
 *     hid_t file = handmade_open("or_gate");
 *     handmade_make(&weights, file);
 *     int32_t *ids = handmade_ids(file, "tokens", &rows, &context);
 *
 * The program ends if a file is not as it should be.
 */
#ifndef HANDMADE_H
#define HANDMADE_H

#include "base/allocate.h"
#include "base/die.h"
#include "lm/weights.h"
#include "shard/h5.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HANDMADE_FOLDER "tests/golden/circuits/handmade"

enum { HANDMADE_NAME = 128 };

/* Open the file of a model: "or_gate".  Close it with H5Fclose(). */
static inline hid_t handmade_open(const char *model)
{
    char path[HANDMADE_NAME];
    hid_t file;

    snprintf(path, sizeof path, HANDMADE_FOLDER "/%s.h5", model);
    if (h5_open(&file, path) != OK)
        die("%s", refuse_reason());
    return file;
}

/* A size of the model: an attribute of the group `model`. */
static inline int32_t handmade_size(hid_t file, const char *name)
{
    const hid_t group = H5Gopen2(file, "model", H5P_DEFAULT);
    int64_t value;

    if (group < 0 || h5_read_int(group, "model", name, &value) != OK)
        die("no size %s in a hand-made model", name);
    H5Gclose(group);
    return (int32_t)value;
}

/* Open the data set NAME, and fill `sizes` with its dimensions, the rest with 1. */
static inline hid_t handmade_set(hid_t file, const char *name, hsize_t sizes[4])
{
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);

    if (set < 0)
        die("no data set %s in a hand-made model", name);
    const hid_t space = H5Dget_space(set);
    for (int i = 0; i < 4; i++)
        sizes[i] = 1;
    if (H5Sget_simple_extent_ndims(space) > 4)
        die("%s has more than 4 dimensions", name);
    H5Sget_simple_extent_dims(space, sizes, NULL);
    H5Sclose(space);
    return set;
}

/* All numbers of a data set, which must be `count`.  Caller frees, here and below. */
static inline float *handmade_floats(hid_t file, const char *name, int64_t count)
{
    hsize_t sizes[4];
    const hid_t set = handmade_set(file, name, sizes);
    float *values = allocate(count, sizeof *values);

    if ((hsize_t)count != sizes[0] * sizes[1] * sizes[2] * sizes[3]
        || H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
        die("%s has not %lld numbers", name, (long long)count);
    H5Dclose(set);
    return values;
}

/* The token ids [rows, context] of a data set. */
static inline int32_t *handmade_ids(hid_t file, const char *name, int64_t *rows, int64_t *context)
{
    hsize_t sizes[4];
    const hid_t set = handmade_set(file, name, sizes);
    int32_t *ids = allocate((int64_t)(sizes[0] * sizes[1]), sizeof *ids);

    *rows = (int64_t)sizes[0];
    *context = (int64_t)sizes[1];
    if (H5Dread(set, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, ids) < 0)
        die("cannot read %s", name);
    H5Dclose(set);
    return ids;
}

/* The text of an attribute of the file.  Caller frees. */
static inline char *handmade_text(hid_t file, const char *name)
{
    const hid_t attribute = H5Aopen(file, name, H5P_DEFAULT), type = H5Aget_type(attribute);
    char *text = NULL, *copy;

    if (H5Tis_variable_str(type) <= 0 || H5Aread(attribute, type, &text) < 0)
        die("a hand-made model has no text %s", name);
    copy = allocate((int64_t)strlen(text) + 1, 1);
    memcpy(copy, text, strlen(text));
    H5free_memory(text);
    H5Tclose(type);
    H5Aclose(attribute);
    return copy;
}

/* Pack W [outputs, inputs]. */
static inline void handmade_pack(struct linear *to, const float *w)
{
    for (int64_t block = 0; block < linear_blocks(to); block++)
        linear_pack(to, block, w + block * LINEAR_COLUMNS * to->inputs);
}

/* Pack queries, keys and values of a layer from data sets [heads, width, head_width]. */
static inline void handmade_pack_qkv(struct layer_weights *to, const struct lm_config *c,
                                     hid_t file, const char *const names[3])
{
    const int64_t heads = c->heads, d = c->width, e = c->head_width;
    float *rows = allocate(3 * heads * e * d, sizeof *rows);

    for (int64_t part = 0; part < 3; part++) {
        float *w = handmade_floats(file, names[part], heads * d * e);
        for (int64_t i = 0; i < heads * d * e; i++)
            rows[((part * heads + i / (d * e)) * e + i % e) * d + i / e % d] = w[i];
        free(w);
    }
    handmade_pack(&to->qkv, rows);
    free(rows);
}

/* Pack a matrix of a data set that is its transpose, [inputs, outputs]. */
static inline void handmade_pack_transposed(struct linear *to, hid_t file, const char *name)
{
    const int64_t outputs = to->outputs, inputs = to->inputs;
    float *w = handmade_floats(file, name, inputs * outputs);
    float *rows = allocate(inputs * outputs, sizeof *rows);

    for (int64_t i = 0; i < inputs * outputs; i++)
        rows[i % outputs * inputs + i / outputs] = w[i];
    handmade_pack(to, rows);
    free(rows);
    free(w);
}

/* Copy all numbers of a data set. */
static inline void handmade_copy(float *to, hid_t file, const char *name, int64_t count)
{
    float *values = handmade_floats(file, name, count);

    memcpy(to, values, (size_t)count * sizeof *to);
    free(values);
}

static inline struct lm_config handmade_config(hid_t file)
{
    const int32_t heads = handmade_size(file, "heads"), e = handmade_size(file, "d_head");
    const int32_t mlp = handmade_size(file, "d_mlp");

    return (struct lm_config){
        .vocabulary = handmade_size(file, "vocabulary"),
        .outputs = handmade_size(file, "outputs"),
        .width = handmade_size(file, "d_model"),
        .mlp_width = mlp,
        .layers = handmade_size(file, "layers"),
        .heads = heads,
        .kv_heads = heads,
        .head_width = e,
        .positions = handmade_size(file, "positions"),
        .learned_positions = true,
        .norm = LM_NORM_RMS,
        .bias = { .qkv = true, .mlp = mlp > 0 },
        .activation = ACTIVATION_RELU,
        .embedding_scale = 1,
        .score_scale = 1 / sqrtf((float)e),
        .bos = -1, .eos = -1, .pad = -1,
    };
}

/* "model/layers/LAYER/WHAT" */
static inline const char *handmade_name(char name[HANDMADE_NAME], int layer, const char *what)
{
    snprintf(name, HANDMADE_NAME, "model/layers/%d/%s", layer, what);
    return name;
}

static inline void handmade_make_layer(struct layer_weights *to, const struct lm_config *c,
                                       hid_t file, int layer)
{
    const int64_t heads = (int64_t)c->heads * c->head_width;
    char name[4][HANDMADE_NAME];

    handmade_pack_qkv(to, c, file, (const char *const[]){ handmade_name(name[0], layer, "W_Q"),
                      handmade_name(name[1], layer, "W_K"), handmade_name(name[2], layer, "W_V") });
    handmade_copy(to->qkv_bias, file, handmade_name(name[0], layer, "b_Q"), heads);
    handmade_copy(to->qkv_bias + heads, file, handmade_name(name[0], layer, "b_K"), heads);
    handmade_copy(to->qkv_bias + 2 * heads, file, handmade_name(name[0], layer, "b_V"), heads);
    handmade_pack_transposed(&to->attn_out, file, handmade_name(name[0], layer, "W_O"));
    if (c->mlp_width == 0)
        return;
    handmade_pack_transposed(&to->mlp_in, file, handmade_name(name[0], layer, "W_in"));
    handmade_pack_transposed(&to->mlp_out, file, handmade_name(name[0], layer, "W_out"));
    handmade_copy(to->mlp_in_bias, file, handmade_name(name[0], layer, "b_in"), c->mlp_width);
    handmade_copy(to->mlp_out_bias, file, handmade_name(name[0], layer, "b_out"), c->width);
}

/* Make the weights, in float32, for one process.  weights_free() frees them. */
static inline void handmade_make(struct weights *weights, hid_t file)
{
    const struct lm_config c = handmade_config(file);
    float *unembedding = handmade_floats(file, "model/W_U", (int64_t)c.width * c.outputs);

    weights_make(weights, &c, PRECISION_F32, MPI_COMM_SELF);
    handmade_copy(weights->embedding, file, "model/W_E", (int64_t)c.vocabulary * c.width);
    handmade_copy(weights->positions, file, "model/W_pos", (int64_t)c.positions * c.width);
    for (int64_t i = 0; i < (int64_t)c.width * c.outputs; i++)
        weights->unembedding[i % c.outputs * c.width + i / c.outputs] = unembedding[i];
    weights->final_norm = (struct norm_weights){0};
    for (int layer = 0; layer < c.layers; layer++)
        handmade_make_layer(&weights->layers[layer], &c, file, layer);
    free(unembedding);
}

#endif
