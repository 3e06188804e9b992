/* Loads a library, closes a socket from each of its functions, unloads it, and does so again.
 * usage: loads LIBRARY COUNT */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
    int round, at, count = argc > 2 ? atoi(argv[2]) : 0;
    for (round = 0; round < 2; round++) {
        void *library = dlopen(argv[1], RTLD_NOW);
        void (*const *sites)(int) = library ? dlsym(library, "sites") : NULL;
        if (!sites) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        for (at = 0; at < count; at++) {
            int fd = socket(AF_INET, SOCK_STREAM, 0);
            if (listen(fd, 1) != 0)
                return 2;
            sites[at](fd);
        }
        dlclose(library);
    }
    return 0;
}
