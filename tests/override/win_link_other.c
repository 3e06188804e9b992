/* A file with a prototype of its own: it calls closesocket, and not __imp_closesocket. */
#include <stddef.h>

int __stdcall closesocket(size_t sock);
int close_in_other_file(size_t sock);

int close_in_other_file(size_t sock)
{
    return closesocket(sock);
}
