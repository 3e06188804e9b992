#include <fcntl.h>
#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

int read_file(const char *name, char *data, int size)
{
    int fd = open(name, O_RDONLY), n;

    if (fd < 0) return -1;
    n = (int)read(fd, data, (size_t)size);
    close(fd);
    return n;
}

void pipes(void)
{
    int ends[2];

    if (pipe(ends) != 0) return;
    close(ends[0]);
    close(ends[1]);
}

int listener(struct sockaddr_in *address)
{
    int s = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(s, (struct sockaddr *)address, sizeof(*address)) != 0 || listen(s, 5) != 0) {
        close(s);
        return -1;
    }
    return s;
}

void datagram(struct sockaddr_in *address)
{
    int s = socket(AF_INET, SOCK_DGRAM, 0);

    sendto(s, "x", 1, 0, (struct sockaddr *)address, sizeof(*address));
    close(s);
}

/* could be anything */
void unknown(int fd)
{
    close(fd);
}
