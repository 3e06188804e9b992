/* Enough of winsock2.h to compile the examples anywhere. */
#ifndef WINSOCK_NAMES
#define WINSOCK_NAMES
#ifdef _WIN32
#include <winsock2.h>
#else
#include <stddef.h>
#include <sys/select.h>
#include <sys/socket.h>
typedef int SOCKET;
#define INVALID_SOCKET (-1)
#define SOCKET_ERROR (-1)
#define SD_RECEIVE SHUT_RD
#define SD_SEND SHUT_WR
#define SD_BOTH SHUT_RDWR
int closesocket(SOCKET s);
#endif
#endif
