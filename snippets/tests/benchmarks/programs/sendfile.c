/* What sendfile_copy.py and sendfile_tcp.py do, with nothing but the calls: a loop
 * around sendfile, and over TCP the size before it and one byte back.
 * Usage: sendfile copy SOURCE TARGET | receive FILE | send FILE PORT */

#include <arpa/inet.h>
#include <endian.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char buffer[262144];

static void check(int good, const char *what) {
    if (!good) {
        perror(what);
        exit(1);
    }
}

static void receive(int listener, const char *path) {
    int conn = accept(listener, NULL, NULL);
    check(conn >= 0, "accept");
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    check(file >= 0, "open");
    uint64_t size;
    check(recv(conn, &size, sizeof size, MSG_WAITALL) == sizeof size, "recv");
    for (uint64_t left = be64toh(size); left > 0;) {
        ssize_t count = recv(conn, buffer, sizeof buffer, 0);
        check(count > 0, "recv");
        check(write(file, buffer, count) == count, "write");
        left -= count;
    }
    check(close(file) == 0, "close");
    check(send(conn, "\x06", 1, 0) == 1, "send");
}

static int opened(const char *path, uint64_t *size) {
    int file = open(path, O_RDONLY);
    struct stat info;
    check(file >= 0 && fstat(file, &info) == 0, path);
    *size = info.st_size;
    return file;
}

static void send_all(int target, int file, uint64_t left) {
    while (left > 0) {
        ssize_t count = sendfile(target, file, NULL, left);
        check(count > 0, "sendfile");
        left -= count;
    }
}

static void copy(const char *source, const char *path) {
    uint64_t size;
    int file = opened(source, &size);
    int target = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    check(target >= 0, path);
    send_all(target, file, size);
    check(close(target) == 0, "close");
}

static void transmit(int conn, const char *path) {
    uint64_t size;
    int file = opened(path, &size);
    uint64_t announced = htobe64(size);
    check(send(conn, &announced, sizeof announced, 0) == sizeof announced, "send");
    send_all(conn, file, size);
    check(recv(conn, buffer, 1, 0) == 1, "recv");
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 2;
    if (argc == 4 && strcmp(argv[1], "copy") == 0) {
        copy(argv[2], argv[3]);
        return 0;
    }
    int sock = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (strcmp(argv[1], "receive") == 0) {
        check(bind(sock, (struct sockaddr *)&address, length) == 0, "bind");
        check(listen(sock, 1) == 0, "listen");
        getsockname(sock, (struct sockaddr *)&address, &length);
        printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
        fflush(stdout);
        receive(sock, argv[2]);
    } else if (argc == 4) {
        address.sin_port = htons(atoi(argv[3]));
        check(connect(sock, (struct sockaddr *)&address, length) == 0, "connect");
        transmit(sock, argv[2]);
    }
    return 0;
}
