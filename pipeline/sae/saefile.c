#include "sae/saefile.h"
#include "base/file.h"
#include "kernels/adam.h"
#include "sae/architecture.h"
#include "sae/tensorfile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char FORMAT[] = "saemill autoencoder";
enum { VERSION = 2 };

static enum status write_attributes(hid_t file, const char *path, const struct training *training,
                                    const struct sae_origin *origin)
{
    const struct architecture *architecture = training->recipe.architecture;
    const struct step_report *last = &origin->last;
    enum status st;

    TRY(h5_write_format(file, path, FORMAT, VERSION));
    TRY(h5_write_text(file, path, "architecture", architecture->name));
    TRY(h5_write_text(file, path, "site", site_name(origin->tap.site)));
    TRY(h5_write_int(file, path, "layer", origin->tap.layer));
    TRY(h5_write_int(file, path, "inputs", training->inputs));
    TRY(h5_write_text(file, path, "target", site_name(origin->target.site)));
    TRY(h5_write_int(file, path, "outputs", training->outputs));
    TRY(h5_write_int(file, path, "latents", training->latents));
    TRY(h5_write_int(file, path, "keep", architecture->form == FORM_TOPK
                                         ? llround(training->recipe.target_l0) : 0));
    TRY(h5_write_int(file, path, "centred", training->centred));
    TRY(h5_write_int(file, path, "skip", training->recipe.skip));
    TRY(h5_write_double(file, path, "scale", origin->scale));
    TRY(h5_write_double(file, path, "target_scale", origin->target_scale));
    TRY(h5_write_int(file, path, "rows", origin->rows));
    TRY(h5_write_int(file, path, "steps", training->step));
    TRY(h5_write_double(file, path, "loss", last->loss));
    TRY(h5_write_double(file, path, "fvu", last->mse / origin->variance));
    TRY(h5_write_double(file, path, "l0", last->l0));
    TRY(h5_write_int(file, path, "dead", last->dead));
    TRY(h5_write_text(file, path, "suite", origin->suite));
done:
    return st;
}

/* What is used when training is over, [own latents] each. */
struct inference {
    float *gain, *bias, *threshold;
};

static struct inference inference_make(const struct training *training)
{
    const int64_t own = own_count(training);
    struct inference inference = { allocate(own, sizeof(float)), allocate(own, sizeof(float)),
                                   allocate(own, sizeof(float)) };

    training->recipe.architecture->infer(training, inference.gain, inference.bias,
                                         inference.threshold);
    return inference;
}

static void inference_free(struct inference *inference)
{
    free(inference->threshold);
    free(inference->bias);
    free(inference->gain);
}

/* A vector that lies over the ranks as the encoder's bias does.  Collective. */
static enum status write_vector(const struct training *training, const float *values, hid_t file,
                                const char *path, const char *name)
{
    return tensor_write(&training->tensors[ENCODER_BIAS], values, file, path, name,
                        training->comm);
}

/* Collective. */
static enum status write_parameters(const struct training *training, hid_t file, const char *path)
{
    static const int WEIGHTS[] = { ENCODER, DECODER, DECODER_BIAS, SKIP };
    struct inference inference = inference_make(training);
    enum status st;

    for (size_t i = 0; i < sizeof WEIGHTS / sizeof *WEIGHTS; i++) {
        const struct tensor *t = &training->tensors[WEIGHTS[i]];
        if (t->name != NULL)
            TRY(tensor_write(t, t->value, file, path, t->name, training->comm));
    }
    TRY(write_vector(training, inference.gain, file, path, "gain"));
    TRY(write_vector(training, inference.bias, file, path, "encoder_bias"));
    TRY(write_vector(training, inference.threshold, file, path, "threshold"));
done:
    inference_free(&inference);
    return st;
}

enum status sae_write_h5(const struct training *training, const struct sae_origin *origin,
                         const char *path)
{
    char part[PATH_LENGTH];
    hid_t file = -1;
    int rank;
    enum status st;

    MPI_Comm_rank(training->comm, &rank);
    path_print(part, "%s.part", path);
    TRY_ALL(training->comm, rank == 0 ? h5_create(&file, part, MPI_COMM_NULL) : OK);
    TRY_ALL(training->comm, rank == 0 ? write_attributes(file, part, training, origin) : OK);
    TRY(write_parameters(training, file, part));
done:
    st = agree(training->comm, h5_close(&file, part, st));
    if (st == OK)
        st = agree(training->comm, rank == 0 ? file_publish(path) : OK);
    return st;
}

