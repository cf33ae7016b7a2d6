"""The age format against two independent readers and writers (pyrage, and the reference tool where it is installed), then files that are
cut, changed, or for somebody else."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
from pathlib import Path

import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transvase.formats import age

PIECE = 65536
SIZES = [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 17]
OWNER = pyrage.x25519.Identity.generate()
OTHER = pyrage.x25519.Identity.generate()
TO = age.recipient(str(OWNER.to_public()))
KEYS = age.identities(str(OWNER))
# Work of a passphrase in tests: a thousandth of a second.
WORK = 8


def encrypted(data: bytes, to: age.Recipient = TO, step: int = 7000) -> bytes:
    out = io.BytesIO()
    writer = age.Writer(out, to, os.urandom, WORK)
    for at in range(0, len(data), step):
        assert writer.write(data[at : at + step]) == len(data[at : at + step])
    writer.finish()
    return out.getvalue()


def clear(data: bytes, keys=KEYS, passphrase: bytes = b"") -> bytes:
    return b"".join(age.decrypted(io.BytesIO(data), keys, passphrase))


@pytest.mark.parametrize("size", SIZES)
def test_another_library_reads_what_we_write_for_a_key_and_for_a_passphrase(size):
    data = os.urandom(size)
    assert pyrage.decrypt(encrypted(data), [OWNER]) == data
    assert (
        pyrage.passphrase.decrypt(
            encrypted(data, age.Recipient(passphrase="mot très secret".encode())), "mot très secret"
        )
        == data
    )


@pytest.mark.parametrize("size", SIZES)
def test_we_read_what_another_library_writes(size):
    data = os.urandom(size)
    assert clear(pyrage.encrypt(data, [OTHER.to_public(), OWNER.to_public()])) == data


def test_we_read_a_passphrase_of_another_library():
    assert clear(pyrage.passphrase.encrypt(b"abc", "pp"), (), b"pp") == b"abc"


@pytest.mark.debian
def test_the_reference_tool_reads_what_we_write_and_we_what_it_writes(tmp_path: Path):
    if shutil.which("age") is None:
        pytest.skip("the program age is not installed")
    data = os.urandom(3 * PIECE + 5)
    (tmp_path / "key").write_text(f"# made for a test\n{OWNER}\n")
    (tmp_path / "ours.age").write_bytes(encrypted(data))
    done = subprocess.run(["age", "-d", "-i", tmp_path / "key", tmp_path / "ours.age"], capture_output=True, check=True)
    assert done.stdout == data
    done = subprocess.run(["age", "-r", str(OWNER.to_public())], input=data, capture_output=True, check=True)
    assert clear(done.stdout, age.identities((tmp_path / "key").read_text())) == data


def test_the_header_is_text_of_the_specification_and_nothing_plain_follows():
    data = b"PK\x03\x04" * 50_000
    found = encrypted(data)
    head = re.match(
        rb"age-encryption\.org/v1\n-> X25519 [A-Za-z0-9+/]{43}\n[A-Za-z0-9+/]{43}\n--- [A-Za-z0-9+/]{43}\n", found
    )
    assert head and b"PK\x03\x04" * 4 not in found
    assert len(found) == head.end() + 16 + len(data) + 16 * -(-len(data) // PIECE) <= age.size(len(data))
    assert re.match(
        rb"age-encryption\.org/v1\n-> scrypt [A-Za-z0-9+/]{22} 8\n", encrypted(b"", age.Recipient(passphrase=b"x"))
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 3 * PIECE), st.integers(1, 2 * PIECE))
def test_the_bytes_do_not_depend_on_the_steps_in_which_they_come(size, step):
    data = bytes(size)
    drawn = iter([bytes([n]) * 64 for n in range(3)])
    other = iter([bytes([n]) * 64 for n in range(3)])
    out, again = io.BytesIO(), io.BytesIO()
    for target, draws, by in ((out, drawn, step), (again, other, size or 1)):
        writer = age.Writer(target, TO, lambda n, draws=draws: next(draws)[:n])
        for at in range(0, size, by):
            writer.write(data[at : at + by])
        writer.finish()
    assert out.getvalue() == again.getvalue()


WHOLE = encrypted(os.urandom(2 * PIECE + 100))
HEAD = WHOLE.index(b"\n---")


@pytest.mark.parametrize(
    "cut",
    [
        0,
        10,
        HEAD,
        HEAD + 50,
        HEAD + 60,
        HEAD + 70,
        len(WHOLE) - PIECE,
        len(WHOLE) - 117,
        len(WHOLE) - 116,
        len(WHOLE) - 1,
    ],
)
def test_a_cut_file_is_refused(cut):
    with pytest.raises(age.AgeRefused):
        clear(WHOLE[:cut])


def test_a_file_cut_between_two_pieces_is_refused():
    start = WHOLE.index(b"\n", HEAD + 1) + 1 + 16
    for pieces in (0, 1, 2):
        with pytest.raises(age.AgeRefused):
            clear(WHOLE[: start + pieces * (PIECE + 16)])


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_changed_byte_is_found_wherever_it_is(at, by):
    with pytest.raises(age.AgeRefused):
        clear(WHOLE[:at] + bytes([WHOLE[at] ^ by]) + WHOLE[at + 1 :])


def test_bytes_added_or_moved_are_found():
    start = WHOLE.index(b"\n", HEAD + 1) + 1 + 16
    first, second = WHOLE[start : start + PIECE + 16], WHOLE[start + PIECE + 16 : start + 2 * PIECE + 32]
    for changed in (WHOLE + b"x", WHOLE[:start] + second + first + WHOLE[start + 2 * PIECE + 32 :]):
        with pytest.raises(age.AgeRefused):
            clear(changed)


@pytest.mark.parametrize(
    "keys, passphrase", [((), b""), (age.identities(str(OTHER)), b""), ((), b"pp"), (age.identities(str(OTHER)), b"pp")]
)
def test_the_wrong_key_does_not_open(keys, passphrase):
    with pytest.raises(age.AgeRefused, match="does not open"):
        clear(WHOLE, keys, passphrase)
    with pytest.raises(age.AgeRefused, match="does not open"):
        clear(encrypted(b"abc", age.Recipient(passphrase=b"other")), keys, passphrase)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"PK\x03\x04",
        b"age-encryption.org/v2\n",
        b"age-encryption.org/v1\n--- AAAA\n",
        b"age-encryption.org/v1\n-> X25519 AAA=\nAAAA\n--- AAAA\n",
        b"age-encryption.org/v1\n" + b"-> X25519 a\n" * 9000,
        b"age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 40\n" + b"A" * 43 + b"\n--- AAAA\n",
        b"x" * 200_000,
    ],
)
def test_a_hostile_header_is_refused_at_once(head):
    with pytest.raises(age.AgeRefused):
        clear(head, KEYS, b"pp")


def test_a_passphrase_beside_another_recipient_is_refused():
    text = encrypted(b"abc", age.Recipient(passphrase=b"pp"))
    at = text.index(b"--- ")
    with pytest.raises(age.AgeRefused, match="not accepted"):
        clear(text[:at] + b"-> autre x\n\n" + text[at:], (), b"pp")


GOOD = str(OWNER.to_public())


@pytest.mark.parametrize(
    "text",
    ["", "age", "age1", GOOD[:-1], GOOD[:-1] + ("q" if GOOD[-1] != "q" else "p"), GOOD[:8] + GOOD[8:].upper(), "bge" + GOOD[3:], GOOD + "q",
     str(OWNER), "ssh-ed25519 AAAA", GOOD.replace(GOOD[6], "b", 1)],
    # The key is drawn anew in each process: the names are not.
    ids=["nothing", "a prefix", "no key", "cut", "another last letter", "two cases", "another prefix", "a letter more", "a secret key", "ssh",
         "a letter that bech32 has not"],
)  # fmt: skip
def test_a_recipient_that_is_none_is_refused_without_quoting_it(text):
    with pytest.raises(ValueError) as refused:
        age.recipient(text)
    assert not text[5:] or text[5:] not in str(refused.value)


def test_an_identity_file_has_comments_and_several_keys():
    text = f"# created: 2026\n\n{OTHER}\n  {OWNER}  \n"
    assert clear(WHOLE, age.identities(text)) == clear(WHOLE)
    with pytest.raises(ValueError, match="expected"):
        age.identities(f"{OWNER}\nmot de passe\n")
