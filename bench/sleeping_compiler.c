/* A compiler that sleeps instead of working, so that a few cores can stand for hundreds of slots.
 *
 * Its source says how long: `sleep_ms = 1234` and `job[] = "name"`. The file `speed` beside the program divides
 * that, `name` beside it goes into the object's second line, and each finished job is a line in `journal` there:
 * begin and end on CLOCK_MONOTONIC in ns, and the job. In a chroot without /proc, SLEEP_SPEED and SLEEP_NAME tell.
 * The object's first line depends on the source alone, less its line markers.
 *
 * With SLEEP_DISPATCHER (a Unix socket) it first asks there for a slot, whose speed and name it takes, and gives
 * it back by ending: the client of the ideal dispatcher. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct order {
    const char *source, *output;
    int preprocess, macros, directives, working_directory;
};

struct place {
    double speed;
    char name[64];
    char journal[4096];
};

static uint64_t now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void sleep_until(uint64_t end)
{
    struct timespec time = {(time_t)(end / 1000000000u), (long)(end % 1000000000u)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL))
        ;
}

/* The whole file with a NUL behind it; ends the program when it cannot be read. */
static char *read_all(const char *path, size_t *length)
{
    size_t room = 1 << 16, used = 0, got;
    FILE *file = strcmp(path, "-") ? fopen(path, "rb") : stdin;
    char *text = malloc(room);

    if (!file || !text) {
        fprintf(stderr, "gcc: error: %s: cannot be read\n", path);
        exit(1);
    }
    while ((got = fread(text + used, 1, room - used - 1, file)) > 0) {
        used += got;
        if (room - used < 2 && !(text = realloc(text, room *= 2)))
            exit(1);
    }
    fclose(file);
    text[used] = '\0';
    *length = used;
    return text;
}

/* FNV-1a over the lines that are no line markers. */
static uint64_t digest(const char *text, size_t length)
{
    uint64_t hash = 14695981039346656037u;
    int skipping = 0, begins = 1;

    for (size_t i = 0; i < length; i++) {
        if (begins)
            skipping = text[i] == '#';
        begins = text[i] == '\n';
        if (!skipping)
            hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
    }
    return hash;
}

static int beside(char *path, size_t size, const char *name)
{
    ssize_t length = readlink("/proc/self/exe", path, size - 32);
    char *slash;

    if (length < 0)
        return 0;
    path[length] = '\0';
    slash = strrchr(path, '/');
    strcpy(slash ? slash + 1 : path, name);
    return 1;
}

static void read_word(const char *file, const char *variable, char *word, size_t size)
{
    char path[4096];
    const char *value = getenv(variable);
    FILE *opened = beside(path, sizeof path, file) ? fopen(path, "r") : NULL;

    if (opened) {
        if (fgets(word, (int)size, opened))
            word[strcspn(word, "\n")] = '\0';
        fclose(opened);
    } else if (value) {
        snprintf(word, size, "%s", value);
    }
}

static void find_place(struct place *place)
{
    char speed[32] = "1";

    strcpy(place->name, "?");
    read_word("speed", "SLEEP_SPEED", speed, sizeof speed);
    read_word("name", "SLEEP_NAME", place->name, sizeof place->name);
    place->speed = atof(speed) > 0 ? atof(speed) : 1;
    if (!beside(place->journal, sizeof place->journal, "journal"))
        place->journal[0] = '\0';
}

/* Wait for a slot: the answer is its speed and name. The connection stays open until this process ends. */
static void ask_dispatcher(const char *path, struct place *place)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char answer[128];
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    ssize_t got;

    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (client < 0 || connect(client, (struct sockaddr *)&address, sizeof address)
        || (got = read(client, answer, sizeof answer - 1)) <= 0) {
        perror(path);
        exit(1);
    }
    answer[got] = '\0';
    if (sscanf(answer, "%lf %63s", &place->speed, place->name) != 2)
        exit(1);
}

