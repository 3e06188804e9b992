/*
 * consumer.h - a connection over loopback, for the programs that try the packages
 */
#ifndef CONSUMER_H
#define CONSUMER_H

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#ifdef _MSC_VER
#pragma comment(lib, "ws2_32.lib")
#endif
typedef int consumer_size;
#else
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200112L
#endif
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
typedef int SOCKET;
typedef socklen_t consumer_size;
#define SD_SEND SHUT_WR
#define closesocket close
#endif
#include <stdio.h>
#include <string.h>

/* Makes a connection; 0 if that fails. */
static int consumer_connect(SOCKET *client, SOCKET *server)
{
    struct sockaddr_in address;
    consumer_size size = sizeof(address);
    SOCKET listener;
#ifdef _WIN32
    WSADATA data;

    if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
        return 0;
#endif
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(0x7F000001UL);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    *client = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 1) != 0
        || getsockname(listener, (struct sockaddr *)&address, &size) != 0
        || connect(*client, (struct sockaddr *)&address, sizeof(address)) != 0)
        return 0;
    *server = accept(listener, NULL, NULL);
    closesocket(listener);
    return 1;
}

#endif
