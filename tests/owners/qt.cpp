// A QTcpSocket: written to its end, then closed by close().
#include "owner.h"

#include <QCoreApplication>
#include <QTcpSocket>

int main(int argc, char **argv) {
    QCoreApplication application(argc, argv);
    pthread_t peer;
    const int sock = owner_accept(&peer);
    QTcpSocket object;
    OWNER_CHECK(object.setSocketDescriptor(sock));
    OWNER_CHECK(object.write(owner_answer, OWNER_ANSWER) == OWNER_ANSWER);
    while (object.bytesToWrite() > 0)
        OWNER_CHECK(object.waitForBytesWritten(20000));
    owner_finish(static_cast<int>(object.socketDescriptor()));
    object.close();
    owner_check(peer, sock);
    return 0;
}
