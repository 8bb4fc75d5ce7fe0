#include "train/steplog.h"
#include "base/checksum.h"

#include <errno.h>
#include <stdlib.h>
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

/* Note the first error of a write; stdio forgets it with the next that succeeds. */
static void note_error(struct steplog *log, bool written)
{
    if (!written && log->error == 0)
        log->error = errno != 0 ? errno : EIO;
}

enum status steplog_open(struct steplog *log, const char *path, int64_t steps)
{
    char part[PATH_LENGTH];
    enum status st;

    *log = (struct steplog){ .lines = 1 + steps };
    path_print(log->path, "%s", path);
    path_print(part, "%s.part", path);
    /* A run that was killed between publishing the log and the autoencoder leaves this. */
    REQUIRE(!file_exists(path) || rename(path, part) == 0, E_IO, "cannot rename %s", path);
    log->file = fopen(part, steps > 0 ? "r+" : "w");
    REQUIRE(log->file != NULL, E_IO, "cannot open the log %s", part);
    if (steps > 0)
        TRY(truncate_log(log, steps));
    else
        note_error(log, fputs(HEADER, log->file) >= 0);
done:
    return st;
}

void steplog_add(struct steplog *log, const struct step_report *r, int64_t rows,
                 double variance)
{
    const int bytes = fprintf(
        log->file, "%lld\t%lld\t%.9g\t%.9g\t%.9g\t%.9g\t%lld\t%.9g\t%.9g\t%.9g\t%.9g\t%.9g\n",
        (long long)r->step, (long long)rows, r->loss, r->mse, r->mse / variance, r->l0,
        (long long)r->dead, r->rate, r->slope, r->threshold, r->near, r->auxiliary);

    note_error(log, bytes >= 0);
    log->lines++;
}

enum status steplog_sync(struct steplog *log)
{
    char part[PATH_LENGTH];
    enum status st;

    path_print(part, "%s.part", log->path);
    note_error(log, fflush(log->file) == 0 && !ferror(log->file) && fsync(fileno(log->file)) == 0);
    errno = log->error;
    TRY(log->error == 0 ? OK : file_refuse("write", part));
done:
    return st;
}

/* Append identity and checksum to the log.  It is read back for that, since its first lines may be
 * of a run before. */
static enum status append_end(struct steplog *log, const struct identity *identity)
{
    char part[PATH_LENGTH], line[CHECKSUM_LINE], *text = NULL;
    int64_t bytes, lines = -1;      /* but for that of the identity */
    enum status st;

    path_print(part, "%s.part", log->path);
    note_error(log, fseek(log->file, 0, SEEK_END) == 0
                    && fprintf(log->file, "# identity %016llx %s\n",
                               (unsigned long long)identity->hash, identity->place) >= 0);
    TRY(steplog_sync(log));
    TRY(file_read(part, &text, &bytes));
    for (int64_t i = 0; i < bytes; i++)
        lines += text[i] == '\n';
    REQUIRE(lines == log->lines, E_IO, "cannot publish the log %s: %lld lines were written, but it "
            "has %lld", part, (long long)log->lines, (long long)lines);
    checksum_line(line, text, bytes);
    note_error(log, fseek(log->file, 0, SEEK_END) == 0 && fputs(line, log->file) >= 0);
    TRY(steplog_sync(log));
done:
    free(text);
    return st;
}

enum status steplog_publish(struct steplog *log, const struct identity *identity)
{
    enum status st;

    TRY(append_end(log, identity));
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
