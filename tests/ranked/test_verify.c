/* Verification finds whatever is wrong with a release, and nothing else. */
#include "base/agree.h"
#include "base/checksum.h"
#include "release/checks.h"
#include "release/digests.h"
#include "sae/saelens.h"
#include "tests/ranked/ranked.h"

static const char *const FOLDERS[] = { "res/layer_0/width_8/average_l0_3",
                                       "res/layer_1/width_8/average_l0_3" };

static char folder[PATH_LENGTH];

static const char *at(const char *sae, const char *name)
{
    static char path[PATH_LENGTH];

    path_print(path, "%s/%s/%s", folder, sae, name);
    return path;
}

static void write_text(const char *path, const char *text)
{
    CHECK(file_write(path, text, (int64_t)strlen(text)) == OK);
}

/* With their checksum; `text` ends with "\n}". */
static void write_scores(const char *path, const char *text)
{
    char *whole = checksum_json(text);

    write_text(path, whole);
    free(whole);
}

static void write_one(const char *name, float first)
{
    struct sae sae;

    sae_make(&sae, 4, 4, 8);
    for (int i = 0; i < 32; i++) {
        sae.encoder[i] = first + (float)i;
        sae.decoder[i] = first - (float)i;
    }
    CHECK(file_make_folder(at(name, "")) == OK);
    CHECK(sae_write_npz(&sae, at(name, "params.npz")) == OK);
    CHECK(saelens_write_weights(&sae, at(name, "sae_weights.safetensors")) == OK);
    CHECK(saelens_write_config(&sae, (struct saelens_origin){ "m", { SITE_RES, 0 },
                                                          { SITE_RES, 0 }, 8, true },
                               at(name, "cfg.json")) == OK);
    write_scores(at(name, "scores.json"), "{\"l0\": 2.6\n}");
    sae_free(&sae);
}

/* Sum everything that is there, as release does at its end.  Collective. */
static void seal(struct ranked here)
{
    struct digests digests = {0};
    char path[PATH_LENGTH];

    path_print(path, "%s/SHA256SUMS", folder);
    CHECK(agree(MPI_COMM_WORLD, here.rank == 0 ? file_remove(path) : OK) == OK);
    CHECK(digests_list(&digests, MPI_COMM_WORLD, folder) == OK);
    CHECK(digests_compute(&digests, MPI_COMM_WORLD, folder) == OK);
    CHECK(agree(MPI_COMM_WORLD, here.rank == 0 ? digests_write(&digests, path) : OK) == OK);
    digests_free(&digests);
}

/* A good release.  Collective. */
static void make_release(struct ranked here)
{
    if (here.rank == 0) {
        CHECK(file_remove(folder) == OK);
        write_one(FOLDERS[0], 1);
        write_one(FOLDERS[1], 1000);
        write_text(at("", "manifest.json"),
                   "{\"format\": \"saemill release\", \"version\": 2, \"autoencoders\": ["
                   "{\"folder\": \"res/layer_0/width_8/average_l0_3\"},"
                   "{\"folder\": \"res/layer_1/width_8/average_l0_3\"}]}");
    }
    seal(here);
}

/* Verify, and take the words of a failure.  Collective. */
static enum status verify(struct ranked here)
{
    struct run run = { .stage = "test", .comm = MPI_COMM_WORLD, .rank = here.rank,
                       .size = here.size };
    json_t *manifest = NULL;
    int64_t bytes;
    enum status st;

    refuse_clear();
    TRY(checks_sums(&run, folder, &bytes));
    TRY(checks_manifest(&manifest, &run, folder));
    TRY(checks_autoencoders(&run, folder, manifest));
done:
    json_decref(manifest);
    return st;
}

#define CHECK_FINDS(words) do {                                     \
        CHECK(verify(here) == E_FORMAT);                            \
        CHECK(strstr(refuse_reason(), words) != NULL);              \
        refuse_clear();                                             \
    } while (0)

