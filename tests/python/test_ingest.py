"""The ingest stream: order, back-pressure, bad batches, retries."""

import queue
import threading

import grpc
import numpy as np
import pytest

import wire
from harness import PATIENCE, Api, refused
from stubs import v1

END = object()


class Stream:
    """One ingest stream: batches in, answers out, each when the test says so."""

    def __init__(self, api, collection: str, stream_id: str = ""):
        self._queue = queue.Queue()
        self._first = {"collection": collection, "stream_id": stream_id}
        self.taken = 0
        self.answers = api.documents.Ingest(self._requests(), timeout=PATIENCE)

    def _requests(self):
        while (request := self._queue.get()) is not END:
            # gRPC asks for the next one when this one has gone into the connection.
            self.taken += 1
            yield request

    def send(self, documents, batch: int = 0, **fields):
        fields = self._first | fields
        self._first = {}
        self._queue.put(v1.IngestRequest(documents=documents, batch=batch, **fields))

    def end(self):
        self._queue.put(END)

    def finish(self) -> list:
        self.end()
        return list(self.answers)


@pytest.fixture
def collection(api, name):
    api.create(name, dimension=4, n_latents=8)
    return name


def batch(number: int, size: int = 20, **parts):
    return [
        wire.document(f"b{number:03}-{at:04}", vec=[1, number, at, 1], n=number, **parts)
        for at in range(size)
    ]


def test_each_batch_is_answered_in_order_and_visible_then(api, collection):
    stream = Stream(api, collection)
    for number in range(1, 11):
        stream.send(batch(number), batch=number)
        answer = next(stream.answers)
        assert (answer.batch, answer.upserted, answer.duplicate) == (number, 20, False)
        assert not answer.HasField("error")
        assert api.count(collection) == 20 * number
    assert stream.finish() == []


def test_answers_come_in_the_order_of_batches_however_large_they_are(api, collection):
    stream = Stream(api, collection)
    sizes = [2000, 1, 1, 500, 1, 1000, 2, 1, 1, 3000, 1, 1]
    for number, size in enumerate(sizes, start=1):
        stream.send(batch(number, size), batch=number)
    answers = stream.finish()
    assert [answer.batch for answer in answers] == list(range(1, len(sizes) + 1))
    assert [answer.upserted for answer in answers] == sizes
    assert api.count(collection) == sum(sizes)


def test_batches_without_numbers_are_counted(api, collection):
    stream = Stream(api, collection)
    for number in range(3):
        stream.send(batch(number, 2))
    assert [answer.batch for answer in stream.finish()] == [1, 2, 3]


def test_many_batches_sent_before_any_answer_is_read(api, collection):
    stream = Stream(api, collection)
    text = "word " * 2000
    for number in range(1, 51):
        stream.send(batch(number, 30, text=text), batch=number)
    stream.end()
    wait_until_nothing_moves(stream)
    answers = list(stream.answers)
    assert [answer.batch for answer in answers] == list(range(1, 51))
    assert not any(answer.HasField("error") for answer in answers)
    assert api.count(collection) == 50 * 30


def wait_until_nothing_moves(stream):
    before = -1
    while stream.taken != before:
        before = stream.taken
        threading.Event().wait(0.5)


def test_a_client_that_reads_no_answers_is_held_up_and_goes_on_when_it_does(api, collection):
    """More answers than connection and server take in, so the server stops reading requests."""
    # Without probing the client takes in no more than 64 KiB that nobody reads.
    narrow = Api(api.address, [("grpc.http2.bdp_probe", 0)])
    stream = Stream(narrow, collection)
    # Refused batches cost little and have long answers.
    wrong = wire.document("a", text="word " * 1000, **{"?" * 500: 1})
    for number in range(1, 4001):
        stream.send([wrong], batch=number)
    stream.send(batch(1), batch=4001)
    stream.end()
    wait_until_nothing_moves(stream)
    print(f"{stream.taken} of 4001 batches went out before the first answer was read")
    assert stream.taken < 4001
    # Others are served meanwhile.
    api.upsert(collection, [wire.document("other")])
    answers = list(stream.answers)
    assert [answer.batch for answer in answers] == list(range(1, 4002))
    assert all(answer.error.field == "documents[0].attributes" for answer in answers[:-1])
    assert answers[-1].upserted == 20 and api.count(collection) == 21
    narrow.close()


@pytest.mark.parametrize("stream_id", ["", "named"])
def test_a_bad_batch_gets_its_error_and_the_stream_goes_on(api, collection, stream_id):
    stream = Stream(api, collection, stream_id)
    stream.send(batch(1), batch=1)
    wrong = batch(2)
    wrong[7].vector.values[1] = np.nan
    stream.send(wrong, batch=2)
    stream.send(batch(3), batch=3)
    stream.send([wire.document("")], batch=4)
    stream.send(batch(5), batch=5)
    answers = stream.finish()
    assert [answer.batch for answer in answers] == [1, 2, 3, 4, 5]
    assert [answer.upserted for answer in answers] == [20, 0, 20, 0, 20]
    second, fourth = answers[1].error, answers[3].error
    assert second.code == fourth.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert second.field == "documents[7].vector[1]" and "NaN" in second.message
    assert fourth.field == "documents[0].id"
    # Nothing of a refused batch is there.
    assert {wire.attributes(d)["n"] for d in api.scroll(collection)} == {1, 3, 5}


