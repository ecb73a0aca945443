"""A mail server that takes everything, and the mails that came."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

END = b".\r\n"


@contextmanager
def mailbox() -> Iterator[tuple[int, list[EmailMessage]]]:
    """Its port on this machine, and the list to which mails are added."""
    received: list[EmailMessage] = []

    class Receiver(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 ready")
            while line := self.rfile.readline():
                command = line[:4].upper()
                if command == b"DATA":
                    self.say("354 go on")
                    received.append(self.mail())
                self.say("221 bye" if command == b"QUIT" else "250 well")

        def mail(self) -> EmailMessage:
            lines = iter(self.rfile.readline, END)
            # RFC 5321, 4.5.2: a line that begins with a dot is sent with another one.
            text = b"".join(line.removeprefix(b".") for line in lines)
            return message_from_bytes(text, EmailMessage, policy=default)

        def say(self, answer: str) -> None:
            self.wfile.write(f"{answer}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Receiver) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], received
        server.shutdown()
