"""On PYTHONPATH, ends any process that asks for a network."""

import os
import socket
import traceback


def refuse(*_, **__):
    traceback.print_stack()
    os._exit(99)


class Socket(socket.socket):
    def connect(self, address):
        if self.family != getattr(socket, "AF_UNIX", None):
            refuse()
        return super().connect(address)

    connect_ex = connect


socket.socket = Socket
socket.getaddrinfo = socket.gethostbyname = refuse
