/* A shared library of the program's: what it calls is not wrapped, but has to be seen. */
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

int library_duplicate(int fd);
int library_epoll_set(int fd);

int library_duplicate(int fd)
{
    return dup(fd);
}

/* a new set with the descriptor in it */
int library_epoll_set(int fd)
{
    struct epoll_event event;
    int set = epoll_create1(EPOLL_CLOEXEC);

    memset(&event, 0, sizeof(event));
    event.events = EPOLLIN;
    return set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0 ? set : -1;
}
