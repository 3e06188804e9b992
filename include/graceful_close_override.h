/*
 * graceful_close_override.h: every closesocket of a program becomes gc_closesocket.
 *
 * Include it after the program's own socket headers, best from the one header that all
 * its files share, or have the compiler include it: -include graceful_close_override.h,
 * /FI graceful_close_override.h. It includes nothing itself, so it changes neither
 * FD_SETSIZE nor the order of winsock2.h and windows.h, and no feature macro comes too
 * late. On Windows -Dclosesocket=gc_closesocket, without this header, does the same.
 *
 * The macro is object-like: calls, pointers, tables, ::closesocket and members of that
 * name go the same way. For that all files that share a struct or class must see it.
 * The name `close` is never touched: it closes files, pipes and listeners as well.
 * On POSIX a program's own "#define closesocket close" is replaced.
 *
 *     GRACEFUL_CLOSE_OVERRIDE_OFF     define it, and nothing is replaced
 *     GRACEFUL_CLOSE_OVERRIDE_ACTIVE  1 where closesocket is replaced, else 0
 *
 * At run time gc_get_stats() counts what was closed, and gc_set_default_timeout()
 * says how long a call may take: 5000 ms at most unless told otherwise.
 *
 * A HALF-CLOSE HITS EVERY HOLDER OF THE CONNECTION. gc_closesocket looks whether there
 * are others and gives up its own reference alone then, but a look is as good as the
 * system. AND IT BLOCKS: in an event loop call gc_close_async() or gc_closing_new() by
 * name instead.
 *
 * C89 and C++98. Licence: MIT OR Apache-2.0.
 */
#ifndef GRACEFUL_CLOSE_OVERRIDE_HEADER
#define GRACEFUL_CLOSE_OVERRIDE_HEADER

#ifdef GRACEFUL_CLOSE_OVERRIDE_OFF

#define GRACEFUL_CLOSE_OVERRIDE_ACTIVE 0

#else

#define GRACEFUL_CLOSE_OVERRIDE_ACTIVE 1

/* with -Dclosesocket=gc_closesocket it is winsock2.h that declares gc_closesocket */
#if !defined(GRACEFUL_CLOSE_HEADER) && !(defined(_WIN32) && defined(closesocket))
#ifdef __cplusplus
extern "C" {
#endif
#ifdef _WIN32
/* SOCKET, without the header that defines it */
#ifdef __GNUC__ /* by its size: C++98 has no name for a 64-bit type here */
typedef unsigned int graceful_close_override_socket __attribute__((__mode__(__pointer__)));
#elif defined(_WIN64)
typedef unsigned __int64 graceful_close_override_socket;
#else
typedef unsigned int graceful_close_override_socket;
#endif
#ifdef GRACEFUL_CLOSE_DLL
__declspec(dllimport)
#endif
int __stdcall gc_closesocket(graceful_close_override_socket sock);
#else
int gc_closesocket(int sock);
#endif
#ifdef __cplusplus
}
#endif
#endif

#undef closesocket
#define closesocket gc_closesocket

#endif /* GRACEFUL_CLOSE_OVERRIDE_OFF */

#endif /* GRACEFUL_CLOSE_OVERRIDE_HEADER */
