/* Load for an echo server on 127.0.0.1, light enough not to be what limits it.
 *
 * Usage: load PORT ACTIVE IDLE SIZE. Opens ACTIVE + IDLE connections, sees one byte come
 * back on each, so that the server has accepted it, and prints "ready". Then for each
 * line on stdin, a number of milliseconds: on each active connection sends SIZE bytes,
 * sends again when all of them are back, and after that time prints
 * "MESSAGES SECONDS CPU", CPU being this program's own seconds. Ends with stdin. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifdef WITH_TLS
#include <openssl/ssl.h>
#endif

enum { EVENTS = 1024, LARGEST = 1 << 20 };

static char buffer[LARGEST], message[LARGEST];

struct peer {
    int fd;
    long left; /* bytes of the message that are not back yet */
#ifdef WITH_TLS
    SSL *ssl;
#endif
};

static void check(int good, const char *what) {
    if (!good) {
        perror(what);
        exit(1);
    }
}

static double now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

#ifdef WITH_TLS

static SSL_CTX *context;

static void open_tls(struct peer *peer) {
    if (context == NULL) {
        context = SSL_CTX_new(TLS_client_method()); /* no certificate is checked here */
        check(context != NULL, "SSL_CTX_new");
    }
    peer->ssl = SSL_new(context);
    SSL_set_fd(peer->ssl, peer->fd);
    check(SSL_connect(peer->ssl) == 1, "SSL_connect");
}

static long receive(struct peer *peer, long most) {
    int count = SSL_read(peer->ssl, buffer, most); /* waits for the whole record */
    check(count > 0, "SSL_read");
    return count;
}

static int pending(struct peer *peer) { return SSL_pending(peer->ssl) > 0; }

static void transmit(struct peer *peer, long size) {
    check(SSL_write(peer->ssl, message, size) == size, "SSL_write");
    peer->left = size;
}

#else

static void open_tls(struct peer *peer) { (void)peer; }

static long receive(struct peer *peer, long most) {
    ssize_t count = recv(peer->fd, buffer, most, 0);
    check(count > 0, "recv");
    return count;
}

static int pending(struct peer *peer) { return (void)peer, 0; }

static void transmit(struct peer *peer, long size) {
    check(send(peer->fd, message, size, MSG_NOSIGNAL) == size, "send");
    peer->left = size;
}

#endif

static void wait_until_back(struct peer *peer) {
    while (peer->left > 0)
        peer->left -= receive(peer, peer->left);
}

static struct peer open_peer(int port) {
    struct peer peer = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(peer.fd >= 0, "socket");
    setsockopt(peer.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    check(connect(peer.fd, (struct sockaddr *)&address, sizeof address) == 0,
          "connect");
    open_tls(&peer);
    transmit(&peer, 1);
    wait_until_back(&peer);
    return peer;
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    int port = atoi(argv[1]), active = atoi(argv[2]), idle = atoi(argv[3]);
    long size = atol(argv[4]);
    check(size > 0 && size <= LARGEST, "SIZE");
    struct peer *peers = calloc(active, sizeof *peers);
    check(peers != NULL, "calloc");
    int set = epoll_create1(0);
    for (int i = 0; i < active; i++) {
        peers[i] = open_peer(port);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &peers[i]};
        check(epoll_ctl(set, EPOLL_CTL_ADD, peers[i].fd, &event) == 0, "epoll_ctl");
    }
    for (int i = 0; i < idle; i++)
        open_peer(port);
    puts("ready");
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        double begin = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
        double end = begin + atol(line) / 1e3;
        long messages = 0;
        int busy = active; /* peers that wait for the rest of a message */
        for (int i = 0; i < active; i++)
            transmit(&peers[i], size);
        while (busy > 0) {
            static struct epoll_event ready[EVENTS];
            int count = epoll_wait(set, ready, EVENTS, -1);
            double time = now(CLOCK_MONOTONIC);
            for (int i = 0; i < count; i++) {
                struct peer *peer = ready[i].data.ptr;
                do
                    peer->left -= receive(peer, peer->left);
                while (peer->left > 0 && pending(peer));
                if (peer->left > 0)
                    continue;
                messages++;
                if (time < end)
                    transmit(peer, size);
                else
                    busy--;
            }
        }
        printf("%ld %.6f %.6f\n", messages, now(CLOCK_MONOTONIC) - begin,
               now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
        fflush(stdout);
    }
    return 0;
}
