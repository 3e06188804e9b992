/* Call sites that a report can tell apart. */
#ifndef SITE_H
#define SITE_H

#define APART __attribute__((noinline, noclone))

/* behind a call, so that it is no tail call, whose caller would be the one before */
#define STAYS __asm__ volatile("" ::: "memory")

/* a function of its own around a call with the descriptor fd */
#define SITE_OF(name, call) \
    APART int name(int fd)  \
    {                       \
        int result = call;  \
        STAYS;              \
        (void)fd;           \
        return result;      \
    }
#define SITE(name) SITE_OF(name, close(fd))

#endif
