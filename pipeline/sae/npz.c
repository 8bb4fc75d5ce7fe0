/* A .npz file is a zip archive of .npy files: a magic, the length of a Python dictionary,
 * the dictionary with type, order and shape, the numbers.  The format is described in
 * NumPy's documentation, "numpy.lib.format". */
#include "base/allocate.h"
#include "base/human.h"
#include "base/memory.h"
#include "sae/sae.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

static const char MAGIC[] = "\x93NUMPY";

enum {
    MAGIC_BYTES = 6,
    PREFIX_BYTES = MAGIC_BYTES + 4,     /* magic, version, length of the dictionary */
    HEADER_ALIGNMENT = 64,
    DICTIONARY_LONGEST = 1024,          /* ours has 118 bytes; more is not a plain array */
    DIMENSION_LARGEST = 1 << 30,        /* so that products of two do not overflow */
    INFLATION_LARGEST = 1040,           /* deflate cannot compress by more */
    DATE_1980 = (1 << 5) | 1,           /* 1 January 1980 in MS-DOS's form, zip's first day */
};

/* One array of an archive being read. */
struct member {
    const char *path, *name;    /* of the archive, of the array */
    zip_file_t *file;
    int64_t     rows, columns;  /* columns 0: one-dimensional */
    bool        fortran;        /* the first index runs fastest */
};

/* ---- reading -------------------------------------------------------------------- */

static enum status refuse_array(const struct member *member, const char *found)
{
    return refuse(E_FORMAT, "cannot read %s: its array %s %s", member->path, member->name, found);
}

static enum status read_bytes(struct member *member, void *bytes, int64_t size)
{
    if (zip_fread(member->file, bytes, (zip_uint64_t)size) != size)
        return refuse_array(member, "is cut short or damaged; make or fetch the file again");
    return OK;
}

/* Parse the header's dictionary.  NumPy writes it in one way only. */
static enum status parse_dictionary(struct member *member, const char *text)
{
    const char *type = strstr(text, "'descr':"), *shape = strstr(text, "'shape':");
    char descr[16] = "";
    long long rows = 0, columns = 0;
    int end = 0;
    enum status st = OK;

    if (type == NULL || sscanf(type, "'descr': '%15[^']'", descr) != 1 || shape == NULL)
        return refuse_array(member, "is not a plain array of numbers");
    REQUIRE(strcmp(descr, "<f4") == 0, E_FORMAT, "cannot read %s: its array %s has the type %s; "
            "float32, which NumPy calls <f4, is needed", member->path, member->name, descr);
    sscanf(shape, "'shape': (%18lld,)%n", &rows, &end);
    if (end == 0)
        sscanf(shape, "'shape': (%18lld, %18lld)%n", &rows, &columns, &end);
    if (end == 0 || rows < 1 || rows > DIMENSION_LARGEST || columns < 0
        || columns > DIMENSION_LARGEST)
        return refuse_array(member, "has neither one dimension nor two of sensible size");
    member->rows = rows;
    member->columns = columns;
    member->fortran = strstr(text, "'fortran_order': True") != NULL;
done:
    return st;
}

/* Read up to the numbers.  `bytes` is the member's size in the archive. */
static enum status read_header(struct member *member, uint64_t bytes)
{
    unsigned char prefix[PREFIX_BYTES], more[2] = {0};
    char dictionary[DICTIONARY_LONGEST + 1] = "";
    enum status st;

    TRY(read_bytes(member, prefix, sizeof prefix));
    if (memcmp(prefix, MAGIC, MAGIC_BYTES) != 0 || prefix[6] < 1 || prefix[6] > 3)
        return refuse_array(member, "does not begin as a NumPy array does");
    if (prefix[6] > 1)      /* versions 2 and 3 have a length of four bytes */
        TRY(read_bytes(member, more, sizeof more));
    const int64_t length = prefix[8] + 256 * (int64_t)prefix[9] + 65536 * (int64_t)more[0]
                           + 16777216 * (int64_t)more[1];
    if (length > DICTIONARY_LONGEST)
        return refuse_array(member, "is not a plain array of numbers");
    TRY(read_bytes(member, dictionary, length));
    TRY(parse_dictionary(member, dictionary));