/* What the file says of an autoencoder besides its arrays; makes the room for them. */
static enum status read_attributes(struct sae *sae, struct sae_units *units, hid_t file,
                                   const char *path)
{
    int64_t inputs, outputs, latents, keep, centred, skip;
    char *name = NULL, *site = NULL, *target = NULL;
    enum status st;

    TRY(h5_read_int(file, path, "inputs", &inputs));
    TRY(h5_read_int(file, path, "outputs", &outputs));
    TRY(h5_read_int(file, path, "latents", &latents));
    TRY(h5_read_int(file, path, "keep", &keep));
    TRY(h5_read_int(file, path, "centred", &centred));
    TRY(h5_read_int(file, path, "skip", &skip));
    TRY(h5_read_double(file, path, "scale", &units->scale));
    TRY(h5_read_double(file, path, "target_scale", &units->target_scale));
    TRY(h5_read_text(file, path, "site", &site));
    TRY(h5_read_text(file, path, "target", &target));
    TRY(h5_read_text(file, path, "architecture", &name));
    const struct architecture *architecture = architecture_find(name);
    TRY(architecture == NULL
        ? refuse(E_FORMAT, "%s has an architecture that is not known: %s", path, name) : OK);
    TRY(inputs < 1 || inputs > INT32_MAX || outputs < 1 || outputs > INT32_MAX || latents < 1
        || latents > INT32_MAX || keep < 0 || keep > latents || !(units->scale > 0)
        || !(units->target_scale > 0) || (centred && inputs != outputs)
        ? refuse(E_FORMAT, "%s has impossible sizes: %lld inputs, %lld outputs, %lld latents of "
                 "which it keeps %lld, scales %g and %g", path, (long long)inputs,
                 (long long)outputs, (long long)latents, (long long)keep, units->scale,
                 units->target_scale) : OK);
    units->centred = centred != 0;
    sae_make(sae, (int32_t)inputs, (int32_t)outputs, (int32_t)latents);
    sae->form = architecture->form;
    sae->transcoder = strcmp(site, target) != 0;
    sae->keep = (int32_t)keep;
    if (skip != 0)
        sae->skip = allocate(outputs * inputs, sizeof *sae->skip);
done:
    free(target);
    free(site);
    free(name);
    return st;
}

/* Encoder rows times their gains. */
static enum status read_gains(struct sae *sae, hid_t file, const char *path)
{
    float *gain = allocate(sae->latents, sizeof *gain);
    enum status st;

    TRY(h5_read_array(file, path, "gain", H5T_NATIVE_FLOAT, gain, sae->latents, 0));
    for (int64_t i = 0; i < sae->latents; i++)
        scale_values(sae->encoder + i * sae->inputs, gain[i], sae->inputs);
done:
    free(gain);
    return st;
}

enum status sae_read_h5(struct sae *sae, const char *path)
{
    const hid_t type = H5T_NATIVE_FLOAT;
    struct sae_units units;
    hid_t file = -1;
    enum status st;

    *sae = (struct sae){0};
    TRY(h5_open(&file, path));
    TRY(h5_check_format(file, path, FORMAT, VERSION));
    TRY(read_attributes(sae, &units, file, path));
    const int64_t latents = sae->latents, inputs = sae->inputs, outputs = sae->outputs;
    TRY(h5_read_array(file, path, "encoder", type, sae->encoder, latents, inputs));
    TRY(h5_read_array(file, path, "decoder", type, sae->decoder, latents, outputs));
    TRY(h5_read_array(file, path, "encoder_bias", type, sae->encoder_bias, latents, 0));
    TRY(h5_read_array(file, path, "threshold", type, sae->threshold, latents, 0));
    TRY(h5_read_array(file, path, "decoder_bias", type, sae->decoder_bias, outputs, 0));
    TRY(read_gains(sae, file, path));
    if (sae->skip != NULL)
        TRY(h5_read_array(file, path, "skip", type, sae->skip, outputs, inputs));
    sae_fold(sae, units);
done:
    st = h5_close(&file, path, st);
    if (st != OK)
        sae_free(sae);
    return st;
}
