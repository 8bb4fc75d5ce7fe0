/* ranked.h -- what tests under mpirun share: a check, a folder, a verdict of all ranks. */
#ifndef RANKED_H
#define RANKED_H

#include "base/comm.h"
#include "base/die.h"
#include "base/file.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checks_failed;

/* A claim.  When it is false the test goes on, and fails. */
#define CHECK(claim) do {                                                                \
        if (!(claim)) {                                                                  \
            checks_failed++;                                                             \
            fprintf(stderr, "%s:%d: not so: %s  [%s]\n", __FILE__, __LINE__, #claim,     \
                    refuse_reason());                                                    \
        }                                                                                \
    } while (0)

struct ranked {
    int  rank, size;
    char folder[PATH_LENGTH];   /* for this test alone, the same on all ranks */
};

/* Damage a file, or mend it again. */
static inline void flip_bit(const char *path, int64_t bit)
{
    FILE *file = fopen(path, "r+b");
    int byte;

    CHECK(file != NULL && fseek(file, (long)(bit / 8), SEEK_SET) == 0);
    byte = fgetc(file);
    CHECK(fseek(file, (long)(bit / 8), SEEK_SET) == 0 && fputc(byte ^ 1 << bit % 8, file) != EOF);
    CHECK(fclose(file) == 0);
}

static inline struct ranked ranked_start(int *argc, char ***argv)
{
    struct ranked here;
    int provided;

    MPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &provided);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    MPI_Comm_rank(MPI_COMM_WORLD, &here.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &here.size);
    path_print(here.folder, "/tmp/saemill-test-XXXXXX");
    if (here.rank == 0 && mkdtemp(here.folder) == NULL)
        die("cannot make %s", here.folder);
    MPI_Bcast(here.folder, PATH_LENGTH, MPI_CHAR, 0, MPI_COMM_WORLD);
    return here;
}

/* The exit status: 0 if no check failed on any rank. */
static inline int ranked_finish(struct ranked *here)
{
    int failed = checks_failed;

    MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (here->rank == 0) {
        file_remove(here->folder);
        printf("%s on %d rank%s\n", failed == 0 ? "passed" : "FAILED", here->size,
               here->size == 1 ? "" : "s");
    }
    MPI_Finalize();
    return failed != 0;
}

#endif
