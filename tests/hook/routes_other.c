/* A file that has never heard of winsock2.h. */
#include <stddef.h>

#ifdef __i386__
int __attribute__((stdcall)) closesocket(size_t s);
#else
int closesocket(size_t s);
#endif

int close_by_own_prototype(size_t s);

int close_by_own_prototype(size_t s)
{
    return closesocket(s);
}
