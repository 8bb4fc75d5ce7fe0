#include "train/publish.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/file.h"
#include "sae/saefile.h"
#include "step/architecture.h"
#include "train/tensorfile.h"

#include <math.h>
#include <stdlib.h>

static enum status write_attributes(hid_t file, const char *path, const struct training *training,
                                    const struct sae_origin *origin)
{
    const struct architecture *architecture = training->architecture;
    const struct step_report *last = &origin->last;
    enum status st;

    TRY(h5_write_format(file, path, SAEFILE_FORMAT, SAEFILE_VERSION));
    TRY(h5_write_text(file, path, "architecture", architecture->traits->name));
    TRY(h5_write_text(file, path, "site", site_name(origin->tap.site)));
    TRY(h5_write_int(file, path, "layer", origin->tap.layer));
    TRY(h5_write_int(file, path, "inputs", training->inputs));
    TRY(h5_write_text(file, path, "target", site_name(origin->target.site)));
    TRY(h5_write_int(file, path, "outputs", training->outputs));
    TRY(h5_write_int(file, path, "latents", training->latents));
    TRY(h5_write_int(file, path, "keep", architecture->traits->form == FORM_TOPK
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
    TRY(h5_write_text(file, path, "suite", origin->identity->suite));
    TRY(identity_write(file, path, origin->identity));
done:
    return st;
}

/* The vectors that inference takes (architecture.h). */
struct inference {
    float *gain, *bias, *threshold;     /* [own latents] each */
};

static struct inference inference_make(const struct training *training)
{
    const int64_t own = training_own_latents(training);
    struct inference inference = { allocate(own, sizeof(float)), allocate(own, sizeof(float)),
                                   allocate(own, sizeof(float)) };

    training->architecture->infer(training, inference.gain, inference.bias,
                                         inference.threshold);
    return inference;
}

static void inference_free(struct inference *inference)
{
    free(inference->threshold);
    free(inference->bias);
    free(inference->gain);
}

/* Write a vector that is spread over the ranks as the encoder's bias is.  Collective. */
static enum status write_vector(const struct training *training, const float *values, hid_t file,
                                const char *path, const char *name)
{
    return tensorfile_write(&training->tensors[ENCODER_BIAS], values, file, path, name,
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
            TRY(tensorfile_write(t, t->value, file, path, t->name, training->comm));
    }
    TRY(write_vector(training, inference.gain, file, path, "gain"));
    TRY(write_vector(training, inference.bias, file, path, "encoder_bias"));
    TRY(write_vector(training, inference.threshold, file, path, "threshold"));
done:
    inference_free(&inference);
    return st;
}

enum status publish_sae(const struct training *training, const struct sae_origin *origin,
                        const char *path)
{
    MPI_Comm comm = training->comm;
    char part[PATH_LENGTH];
    hid_t file = -1;
    enum status st;

    path_print(part, "%s.part", path);
    TRY_ROOT(comm, h5_create(&file, part, MPI_COMM_NULL));
    TRY_ROOT(comm, write_attributes(file, part, training, origin));
    TRY(write_parameters(training, file, part));
done:
    st = agree(comm, h5_close(&file, part, st));
    return st == OK ? agree(comm, agree_is_root(comm) ? file_publish(path) : OK) : st;
}
