#include "sae/saefile.h"
#include "base/file.h"
#include "sae/tensorfile.h"

#include <math.h>
#include <stdlib.h>

static const char FORMAT[] = "saemill autoencoder";
enum { VERSION = 1 };

static enum status write_attributes(hid_t file, const char *path, const struct training *training,
                                    const struct sae_origin *origin)
{
    const struct step_report *last = &origin->last;
    enum status st;

    TRY(h5_write_format(file, path, FORMAT, VERSION));
    TRY(h5_write_text(file, path, "architecture", "jumprelu"));
    TRY(h5_write_text(file, path, "site", site_name(origin->tap.site)));
    TRY(h5_write_int(file, path, "layer", origin->tap.layer));
    TRY(h5_write_int(file, path, "inputs", training->inputs));
    TRY(h5_write_int(file, path, "latents", training->latents));
    TRY(h5_write_double(file, path, "scale", origin->scale));
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

/* The thresholds themselves, whichever form was trained.  Caller frees. */
static float *thresholds(const struct training *training)
{
    const struct tensor *t = &training->tensors[THRESHOLD];
    const int64_t own = t->own_rows.end - t->own_rows.first;
    float *values = allocate(own, sizeof *values);

    for (int64_t i = 0; i < own; i++)
        values[i] = training->recipe.log_threshold ? expf(t->value[i]) : t->value[i];
    return values;
}

enum status sae_write_h5(const struct training *training, const struct sae_origin *origin,
                         const char *path)
{
    float *threshold = thresholds(training);
    char part[PATH_LENGTH];
    hid_t file = -1;
    int rank;
    enum status st;

    MPI_Comm_rank(training->comm, &rank);
    path_print(part, "%s.part", path);
    TRY_ALL(training->comm, rank == 0 ? h5_create(&file, part, MPI_COMM_NULL) : OK);
    TRY_ALL(training->comm, rank == 0 ? write_attributes(file, part, training, origin) : OK);
    for (int i = 0; i < TENSORS; i++) {
        const struct tensor *t = &training->tensors[i];
        TRY(tensor_write(t, i == THRESHOLD ? threshold : t->value, file, part, t->name,
                         training->comm));
    }
done:
    st = agree(training->comm, h5_close(&file, part, st));
    if (st == OK)
        st = agree(training->comm, rank == 0 ? file_publish(path) : OK);
    free(threshold);
    return st;
}

enum status sae_read_h5(struct sae *sae, const char *path)
{
    int64_t inputs, latents;
    double scale;
    hid_t file = -1;
    enum status st;

    *sae = (struct sae){0};
    TRY(h5_open(&file, path));
    TRY(h5_check_format(file, path, FORMAT, VERSION));
    TRY(h5_read_int(file, path, "inputs", &inputs));
    TRY(h5_read_int(file, path, "latents", &latents));
    TRY(h5_read_double(file, path, "scale", &scale));
    TRY(inputs < 1 || inputs > INT32_MAX || latents < 1 || latents > INT32_MAX || !(scale > 0)
        ? refuse(E_FORMAT, "%s has impossible sizes: %lld inputs, %lld latents, scale %g", path,
                 (long long)inputs, (long long)latents, scale) : OK);
    sae_make(sae, (int32_t)inputs, (int32_t)latents);
    TRY(h5_read_array(file, path, "encoder", H5T_NATIVE_FLOAT, sae->encoder, latents, inputs));
    TRY(h5_read_array(file, path, "decoder", H5T_NATIVE_FLOAT, sae->decoder, latents, inputs));
    TRY(h5_read_array(file, path, "encoder_bias", H5T_NATIVE_FLOAT, sae->encoder_bias, latents, 0));
    TRY(h5_read_array(file, path, "threshold", H5T_NATIVE_FLOAT, sae->threshold, latents, 0));
    TRY(h5_read_array(file, path, "decoder_bias", H5T_NATIVE_FLOAT, sae->decoder_bias, inputs, 0));
    sae_fold(sae, scale);
done:
    st = h5_close(&file, path, st);
    if (st != OK)
        sae_free(sae);
    return st;
}
