/* Prints what every language must agree with: the version, and where each member lies. */
#include "graceful_close.h"

#include <stdio.h>

#define AT(type, member) printf(" %lu", (unsigned long)offsetof(type, member))

static void print_options(void)
{
    printf("gc_options %lu", (unsigned long)sizeof(gc_options));
    AT(gc_options, struct_size);
    AT(gc_options, timeout_ms);
    AT(gc_options, idle_timeout_ms);
    AT(gc_options, peer_first_ms);
    AT(gc_options, fallback);
    AT(gc_options, if_shared);
    AT(gc_options, flags);
    AT(gc_options, max_drain_bytes);
    AT(gc_options, on_data);
    AT(gc_options, user);
    AT(gc_options, background_ms);
    printf("\n");
}

static void print_report(void)
{
    printf("gc_report %lu", (unsigned long)sizeof(gc_report));
    AT(gc_report, struct_size);
    AT(gc_report, outcome);
    AT(gc_report, system_error);
    AT(gc_report, closed);
    AT(gc_report, peer_closed);
    AT(gc_report, drained_bytes);
    AT(gc_report, unacked_bytes);
    AT(gc_report, elapsed_us);
    printf("\n");
}

int main(void)
{
    printf("version %d %s\n", GRACEFUL_CLOSE_VERSION_NUMBER, GRACEFUL_CLOSE_VERSION_STRING);
    print_options();
    print_report();
    return 0;
}
