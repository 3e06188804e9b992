/* What the library adds to close(), in microseconds: the lower quartile of many.
 * Prints three numbers: a file, a UNIX socket, a TCP connection whose peer has closed. */
#include "lab.h"

#define BATCH 100
#define BATCHES 60

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

static double quartile(double *all, int count)
{
    qsort(all, (size_t)count, sizeof *all, by_value);
    return all[count / 4];
}

static void fill_files(int *fds)
{
    int i;

    for (i = 0; i < BATCH; i++)
        fds[i] = open("/dev/null", O_RDONLY);
}

static void fill_unix(int *fds)
{
    int i;

    for (i = 0; i < BATCH; i += 2)
        MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, fds + i) == 0);
}

static int listening;

static void fill_tcp(int *fds)
{
    int i;
    char byte;

    for (i = 0; i < BATCH; i++) {
        int mine = connection_to(listening);
        fds[i] = accepted(listening);
        MUST(send(fds[i], "x", 1, 0) == 1);
        MUST(recv(mine, &byte, 1, 0) == 1);
        close(mine);
    }
}

static double cost(void (*fill)(int *))
{
    static double all[BATCHES];
    int fds[BATCH], i, batch;

    for (batch = 0; batch < BATCHES; batch++) {
        double start;
        fill(fds);
        start = seconds();
        for (i = 0; i < BATCH; i++)
            close(fds[i]);
        all[batch] = (seconds() - start) / BATCH * 1e6;
    }
    return quartile(all, BATCHES);
}

static void measure(void)
{
    double file, local, tcp;

    listening = listener();
    file = cost(fill_files);
    local = cost(fill_unix);
    tcp = cost(fill_tcp);
    printf("%.2f %.2f %.2f\n", file, local, tcp);
}

int main(int argc, char **argv)
{
    static const check checks[] = {{"costs", measure}};

    return lab_main(argc, argv, checks, 1);
}
