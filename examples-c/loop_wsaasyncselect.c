/*
 * loop_wsaasyncselect.c - closing in a window's message loop, with WSAAsyncSelect (Windows)
 *
 * Programs with a message loop, of Windows 3.1 and of today, learn of their sockets by
 * messages. The sequence that Winsock's documents give for a close is: shutdown(SD_SEND),
 * receive on each FD_READ until recv returns 0 or FD_CLOSE comes, receive what is left,
 * closesocket. gc_closing_step() is all of that: call it on FD_READ, on FD_CLOSE and on
 * WM_TIMER. The selection that the program has made stays in force meanwhile.
 *
 * A message may lie in the queue when its socket is closed already, and its number may be
 * another socket's by then. That costs a step for nothing and is otherwise harmless.
 */
#include "loop_server.h"

#include <windows.h>

#define NEWS (WM_USER + 1) /* of a socket */
#define STEP (WM_USER + 2) /* the same as a timer that has run out, but at once */

static void accept_all(HWND window);

static struct client *client_of(SOCKET sock)
{
    size_t i;

    for (i = 0; i < MAX_CLIENTS; i++)
        if (clients[i].sock == sock)
            return &clients[i];
    return NULL;
}

/* The number of its timer; 0 would be none. */
static UINT_PTR timer_of(const struct client *client)
{
    return (UINT_PTR)(client - clients) + 1;
}

static void set_timer(HWND window, const struct client *client)
{
    unsigned int ms = gc_closing_timeout_ms(client->closing);

    if (ms == 0) { /* more is there than one step takes */
        PostMessageA(window, STEP, timer_of(client), 0);
        return;
    }
    if (ms > (unsigned int)USER_TIMER_MAXIMUM)
        ms = (unsigned int)USER_TIMER_MAXIMUM;
    if (SetTimer(window, timer_of(client), ms, NULL) == 0)
        net_complain("SetTimer");
}

static void end_client(HWND window, struct client *client, int outcome)
{
    if (outcome < 0) /* an error: the socket is still ours */
        closesocket(client->sock);
    KillTimer(window, timer_of(client));
    client_ended(client, outcome);
    if (server_is_done())
        PostQuitMessage(0);
    else
        accept_all(window); /* a place has become free */
}

static void step(HWND window, struct client *client)
{
    int outcome = gc_closing_step(client->closing);

    if (outcome == GC_PENDING) {
        set_timer(window, client);
        return;
    }
    gc_closing_free(client->closing);
    end_client(window, client, outcome);
}

static void begin_closing(HWND window, struct client *client)
{
    gc_options options = GC_OPTIONS_INIT;
    int error;

    options.timeout_ms = CLOSE_TIMEOUT_MS;
    error = gc_closing_new(client->sock, &options, &client->closing);
    if (error == 0)
        step(window, client);
    else
        end_client(window, client, error);
}

/* What an accepted socket inherits of the listening one is asked for anew. */
static void accept_all(HWND window)
{
    struct client *client;

    while ((client = accept_client()) != NULL) {
        if (WSAAsyncSelect(client->sock, window, NEWS, FD_READ | FD_CLOSE) == 0)
            continue;
        net_complain("WSAAsyncSelect");
        end_client(window, client, GC_ERR_SYSTEM);
    }
}

/* FD_READ or FD_CLOSE */
static void go_on(HWND window, struct client *client)
{
    if (client->closing != NULL)
        step(window, client);
    else if (serve_client(client))
        begin_closing(window, client);
}

static LRESULT CALLBACK on_message(HWND window, UINT message, WPARAM which, LPARAM what)
{
    struct client *client;

    switch (message) {
    case NEWS:
        client = client_of((SOCKET)which);
        if (WSAGETSELECTEVENT(what) == FD_ACCEPT)
            accept_all(window);
        else if (client != NULL)
            go_on(window, client);
        return 0;
    case STEP:
    case WM_TIMER:
        client = &clients[which - 1];
        KillTimer(window, which);
        if (client->closing != NULL)
            step(window, client);
        return 0;
    default:
        return DefWindowProcA(window, message, which, what);
    }
}

/* Never seen: it only receives messages. */
static HWND make_window(void)
{
    WNDCLASSA class_of_it;

    memset(&class_of_it, 0, sizeof(class_of_it));
    class_of_it.lpfnWndProc = on_message;
    class_of_it.hInstance = GetModuleHandleA(NULL);
    class_of_it.lpszClassName = "loop_wsaasyncselect";
    if (RegisterClassA(&class_of_it) == 0)
        return NULL;
    return CreateWindowA(class_of_it.lpszClassName, "", 0, 0, 0, 0, 0, HWND_MESSAGE, NULL,
                         class_of_it.hInstance, NULL);
}

int main(int argc, char **argv)
{
    HWND window = make_window();
    MSG message;

    if (window == NULL) {
        fprintf(stderr, "no window (error %lu)\n", (unsigned long)GetLastError());
        return EXIT_FAILURE;
    }
    if (server_start(argc, argv) != 0)
        return EXIT_FAILURE;
    if (WSAAsyncSelect(listener, window, NEWS, FD_ACCEPT) != 0) {
        net_complain("WSAAsyncSelect");
        return EXIT_FAILURE;
    }
    while (GetMessageA(&message, NULL, 0, 0) > 0) {
        TranslateMessage(&message);
        DispatchMessageA(&message);
    }
    return server_end();
}
