/* params.npz: NumPy's own file is read, ours is read back, and damaged ones are refused. */
#include "base/allocate.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "sae/sae.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include <cmocka.h>

static const char GOLDEN[] = "tests/golden/tiny-gemma2/splice_res_1.npz";
static const char SCRATCH[] = "build/scratch/npz/params.npz";
static const char AGAIN[] = "build/scratch/npz/again.npz";

enum { D = 3, F = 5 };

static void make_small(struct sae *sae)
{
    float *parts[] = { sae->encoder, sae->decoder, sae->encoder_bias, sae->decoder_bias,
                       sae->threshold };
    const int counts[] = { D * F, D * F, F, D, F };

    for (int p = 0; p < 5; p++)
        for (int i = 0; i < counts[p]; i++)
            parts[p][i] = random_uniform(1, (uint32_t)p, (uint64_t)i);
}

/* Single values and sums as NumPy reads them. */
static void reads_what_numpy_wrote(void **state)
{
    struct sae sae;
    double encoder = 0, decoder = 0, threshold = 0;

    (void)state;
    assert_int_equal(sae_read_npz(&sae, GOLDEN), OK);
    assert_int_equal(sae.inputs, 256);
    assert_int_equal(sae.latents, 2048);
    assert_true(sae.encoder[7 * 256 + 5] == 0x1.f2369ap-5f);            /* W_enc[5, 7] */
    assert_true(sae.encoder[2047 * 256 + 255] == 0x1.2aaf2ep-4f);
    assert_true(sae.decoder[7 * 256 + 5] == 0x1.32d39cp-4f);            /* W_dec[7, 5] */
    assert_true(sae.decoder[2047 * 256 + 255] == 0x1.5b7df2p-6f);
    assert_true(sae.encoder_bias[9] == -0x1.a09b62p-1f);
    assert_true(sae.decoder_bias[255] == -0x1.fe6aeep-2f);
    assert_true(sae.threshold[2047] == 0x1.82748ap+2f);
    for (int i = 0; i < 2048 * 256; i++) {
        encoder += (double)sae.encoder[i];
        decoder += (double)sae.decoder[i];
    }
    for (int i = 0; i < 2048; i++)
        threshold += (double)sae.threshold[i];
    assert_true(fabs(encoder - 230.72384558931464) < 1e-9);
    assert_true(fabs(decoder + 49.448035787261986) < 1e-9);
    assert_true(fabs(threshold - 5576.62398815155) < 1e-9);
    sae_free(&sae);
}

static void assert_same(const struct sae *a, const struct sae *b)
{
    const size_t d = (size_t)a->inputs, f = (size_t)a->latents;

    assert_int_equal(a->inputs, b->inputs);
    assert_int_equal(a->latents, b->latents);
    assert_memory_equal(a->encoder, b->encoder, d * f * 4);
    assert_memory_equal(a->decoder, b->decoder, d * f * 4);
    assert_memory_equal(a->encoder_bias, b->encoder_bias, f * 4);
    assert_memory_equal(a->decoder_bias, b->decoder_bias, d * 4);
    assert_memory_equal(a->threshold, b->threshold, f * 4);
}

static void reads_back_what_it_wrote_and_writes_the_same_bytes(void **state)
{
    struct sae golden, copy;
    char *one, *two;
    int64_t one_bytes, two_bytes;

    (void)state;
    assert_int_equal(sae_read_npz(&golden, GOLDEN), OK);
    assert_int_equal(sae_write_npz(&golden, SCRATCH), OK);
    assert_int_equal(sae_read_npz(&copy, SCRATCH), OK);
    assert_same(&golden, &copy);
    setenv("TZ", "Pacific/Auckland", 1);
    assert_int_equal(sae_write_npz(&copy, AGAIN), OK);
    unsetenv("TZ");
    assert_int_equal(file_read(SCRATCH, &one, &one_bytes), OK);
    assert_int_equal(file_read(AGAIN, &two, &two_bytes), OK);
    assert_int_equal(one_bytes, two_bytes);
    assert_memory_equal(one, two, (size_t)one_bytes);
    free(two);
    free(one);
    sae_free(&copy);
    sae_free(&golden);
}

/* More outputs than inputs, a skip matrix, k. */
static void carries_a_transcoder(void **state)
{
    struct sae sae, copy;

    (void)state;
    sae_make(&sae, D, D + 1, F);
    sae.skip = allocate(D * (D + 1), sizeof *sae.skip);
    sae.keep = 2;
    for (int i = 0; i < F * (D + 1); i++)
        sae.decoder[i] = (float)i;
    for (int i = 0; i < D * (D + 1); i++)
        sae.skip[i] = (float)(100 + i);
    assert_int_equal(sae_write_npz(&sae, SCRATCH), OK);
    assert_int_equal(sae_read_npz(&copy, SCRATCH), OK);
    assert_true(copy.inputs == D && copy.outputs == D + 1 && copy.latents == F && copy.keep == 2);
    assert_memory_equal(copy.decoder, sae.decoder, F * (D + 1) * sizeof *sae.decoder);
    assert_memory_equal(copy.skip, sae.skip, D * (D + 1) * sizeof *sae.skip);
    sae_free(&copy);
    sae.keep = F + 1;
    assert_int_equal(sae_write_npz(&sae, SCRATCH), OK);
    assert_int_equal(sae_read_npz(&copy, SCRATCH), E_FORMAT);
    assert_non_null(strstr(refuse_reason(), "is not a number of latents"));
    refuse_clear();
    sae_free(&sae);
}

