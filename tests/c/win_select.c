/*
 * A program that uses WSAAsyncSelect or WSAEventSelect and closes without taking that back: no
 * message and no event may come for a handle that it thinks is gone, and the socket, which both of
 * them have made non-blocking, is closed gracefully.
 */
#include "win_test.h"

#ifdef _WIN32

#define NEWS (WM_USER + 1)

/* takes the messages that are there; how many were from sockets */
static int pump(HWND window, DWORD for_ms)
{
    DWORD started = GetTickCount();
    MSG message;
    int news = 0;

    do {
        while (PeekMessageA(&message, window, 0, 0, PM_REMOVE)) {
            news += message.message == NEWS ? 1 : 0;
        }
        Sleep(5);
    } while (GetTickCount() - started < for_ms);
    return news;
}

static void no_message_after_the_close(void)
{
    HWND window = CreateWindowA("STATIC", "", 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, NULL, NULL);
    SOCKET ours, other;
    peer p;

    CHECK(window != NULL);
    make_pair(&ours, &other);
    CHECK_INT(WSAAsyncSelect(ours, window, NEWS, FD_READ | FD_CLOSE), 0);
    CHECK_INT(pump(window, 50), 0);

    memset(&p, 0, sizeof p);
    p.late_bytes = 20000;
    CHECK_INT(send(ours, "answer", 6, 0), 6);
    peer_start(&p, other);
    CHECK_INT(gc_close(ours, 5000), GC_GRACEFUL);
    CHECK(is_closed(ours));
    peer_join(&p);
    CHECK_INT(p.received, 6);
    CHECK_INT(p.reset, 0);
    CHECK_INT(pump(window, 100), 0);
    DestroyWindow(window);
    passed("WSAAsyncSelect: no message after the close");
}

static void no_event_after_the_close(void)
{
    WSAEVENT event = WSACreateEvent();
    SOCKET ours, other;
    peer p;

    CHECK(event != WSA_INVALID_EVENT);
    make_pair(&ours, &other);
    CHECK_INT(WSAEventSelect(ours, event, FD_READ | FD_CLOSE), 0);

    memset(&p, 0, sizeof p);
    p.late_bytes = 20000;
    CHECK_INT(send(ours, "answer", 6, 0), 6);
    peer_start(&p, other);
    CHECK_INT(gc_close(ours, 5000), GC_GRACEFUL);
    CHECK(is_closed(ours));
    peer_join(&p);
    CHECK_INT(p.received, 6);
    CHECK_INT(p.reset, 0);
    CHECK_INT(WaitForSingleObject(event, 100), WAIT_TIMEOUT);
    WSACloseEvent(event);
    passed("WSAEventSelect: no event after the close");
}

int main(void)
{
    start_winsock();
    no_message_after_the_close();
    no_event_after_the_close();
    WSACleanup();
    return 0;
}

#endif
