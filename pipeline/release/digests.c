#include "release/digests.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/file.h"
#include "base/text.h"
#include "base/walk.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 32, BLOCK = 1 << 20 };

void digests_free(struct digests *digests)
{
    for (int64_t i = 0; i < digests->count; i++)
        free(digests->files[i].name);
    free(digests->files);
    *digests = (struct digests){0};
}

void digests_append(struct digests *digests, const char *name)
{
    /* The capacity doubles whenever the count reaches a power of two. */
    if ((digests->count & (digests->count - 1)) == 0) {
        const size_t capacity = digests->count == 0 ? 1 : 2 * (size_t)digests->count;

        digests->files = realloc(digests->files, capacity * sizeof *digests->files);
        if (digests->files == NULL)
            die("no memory for a list of %zu files", capacity);
    }
    digests->files[digests->count] = (struct digest){ .name = strdup(name) };
    if (digests->files[digests->count++].name == NULL)
        die("no memory for a list of files");
}

/* ---- listing -------------------------------------------------------------------- */

/* The context of list_place(). */
struct listing {
    struct digests *digests;
    size_t          prefix;     /* bytes of the folder's path, with the slash */
};

static enum status list_place(const struct walk_place *place, void *context)
{
    const struct listing *listing = context;

    if (place->kind == WALK_OTHER)
        return refuse(E_FORMAT, "cannot list %s: it is neither a file nor a folder", place->path);
    if (place->kind == WALK_FILE)
        digests_append(listing->digests, place->path + listing->prefix);
    return OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct digest *)a)->name, ((const struct digest *)b)->name);
}

static enum status list_here(struct digests *digests, const char *folder)
{
    struct listing listing = { digests, strlen(folder) + 1 };
    enum status st;

    TRY(walk_tree(folder, list_place, &listing));
    if (digests->count > 0)
        qsort(digests->files, (size_t)digests->count, sizeof *digests->files, by_name);
done:
    return st;
}

enum status digests_list(struct digests *digests, MPI_Comm comm, const char *folder)
{
    char name[PATH_LENGTH];
    int64_t count;
    enum status st;
    int rank;

    *digests = (struct digests){0};
    MPI_Comm_rank(comm, &rank);
    TRY_ROOT(comm, list_here(digests, folder));
    count = digests->count;
    MPI_Bcast(&count, 1, MPI_INT64_T, 0, comm);
    for (int64_t i = 0; i < count; i++) {
        if (rank == 0)
            path_print(name, "%s", digests->files[i].name);
        MPI_Bcast(name, sizeof name, MPI_CHAR, 0, comm);
        if (rank != 0)
            digests_append(digests, name);
    }
done:
    return st;
}

/* ---- computing ------------------------------------------------------------------ */

static enum status sum_file(unsigned char sum[BYTES], const char *path)
{
    unsigned char *block = allocate(BLOCK, 1);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    FILE *file = fopen(path, "rb");
    size_t got;
    enum status st = OK;

    if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
        die_as(E_IO, "libcrypto has no SHA-256");
    REQUIRE(file != NULL, E_IO, "cannot open %s: %s", path, strerror(errno));
    while ((got = fread(block, 1, BLOCK, file)) > 0)
        if (EVP_DigestUpdate(context, block, got) != 1)
            die("no memory for a SHA-256 sum");
    REQUIRE(!ferror(file), E_IO, "cannot read %s: %s", path, strerror(errno));
    if (EVP_DigestFinal_ex(context, sum, NULL) != 1)
        die("no memory for a SHA-256 sum");
done:
    if (file != NULL)
        fclose(file);
    EVP_MD_CTX_free(context);
    free(block);
    return st;
}

enum status digests_compute(struct digests *digests, MPI_Comm comm, const char *folder)
{
    unsigned char *all = allocate(digests->count, BYTES);  /* zero where another rank computes */
    char path[PATH_LENGTH];
    enum status st = OK;
    int rank, size;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    for (int64_t i = rank; i < digests->count && st == OK; i += size) {
        path_print(path, "%s%s%s", folder == NULL ? "" : folder, folder == NULL ? "" : "/",
                   digests->files[i].name);
        st = sum_file(all + i * BYTES, path);
    }
    TRY_ALL(comm, st);
    MPI_Allreduce(MPI_IN_PLACE, all, comm_count(digests->count * BYTES), MPI_BYTE, MPI_BOR, comm);
    for (int64_t i = 0; i < digests->count; i++)
        for (int b = 0; b < BYTES; b++)
            snprintf(digests->files[i].sum + 2 * b, 3, "%02x", all[i * BYTES + b]);
done:
    free(all);
    return st;
}

enum status digests_bytes(int64_t *bytes, const struct digests *digests, const char *folder)
{
    char path[PATH_LENGTH];
    int64_t size;
    enum status st = OK;

    *bytes = 0;
    for (int64_t i = 0; i < digests->count; i++) {
        path_print(path, "%s/%s", folder, digests->files[i].name);
        TRY(file_size(path, &size));
        *bytes += size;
    }
done:
    return st;
}

/* ---- the list as a file --------------------------------------------------------- */

enum status digests_write(const struct digests *digests, const char *path)
{
    char *text;
    size_t size;
    FILE *out = text_open(&text, &size);
    enum status st;

    for (int64_t i = 0; i < digests->count; i++)
        fprintf(out, "%s  %s\n", digests->files[i].sum, digests->files[i].name);
    text_close(out);
    st = file_write(path, text, (int64_t)size);
    free(text);
    return st;
}

static enum status refuse_line(const char *path, int64_t line, const char *found)
{
    return refuse(E_FORMAT, "cannot use %s: line %lld %s", path, (long long)line, found);
}

/* Is this path outside the folder that it is relative to? */
static bool leads_out(const char *name)
{
    return name[0] == '/' || name[0] == '\0' || strncmp(name, "../", 3) == 0
           || strstr(name, "/../") != NULL;
}

enum status digests_read(struct digests *digests, const char *path)
{
    enum { DIGITS = DIGEST_TEXT - 1, NAME_AT = DIGITS + 2 };
    char *text = NULL, *line, *rest;
    int64_t size, number = 0;
    enum status st;

    *digests = (struct digests){0};
    TRY(file_read(path, &text, &size));
    REQUIRE((int64_t)strlen(text) == size, E_FORMAT, "cannot use %s: byte %zu is a NUL", path,
            strlen(text));
    REQUIRE(size == 0 || text[size - 1] == '\n', E_FORMAT, "cannot use %s: it is cut short", path);
    rest = text;
    while ((line = strsep(&rest, "\n")) != NULL && (*line != '\0' || rest != NULL)) {
        number++;
        TRY(strspn(line, "0123456789abcdef") == DIGITS && strncmp(line + DIGITS, "  ", 2) == 0
            ? OK : refuse_line(path, number, "is not 'sum  name'"));
        TRY(!leads_out(line + NAME_AT)
            ? OK : refuse_line(path, number, "names a file outside the folder"));
        TRY(digests->count == 0
            || strcmp(digests->files[digests->count - 1].name, line + NAME_AT) < 0
            ? OK : refuse_line(path, number, "is out of order or a duplicate"));
        digests_append(digests, line + NAME_AT);
        memcpy(digests->files[digests->count - 1].sum, line, DIGITS);
    }
done:
    free(text);
    if (st != OK)
        digests_free(digests);
    return st;
}
