"""What the database keeps, in one SQLite file: its changes in the order of their commits, and the values of each
person. Whoever registers an event calls `commit`, in this process or in another one; it knows nothing of gRPC."""
import hashlib
import hmac
import secrets
import sqlite3
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Iterable

from lienthong.database.v1.source_service_pb2 import Change
from lienthong.type.v1.outcome_pb2 import HeldValue
from lienthong.type.v1.value_pb2 import ItemValue, PartialDate

DATABASE_ID = "civil-status"
PAGE_BYTES_MAX = 4 * 1024 * 1024 - 1024  # SRC-23, with room for what stands around the changes

SCHEMA = """
PRAGMA journal_mode = WAL;  -- readers do not wait for a writer, nor a writer for readers
PRAGMA synchronous = FULL;  -- what was committed survives a power cut (SRC-9)
CREATE TABLE IF NOT EXISTS state(key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS change(sequence INTEGER PRIMARY KEY, committed INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS held(number TEXT NOT NULL, item TEXT NOT NULL, value BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS held_number ON held(number);
"""


class Refused(Exception):
    """What is asked is refused: a reason of lienthong.type.v1.ErrorReason, and the faulty fields if there are any."""

    def __init__(self, reason: str, faults: list[tuple[str, str]] = ()):
        super().__init__(reason)
        self.reason, self.faults = reason, faults


@dataclass
class Registration:
    """One event as an office registers it: the change to be listed, and what is held of the person from then on."""

    change: Change  # with its basis and event; the store adds the rest
    number: str
    values: dict[str, list[ItemValue]]
    valid_from: PartialDate
    time: datetime = field(default_factory=lambda: datetime.now(timezone.utc))


class Store:
    def __init__(self, path: str, retention: timedelta, synthetic: bool):
        self.retention = retention
        self._db = sqlite3.connect(path, isolation_level=None, timeout=5)
        self._db.executescript(SCHEMA)
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            first = {"last": 0, "floor": 0, "synthetic": int(synthetic), "key": secrets.token_bytes(32)}
            self._db.executemany("INSERT OR IGNORE INTO state VALUES (?, ?)", first.items())
            self._prune()
        self.synthetic = bool(self._state("synthetic"))  # as it was made, whatever was said now
        self._key = self._state("key")

    def commit(self, registrations: Iterable[Registration]) -> None:
        """Registers events, all or none."""
        with self._db:
            # SRC-1: SQLite has one writer from here to the commit, so no reader sees a higher sequence before these.
            self._db.execute("BEGIN IMMEDIATE")
            (latest,) = self._db.execute("SELECT coalesce(max(committed), 0) FROM change").fetchone()
            sequence = self._state("last")
            for registration in registrations:
                if self.synthetic and not "990" <= registration.number[:3] <= "999":
                    raise ValueError("only synthetic persons stand here")  # SRC-10, LKP-9
                sequence += 1
                latest = max(latest, round(registration.time.timestamp() * 1_000_000))  # SRC-11
                change = registration.change
                change.change_id = str(uuid.uuid4())  # not the sequence: an older backup would give that twice
                change.sequence = sequence
                change.commit_time.FromMicroseconds(latest)
                self._db.execute("INSERT INTO change VALUES (?, ?, ?)", (sequence, latest, change.SerializeToString()))
                self._hold(registration)
            self._set("last", sequence)
            self._prune()

    def page(self, cursor: str, size: int) -> tuple[list[Change], str, bool]:
        """At most `size` changes after a cursor, where to go on, and whether there are no further ones."""
        with self._db:
            self._db.execute("BEGIN")  # one view: nothing is pruned between the check and the reading
            floor, last = self._state("floor"), self._state("last")
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
                changes[-1].cursor = self.cursor(changes[-1].sequence)
        after = changes[-1].sequence if changes else after
        return changes, self.cursor(after), after == last  # SRC-24, SRC-25

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
        seal = hmac.new(self._key, str(sequence).encode(), hashlib.sha256).hexdigest()[:32]
        return f"{sequence}.{seal}"

    def _sequence(self, cursor: str, last: int) -> int:
        digits = cursor.split(".")[0]
        if cursor.isascii() and digits.isdigit() and len(digits) < 19:
            if hmac.compare_digest(cursor, self.cursor(int(digits))) and int(digits) <= last:
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

    def _prune(self) -> None:
        """Forgets changes past their time, and remembers up to where. What is held of persons stays."""
        oldest = datetime.now(timezone.utc) - self.retention
        query = "SELECT max(sequence) FROM change WHERE committed < ?"
        (floor,) = self._db.execute(query, (round(oldest.timestamp() * 1_000_000),)).fetchone()
        if floor is not None:
            self._db.execute("DELETE FROM change WHERE sequence <= ?", (floor,))
            self._set("floor", floor)

    def _state(self, key: str):
        return self._db.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()[0]

    def _set(self, key: str, value: int) -> None:
        self._db.execute("UPDATE state SET value = ? WHERE key = ?", (value, key))
