#!/usr/bin/env python3
"""Reference client of the clinical socket (docs/guide/en/clinical.md), standard library only.

Put `in_use`, `lock` and `unlock` of your application in place of those at the end, where a file
that exists means "in use", and a file that is made means "the start of therapy is locked":
clinical_client.py SOCKET APP VERSION BUSY_FILE LOCK_FILE
"""
import json, os, socket, sys, time

LEASE_S, RENEW_S, LOCK_S = 15, 5, 30    # a lease, how often it is renewed, longest wait for GO


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)    # never the wall clock: it jumps


class Client:
    def __init__(self, hello, in_use, lock, unlock):
        self.hello, self.in_use, self.lock, self.unlock = hello, in_use, lock, unlock
        self.locked = self.gone_until = None
        self.word, self.said_at, self.est_s = None, 0.0, 0

    def run(self, path):
        while True:
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as self.link:
                    self.link.connect(path)
                    self.link.settimeout(0.2)
                    self.word = None
                    self.say(**self.hello)
                    while self.hear():
                        self.keep()
            except OSError:
                pass                                  # no agent: therapy goes on
            if not self.gone_until:
                self.open("closed")                   # the lock ends with the connection ...
            self.keep_lock()                          # ... unless the update has begun
            time.sleep(0.2)

    def say(self, **message):
        self.link.send(json.dumps(message).encode())
        print("said", json.dumps(message), flush=True)

    def hear(self):
        try:
            data = self.link.recv(1024)
        except TimeoutError:
            return True
        message = json.loads(data or b"{}")
        print("heard", json.dumps(message), flush=True)
        if message.get("type") == "PREPARE":
            if self.in_use() or not self.close():
                self.open("refused")
                self.say(type="REFUSE", n=message["n"], why="in use")
            else:                                     # a fresh lease, then: it is locked
                self.est_s = message["est_s"]
                self.tell("IDLE")
                self.say(type="READY", n=message["n"])
        elif message.get("type") == "GO":             # stays locked: a restart comes
            self.gone_until = now() + self.est_s
        elif message.get("type") == "RELEASE":
            self.open("released")
        return bool(data)

    def keep(self):
        self.keep_lock()
        word = "BUSY" if self.in_use() else "IDLE"
        waits_too_long = self.locked and not self.gone_until and now() > self.locked + LOCK_S
        if word != self.word or (now() > self.said_at + RENEW_S and not waits_too_long):
            self.tell(word)

    def tell(self, word):
        self.word, self.said_at = word, now()
        self.say(type=word, **({"why": "in use"} if word == "BUSY" else {"lease_s": LEASE_S}))

    def close(self):
        self.locked, self.gone_until = now(), None
        return self.lock()                            # False: therapy has begun in between

    def open(self, why):
        if self.locked:
            self.locked = self.gone_until = None
            self.unlock()
            print("unlocked", why, flush=True)

    def keep_lock(self):
        if self.gone_until and now() > self.gone_until:
            self.open("the update did not come")
        elif self.locked and not self.gone_until and now() > self.said_at + LEASE_S:
            self.open("lease over")


if __name__ == "__main__":
    path, app, version, busy, lock = sys.argv[1:]
    hello = {"type": "HELLO", "v": 1, "app": app, "version": version}
    in_use = lambda: os.path.exists(busy)
    Client(hello, in_use, lambda: open(lock, "w").close() or not in_use(), lambda: os.unlink(lock)).run(path)