    const int64_t values = member->rows * (member->columns > 0 ? member->columns : 1);
    const int64_t header = PREFIX_BYTES + (prefix[6] > 1 ? 2 : 0) + length;
    if (bytes != (uint64_t)(header + 4 * values))
        st = refuse_array(member, "does not have as many bytes as its shape asks for");
done:
    return st;
}

static void member_close(struct member *member)
{
    if (member->file != NULL)
        zip_fclose(member->file);
    member->file = NULL;
}

static enum status member_open(struct member *member, zip_t *archive, const char *path,
                               const char *name)
{
    char file[32];
    zip_stat_t about;
    enum status st;

    *member = (struct member){ .path = path, .name = name };
    snprintf(file, sizeof file, "%s.npy", name);
    REQUIRE(zip_stat(archive, file, 0, &about) == 0, E_FORMAT, "cannot read %s: it has no array "
            "%s; an autoencoder has W_enc, W_dec, b_enc, b_dec and threshold", path, name);
    if (about.size / INFLATION_LARGEST > about.comp_size)
        return refuse_array(member, "claims more bytes than the archive can hold");
    member->file = zip_fopen(archive, file, 0);
    REQUIRE(member->file != NULL, E_FORMAT, "cannot read %s: its array %s: %s", path, name,
            zip_strerror(archive));
    TRY(read_header(member, about.size));
done:
    if (st != OK)
        member_close(member);
    return st;
}

enum { BAND = 64 };     /* rows transposed at a time */

/* Read the numbers of `member`, [rows, columns] in the file, into values [columns, rows].  This
 * goes by bands of rows, so that cache lines of `values` fill up. */
static enum status read_transposed(struct member *member, float *values, int64_t rows,
                                   int64_t columns)
{
    float *band = allocate(BAND * columns, sizeof *band);
    enum status st = OK;

    for (int64_t first = 0; first < rows; first += BAND) {
        const int64_t count = rows - first < BAND ? rows - first : BAND;

        TRY(read_bytes(member, band, count * columns * 4));
        for (int64_t c = 0; c < columns; c++)
            for (int64_t r = 0; r < count; r++)
                values[c * rows + first + r] = band[r * columns + c];
    }
done:
    free(band);
    return st;
}

static enum status check_shape(const struct member *member, int64_t rows, int64_t columns)
{
    enum status st;

    REQUIRE(member->rows == rows && member->columns == columns, E_FORMAT, "cannot read %s: its "
            "array %s has the shape (%lld, %lld), but W_dec asks for (%lld, %lld); 0 stands for "
            "no second dimension", member->path, member->name, (long long)member->rows,
            (long long)member->columns, (long long)rows, (long long)columns);
done:
    return st;
}

/* Read one array of rows x columns; with `transpose` into values [columns, rows].
 * columns is 0 for a one-dimensional one. */
static enum status read_array(zip_t *archive, const char *path, const char *name, float *values,
                              int64_t rows, int64_t columns, bool transpose)
{
    const int64_t count = rows * (columns > 0 ? columns : 1);
    struct member member;
    char beyond;
    enum status st;

    TRY(member_open(&member, archive, path, name));
    TRY(check_shape(&member, rows, columns));
    if (columns == 0 || transpose == member.fortran)
        TRY(read_bytes(&member, values, count * 4));
    else if (member.fortran)
        TRY(read_transposed(&member, values, columns, rows));
    else
        TRY(read_transposed(&member, values, rows, columns));
    if (zip_fread(member.file, &beyond, 1) != 0)    /* at the end libzip compares the CRC */
        TRY(refuse_array(&member, "is damaged: its checksum differs; make or fetch the file "
                         "again"));
    for (int64_t i = 0; i < count; i++)
        REQUIRE(isfinite(values[i]), E_NUMERIC, "cannot use %s: its array %s holds a number "
                "that is not finite", path, name);
done:
    member_close(&member);
    return st;
}

static bool has_array(zip_t *archive, const char *name)
{
    char file[32];

    snprintf(file, sizeof file, "%s.npy", name);
    return zip_name_locate(archive, file, 0) >= 0;
}

/* Read an array's header only. */
static enum status read_shape(struct member *member, zip_t *archive, const char *path,
                              const char *name)
{
    const enum status st = member_open(member, archive, path, name);

    if (st == OK)
        member_close(member);
    return st;
}

