/* Prints its arguments one a line, what came from standard input, and exits with the number of arguments. */
#include <stdio.h>

int main(int argc, char **argv)
{
    int i, c;

    for (i = 1; i < argc; i++) {
        printf("[%s]\n", argv[i]);
    }
    while ((c = getchar()) != EOF) {
        putchar(c);
    }
    return argc - 1;
}
