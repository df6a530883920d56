/* An echo server as C allows it, the limit for those in Python: one thread, epoll,
 * level-triggered; what a client does not take at once is kept, and it is not read from
 * until then. Usage: epoll_echo; prints the address that it listens on. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 65536, EVENTS = 1024 };

struct client {
    int fd;
    size_t owed;
    char *unsent;
};

static char buffer[CHUNK];
static int set;

static void check(int good, const char *what) {
    if (!good) {
        perror(what);
        exit(1);
    }
}

static void wait_for(struct client *client, unsigned events) {
    struct epoll_event event = {.events = events, .data.ptr = client};
    check(epoll_ctl(set, EPOLL_CTL_MOD, client->fd, &event) == 0, "epoll_ctl");
}

static void forget(struct client *client) {
    close(client->fd);
    free(client->unsent);
    free(client);
}

static int would_block(void) { return errno == EAGAIN || errno == EWOULDBLOCK; }

static void receive(struct client *client) {
    ssize_t count = recv(client->fd, buffer, CHUNK, 0);
    if (count < 0 && would_block())
        return;
    if (count <= 0) {
        forget(client);
        return;
    }
    ssize_t sent = send(client->fd, buffer, count, MSG_NOSIGNAL);
    if (sent < 0 && !would_block()) {
        forget(client);
        return;
    }
    sent = sent < 0 ? 0 : sent;
    if (sent == count)
        return;
    client->owed = count - sent;
    client->unsent = malloc(client->owed);
    check(client->unsent != NULL, "malloc");
    memcpy(client->unsent, buffer + sent, client->owed);
    wait_for(client, EPOLLOUT);
}

static void pay(struct client *client) {
    ssize_t sent = send(client->fd, client->unsent, client->owed, MSG_NOSIGNAL);
    if (sent < 0 && !would_block()) {
        forget(client);
        return;
    }
    sent = sent < 0 ? 0 : sent;
    client->owed -= sent;
    memmove(client->unsent, client->unsent + sent, client->owed);
    if (client->owed == 0) {
        free(client->unsent);
        client->unsent = NULL;
        wait_for(client, EPOLLIN);
    }
}

static void take(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct client *client = calloc(1, sizeof *client);
    check(client != NULL, "calloc");
    client->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    check(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

int main(void) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(bind(listener, (struct sockaddr *)&address, length) == 0, "bind");
    check(listen(listener, SOMAXCONN) == 0, "listen");
    int on = 1; /* which accepted sockets inherit, as in the snippets */
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    getsockname(listener, (struct sockaddr *)&address, &length);
    set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    check(epoll_ctl(set, EPOLL_CTL_ADD, listener, &event) == 0, "epoll_ctl");
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        static struct epoll_event ready[EVENTS];
        int count = epoll_wait(set, ready, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            struct client *client = ready[i].data.ptr;
            if (client == NULL)
                take(listener);
            else if (client->owed)
                pay(client);
            else
                receive(client);
        }
    }
}