/* Check the shapes of all arrays against those of W_dec and W_enc, before memory is allocated for
 * them: a small archive may declare what no computer has. */
static enum status check_shapes(zip_t *archive, const char *path, const struct member *decoder,
                                const struct member *encoder)
{
    const int64_t latents = decoder->rows, inputs = encoder->rows, outputs = decoder->columns;
    const bool skip = has_array(archive, "affine_skip_connection");
    const struct { const char *name; int64_t rows, columns; bool there; } SHAPES[] = {
        { "W_enc", inputs, latents, true },
        { "b_enc", latents, 0, true },
        { "b_dec", outputs, 0, true },
        { "threshold", latents, 0, true },
        { "affine_skip_connection", inputs, outputs, skip },
        { "k", 1, 0, has_array(archive, "k") },
    };
    struct member member;
    enum status st = OK;

    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++) {
        if (!SHAPES[i].there)
            continue;
        TRY(read_shape(&member, archive, path, SHAPES[i].name));
        TRY(check_shape(&member, SHAPES[i].rows, SHAPES[i].columns));
    }
    const double bytes = 4 * ((double)latents * (double)(inputs + outputs)
                              + (skip ? (double)inputs * (double)outputs : 0));
    REQUIRE(bytes <= (double)memory_limit(), E_SPACE, "%s needs %s of memory, but there are %s",
            path, human_bytes(bytes), human_bytes((double)memory_limit()));
done:
    return st;
}

static enum status read_arrays(struct sae *sae, zip_t *archive, const char *path)
{
    struct member decoder, encoder;
    float keep = 0;
    enum status st;

    TRY(read_shape(&decoder, archive, path, "W_dec"));
    if (decoder.columns == 0)
        TRY(refuse_array(&decoder, "has one dimension; latents x inputs are needed"));
    TRY(read_shape(&encoder, archive, path, "W_enc"));
    TRY(check_shapes(archive, path, &decoder, &encoder));
    const int64_t latents = decoder.rows, inputs = encoder.rows, outputs = decoder.columns;
    sae_make(sae, (int32_t)inputs, (int32_t)outputs, (int32_t)latents);
    TRY(read_array(archive, path, "W_dec", sae->decoder, latents, outputs, false));
    TRY(read_array(archive, path, "W_enc", sae->encoder, inputs, latents, true));
    TRY(read_array(archive, path, "b_enc", sae->encoder_bias, latents, 0, false));
    TRY(read_array(archive, path, "b_dec", sae->decoder_bias, outputs, 0, false));
    TRY(read_array(archive, path, "threshold", sae->threshold, latents, 0, false));
    if (has_array(archive, "affine_skip_connection")) {
        sae->skip = allocate(inputs * outputs, sizeof *sae->skip);
        TRY(read_array(archive, path, "affine_skip_connection", sae->skip, inputs, outputs, true));
    }
    if (has_array(archive, "k"))
        TRY(read_array(archive, path, "k", &keep, 1, 0, false));
    REQUIRE(keep >= 0 && keep <= (float)latents, E_FORMAT, "cannot use %s: its k, %g, is not a "
            "number of latents", path, (double)keep);
    sae->keep = (int32_t)keep;
done:
    return st;
}

enum status sae_read_npz(struct sae *sae, const char *path)
{
    zip_t *archive;
    zip_error_t error;
    int code = 0;
    enum status st;

    *sae = (struct sae){0};
    archive = zip_open(path, ZIP_RDONLY, &code);
    if (archive == NULL) {
        zip_error_init_with_code(&error, code);
        st = refuse(code == ZIP_ER_NOZIP || code == ZIP_ER_INCONS ? E_FORMAT : E_IO,
                    "cannot read %s: %s", path, code == ZIP_ER_NOZIP
                    ? "not an npz archive, or cut short" : zip_error_strerror(&error));
        zip_error_fini(&error);
        return st;
    }
    st = read_arrays(sae, archive, path);
    zip_discard(archive);
    if (st != OK)
        sae_free(sae);
    return st;
}

/* ---- writing -------------------------------------------------------------------- */

/* An array to be written, and the header before it. */
struct written {
    const char  *file;                  /* in the archive */
    const float *values;
    int64_t      rows, columns;         /* columns 0: one-dimensional */
    char         header[2 * HEADER_ALIGNMENT + 1];
};