static void note(const struct place *place, uint64_t began, uint64_t ended, const char *job)
{
    char line[256];
    int length = snprintf(line, sizeof line, "%llu %llu %.100s\n", (unsigned long long)began,
                          (unsigned long long)ended, job);
    int file = place->journal[0] ? open(place->journal, O_WRONLY | O_APPEND) : -1;

    if (file >= 0 && write(file, line, (size_t)length) != length)
        perror(place->journal);
}

static int compile(const struct order *order)
{
    uint64_t began = now_ns(), ended;
    const char *dispatcher = getenv("SLEEP_DISPATCHER");
    struct place place;
    size_t length;
    char *text = read_all(order->source, &length), job[128] = "";
    char *duration = strstr(text, "sleep_ms = "), *name = strstr(text, "job[] = \"");
    uint64_t hash = digest(text, length);
    FILE *object;

    find_place(&place);
    if (dispatcher) {
        ask_dispatcher(dispatcher, &place);
        began = now_ns();
    }
    if (name)
        sscanf(name, "job[] = \"%127[^\"]", job);
    ended = began + (uint64_t)((duration ? atof(duration + 11) : 0) * 1e6 / place.speed);
    sleep_until(ended);
    object = fopen(order->output, "w");
    if (!object) {
        perror(order->output);
        return 1;
    }
    fprintf(object, "sleeping object %016llx\nmade by %s\n", (unsigned long long)hash, place.name);
    if (fclose(object))
        return 1;
    note(&place, began, now_ns(), job);
    return 0;
}

static int preprocess(const struct order *order)
{
    char directory[4096];
    size_t length;
    char *text;

    if (order->macros) {
        puts("#define __GNUC__ 12\n#define __GNUC_MINOR__ 2\n#define __GNUC_PATCHLEVEL__ 0");
        return 0;
    }
    text = read_all(order->source, &length);
    printf("# 0 \"%s\"\n", order->source);
    if (order->working_directory && getcwd(directory, sizeof directory))
        printf("# 1 \"%s//\"\n", directory);
    if (order->directives)
        puts("# 0 \"<built-in>\"\n#define __GNUC__ 12");
    printf("# 0 \"<command-line>\"\n# 1 \"%s\"\n", order->source);
    return fwrite(text, 1, length, stdout) != length || fflush(stdout);
}

/* Answers like gcc's, and the program itself for each of its parts: every machine has the same ones. */
static int answers(const char *question)
{
    char path[4096];

    if (!strcmp(question, "-v"))
        fputs("Target: x86_64-linux-gnu\nThread model: posix\ngcc version 12.2.0 (sleeping)\n", stderr);
    else if (!strcmp(question, "-dumpmachine"))
        puts("x86_64-linux-gnu");
    else if (!strcmp(question, "-dumpversion") || !strcmp(question, "-dumpfullversion"))
        puts("12.2.0");
    else if (!strncmp(question, "-print-prog-name=", 17))
        puts(beside(path, sizeof path, "gcc") ? path : question + 17);
    else
        return 0;
    return 1;
}

static int takes_value(const char *option)
{
    static const char *const options[] = {"-x",  "-I",  "-D",       "-U",       "-MF",
                                          "-MT", "-MQ", "-include", "-isystem", "--param"};

    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (!strcmp(option, options[i]))
            return 1;
    return 0;
}

int main(int argc, char **argv)
{
    struct order order = {.source = "x.c", .output = "x.o"};

    for (int i = 1; i < argc; i++) {
        if (answers(argv[i]))
            return 0;
        if (!strcmp(argv[i], "-E"))
            order.preprocess = 1;
        else if (!strcmp(argv[i], "-dM"))
            order.macros = 1;
        else if (!strcmp(argv[i], "-fdirectives-only"))
            order.directives = 1;
        else if (!strcmp(argv[i], "-fworking-directory"))
            order.working_directory = 1;
        else if (!strcmp(argv[i], "-o") && i + 1 < argc)
            order.output = argv[++i];
        else if (takes_value(argv[i]))
            i++;
        else if (argv[i][0] != '-' || !argv[i][1])
            order.source = argv[i];
    }
    return order.preprocess ? preprocess(&order) : compile(&order);
}
