/* Files and folders are complete or not there; refusals name the file and the reason. */
#include "base/allocate.h"
#include "base/file.h"
#include "base/walk.h"
#include "tests/unit/scratch.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* In place of the system's: as soon as an error is set, folders cannot be read or synced. */
static int listing_error, folder_sync_error;

struct dirent *readdir(DIR *folder)
{
    struct dirent *(*next)(DIR *) = dlsym(RTLD_NEXT, "readdir");

    if (listing_error == 0)
        return next(folder);
    errno = listing_error;
    return NULL;
}

int fsync(int fd)
{
    int (*next)(int) = dlsym(RTLD_NEXT, "fsync");
    struct stat about;

    if (folder_sync_error == 0 || fstat(fd, &about) != 0 || !S_ISDIR(about.st_mode))
        return next(fd);
    errno = folder_sync_error;
    return -1;
}

static void reads_back_what_was_written(void **state)
{
    const char text[] = "two\nlines\0and a NUL";
    const char *path = in_scratch("deep/er/file");
    char *bytes;
    int64_t size;

    (void)state;
    assert_int_equal(file_write(path, text, sizeof text), OK);
    assert_false(file_exists(in_scratch("deep/er/file.part")));
    assert_int_equal(file_read(path, &bytes, &size), OK);
    assert_int_equal(size, sizeof text);
    assert_memory_equal(bytes, text, sizeof text);
    assert_int_equal(bytes[size], '\0');
    free(bytes);
}

static void writing_again_replaces(void **state)
{
    const char *path = in_scratch("again");
    int64_t size;

    (void)state;
    assert_int_equal(file_write(path, "long", 4), OK);
    assert_int_equal(file_write(path, "s", 1), OK);
    assert_int_equal(file_size(path, &size), OK);
    assert_int_equal(size, 1);
}

static void a_folder_is_published_whole_and_replaces_the_old_one(void **state)
{
    (void)state;
    assert_int_equal(file_write(in_scratch("f/old"), "x", 1), OK);
    assert_int_equal(file_write(in_scratch("f.part/sub/new"), "y", 1), OK);
    assert_false(file_exists(in_scratch("f/sub/new")));
    assert_int_equal(file_publish(in_scratch("f")), OK);
    assert_true(file_exists(in_scratch("f/sub/new")));
    assert_false(file_exists(in_scratch("f/old")));
    assert_false(file_exists(in_scratch("f.part")));
}

static void publishing_nothing_is_refused(void **state)
{
    (void)state;
    refuse_clear();
    assert_int_equal(file_publish(in_scratch("nothing")), E_IO);
    assert_non_null(strstr(refuse_reason(), in_scratch("nothing.part")));
    assert_false(file_exists(in_scratch("nothing")));
    refuse_clear();
}

/* Bytes that a file takes on disk, whatever its size. */
static int64_t bytes_on_disk(const char *path)
{
    struct stat about;

    assert_int_equal(stat(path, &about), 0);
    return about.st_blocks * 512;
}

static void space_is_set_aside_and_given_back(void **state)
{
    const char *path = in_scratch("growing");
    int64_t size;

    (void)state;
    assert_int_equal(file_write(path, "x", 1), OK);
    assert_int_equal(file_reserve(path, 1 << 20), OK);
    assert_int_equal(file_size(path, &size), OK);
    assert_int_equal(size, 1);
    assert_true(bytes_on_disk(path) >= 1 << 20);
    assert_int_equal(file_trim(path), OK);
    assert_true(bytes_on_disk(path) < 1 << 16);
}

static void removes_trees_and_forgives_absence(void **state)
{
    (void)state;
    assert_int_equal(file_write(in_scratch("tree/a/b/c"), "x", 1), OK);
    assert_int_equal(file_remove(in_scratch("tree")), OK);
    assert_false(file_exists(in_scratch("tree")));
    assert_int_equal(file_remove(in_scratch("tree")), OK);
}

/* A link to a tree is removed, the tree is not. */
static void does_not_follow_links_out_of_what_it_removes(void **state)
{
    char target[PATH_LENGTH];

    (void)state;
    assert_int_equal(file_write(in_scratch("kept/file"), "x", 1), OK);
    assert_int_equal(file_make_folder(in_scratch("doomed")), OK);
    path_print(target, "%s", in_scratch("kept"));
    assert_int_equal(symlink(target, in_scratch("doomed/link")), 0);
    assert_int_equal(file_remove(in_scratch("doomed")), OK);
    assert_true(file_exists(in_scratch("kept/file")));
}

