/* The least that an echo server of datagrams can be: recvfrom and sendto in a loop. */

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

static char buffer[65535];

int main(void) {
    int sock = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(sock, (struct sockaddr *)&address, length) < 0) {
        perror("bind");
        return 1;
    }
    getsockname(sock, (struct sockaddr *)&address, &length);
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        length = sizeof address;
        ssize_t count = recvfrom(sock, buffer, sizeof buffer, 0,
                                 (struct sockaddr *)&address, &length);
        if (count >= 0)
            sendto(sock, buffer, count, 0, (struct sockaddr *)&address, length);
    }
}
