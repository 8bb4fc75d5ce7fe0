#include "base/checksum.h"
#include "base/allocate.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

enum {
    DIGITS = 2 * SHA256_DIGEST_LENGTH,
    MEMBER_BYTES = DIGITS + 17,     /* with the brace */
    OBJECT_END = 2,                 /* bytes that the member takes the place of */
};

static void digits_of(char digits[DIGITS + 1], const char *text, int64_t bytes)
{
    unsigned char sum[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)text, (size_t)bytes, sum);
    for (int i = 0; i < SHA256_DIGEST_LENGTH; i++)
        snprintf(digits + 2 * i, 3, "%02x", sum[i]);
}

void checksum_line(char line[CHECKSUM_LINE], const char *text, int64_t bytes)
{
    char digits[DIGITS + 1];

    digits_of(digits, text, bytes);
    snprintf(line, CHECKSUM_LINE, "# SHA-256 %s\n", digits);
}

static void make_member(char member[MEMBER_BYTES + 1], const char *text, int64_t bytes)
{
    char digits[DIGITS + 1];

    digits_of(digits, text, bytes);
    snprintf(member, MEMBER_BYTES + 1, ",\n \"sha256\": \"%s\"\n}", digits);
}

static enum status refuse_file(const char *path)
{
    return refuse(
        E_FORMAT,
        "%s is damaged, cut short or of an older version: it does not end with "
        "the checksum of what is in it; remove it, and what was made from it, and run the "
        "same command again",
        path);
}

enum status checksum_cut(char *text, int64_t *bytes, const char *path)
{
    const int64_t line = CHECKSUM_LINE - 1, before = *bytes - line;
    char wanted[CHECKSUM_LINE];

    if (before < 0)
        return refuse_file(path);
    checksum_line(wanted, text, before);
    if (memcmp(text + before, wanted, (size_t)line) != 0)
        return refuse_file(path);
    text[before] = '\0';
    *bytes = before;
    return OK;
}

char *checksum_json(const char *object)
{
    const size_t before = strlen(object) - OBJECT_END;
    char *text = allocate((long long)before + MEMBER_BYTES + 1, 1);

    memcpy(text, object, before);
    make_member(text + before, object, (int64_t)before);
    return text;
}

enum status checksum_check_json(const char *text, int64_t bytes, const char *path)
{
    const int64_t before = bytes - MEMBER_BYTES;
    char wanted[MEMBER_BYTES + 1];

    if (before < 0)
        return refuse_file(path);
    make_member(wanted, text, before);
    return memcmp(text + before, wanted, MEMBER_BYTES) == 0 ? OK : refuse_file(path);
}
