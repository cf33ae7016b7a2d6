"""The measures of feeding: each in a process of its own, against the local DMP in another, quotas off, every set signed.

`python bench/feeding.py FOLDER CONNECTIONS DOCUMENTS` feeds the practice of a folder and prints what it cost as JSON.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import resource
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

CLOCK = datetime(2026, 11, 23, 20, 0, tzinfo=ZoneInfo("Europe/Paris"))
# Signatures timed after each batch: the machine's other load falls on both.
SIGNATURES = 16
SERVE = """
import sys
from datetime import datetime
from pathlib import Path
from transvase.sandbox.dmp import serve
folder, patients, clock, structure = sys.argv[1:]
serve(Path(folder), Path(patients), 0, datetime.fromisoformat(clock), lambda url: print(url, flush=True), structure=structure)
"""


def practice(folder: Path, patients: int, documents: int, body: Callable[[int], bytes]) -> int:
    """A judged practice whose first bodies, as many as are asked for, are these and whose other documents are not due; how many."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from transvase.sources import mapping
    from transvase.sources.extract import extract
    from transvase.sources.synthetic.practice import generate
    from transvase.validators.verdicts import judge

    database, work = folder / "cabinet.sqlite3", folder / "work"
    generate(database, patients=patients, clock=CLOCK, document_size=2000)
    extract(mapping.load("synthetic"), database, work, clock=CLOCK)
    due = (
        judge(work, clock=CLOCK, environment="sandbox")
        and pq.read_table(work / "verdicts" / "decision.parquet").to_pylist()
    )
    chosen = {
        d["version_key"]
        for d in sorted(due, key=lambda d: (d["act"] or "", d["document"]))
        if d["outcome"] == "to_send"
    }
    # Those that leave in a model of their own do not carry their PDF.
    own = {
        r["document"]
        for n in ("prescription", "lab_result")
        for r in pq.read_table(work / "canonical" / f"{n}.parquet").to_pylist()
    }
    path = work / "canonical" / "document_version.parquet"
    table = pq.read_table(path)
    rows, made = table.to_pylist(), 0
    for row in rows:
        if row["key"] not in chosen or row["document"] in own or row["detected"] != "pdf" or made == documents:
            row["damage"] = row["damage"] or "bench"
            continue
        made += 1
        data = body(made)
        digest = hashlib.sha256(data).hexdigest()
        place = work / "bodies" / digest[:2]
        place.mkdir(parents=True, exist_ok=True)
        (place / digest).write_bytes(data)
        row.update(sha256=digest, size=len(data))
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    judge(work, clock=CLOCK, environment="sandbox")
    return made


