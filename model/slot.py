"""Where a patient stands in the run: a stable slot of the patient's key, and the bucket (partition) that holds the slot.

Every canonical table is ordered by slot, then patient, then key. A lot of patients is a range of slots, so one query per table
serves it whatever the size of the practice; 64 buckets of 64 slots are the orchestrator's partitions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from zlib import crc32

BUCKETS = 64
SLOTS_PER_BUCKET = 64
SLOTS = BUCKETS * SLOTS_PER_BUCKET
# Rows of a record take about 150 kB as tuples, so a lot is about 40 MB. Twice or half of it changes nothing measurable.
PATIENTS_PER_LOT = 256


def slot(patient: str) -> int:
    """Slot of a patient key, 0 to 4095: the same on every machine and in every run."""
    return crc32(patient.encode()) % SLOTS


def bucket_name(number: int) -> str:
    """Partition key of a bucket."""
    return f"bucket-{number:02d}"


class Lot(NamedTuple):
    """A range of slots, both ends included, and the number of the first patient in the export order, from 1."""

    first: int
    last: int
    number: int
    patients: int


def lots(per_slot: Sequence[tuple[int, int]], most: int = PATIENTS_PER_LOT) -> Iterator[Lot]:
    """Lots from (slot, patients) pairs in slot order; a lot closes before it would hold more than `most` patients."""
    start = last = -1
    count, number = 0, 1
    for place, patients in per_slot:
        if count and count + patients > most:
            yield Lot(start, last, number, count)
            number += count
            count = 0
        if not count:
            start = place
        last = place
        count += patients
    if count:
        yield Lot(start, last, number, count)
