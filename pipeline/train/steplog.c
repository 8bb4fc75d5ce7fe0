#include "train/steplog.h"

#include <string.h>
#include <unistd.h>

static const char HEADER[] =
    "step\trows\tloss\tmse\tfvu\tl0\tdead\tlr\tsparsity\tthreshold\tnear\tauxiliary\n";

/* Cut the log after the header and `steps` lines.  E_FORMAT if there are fewer. */
static enum status truncate_log(struct steplog *log, int64_t steps)
{
    int64_t lines = 0;
    enum status st;
    int c;

    while (lines <= steps && (c = fgetc(log->file)) != EOF)
        lines += c == '\n';
    REQUIRE(lines > steps, E_FORMAT, "the log %s.part ends before step %lld, where its checkpoint "
            "stands; remove the checkpoint to train this autoencoder again",
            log->path, (long long)steps);
    REQUIRE(ftruncate(fileno(log->file), ftell(log->file)) == 0
            && fseek(log->file, 0, SEEK_END) == 0, E_IO, "cannot cut the log %s.part", log->path);
done:
    return st;
}

enum status steplog_open(struct steplog *log, const char *path, int64_t steps)
{
    char part[PATH_LENGTH];
    enum status st;

    path_print(log->path, "%s", path);
    path_print(part, "%s.part", path);
    /* A run that was killed between publishing the log and the autoencoder leaves this. */
    REQUIRE(!file_exists(path) || rename(path, part) == 0, E_IO, "cannot rename %s", path);
    log->file = fopen(part, steps > 0 ? "r+" : "w");
    REQUIRE(log->file != NULL, E_IO, "cannot open the log %s", part);
    if (steps > 0)
        TRY(truncate_log(log, steps));
    else
        fputs(HEADER, log->file);
done:
    return st;
}

void steplog_add(struct steplog *log, const struct step_report *r, int64_t rows,
                 double variance)
{
    fprintf(log->file, "%lld\t%lld\t%.9g\t%.9g\t%.9g\t%.9g\t%lld\t%.9g\t%.9g\t%.9g\t%.9g\t%.9g\n",
            (long long)r->step, (long long)rows, r->loss, r->mse, r->mse / variance, r->l0,
            (long long)r->dead, r->rate, r->slope, r->threshold, r->near,
            r->auxiliary);
}

enum status steplog_sync(struct steplog *log)
{
    if (fflush(log->file) != 0 || fsync(fileno(log->file)) != 0)
        return refuse(E_IO, "cannot write the log %s.part", log->path);
    return OK;
}

enum status steplog_publish(struct steplog *log)
{
    enum status st;

    TRY(steplog_sync(log));
    steplog_close(log);
    TRY(file_publish(log->path));
done:
    return st;
}

void steplog_close(struct steplog *log)
{
    if (log->file != NULL)
        fclose(log->file);
    log->file = NULL;
}
