#include <sys/types.h>
#include <sys/socket.h>
#include <unistd.h>

/* the parent gives up its own reference; the child has the connection */
void serve(int listener)
{
    int s;

    for (;;) {
        s = accept(listener, NULL, NULL);
        if (s < 0) break;
        if (fork() == 0) {
            send(s, "hello", 5, 0);
            /* graceful_close: after a fork the parent's close stays bare; in the child gc_close(s, 5000) */
            close(s);
            _exit(0);
        }
        /* graceful_close: after a fork the parent's close stays bare; in the child gc_close(s, 5000) */
        close(s);
    }
}