static void finds_changed_missing_and_extra_files(struct ranked here)
{
    char *bytes;
    int64_t size;

    make_release(here);
    CHECK(verify(here) == OK);
    if (here.rank == 0) {
        CHECK(file_read(at(FOLDERS[1], "params.npz"), &bytes, &size) == OK);
        bytes[size / 2] ^= 1;
        CHECK(file_write(at(FOLDERS[1], "params.npz"), bytes, size) == OK);
        free(bytes);
    }
    CHECK_FINDS("1 of 9 files differ");
    make_release(here);
    if (here.rank == 0) {
        CHECK(file_remove(at(FOLDERS[0], "cfg.json")) == OK);
        write_text(at(FOLDERS[0], "extra"), "");
    }
    CHECK_FINDS("2 of 9 files differ");
}

/* Text functions end at a NUL, files do not. */
static void finds_bytes_behind_the_list(struct ranked here)
{
    static const char MORE[] = "\0more";
    FILE *list;

    make_release(here);
    if (here.rank == 0) {
        list = fopen(at("", "SHA256SUMS"), "a");
        CHECK(list != NULL && fwrite(MORE, 1, sizeof MORE, list) == sizeof MORE
              && fclose(list) == 0);
    }
    CHECK_FINDS("is a NUL");
}

/* Sums can be right and the release wrong all the same. */
static void finds_forms_that_differ(struct ranked here)
{
    make_release(here);
    if (here.rank == 0) {
        struct sae sae;

        CHECK(sae_read_npz(&sae, at(FOLDERS[1], "params.npz")) == OK);
        sae.encoder[31] += 1;
        CHECK(saelens_write_weights(&sae, at(FOLDERS[1], "sae_weights.safetensors")) == OK);
        sae_free(&sae);
    }
    seal(here);
    CHECK_FINDS("different numbers in W_enc");
    make_release(here);
    if (here.rank == 0)
        write_text(at(FOLDERS[0], "cfg.json"),
                   "{\"architecture\": \"jumprelu\", \"d_in\": 4, \"d_sae\": 9}");
    seal(here);
    CHECK_FINDS("another d_in, d_sae or k");
    make_release(here);
    if (here.rank == 0)
        write_text(at(FOLDERS[0], "cfg.json"),
                   "{\"architecture\": \"skip_transcoder\", \"d_in\": 4, \"d_sae\": 8}");
    seal(here);
    CHECK_FINDS("skip_transcoder, that does not match");
    make_release(here);
    if (here.rank == 0)
        write_scores(at(FOLDERS[0], "scores.json"), "{\"l0\": 3.6\n}");
    seal(here);
    CHECK_FINDS("says L0 3.60, but its folder is average_l0_3");
}

static void finds_a_manifest_of_something_else(struct ranked here)
{
    make_release(here);
    if (here.rank == 0)
        write_text(at("", "manifest.json"), "{\"format\": \"saemill release\", \"version\": 1}");
    seal(here);
    CHECK_FINDS("version 1; this program knows version 2");
    if (here.rank == 0)
        write_text(at("", "manifest.json"),
                   "{\"format\": \"saemill release\", \"version\": 2, \"autoencoders\": ["
                   "{\"folder\": \"res/layer_0/width_8/average_l0_3\"}]}");
    seal(here);
    CHECK_FINDS("res/layer_1/width_8/average_l0_3/params.npz is not in the manifest");
    if (here.rank == 0)
        CHECK(file_remove(at(FOLDERS[0], "params.npz")) == OK
              && file_remove(at(FOLDERS[1], "params.npz")) == OK);
    seal(here);
    CHECK_FINDS("names 1 autoencoders, but 0 have a params.npz");
}

int main(int argc, char **argv)
{
    struct ranked here = ranked_start(&argc, &argv);

    path_print(folder, "%s/release", here.folder);
    finds_changed_missing_and_extra_files(here);
    finds_bytes_behind_the_list(here);
    finds_forms_that_differ(here);
    finds_a_manifest_of_something_else(here);
    return ranked_finish(&here);
}
