/* A FILE: fflush(), gc_finish(), fclose(). */
#include "owner.h"

int main(void)
{
    pthread_t peer;
    int sock = owner_accept(&peer);
    FILE *file = fdopen(sock, "r+");

    OWNER_CHECK(file != NULL);
    OWNER_CHECK(fwrite(owner_answer, 1, OWNER_ANSWER, file) == OWNER_ANSWER);
    OWNER_CHECK(fflush(file) == 0);
    owner_finish(fileno(file));
    OWNER_CHECK(fclose(file) == 0);
    owner_check(peer, sock);
    return 0;
}
