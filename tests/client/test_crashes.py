"""Rounds of a real server under writes of many clients, ended by SIGKILL: nothing acknowledged is
lost, what was under way is there whole or not at all, and every start is clean.

    LATENTDB_KILL_ROUNDS=300 python -m pytest tests/client/test_crashes.py -s

makes as many rounds; a few without it. LATENTDB_SEED begins elsewhere."""

import os
import random
import signal
import subprocess
import threading
import time

import latentdb
from latentdb import errors, v1
from latentdb.records import Mapper

ROUNDS = int(os.environ.get("LATENTDB_KILL_ROUNDS", "6"))
SEED = int(os.environ.get("LATENTDB_SEED", "0"))
WRITERS = 4
IDS = 60


class Writer(threading.Thread):
    """Writes documents of its own, and remembers what each may hold after the crash."""

    def __init__(self, number, address, allowed, rng):
        super().__init__()
        self.number, self.allowed, self.rng = number, allowed, rng
        self.client = latentdb.connect(address)
        self.acknowledged = 0

    def run(self):
        try:
            while True:
                self.step()
        except (errors.Unavailable, errors.ServerError):
            # What was under way may be there or not; the rest is as it was acknowledged.
            return
        finally:
            self.client.close()

    def step(self):
        rng = self.rng
        ids = [f"w{self.number}-{at}" for at in rng.sample(range(IDS), rng.randint(1, 20))]
        kind = rng.random()
        if kind < 0.55:
            value = rng.randrange(1 << 30)
            rows = [
                {"id": own, "text": f"late {value}", "vector": [1, value % 7, 2, 3],
                 "latents": {value % 16: 0.5}, "attributes": {"v": value}}
                for own in ids
            ]
            mapper = Mapper(dimension=4)
            request = v1.UpsertRequest(
                collection="c",
                documents=[mapper.document(row, at) for at, row in enumerate(rows)],
            )
            # One call, which is not made again.
            self.change(
                ids,
                lambda _: value,
                lambda: self.client.rpc.unary(
                    "DocumentService/Upsert", request, v1.WriteResponse
                ),
            )
        elif kind < 0.75:
            value = rng.randrange(1 << 30)
            there = [own for own in ids if self.allowed[own] != {None}]
            if there:
                self.change(
                    there, lambda _: value, lambda: self.docs.update(ids=there, set={"v": value})
                )
        elif kind < 0.9:
            self.change(ids, lambda _: None, lambda: self.docs.delete(ids=ids))
        else:
            name = f"w{self.number}-other"
            wanted = name if self.allowed[name] == {None} else None
            if wanted is None:
                self.change([name], lambda _: None, lambda: self.client.drop_collection(name))
            else:
                self.change(
                    [name], lambda _: name,
                    lambda: self.client.create_collection(name, dimension=3),
                )

    @property
    def docs(self):
        return self.client.collection("c")

    def change(self, ids, value, call):
        before = {own: self.allowed[own] for own in ids}
        for own in ids:
            self.allowed[own] = before[own] | {value(own)}
        call()
        for own in ids:
            self.allowed[own] = {value(own)}
        self.acknowledged += 1


def test_nothing_acknowledged_is_lost(tmp_path):
    data = tmp_path / "data"
    with latentdb.open(data) as db:
        db.create_collection("c", dimension=4, n_latents=16)
    allowed = {f"w{n}-{at}": {None} for n in range(WRITERS) for at in range(IDS)}
    allowed |= {f"w{n}-other": {None} for n in range(WRITERS)}
    acknowledged = 0
    for at in range(ROUNDS):
        rng = random.Random(SEED + at)
        server = latentdb.LocalServer(data)
        client = latentdb.connect(server.address)
        collections = client.collections()
        found = {own.id: own.attributes["v"] for own in client["c"].scroll()}
        for own, values in allowed.items():
            is_collection = own.endswith("-other")
            value = (own if own in collections else None) if is_collection else found.pop(own, None)
            assert value in values, (SEED + at, own, value, values)
            allowed[own] = {value}
        assert not found, (SEED + at, found)
        written = [own for own, values in allowed.items() if "other" not in own and None not in values]
        assert client["c"].count() == len(written)
        assert client["c"].count(latentdb.text("late")) == len(written)
        assert client["c"].count(latentdb.A.v.exists()) == len(written)
        client.close()
        writers = [
            Writer(number, server.address, allowed, random.Random(rng.random()))
            for number in range(WRITERS)
        ]
        for writer in writers:
            writer.start()
        time.sleep(rng.uniform(0.02, 0.8))
        server._process.send_signal(signal.SIGKILL)
        server._process.wait()
        for writer in writers:
            writer.join()
            acknowledged += writer.acknowledged
        server.stop()
    binary = os.environ["LATENTDB_BINARY"]
    checked = subprocess.run([binary, "verify", str(data), "--deep"], capture_output=True, text=True)
    print(f"{ROUNDS} rounds, {acknowledged} acknowledged changes; {checked.stdout.strip()}")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert acknowledged > 0
