#include "driver/command.h"
#include "base/file.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

bool command_exists(const char *name)
{
    const char *folder = getenv("PATH");
    char path[PATH_LENGTH];

    while (folder != NULL && *folder != '\0') {
        const int length = (int)strcspn(folder, ":");
        if (snprintf(path, sizeof path, "%.*s/%s", length, folder, name) < (int)sizeof path
            && access(path, X_OK) == 0)
            return true;
        folder += length + (folder[length] == ':');
    }
    return false;
}

enum status command_read(char **output, const char *command)
{
    size_t length, bytes, n;
    char block[4096];

    FILE *text = text_open(output, &bytes), *pipe = popen(command, "r");
    while (pipe != NULL && (n = fread(block, 1, sizeof block, pipe)) > 0)
        fwrite(block, 1, n, text);
    text_close(text);
    const int how = pipe == NULL ? -1 : pclose(pipe);
    if (how == 0)
        return OK;
    length = strcspn(command, " ");
    return refuse(E_IO, "%.*s failed (exit status %d): %s", (int)length, command,
                  WIFEXITED(how) ? WEXITSTATUS(how) : -1, command);
}

void command_write_word(FILE *out, const char *word)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:=,%@+";

    if (word[0] != '\0' && strspn(word, PLAIN) == strlen(word)) {
        fprintf(out, " %s", word);
        return;
    }
    fputs(" '", out);
    for (; *word != '\0'; word++)
        fputs(*word == '\'' ? "'\\''" : (char[]){ *word, '\0' }, out);
    fputc('\'', out);
}