/* Magic, version 1.0, and the dictionary, filled with blanks so that the numbers begin at
 * a multiple of 64 bytes. */
static void make_header(struct written *array)
{
    enum { LENGTH = 2 * HEADER_ALIGNMENT, DICTIONARY = LENGTH - PREFIX_BYTES };
    char shape[48], dictionary[DICTIONARY];

    if (array->columns > 0)
        snprintf(shape, sizeof shape, "%lld, %lld", (long long)array->rows,
                 (long long)array->columns);
    else
        snprintf(shape, sizeof shape, "%lld,", (long long)array->rows);
    snprintf(dictionary, sizeof dictionary,
             "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", shape);
    memcpy(array->header, MAGIC, MAGIC_BYTES);
    memcpy(array->header + MAGIC_BYTES, (const char[]){ 1, 0, DICTIONARY, 0 }, 4);
    snprintf(array->header + PREFIX_BYTES, DICTIONARY + 1, "%-*s\n", DICTIONARY - 1,
             dictionary);
}

static enum status refuse_zip(zip_error_t *error, const char *path)
{
    const int code = zip_error_system_type(error) == ZIP_ET_SYS ? zip_error_code_system(error) : 0;
    const bool lacking = code == ENOSPC || code == EDQUOT || code == ENOMEM
                         || zip_error_code_zip(error) == ZIP_ER_MEMORY;

    return refuse(lacking ? E_SPACE : E_IO, "cannot write %s: %s", path, zip_error_strerror(error));
}

static enum status add_array(zip_t *archive, const char *path, struct written *array)
{
    const int64_t values = array->rows * (array->columns > 0 ? array->columns : 1);
    zip_source_t *source;
    zip_int64_t index;

    make_header(array);
    /* libzip only reads from the fragments, though its type does not say so. */
    const zip_buffer_fragment_t parts[] = {
        { (zip_uint8_t *)array->header, 2 * HEADER_ALIGNMENT },
        { (zip_uint8_t *)(uintptr_t)array->values, (zip_uint64_t)values * 4 },
    };
    source = zip_source_buffer_fragment(archive, parts, 2, 0);
    if (source == NULL)
        return refuse_zip(zip_get_error(archive), path);
    index = zip_file_add(archive, array->file, source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
        zip_source_free(source);
        return refuse_zip(zip_get_error(archive), path);
    }
    if (zip_set_file_compression(archive, (zip_uint64_t)index, ZIP_CM_STORE, 0) != 0
        || zip_file_set_dostime(archive, (zip_uint64_t)index, 0, DATE_1980, 0) != 0)
        return refuse_zip(zip_get_error(archive), path);
    return OK;
}

enum status sae_write_npz(const struct sae *sae, const char *path)
{
    const float keep = (float)sae->keep;
    float *encoder = sae_encoder_transposed(sae);
    float *skip = sae->skip != NULL ? sae_skip_transposed(sae) : NULL;
    struct written arrays[] = {
        { "W_dec.npy", sae->decoder, sae->latents, sae->outputs, "" },
        { "W_enc.npy", encoder, sae->inputs, sae->latents, "" },
        { "affine_skip_connection.npy", skip, sae->inputs, sae->outputs, "" },
        { "b_dec.npy", sae->decoder_bias, sae->outputs, 0, "" },
        { "b_enc.npy", sae->encoder_bias, sae->latents, 0, "" },
        { "k.npy", sae->keep > 0 ? &keep : NULL, 1, 0, "" },
        { "threshold.npy", sae->threshold, sae->latents, 0, "" },
    };
    zip_error_t error;
    int code = 0;
    enum status st;
    zip_t *archive = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);

    if (archive == NULL) {
        zip_error_init_with_code(&error, code);
        st = refuse_zip(&error, path);
        zip_error_fini(&error);
        goto done;
    }
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        if (arrays[i].values != NULL)
            TRY(add_array(archive, path, &arrays[i]));
    if (zip_close(archive) != 0)        /* only now is anything written */
        TRY(refuse_zip(zip_get_error(archive), path));
    archive = NULL;
done:
    if (archive != NULL)
        zip_discard(archive);
    free(skip);
    free(encoder);
    return st;
}
