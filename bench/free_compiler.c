/* A compiler that costs nothing, so that what remains is the cost of distributing.
 *
 * Answers -v like gcc, writes a small translation unit for -E (two tokens or FREE_COMPILER_BYTES of text),
 * and copies nothing but a fixed "object" to -o for -c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *output = NULL, *source = "x.c";
    int preprocess = 0;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-v")) {
            fputs("Target: x86_64-linux-gnu\ngcc version 12.2.0 (free)\n", stderr);
            return 0;
        }
        if (!strcmp(argv[i], "-E"))
            preprocess = 1;
        else if (!strcmp(argv[i], "-o") && i + 1 < argc)
            output = argv[++i];
        else if (argv[i][0] != '-')
            source = argv[i];
    }
    if (preprocess) {
        const char *bytes = getenv("FREE_COMPILER_BYTES");
        long wanted = bytes ? atol(bytes) : 0;
        printf("# 0 \"%s\"\n", source);
        for (long written = 0; written < wanted; written += 32)
            printf("extern int v%024ld;\n", written);
        return 0;
    }
    FILE *object = fopen(output ? output : "x.o", "w");
    if (!object)
        return 1;
    fputs("object", object);
    return fclose(object) ? 1 : 0;
}
