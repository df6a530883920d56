/* Sends messages to an echo server over one connection and takes them back.
 * Usage: stream_load WHERE SIZE SECONDS pingpong|stream; WHERE is a port of 127.0.0.1,
 * or the path of a UNIX socket. "pingpong" waits for each message before it sends the
 * next; "stream" sends and receives as the connection lets it. Prints the bytes that
 * came back, and the seconds until the last of them. */

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LARGEST = 1 << 20 };
static char out[LARGEST], in[LARGEST];

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void check(int good, const char *what) {
    if (!good) {
        perror(what);
        exit(1);
    }
}

static int connected(const char *where) {
    int sock;
    if (strchr(where, '/')) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        strncpy(address.sun_path, where, sizeof address.sun_path - 1);
        sock = socket(AF_UNIX, SOCK_STREAM, 0);
        check(connect(sock, (struct sockaddr *)&address, sizeof address) == 0, where);
    } else {
        struct sockaddr_in address = {.sin_family = AF_INET};
        int on = 1;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(atoi(where));
        sock = socket(AF_INET, SOCK_STREAM, 0);
        check(connect(sock, (struct sockaddr *)&address, sizeof address) == 0, where);
        setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    return sock;
}

static long long pingpong(int sock, long size, double end) {
    long long echoed = 0;
    while (now() < end) {
        check(send(sock, out, size, 0) == size, "send");
        check(recv(sock, in, size, MSG_WAITALL) == size, "recv");
        echoed += size;
    }
    return echoed;
}

static long long stream(int sock, long size, double end) {
    long long sent = 0, echoed = 0;
    for (;;) {
        int goes_on = now() < end || sent % size;
        if (!goes_on && echoed == sent)
            return echoed;
        struct pollfd ready = {.fd = sock, .events = POLLIN | (goes_on ? POLLOUT : 0)};
        check(poll(&ready, 1, 10000) > 0, "poll");
        if (ready.revents & POLLIN) {
            ssize_t count = recv(sock, in, sizeof in, 0);
            check(count > 0, "recv");
            echoed += count;
        }
        if (goes_on && ready.revents & POLLOUT) {
            ssize_t count = send(sock, out, size - sent % size, MSG_DONTWAIT);
            sent += count > 0 ? count : 0;
        }
    }
}

int main(int argc, char **argv) {
    if (argc != 5 || atol(argv[2]) < 1 || atol(argv[2]) > LARGEST)
        return 2;
    long size = atol(argv[2]);
    int sock = connected(argv[1]);
    double begin = now(), end = begin + atof(argv[3]);
    long long echoed = strcmp(argv[4], "stream") ? pingpong(sock, size, end)
                                                 : stream(sock, size, end);
    printf("%lld %.9f\n", echoed, now() - begin);
    return close(sock);
}
