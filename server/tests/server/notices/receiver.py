"""A mail server and a web server with TLS, for tests: tells each message in a line of JSON.

First line: the ports and the authority's file. Mail to later@ is refused for now, to never@ for good;
a request to /busy is answered 503, to /gone 410, to /elsewhere with a redirect, any other 204.
"""

import asyncio
import datetime
import http.server
import ipaddress
import json
import ssl
import sys
import threading
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

FOLDER = Path(sys.argv[1])
LOCK = threading.Lock()


def tell(said):
    with LOCK:
        print(json.dumps(said), flush=True)


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificates():
    """An authority, and a certificate of this machine that it signed."""
    begin = datetime.datetime(2020, 1, 1)
    end = datetime.datetime(2040, 1, 1)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = (
        x509.CertificateBuilder()
        .subject_name(name("test authority"))
        .issuer_name(name("test authority"))
        .public_key(ca_key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    here = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    leaf = (
        x509.CertificateBuilder()
        .subject_name(name("localhost"))
        .issuer_name(name("test authority"))
        .public_key(key.public_key())
        .serial_number(2)
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName(here), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (FOLDER / "authority.pem").write_bytes(ca.public_bytes(pem))
    (FOLDER / "leaf.pem").write_bytes(leaf.public_bytes(pem))
    (FOLDER / "leaf.key").write_bytes(
        key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FOLDER / "leaf.pem", FOLDER / "leaf.key")
    return context


class Mail:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("later@"):
            return "451 not now"
        if address.startswith("never@"):
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        tell(
            {
                "mail": envelope.content.decode("ascii"),
                "to": envelope.rcpt_tos,
                "tls": session.ssl is not None,
                "user": session.auth_data,
            }
        )
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = data.login == b"patchward" and data.password == b"mail secret"
    return AuthResult(success=good, auth_data=data.login.decode())


class Web(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        tell({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
              "body": body.decode()})
        status = {"/busy": 503, "/gone": 410, "/elsewhere": 302}.get(self.path, 204)
        self.send_response(status)
        if status == 302:
            self.send_header("location", "/ok")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


async def main():
    context = certificates()
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    web.socket = context.wrap_socket(web.socket, server_side=True)
    threading.Thread(target=web.serve_forever, daemon=True).start()

    def session():
        return SMTP(Mail(), tls_context=context, require_starttls=True, authenticator=authenticate)

    loop = asyncio.get_running_loop()
    mail = await loop.create_server(session, "127.0.0.1", 0)
    port = mail.sockets[0].getsockname()[1]
    tell({"mail": port, "web": web.server_address[1], "authority": str(FOLDER / "authority.pem")})
    # Ends with whoever started it.
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
