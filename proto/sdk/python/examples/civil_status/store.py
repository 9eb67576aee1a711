"""What the database keeps, in one SQLite file: its changes in the order of their commits, and the values of each
person. Whoever registers an event calls `commit`, in this process or in another one; it knows nothing of gRPC."""
import hashlib
import hmac
import re
import secrets
import sqlite3
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Iterable

from lienthong.database.v1.source_service_pb2 import Change
from lienthong.type.v1.outcome_pb2 import HeldValue
from lienthong.type.v1.value_pb2 import ItemValue, PartialDate

DATABASE_ID = "civil-status"
RETENTION = timedelta(days=365)  # how long a change is kept
PAGE_BYTES_MAX = 4 * 1024 * 1024 - 1024  # SRC-23, with room for what stands around the changes

SCHEMA = """
PRAGMA journal_mode = WAL;  -- readers do not wait for a writer, nor a writer for readers
PRAGMA synchronous = FULL;  -- what was committed survives a power cut (SRC-9)
CREATE TABLE IF NOT EXISTS change(sequence INTEGER PRIMARY KEY, committed INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS held(number TEXT NOT NULL, item TEXT NOT NULL, value BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS held_number ON held(number);
CREATE TABLE IF NOT EXISTS used_warrant(jti TEXT PRIMARY KEY, forget INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS seal(only INTEGER PRIMARY KEY CHECK (only = 1), key BLOB NOT NULL);
"""


class Refused(Exception):
    """What is asked is refused: a reason of lienthong.type.v1.ErrorReason, the faulty fields if there are any, and what is
    wrong with a warrant."""

    def __init__(self, reason: str, faults: Iterable[tuple[str, str]] = (), fault: str = ""):
        super().__init__(reason)
        self.reason, self.faults, self.fault = reason, faults, fault


@dataclass
class Registration:
    """One event as an office registers it: the change to be listed, and what is held of the person from then on."""

    change: Change  # with its basis and event; the store adds the rest
    number: str
    values: dict[str, list[ItemValue]]
    valid_from: PartialDate
    time: datetime


class Store:
    def __init__(self, path: str | Path):
        Path(path).touch(mode=0o600)  # it holds personal data; SQLite makes the files beside it alike
        self._db = sqlite3.connect(path, isolation_level=None, timeout=5)
        self._db.executescript(SCHEMA)
        self._db.execute("INSERT OR IGNORE INTO seal VALUES (1, ?)", (secrets.token_bytes(32),))
        (self._key,) = self._db.execute("SELECT key FROM seal").fetchone()

    def commit(self, registrations: Iterable[Registration]) -> None:
        """Registers events, all or none, and forgets the changes that are past their time."""
        with self._db:
            # SRC-1: SQLite has one writer from here to the commit, so no reader sees a higher sequence before these.
            self._db.execute("BEGIN IMMEDIATE")
            query = "SELECT coalesce(max(sequence), 0), coalesce(max(committed), 0) FROM change"
            sequence, committed = self._db.execute(query).fetchone()
            for registration in registrations:
                if not "990" <= registration.number[:3] <= "999":
                    raise ValueError("only synthetic persons stand here")  # SRC-10, LKP-9
                sequence += 1
                committed = max(committed, microseconds(registration.time))  # SRC-11
                change = registration.change
                change.change_id = str(uuid.uuid4())  # not the sequence: an older backup would give that twice
                change.sequence = sequence
                change.commit_time.FromMicroseconds(committed)
                row = (sequence, committed, change.SerializeToString())
                self._db.execute("INSERT INTO change VALUES (?, ?, ?)", row)
                self._hold(registration)
            # The last one stays: it says which sequence comes next.
            old = "DELETE FROM change WHERE committed < ? AND sequence < ?"
            self._db.execute(old, (microseconds(datetime.now(timezone.utc) - RETENTION), sequence))

    def page(self, cursor: str, size: int) -> tuple[list[Change], str, bool]:
        """At most `size` changes after a cursor, where to go on, and whether there are no further ones."""
        with self._db:
            self._db.execute("BEGIN")  # one view: nothing is forgotten between the check and the reading
            query = "SELECT coalesce(min(sequence) - 1, 0), coalesce(max(sequence), 0) FROM change"
            floor, last = self._db.execute(query).fetchone()
            after = self._sequence(cursor, last) if cursor else floor  # SRC-20
            if after < floor:
                raise Refused("CURSOR_EXPIRED")  # SRC-8
            query = "SELECT body FROM change WHERE sequence > ? ORDER BY sequence LIMIT ?"
            changes, room = [], PAGE_BYTES_MAX
            for (body,) in self._db.execute(query, (after, size)):
                room -= len(body) + 100  # its cursor, and what announces both
                if room < 0 and changes:
                    break
                changes.append(Change.FromString(body))
                after = changes[-1].sequence
                changes[-1].cursor = self.cursor(after)
        return changes, self.cursor(after), after == last  # SRC-24, SRC-25

    def take_warrants(self, warrants: list[tuple[str, int]]) -> bool:
        """Takes warrants, each by its id and the second from which on it may be forgotten: all of them, or none where one was
        taken before. They are in the file, so that a restart forgets none (LKP-52)."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM used_warrant WHERE forget <= ?", (int(datetime.now().timestamp()),))
            taken = self._db.executemany("INSERT OR IGNORE INTO used_warrant VALUES (?, ?)", warrants).rowcount
            if taken < len(warrants):
                self._db.rollback()
            return taken == len(warrants)

    def numbers(self) -> list[str]:
        return [number for (number,) in self._db.execute("SELECT DISTINCT number FROM held ORDER BY number")]

    def held(self, number: str) -> dict[str, list[HeldValue]]:
        """What is held of a person, by item; nothing of one who is not known."""
        items: dict[str, list[HeldValue]] = {}
        query = "SELECT item, value FROM held WHERE number = ? ORDER BY rowid"
        for item, value in self._db.execute(query, (number,)):
            items.setdefault(item, []).append(HeldValue.FromString(value))
        return items

    def cursor(self, sequence: int) -> str:
        """SRC-5: the place in the list, and a seal that only this database can put on it. The key is in the file, so
        a cursor holds after a restart (SRC-9)."""
        return f"{sequence}.{hmac.new(self._key, str(sequence).encode(), hashlib.sha256).hexdigest()[:32]}"

    def _sequence(self, cursor: str, last: int) -> int:
        digits = cursor.partition(".")[0]
        if re.fullmatch("[0-9]{1,18}", digits) and int(digits) <= last:
            if hmac.compare_digest(cursor.encode(), self.cursor(int(digits)).encode()):
                return int(digits)
        raise Refused("UNKNOWN_CURSOR")  # SRC-7

    def _hold(self, registration: Registration) -> None:
        number, change = registration.number, registration.change
        origin = {"source": DATABASE_ID, "contribution_id": change.change_id, "known_time": change.commit_time,
                  "valid_from": registration.valid_from}
        for item, values in registration.values.items():
            self._db.execute("DELETE FROM held WHERE number = ? AND item = ?", (number, item))
            rows = [(number, item, HeldValue(value=value, provenance=origin).SerializeToString()) for value in values]
            self._db.executemany("INSERT INTO held VALUES (?, ?, ?)", rows)


def microseconds(time: datetime) -> int:
    return round(time.timestamp() * 1_000_000)
