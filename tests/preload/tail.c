/* A library that writes at its end, for T107 of last.c. */
#include <string.h>
#include <unistd.h>

#define TAIL 3000

static int is_on;

void write_a_tail(void)
{
    is_on = 1;
}

__attribute__((destructor)) static void end(void)
{
    static char tail[TAIL];

    if (is_on) {
        memset(tail, 't', sizeof tail);
        (void)!write(1, tail, sizeof tail);
    }
}
