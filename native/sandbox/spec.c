/* What to run: texts that end with NUL, one after the other. fleetcc.sandbox.command is normative. */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char version[] = "fleetcc-sandbox 2";

struct reader {
    char *next, *end;
};

static _Noreturn void refuse(void)
{
    errno = EBADMSG;
    give_up(STAGE_SPEC);
}

static char *read_text(struct reader *reader)
{
    if (reader->next == reader->end)
        refuse();
    char *text = reader->next;
    reader->next += strlen(text) + 1; /* the last byte of all is a NUL */
    return text;
}

static uint64_t read_number(struct reader *reader, int base)
{
    const char *text = read_text(reader);
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, base);
    if (!*text || *text == '-' || *end || errno)
        refuse();
    return number;
}

static char **read_list(struct reader *reader, uint64_t count)
{
    if (count > (uint64_t)(reader->end - reader->next))
        refuse();
    char **list = calloc(count + 1, sizeof *list);
    if (!list)
        give_up(STAGE_SPEC);
    for (uint64_t i = 0; i < count; i++)
        list[i] = read_text(reader);
    return list;
}

static struct reader map(int descriptor)
{
    struct stat facts;
    if (fstat(descriptor, &facts))
        give_up(STAGE_SPEC);
    size_t size = (size_t)facts.st_size;
    if (size == 0)
        refuse();
    char *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0);
    if (data == MAP_FAILED)
        give_up(STAGE_SPEC);
    close(descriptor);
    if (data[size - 1] != '\0')
        refuse();
    return (struct reader){.next = data, .end = data + size};
}

void read_spec(int descriptor, struct spec *spec)
{
    struct reader reader = map(descriptor);
    if (strcmp(read_text(&reader), version) != 0)
        refuse();
    spec->tree = read_text(&reader);
    spec->cwd = read_text(&reader);
    spec->program = read_text(&reader);
    spec->umask = (mode_t)read_number(&reader, 8);
    spec->limits.file_bytes = read_number(&reader, 10);
    spec->limits.memory_bytes = read_number(&reader, 10);
    spec->limits.processes = read_number(&reader, 10);
    spec->limits.descriptors = read_number(&reader, 10);
    spec->limits.scratch_bytes = read_number(&reader, 10);
    spec->limits.scratch_files = read_number(&reader, 10);
    char ***const lists[] = {&spec->argv, &spec->environment, &spec->existing, &spec->own};
    uint64_t counts[sizeof lists / sizeof *lists];
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        counts[i] = read_number(&reader, 10);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        *lists[i] = read_list(&reader, counts[i]);
    if (reader.next != reader.end || !spec->argv[0])
        refuse();
}