/* The header of an array as the format's definition has it: 128 bytes in all, version 1.0,
 * little-endian length 118, blanks, and a newline at the end. */
static void writes_numpy_headers(void **state)
{
    static const char PREFIX[] = "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': "
                                 "False, 'shape': (3, 5), } ";
    struct sae sae;
    char header[128];
    zip_t *archive;
    zip_stat_t about;
    zip_file_t *file;

    (void)state;
    sae_make(&sae, D, D, F);
    make_small(&sae);
    assert_int_equal(sae_write_npz(&sae, SCRATCH), OK);
    sae_free(&sae);
    archive = zip_open(SCRATCH, ZIP_RDONLY, NULL);
    assert_non_null(archive);
    assert_int_equal(zip_get_num_entries(archive, 0), 5);
    assert_int_equal(zip_stat(archive, "W_enc.npy", 0, &about), 0);
    assert_int_equal(about.size, 128 + D * F * 4);
    assert_int_equal(about.comp_method, ZIP_CM_STORE);
    file = zip_fopen(archive, "W_enc.npy", 0);
    assert_int_equal(zip_fread(file, header, sizeof header), sizeof header);
    assert_memory_equal(header, PREFIX, sizeof PREFIX - 1);
    assert_int_equal(header[126], ' ');
    assert_int_equal(header[127], '\n');
    zip_fclose(file);
    zip_discard(archive);
}

/* Write a good archive, then give array NAME another header and `count` numbers. */
static void spoil(const char *name, const char *dictionary, const float *values, int count)
{
    static char bytes[4096];
    const size_t length = strlen(dictionary);
    struct sae sae;
    char file[32];
    zip_t *archive;

    sae_make(&sae, D, D, F);
    make_small(&sae);
    assert_int_equal(sae_write_npz(&sae, SCRATCH), OK);
    sae_free(&sae);
    memcpy(bytes, "\x93NUMPY\x01\x00", 8);
    bytes[8] = (char)length;
    bytes[9] = 0;
    memcpy(bytes + 10, dictionary, length);
    if (count > 0)
        memcpy(bytes + 10 + length, values, (size_t)count * 4);
    snprintf(file, sizeof file, "%s.npy", name);
    archive = zip_open(SCRATCH, 0, NULL);
    assert_non_null(archive);
    assert_true(zip_file_add(archive, file,
                             zip_source_buffer(archive, bytes, 10 + length + (size_t)count * 4, 0),
                             ZIP_FL_OVERWRITE) >= 0);
    assert_int_equal(zip_close(archive), 0);
}

static const float VALUES[F * D] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 };

/* The first index runs fastest: number 1 of the file is W_dec[1, 0]. */
static void reads_matrices_in_fortran_order(void **state)
{
    struct sae sae;

    (void)state;
    spoil("W_dec", "{'descr': '<f4', 'fortran_order': True, 'shape': (5, 3), }", VALUES, 15);
    assert_int_equal(sae_read_npz(&sae, SCRATCH), OK);
    assert_true(sae.decoder[1 * D + 0] == 1 && sae.decoder[0 * D + 1] == 5);
    sae_free(&sae);
    spoil("W_enc", "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 5), }", VALUES, 15);
    assert_int_equal(sae_read_npz(&sae, SCRATCH), OK);
    assert_true(sae.encoder[1 * D + 0] == 1 && sae.encoder[0 * D + 1] == 5);
    sae_free(&sae);
    spoil("W_enc", "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 5), }", VALUES, 15);
    assert_int_equal(sae_read_npz(&sae, SCRATCH), OK);
    assert_true(sae.encoder[0 * D + 1] == 1 && sae.encoder[1 * D + 0] == 3);
    sae_free(&sae);
}

static void assert_refused(enum status code, const char *words)
{
    struct sae sae;

    assert_int_equal(sae_read_npz(&sae, SCRATCH), code);
    assert_non_null(strstr(refuse_reason(), SCRATCH));
    if (strstr(refuse_reason(), words) == NULL)
        fail_msg("the reason does not say \"%s\": %s", words, refuse_reason());
    assert_null(sae.encoder);
    refuse_clear();
}