def test_a_stream_writes_to_one_collection(api, collection, name):
    other = f"{name}-other"
    api.create(other)
    stream = Stream(api, collection)
    stream.send(batch(1), batch=1)
    stream.send(batch(2), batch=2, collection=other)
    stream.send(batch(3), batch=3, collection=collection)
    answers = stream.finish()
    assert answers[1].error.field == "collection"
    assert (api.count(collection), api.count(other)) == (40, 0)


def test_batches_for_no_collection_are_not_found(api, name):
    stream = Stream(api, f"{name}-none")
    stream.send(batch(1), batch=1)
    (answer,) = stream.finish()
    assert answer.error.code == grpc.StatusCode.NOT_FOUND.value[0]


def test_an_empty_stream_ends_at_once(api):
    stream = Stream(api, "none")
    assert stream.finish() == []


def test_a_stream_the_client_gives_up_leaves_what_was_answered(api, collection):
    stream = Stream(api, collection)
    answered = set()
    for number in range(1, 6):
        stream.send(batch(number), batch=number)
        answered.add(next(stream.answers).batch)
    stream.send(batch(6), batch=6)
    stream.answers.cancel()
    stream.end()
    kept = {wire.attributes(d)["n"] for d in api.scroll(collection)}
    assert answered <= kept <= answered | {6}


def test_retried_batches_of_a_named_stream_are_not_written_again(api, collection):
    stream = Stream(api, collection, "s")
    for number in range(1, 6):
        stream.send(batch(number), batch=number)
    first = stream.finish()
    assert not any(answer.duplicate for answer in first)
    # Someone changes a document meanwhile; a retry must not bring the old one back.
    api.upsert(collection, [wire.document("b002-0000", n=99)])

    again = Stream(api, collection, "s")
    for number in range(1, 8):
        again.send(batch(number), batch=number)
    answers = again.finish()
    assert [answer.duplicate for answer in answers] == [True] * 5 + [False] * 2
    assert [answer.upserted for answer in answers] == [0] * 5 + [20] * 2
    assert wire.attributes(api.get(collection, ["b002-0000"])[0]) == {"n": 99}
    assert api.count(collection) == 7 * 20
    # Another stream, and one without a name, know nothing of it.
    for stream_id, n in (("t", 100), ("", 101)):
        stream = Stream(api, collection, stream_id)
        stream.send([wire.document("b001-0000", n=n)], batch=1)
        assert not stream.finish()[0].duplicate
        assert wire.attributes(api.get(collection, ["b001-0000"])[0]) == {"n": n}


def test_no_batch_of_a_named_stream_is_lost_to_a_quicker_one_behind_it(api, collection):
    """Batches are prepared side by side; a small one may be ready before a large one."""
    for attempt in range(5):
        stream = Stream(api, collection, f"race-{attempt}")
        sizes = [1500, 1, 1, 1] * 4
        for number, size in enumerate(sizes, start=1):
            stream.send(batch(100 * attempt + number, size), batch=number)
        answers = stream.finish()
        assert not any(answer.duplicate for answer in answers)
        assert [answer.upserted for answer in answers] == sizes
        assert api.count(collection) == (attempt + 1) * sum(sizes)


def test_a_batch_that_was_refused_can_be_corrected_and_sent_again(api, collection):
    """It was not written before, so it is no duplicate, although later ones were written."""
    stream = Stream(api, collection, "s")
    stream.send(batch(1, 2), batch=1)
    stream.send([wire.document("bad\n")], batch=2)
    stream.send(batch(3, 2), batch=3)
    assert [answer.HasField("error") for answer in stream.finish()] == [False, True, False]
    again = Stream(api, collection, "s")
    again.send([wire.document("good")], batch=2)
    (answer,) = again.finish()
    assert (answer.duplicate, answer.upserted) == (False, 1)
    assert api.count(collection, wire.with_ids("good")) == 1


def test_retries_are_recognised_after_a_restart(own_server):
    api = own_server.api
    api.create("c", dimension=4)
    stream = Stream(api, "c", "s")
    for number in range(1, 4):
        stream.send(batch(number), batch=number)
    stream.finish()
    for end in (own_server.kill, own_server.stop):
        end()
        api = own_server.start()
        again = Stream(api, "c", "s")
        for number in range(1, 4):
            again.send([wire.document("never", n=1)], batch=number)
        assert [answer.duplicate for answer in again.finish()] == [True] * 3
    assert api.count("c") == 60
    further = Stream(api, "c", "s")
    further.send(batch(4), batch=4)
    assert not further.finish()[0].duplicate


def test_many_streams_and_writes_at_once(api, collection):
    faults = []

    def run(which: int):
        try:
            stream = Stream(api, collection, f"s{which}")
            for number in range(1, 11):
                documents = [wire.document(f"{which}-{number}-{at}", n=which) for at in range(20)]
                stream.send(documents, batch=number)
            assert [answer.batch for answer in stream.finish()] == list(range(1, 11))
            for at in range(10):
                api.upsert(collection, [wire.document(f"{which}-u{at}", n=which)])
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(which,)) for which in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert api.count(collection) == 8 * 210
    for which in range(8):
        assert api.count(collection, wire.equals("n", which)) == 210


def test_too_large_a_batch_is_refused_and_the_stream_goes_on(api, collection):
    stream = Stream(api, collection)
    stream.send([wire.document(str(at)) for at in range(10_001)], batch=1)
    stream.send(batch(2), batch=2)
    first, second = stream.finish()
    assert first.error.field == "documents" and second.upserted == 20
    assert api.count(collection) == 20
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="documents"):
        documents = [wire.document(str(at)) for at in range(10_001)]
        api.documents.Upsert(v1.UpsertRequest(collection=collection, documents=documents))
