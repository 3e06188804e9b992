/* A socket BIO of OpenSSL that closes its descriptor (BIO_CLOSE). */
#include "owner.h"

#include <openssl/bio.h>

int main(void)
{
    pthread_t peer;
    int sock = owner_accept(&peer), sent = 0;
    BIO *bio = BIO_new_socket(sock, BIO_CLOSE);

    OWNER_CHECK(bio != NULL);
    while (sent < OWNER_ANSWER) {
        int more = BIO_write(bio, owner_answer + sent, OWNER_ANSWER - sent);

        OWNER_CHECK(more > 0);
        sent += more;
    }
    owner_finish((int)BIO_get_fd(bio, NULL));
    OWNER_CHECK(BIO_free(bio) == 1);
    owner_check(peer, sock);
    return 0;
}