@contextmanager
def service(folder: Path, slow: float = 0.0) -> Iterator[None]:
    """The local DMP in a process of its own, each of whose answers takes so many seconds more; its address and keys go to a file."""
    import pyarrow.parquet as pq

    from transvase.gateways import dmp

    structure = str(pq.read_table(folder / "work" / "canonical" / "practice.parquet").to_pylist()[0]["struct_idnat"])
    keys = folder / "sandbox"
    # The registry of a former feed would answer that everything is there.
    (keys / "registry.jsonl").unlink(missing_ok=True)
    command = [
        sys.executable,
        "-c",
        SERVE,
        str(keys),
        str(folder / "cabinet.dmp-patients.csv"),
        CLOCK.isoformat(),
        structure,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        (folder / "sandbox.url").write_text(url, encoding="utf-8")
        try:
            if slow:
                context = dmp.tls(keys / "client.pem", keys / "client.key", keys / "ca.pem", None)
                line = http.client.HTTPSConnection(url.split("/")[2], context=context)
                plan = [{"nth": n, "trouble": "slow", "seconds": slow} for n in range(1, 2001)]
                line.request("POST", "/control", json.dumps({"plan": plan}))
                assert line.getresponse().status == 200
                line.close()
            yield
        finally:
            process.terminate()


def fed(folder: Path, connections: int, documents: int) -> dict[str, float]:
    """Feed in a process of its own: documents, seconds, CPU seconds of the client for one, of the process that reads the PDF, of two
    signatures, of what cannot be left out for one, peak MB."""
    for file in (folder / "work").glob("ledger.sqlite*"):
        file.unlink()
    command = [sys.executable, __file__, str(folder), str(connections), str(documents)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(printed.splitlines()[-1])
    return found


def floor(folder: Path, keys: Path, seal: Any) -> float:
    """CPU seconds of what no client can leave out for one document of this practice: two signatures, its body's SHA-256, its base64, the
    SHA-1 of the document and of its canonical form, and its encryption. The median of several rounds."""
    import pybase64

    from transvase.gateways import dmp

    body = max((p.read_bytes() for p in (folder / "work" / "bodies").glob("*/*")), key=len)
    receiving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(keys / "ca.pem"))
    receiving.load_cert_chain(keys / "server.pem", keys / "server.key")
    ours, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = dmp.tls(keys / "client.pem", keys / "client.key", keys / "ca.pem", None)
    client = context.wrap_bio(theirs, ours, server_hostname="127.0.0.1")
    server = receiving.wrap_bio(ours, theirs, server_side=True)
    for _ in range(3):
        for end in (client, server):
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    spent = []
    for _ in range(20):
        began = time.process_time()
        hashlib.sha256(body).digest()
        text = pybase64.b64encode(body)
        for _ in range(2):
            hashlib.sha1(text, usedforsecurity=False).digest()
            seal.sign(text[:1000], "sha256")
        client.write(text)
        spent.append(time.process_time() - began)
        ours.read()
    return statistics.median(spent)


def main() -> None:
    """One feed."""
    from transvase.assets import feeding
    from transvase.assets.quota import Limits
    from transvase.assets.signing import Proofs
    from transvase.exporters import portability
    from transvase.exporters.pdf import beside
    from transvase.formats import structure_seal
    from transvase.gateways import dmp
    from transvase.ledger.submissions import Ledger

    folder, connections, documents = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    url, keys = (folder / "sandbox.url").read_text(encoding="utf-8"), folder / "sandbox"
    context = dmp.tls(keys / "client.pem", keys / "client.key", keys / "ca.pem", None)
    seal = structure_seal.load(keys / "seal.pem", keys / "seal.key", None, CLOCK, dmp.DMP)
    proofs = Proofs(seal, "INDIRECTE", "sha256", "sha1", "")
    job = portability.job_of(folder / "work", {}, CLOCK, "Transvase bench", None, "Europe/Paris")
    limits = Limits(1e6, documents, connections)
    # CPU and wall seconds of the signatures measured between two batches, while nothing is on its way; they are no work of the feeder.
    signed, apart, waited = 0, 0.0, 0.0

    def between(done: int, total: int) -> None:
        nonlocal signed, apart, waited
        began, spent = time.perf_counter(), time.process_time()
        for number in range(SIGNATURES):
            # A text of the size of a SignedInfo.
            seal.sign(b"%d" % number * 300, "sha256")
        signed, apart, waited = (
            signed + SIGNATURES,
            apart + time.process_time() - spent,
            waited + time.perf_counter() - began,
        )

    began, spent = time.perf_counter(), time.process_time()
    with Ledger(folder / "work" / "ledger.sqlite", "dmp") as ledger:
        sent = feeding.feed(
            job, ledger, lambda: dmp.Dmp(url, context, 120), limits, lambda: CLOCK, between, proofs
        ).sent
    seconds, spent = time.perf_counter() - began - waited, time.process_time() - spent - apart
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    # The process that reads the PDF is a child, counted once it is over.
    beside.close()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        json.dumps(
            {
                "sent": sent,
                "seconds": seconds,
                "each": spent / max(sent, 1),
                "beside": (children.ru_utime + children.ru_stime) / max(sent, 1),
                "two": 2 * apart / max(signed, 1),
                "floor": floor(folder, keys, seal),
                "peak": peak,
            }
        )
    )


if __name__ == "__main__":
    main()
