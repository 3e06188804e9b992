/*
 * consumer.c - a program that uses the package: the server ends a connection with bytes unread,
 * gets those, and is told that its peer has everything.
 */
#include "consumer.h"

#include <graceful_close.h>

int main(void)
{
    SOCKET client, server;
    char text[64];
    gc_report report = GC_REPORT_INIT;
    int outcome;

    if (!consumer_connect(&client, &server)) {
        fprintf(stderr, "no connection over loopback\n");
        return 1;
    }
    if (send(client, "unread", 6, 0) != 6 || shutdown(client, SD_SEND) != 0 || send(server, "answer", 6, 0) != 6)
        return 1;
    outcome = gc_close_with(server, NULL, &report);
    printf("C: %s, %lu bytes drained, library %s, header %s\n", gc_outcome_name(outcome),
           (unsigned long)report.drained_bytes, gc_version_string(), GRACEFUL_CLOSE_VERSION_STRING);
    if (outcome != GC_GRACEFUL || report.drained_bytes != 6)
        return 1;
    if (strcmp(gc_version_string(), GRACEFUL_CLOSE_VERSION_STRING) != 0)
        return 1;
    if (recv(client, text, sizeof(text), 0) != 6 || memcmp(text, "answer", 6) != 0)
        return 1;
    return gc_close(client, 1000) < 0;
}
