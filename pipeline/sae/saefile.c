#include "sae/saefile.h"
#include "base/allocate.h"
#include "base/human.h"
#include "base/memory.h"
#include "kernels/adam.h"
#include "kernels/values.h"
#include "shard/h5.h"

#include <stdlib.h>
#include <string.h>

static enum status check_shape(hid_t file, const char *path, const char *name, int64_t rows,
                               int64_t columns)
{
    int64_t found_rows, found_columns;
    enum status st;

    TRY(h5_shape(file, path, name, &found_rows, &found_columns));
    REQUIRE(found_rows == rows && found_columns == columns, E_FORMAT,
            "data set '%s' of %s is %lld x "
            "%lld, but its attributes say %lld x %lld",
            name, path, (long long)found_rows, (long long)found_columns, (long long)rows,
            (long long)columns);
done:
    return st;
}

/* Before memory is allocated: the matrices must have the sizes that the attributes say, and fit. */
static enum status check_sizes(hid_t file, const char *path, int64_t latents, int64_t inputs,
                               int64_t outputs, bool skip)
{
    const double bytes = 4 * ((double)latents * (double)(inputs + outputs)
                              + (skip ? (double)inputs * (double)outputs : 0));
    enum status st;

    TRY(check_shape(file, path, "encoder", latents, inputs));
    TRY(check_shape(file, path, "decoder", latents, outputs));
    if (skip)
        TRY(check_shape(file, path, "skip", outputs, inputs));
    REQUIRE(bytes <= (double)memory_limit(), E_SPACE, "%s needs %s of memory, but there are %s",
            path, human_bytes(bytes), human_bytes((double)memory_limit()));
done:
    return st;
}

/* Read all but the arrays, and allocate these. */
static enum status read_attributes(struct sae *sae, struct sae_units *units, hid_t file,
                                   const char *path)
{
    int64_t inputs, outputs, latents, keep, centred, skip;
    char *name = NULL, *site = NULL, *target = NULL;
    enum architecture_id architecture;
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
    REQUIRE(architectures_find(&architecture, name), E_FORMAT,
            "%s has an architecture that is not known: %s", path, name);
    REQUIRE(1 <= inputs && inputs <= INT32_MAX && 1 <= outputs && outputs <= INT32_MAX
            && 1 <= latents && latents <= INT32_MAX && 0 <= keep && keep <= latents
            && units->scale > 0 && units->target_scale > 0 && (!centred || inputs == outputs),
            E_FORMAT, "%s has impossible sizes: %lld inputs, %lld outputs, %lld latents of which "
            "it keeps %lld, scales %g and %g", path, (long long)inputs, (long long)outputs,
            (long long)latents, (long long)keep, units->scale, units->target_scale);
    TRY(check_sizes(file, path, latents, inputs, outputs, skip != 0));
    units->centred = centred != 0;
    sae_make(sae, (int32_t)inputs, (int32_t)outputs, (int32_t)latents);
    sae->form = ARCHITECTURES[architecture].form;
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

/* Multiply the rows of the encoder by their gains. */
static enum status read_gains(struct sae *sae, hid_t file, const char *path)
{
    float *gain = allocate(sae->latents, sizeof *gain);
    enum status st;

    TRY(h5_read_array(file, path, "gain", H5T_NATIVE_FLOAT, gain, sae->latents, 0));
    for (int64_t i = 0; i < sae->latents; i++)
        values_scale(sae->encoder + i * sae->inputs, gain[i], sae->inputs);
done:
    free(gain);
    return st;
}

enum status saefile_read(struct sae *sae, const char *path)
{
    const hid_t type = H5T_NATIVE_FLOAT;
    struct sae_units units;
    hid_t file = -1;
    enum status st;

    *sae = (struct sae){0};
    TRY(h5_open(&file, path));
    TRY(h5_check_format(file, path, SAEFILE_FORMAT, SAEFILE_VERSION));
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

enum status saefile_check(const char *path, const struct identity *wanted)
{
    hid_t file = -1;
    enum status st;

    TRY(h5_open(&file, path));
    TRY(h5_check_format(file, path, SAEFILE_FORMAT, SAEFILE_VERSION));
    TRY(identity_check(file, path, wanted));
    h5_compare_maker(file, path);
done:
    return h5_close(&file, path, st);
}
