/* Loads a library, closes a socket from each of its functions, unloads it, and goes on with the next.
 * usage: loads COUNT LIBRARY... */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
    int argument, at, count = argc > 1 ? atoi(argv[1]) : 0;
    for (argument = 2; argument < argc; argument++) {
        void *library = dlopen(argv[argument], RTLD_NOW);
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
