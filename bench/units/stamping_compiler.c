/* A compiler whose objects say when it was started: with -DSTAMP it writes the monotonic clock's nanoseconds to
 * what -o names. Everything else, above all questions about itself, it leaves to REAL, a gcc or g++. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct timespec now;
    const char *output = NULL;
    int stamps = 0, compiles = 0, asks = 0;

    clock_gettime(CLOCK_MONOTONIC, &now);
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-DSTAMP"))
            stamps = 1;
        else if (!strcmp(argv[i], "-c"))
            compiles = 1;
        else if (!strcmp(argv[i], "-###") || !strcmp(argv[i], "-E") || !strcmp(argv[i], "-M"))
            asks = 1;
        else if (!strcmp(argv[i], "-o") && i + 1 < argc)
            output = argv[++i];
    }
    if (!stamps || !compiles || asks || !output) {
        argv[0] = REAL; /* it finds its parts by where it is */
        execv(argv[0], argv);
        return 127;
    }
    FILE *object = fopen(output, "w");
    if (!object)
        return 1;
    fprintf(object, "%lld\n", now.tv_sec * 1000000000LL + now.tv_nsec);
    return fclose(object) ? 1 : 0;
}