static void refuses_arrays_that_are_not_an_autoencoder(void **state)
{
    float spoilt[F];

    (void)state;
    spoil("W_dec", "{'descr': '<f8', 'fortran_order': False, 'shape': (5, 3), }", VALUES, 15);
    assert_refused(E_FORMAT, "W_dec has the type <f8");
    spoil("W_dec", "{'descr': '<f4', 'fortran_order': False, 'shape': (5, 1, 3), }", VALUES, 15);
    assert_refused(E_FORMAT, "W_dec has neither one dimension nor two");
    spoil("W_dec", "{'descr': '<f4', 'fortran_order': False, 'shape': (-5, -3), }", VALUES, 15);
    assert_refused(E_FORMAT, "W_dec has neither one dimension nor two");
    spoil("W_dec", "{'descr': '<f4', 'fortran_order': False, 'shape': (15,), }", VALUES, 15);
    assert_refused(E_FORMAT, "W_dec has one dimension");
    spoil("W_dec", "{'descr': '<f4', 'fortran_order': False, 'shape': (1073741824, 1073741824), }",
          VALUES, 15);
    assert_refused(E_FORMAT, "W_dec does not have as many bytes");
    spoil("W_enc", "{'descr': '<f4', 'fortran_order': False, 'shape': (5, 3), }", VALUES, 15);
    assert_refused(E_FORMAT, "W_enc has the shape (5, 3)");
    spoil("b_enc", "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }", VALUES, 4);
    assert_refused(E_FORMAT, "b_enc has the shape (4, 0)");
    spoil("threshold", "no dictionary", VALUES, 5);
    assert_refused(E_FORMAT, "threshold is not a plain array");
    memcpy(spoilt, VALUES, sizeof spoilt);
    spoilt[3] = NAN;
    spoil("threshold", "{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }", spoilt, 5);
    assert_refused(E_NUMERIC, "threshold holds a number that is not finite");
}

/* Cut anywhere, or with any one byte changed: refused, or (in bytes that carry nothing,
 * like dates) read with the same numbers; never a crash. */
static void refuses_damaged_archives(void **state)
{
    struct sae sae, want;
    char *bytes;
    int64_t size;

    (void)state;
    sae_make(&want, D, D, F);
    make_small(&want);
    assert_int_equal(sae_write_npz(&want, AGAIN), OK);
    assert_int_equal(file_read(AGAIN, &bytes, &size), OK);
    for (int64_t cut = 0; cut < size; cut += 13) {
        assert_int_equal(file_write(SCRATCH, bytes, cut), OK);
        assert_refused(E_FORMAT, "not an npz archive, or cut short");
    }
    for (int64_t at = 0; at < size; at++) {
        bytes[at] ^= 1;
        assert_int_equal(file_write(SCRATCH, bytes, size), OK);
        bytes[at] ^= 1;
        if (sae_read_npz(&sae, SCRATCH) == OK)
            assert_same(&sae, &want);
        sae_free(&sae);
        refuse_clear();
    }
    free(bytes);
    sae_free(&want);
}

/* Of 64 MB, 64 kB are read before an array is missed. */
static void allocates_nothing_for_arrays_that_do_not_fit(void **state)
{
    enum { WIDTH = 64, LATENTS = 1 << 17, LITTLE = 16 << 20 };
    zip_t *archive;
    struct sae sae;
    int code;

    (void)state;
    sae_make(&sae, WIDTH, WIDTH, LATENTS);
    assert_int_equal(sae_write_npz(&sae, SCRATCH), OK);
    sae_free(&sae);
    archive = zip_open(SCRATCH, 0, &code);
    assert_non_null(archive);
    assert_int_equal(zip_delete(archive,
                                (zip_uint64_t)zip_name_locate(archive, "threshold.npy", 0)),
                     0);
    assert_int_equal(zip_close(archive), 0);
    const int64_t before = memory_start_peak();
    assert_int_equal(sae_read_npz(&sae, SCRATCH), E_FORMAT);
    assert_non_null(strstr(refuse_reason(), "it has no array threshold"));
    assert_true(memory_peak() - before < LITTLE);
    refuse_clear();
}

static void refuses_what_is_not_there(void **state)
{
    struct sae sae;

    (void)state;
    assert_int_equal(sae_read_npz(&sae, "build/scratch/npz/none.npz"), E_IO);
    assert_non_null(strstr(refuse_reason(), "build/scratch/npz/none.npz"));
    refuse_clear();
    sae_make(&sae, D, D, F);
    assert_int_equal(sae_write_npz(&sae, "build/scratch/npz/no/such/folder.npz"), E_IO);
    assert_non_null(strstr(refuse_reason(), "cannot write build/scratch/npz/no/such/folder.npz"));
    refuse_clear();
    sae_free(&sae);
}

static int make_scratch(void **state)
{
    (void)state;
    return file_make_folder("build/scratch/npz") != OK;
}

static int remove_scratch(void **state)
{
    (void)state;
    return file_remove("build/scratch/npz") != OK;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_numpy_wrote),
        cmocka_unit_test(reads_back_what_it_wrote_and_writes_the_same_bytes),
        cmocka_unit_test(carries_a_transcoder),
        cmocka_unit_test(writes_numpy_headers),
        cmocka_unit_test(reads_matrices_in_fortran_order),
        cmocka_unit_test(refuses_arrays_that_are_not_an_autoencoder),
        cmocka_unit_test(refuses_damaged_archives),
        cmocka_unit_test(allocates_nothing_for_arrays_that_do_not_fit),
        cmocka_unit_test(refuses_what_is_not_there),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