static void refusals_name_the_file_and_the_reason(void **state)
{
    const char *absent = in_scratch("absent");
    char *bytes;
    int64_t size;

    (void)state;
    refuse_clear();
    assert_int_equal(file_read(absent, &bytes, &size), E_IO);
    assert_null(bytes);
    assert_non_null(strstr(refuse_reason(), absent));
    assert_non_null(strstr(refuse_reason(), "No such file"));

    refuse_clear();
    assert_int_equal(file_write(in_scratch("in-the-way"), "x", 1), OK);
    assert_int_equal(file_make_folder(in_scratch("in-the-way/below")), E_IO);
    assert_non_null(strstr(refuse_reason(), "in-the-way/below"));
    refuse_clear();
}

/* The disk is that of the first folder above that is there. */
static void asks_for_room_with_figures(void **state)
{
    char disk[PATH_LENGTH];

    (void)state;
    path_print(disk, "of disk under %s, which has", scratch);
    refuse_clear();
    assert_int_equal(file_check_disk(in_scratch("not/yet/there"), 1, "the test"), OK);
    assert_int_equal(file_check_disk(in_scratch("not/yet/there"), (int64_t)1e18, "the test"),
                     E_SPACE);
    assert_non_null(strstr(refuse_reason(), "the test needs 1e+03 PB of disk"));
    assert_non_null(strstr(refuse_reason(), disk));
    refuse_clear();
    assert_int_equal(file_check_disk("not-there", (int64_t)1e18, "the test"), E_SPACE);
    assert_non_null(strstr(refuse_reason(), "under ., which"));
    refuse_clear();
    assert_int_equal(file_check_disk("/not-there/at/all", (int64_t)1e18, "the test"), E_SPACE);
    assert_non_null(strstr(refuse_reason(), "under /, which"));
    refuse_clear();
}

/* A file system of 64 kB, where one may be mounted. */
static void a_full_disk_is_room_and_leaves_the_old_file(void **state)
{
    enum { BIG = 1 << 20 };
    const char *path = in_scratch("full/file");
    char *bytes = allocate(BIG, 1);
    int64_t size;

    (void)state;
    assert_int_equal(file_make_folder(in_scratch("full")), OK);
    if (mount("none", in_scratch("full"), "tmpfs", 0, "size=64k") != 0) {
        free(bytes);
        skip();
    }
    refuse_clear();
    assert_int_equal(file_write(path, "old", 3), OK);
    assert_int_equal(file_write(path, bytes, BIG), E_SPACE);
    assert_non_null(strstr(refuse_reason(), "No space left"));
    assert_non_null(strstr(refuse_reason(), "full/file.part"));
    assert_non_null(strstr(refuse_reason(), "free some space"));
    refuse_clear();
    assert_int_equal(file_reserve(path, BIG), E_SPACE);
    assert_non_null(strstr(refuse_reason(), "reserve disk space"));
    assert_int_equal(file_size(path, &size), OK);
    assert_int_equal(size, 3);
    assert_int_equal(umount(in_scratch("full")), 0);
    refuse_clear();
    free(bytes);
}

static void a_folder_has_the_bytes_of_all_its_files(void **state)
{
    int64_t bytes;

    (void)state;
    assert_int_equal(file_folder_size(in_scratch("tree"), &bytes), OK);
    assert_int_equal(bytes, 0);
    assert_int_equal(file_write(in_scratch("tree/one"), "12345", 5), OK);
    assert_int_equal(file_write(in_scratch("tree/branch/two"), "123", 3), OK);
    assert_int_equal(file_folder_size(in_scratch("tree"), &bytes), OK);
    assert_int_equal(bytes, 8);
}

/* A walk that does not see all is a failure, not a folder with less in it. */
static void a_folder_that_cannot_be_listed_is_an_error(void **state)
{
    struct walk_names names;
    int64_t bytes;

    (void)state;
    assert_int_equal(file_write(in_scratch("listed/one"), "1", 1), OK);
    assert_int_equal(file_write(in_scratch("new.part/one"), "1", 1), OK);
    refuse_clear();
    listing_error = EIO;
    assert_int_equal(walk_names(&names, in_scratch("listed")), E_IO);
    assert_non_null(strstr(refuse_reason(), "listed: Input/output error"));
    assert_int_equal(file_folder_size(in_scratch("listed"), &bytes), E_IO);
    assert_int_equal(file_remove(in_scratch("listed")), E_IO);
    assert_int_equal(file_publish(in_scratch("new")), E_IO);
    listing_error = 0;
    refuse_clear();
    assert_false(file_exists(in_scratch("new")));
    assert_int_equal(walk_names(&names, in_scratch("listed")), OK);
    assert_int_equal(names.count, 1);
    assert_string_equal(names.name[0], "one");
    walk_names_free(&names);
}

