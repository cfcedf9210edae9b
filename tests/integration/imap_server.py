"""As much of an IMAP server (RFC 3501) as reading a mailbox of bounces needs, on a real socket: LOGIN, SELECT, UID
SEARCH UNSEEN, UID FETCH BODY.PEEK[], UID STORE +FLAGS, LOGOUT."""

import re
import socketserver


class _Client(socketserver.StreamRequestHandler):
    server: "ImapServer"

    def handle(self) -> None:
        self.say(b"* OK ready")
        for line in self.rfile:
            tag, command, rest = (*line.rstrip(b"\r\n").split(b" ", 2), b"")[:3]
            name = command.upper()
            if name == b"LOGIN":
                known = rest.replace(b'"', b"") == f"{self.server.user} {self.server.password}".encode()
                self.say(tag + (b" OK in" if known else b" NO [AUTHENTICATIONFAILED] who are you"))
                continue
            if name == b"SELECT":
                self.say(b"* %d EXISTS" % len(self.server.mails))
            elif name == b"CAPABILITY":
                self.say(b"* CAPABILITY IMAP4rev1")
            elif name == b"UID":
                self.uid(rest)
            elif name == b"LOGOUT":
                self.say(b"* BYE")
            self.say(tag + b" OK done")
            if name == b"LOGOUT":
                return

    def uid(self, rest: bytes) -> None:
        if rest.startswith(b"SEARCH"):
            unseen = [n for n in range(1, len(self.server.mails) + 1) if n not in self.server.seen]
            self.say(b"* SEARCH" + b"".join(b" %d" % n for n in unseen))
        elif (fetch := re.match(rb"FETCH (\d+) ", rest)) is not None:
            number = int(fetch[1])
            mail = self.server.mails[number - 1]
            self.say(b"* %d FETCH (UID %d BODY[] {%d}" % (number, number, len(mail)))
            self.wfile.write(mail + b")\r\n")
        elif (store := re.match(rb"STORE ([\d,]+) \+FLAGS", rest)) is not None:
            self.server.seen.update(int(n) for n in store[1].split(b","))

    def say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


class ImapServer(socketserver.ThreadingTCPServer):
    """On loopback, on a free port."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, user: str, password: str) -> None:
        super().__init__(("127.0.0.1", 0), _Client)
        self.user, self.password = user, password
        self.mails: list[bytes] = []
        self.seen: set[int] = set()

    @property
    def port(self) -> int:
        return int(self.server_address[1])
