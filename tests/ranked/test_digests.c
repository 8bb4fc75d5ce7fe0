/* SHA-256 of files, and their list. */
#include "base/allocate.h"
#include "release/digests.h"
#include "tests/ranked/ranked.h"

static void write_at(const char *folder, const char *name, const char *text, int64_t size)
{
    char path[PATH_LENGTH];

    path_print(path, "%s/%s", folder, name);
    CHECK(file_write(path, text, size) == OK);
}

/* The examples of FIPS 180-2: nothing, "abc", a million times "a". */
static void lists_and_sums(struct ranked here)
{
    static const char WANT[] =
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  B/empty\n"
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a.txt\n"
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0  a/deep/er\n";
    char folder[PATH_LENGTH], path[PATH_LENGTH], *million = allocate(1000000, 1), *text;
    struct digests digests, again = {0};
    int64_t size;

    memset(million, 'a', 1000000);
    path_print(folder, "%s/files", here.folder);
    if (here.rank == 0) {
        write_at(folder, "a.txt", "abc", 3);
        write_at(folder, "a/deep/er", million, 1000000);
        write_at(folder, "B/empty", "", 0);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    CHECK(digests_list(&digests, MPI_COMM_WORLD, folder) == OK);
    CHECK(digests_compute(&digests, MPI_COMM_WORLD, folder) == OK);
    CHECK(digests.count == 3);
    path_print(path, "%s/list-%d", here.folder, here.rank);
    CHECK(digests_write(&digests, path) == OK);
    CHECK(file_read(path, &text, &size) == OK);
    CHECK(strcmp(text, WANT) == 0);
    CHECK(digests_read(&again, path) == OK);
    CHECK(again.count == 3 && strcmp(again.files[2].name, digests.files[2].name) == 0
          && strcmp(again.files[2].sum, digests.files[2].sum) == 0);
    free(text);
    digests_free(&again);
    digests_free(&digests);
    free(million);
}

/* One rank cannot read: all leave, with its words. */
static void all_ranks_leave_together(struct ranked here)
{
    struct digests digests = {0};

    digests_append(&digests, "a.txt");
    digests_append(&digests, "not-there");
    refuse_clear();
    CHECK(digests_compute(&digests, MPI_COMM_WORLD, here.folder) == E_IO);
    CHECK(strstr(refuse_reason(), here.folder) != NULL);
    refuse_clear();
    digests_free(&digests);
    CHECK(digests_list(&digests, MPI_COMM_WORLD, "/no/such/folder") == E_IO);
    CHECK(strstr(refuse_reason(), "/no/such/folder") != NULL);
    refuse_clear();
    digests_free(&digests);
}

static void check_refused(struct ranked here, const char *text, const char *words)
{
    char path[PATH_LENGTH];
    struct digests digests;

    path_print(path, "%s/bad-%d", here.folder, here.rank);
    CHECK(file_write(path, text, (int64_t)strlen(text)) == OK);
    CHECK(digests_read(&digests, path) == E_FORMAT);
    CHECK(strstr(refuse_reason(), words) != NULL);
    refuse_clear();
}

static void refuses_bad_lists(struct ranked here)
{
#define SUM "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    check_refused(here, SUM " a\n", "line 1 is not");
    check_refused(here, "short  a\n", "line 1 is not");
    check_refused(here, SUM "  a\n\n" SUM "  b\n", "line 2 is not");
    check_refused(here, SUM "  b\n" SUM "  a\n", "line 2 is out of order");
    check_refused(here, SUM "  a\n" SUM "  a\n", "line 2 is out of order");
    check_refused(here, SUM "  /etc/passwd\n", "line 1 names a file outside");
    check_refused(here, SUM "  a/../../b\n", "line 1 names a file outside");
#undef SUM
}

int main(int argc, char **argv)
{
    struct ranked here = ranked_start(&argc, &argv);

    lists_and_sums(here);
    all_ranks_leave_together(here);
    refuses_bad_lists(here);
    return ranked_finish(&here);
}