static void a_file_system_need_not_sync_folders(void **state)
{
    (void)state;
    refuse_clear();
    folder_sync_error = EINVAL;
    assert_int_equal(file_write(in_scratch("unsynced/file"), "x", 1), OK);
    folder_sync_error = EIO;
    assert_int_equal(file_write(in_scratch("unsynced/file"), "x", 1), E_IO);
    folder_sync_error = 0;
    assert_non_null(strstr(refuse_reason(), "unsynced: Input/output error"));
    refuse_clear();
}

/* Files may not grow beyond so many bytes. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes == RLIM_INFINITY ? limit.rlim_max : bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* What was begun is removed, and the first reason is kept. */
static void a_write_that_failed_leaves_nothing(void **state)
{
    (void)state;
    refuse_clear();
    assert_int_equal(file_make_folder(in_scratch("taken")), OK);
    assert_int_equal(file_write(in_scratch("taken/below"), "x", 1), OK);
    assert_int_equal(file_write(in_scratch("taken/below/file"), "x", 1), E_IO);
    assert_non_null(strstr(refuse_reason(), "below/file.part: Not a directory"));
    refuse_clear();
    limit_files(2);
    assert_int_equal(file_write(in_scratch("large"), "123", 3), E_IO);
    limit_files(RLIM_INFINITY);
    assert_non_null(strstr(refuse_reason(), "large.part: File too large"));
    assert_false(file_exists(in_scratch("large.part")));
    refuse_clear();
    folder_sync_error = EIO;
    assert_int_equal(file_make_folder(in_scratch("a-folder.part")), OK);
    assert_int_equal(file_publish(in_scratch("a-folder")), E_IO);
    folder_sync_error = 0;
    assert_false(file_exists(in_scratch("a-folder")));
    refuse_clear();
}

static void slashes_at_the_end_of_a_folder_mean_nothing(void **state)
{
    static const char *const ABOVE[][2] = {
        { "a/b", "a" }, { "a/b//", "a" }, { "a", "." }, { "a/", "." }, { "/a", "/" },
        { ".", ".." }, { "./", ".." }, { "..", "../.." }, { "a/.", "a/./.." },
    };
    char path[PATH_LENGTH] = "//";

    (void)state;
    path_trim(path);
    assert_string_equal(path, "/");
    for (size_t i = 0; i < sizeof ABOVE / sizeof *ABOVE; i++) {
        path_above(path, ABOVE[i][0]);
        assert_string_equal(path, ABOVE[i][1]);
    }
}

static void the_last_part_of_a_path(void **state)
{
    static const char *const LAST[][2] = {
        { "a/b", "b" }, { "a/b//", "b" }, { "a", "a" }, { "/a", "a" },
    };
    char name[PATH_NAME];

    (void)state;
    for (size_t i = 0; i < sizeof LAST / sizeof *LAST; i++) {
        path_name(name, LAST[i][0]);
        assert_string_equal(name, LAST[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back_what_was_written),
        cmocka_unit_test(writing_again_replaces),
        cmocka_unit_test(a_folder_is_published_whole_and_replaces_the_old_one),
        cmocka_unit_test(publishing_nothing_is_refused),
        cmocka_unit_test(space_is_set_aside_and_given_back),
        cmocka_unit_test(removes_trees_and_forgives_absence),
        cmocka_unit_test(does_not_follow_links_out_of_what_it_removes),
        cmocka_unit_test(refusals_name_the_file_and_the_reason),
        cmocka_unit_test(asks_for_room_with_figures),
        cmocka_unit_test(a_full_disk_is_room_and_leaves_the_old_file),
        cmocka_unit_test(a_folder_has_the_bytes_of_all_its_files),
        cmocka_unit_test(a_folder_that_cannot_be_listed_is_an_error),
        cmocka_unit_test(a_file_system_need_not_sync_folders),
        cmocka_unit_test(a_write_that_failed_leaves_nothing),
        cmocka_unit_test(slashes_at_the_end_of_a_folder_mean_nothing),
        cmocka_unit_test(the_last_part_of_a_path),
    };

    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
