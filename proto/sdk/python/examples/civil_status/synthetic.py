"""Persons who do not exist, for a database that has none yet; a real one has its books instead. Their numbers start
with 990 to 999, which no province has, and stand here as if the register had sent them back (SinkService).

    python synthetic.py DATABASE BIRTHS FIXTURES      FIXTURES is written: what a check may ask about, as TOML
"""
import random
import sys
from datetime import datetime, timedelta, timezone
from typing import Iterator

from lienthong.contribution.v1.contribution_service_pb2 import BirthRegistration, Correction, DeathRegistration
from lienthong.database.v1.source_service_pb2 import Change
from lienthong.type.v1.access_pb2 import AccessBasis
from lienthong.type.v1.value_pb2 import Address, CodedValue, ItemValue, PartialDate, PersonName, Relation

from service import CODES
from store import RETENTION, Registration, Store

PLACE = Address(text="Phường Giả Định, Hà Nội", province_code="01", commune_code="00001", units_version="2025")
SURNAMES = ["Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Huỳnh", "Phan", "Vũ", "Võ", "Đặng"]
GIVEN = [["An", "Bình", "Dũng", "Hoà", "Hòa", "Khoẻ", "Quý", "Việt"],
         ["Đào", "Hoa", "Huệ", "Quỳnh", "Thuỷ", "Thủy", "Vân", "Yến"]]


def registrations(count: int, seed: int, retention: timedelta) -> Iterator[Registration]:
    """Births, then some deaths and corrections. The first births are older than what is kept, so that a cursor can have
    expired; the persons are known all the same."""
    rng, now = random.Random(seed), datetime.now(timezone.utc).replace(microsecond=0)
    numbers, births = set(), []
    old = min(count, 2 + count // 20)
    for at in range(count):
        age = retention + timedelta(days=30) if at < old else retention * 0.8 * (1 - at / count) + timedelta(hours=1)
        births.append(birth(rng, at, now - age, numbers))
        yield births[-1]
    others = rng.sample(births, min(count, 2 * max(1, count // 20)))
    for at, registered in enumerate(others):
        yield (death if at % 2 else correction)(rng, count + at, now, registered)


def birth(rng: random.Random, at: int, time: datetime, numbers: set[str]) -> Registration:
    born, woman = time - timedelta(days=rng.randrange(1, 30)), rng.randrange(2)
    prefix, number = str(rng.randrange(990, 1000)), ""
    while not number or number in numbers:
        number = f"{prefix}{2 + woman}{born.year % 100:02}{rng.randrange(1_000_000):06}"
    numbers.add(number)
    family = rng.choice(SURNAMES)
    event = BirthRegistration(
        entry_number=str(at + 1), registration_date=day(time), registration_place_code=prefix, registration_place=PLACE,
        full_name=PersonName(full_name=f"{family} Giả Định {rng.choice(GIVEN[woman])}"), date_of_birth=day(born),
        sex=code("sex", str(1 + woman)), place_of_birth=PLACE, native_place=PLACE,
        ethnic_group=code("ethnic_group", f"{rng.randrange(1, 21):02}"), nationality=code("nationality", "VN"),
        parents=[parent(rng, kind, surname) for kind, surname in enumerate((family, rng.choice(SURNAMES)), 1)])
    values = {"birth_full_name": [ItemValue(name=event.full_name)],
              "personal_id_number": [ItemValue(identifier={"kind": 1, "value": number})],
              "date_of_birth": [ItemValue(date=event.date_of_birth)],
              "family_relations": [ItemValue(relation=it) for it in event.parents]}
    values |= {item: [ItemValue(coded=getattr(event, item))] for item in CODES}
    for item in ("place_of_birth", "birth_registration_place", "native_place"):
        values[item] = [ItemValue(address=PLACE)]
    change = Change(basis=basis("birth-registration", at), birth=event)
    return Registration(change, number, values, event.date_of_birth, time)


def death(rng: random.Random, at: int, now: datetime, of: Registration) -> Registration:
    event = DeathRegistration(entry_number=str(at + 1), registration_date=day(now), registration_place=PLACE,
                              date_of_death=day(now - timedelta(minutes=30)), **subject(of))
    change = Change(basis=basis("death-registration", at), death=event)
    values = {"death_or_missing_date": [ItemValue(date=event.date_of_death)]}
    return Registration(change, of.number, values, event.date_of_death, now)


def correction(rng: random.Random, at: int, now: datetime, of: Registration) -> Registration:
    value = ItemValue(coded=code("ethnic_group", f"{rng.randrange(1, 21):02}"))
    born = of.change.birth.date_of_birth
    event = Correction(entry_number=str(at + 1), correction_date=day(now), registration_place=PLACE, **subject(of))
    event.corrected_values.add(item="ethnic_group", value=value, valid_from=born)
    change = Change(basis=basis("civil-status-correction", at), correction=event)
    return Registration(change, of.number, {"ethnic_group": [value]}, born, now)


def subject(of: Registration) -> dict:
    claims = {"full_name": of.change.birth.full_name.full_name, "date_of_birth": of.change.birth.date_of_birth}
    return {"subject": {"personal_number": of.number}, "claims": claims}


def parent(rng: random.Random, kind: int, surname: str) -> Relation:
    """Of a parent a birth entry holds the year of birth alone (Law 60/2014/QH13, Art. 14)."""
    name = PersonName(full_name=f"{surname} Giả Định {rng.choice(GIVEN[kind - 1])}")
    year = PartialDate(year=rng.randrange(1985, 2003))
    return Relation(kind=kind, name=name, date_of_birth=year, nationality=code("nationality", "VN"))


def code(item: str, value: str) -> CodedValue:
    system, version = CODES[item]
    return CodedValue(code_system=system, code_system_version=version, code=value)


def day(time: datetime) -> PartialDate:
    return PartialDate(year=time.year, month=time.month, day=time.day)


def basis(procedure: str, at: int) -> AccessBasis:
    return AccessBasis(procedure=procedure, legal_basis="1911-2021-art-2-2", case_reference=f"HT-{at + 1}",
                       acting_unit="Z01.DEMO.HOTICH", officer="can-bo-01")


def sample(store: Store) -> tuple[str, dict]:
    """The number of a person who lives, and what is held of the person."""
    number = next(number for number in store.numbers() if "death_or_missing_date" not in store.held(number))
    return number, store.held(number)


def write_fixtures(path: str, store: Store) -> None:
    """What the conformance kit must be told: a person who lives, a cursor that has expired."""
    number, held = sample(store)
    name, born = held["birth_full_name"][0].value.name.full_name, held["date_of_birth"][0].value.date
    born = f"{born.year:04}-{born.month:02}-{born.day:02}"
    with open(path, "w", encoding="utf-8") as file:
        print(f"""[lookup.known]
personal_number = "{number}"
full_name = "{name}"
date_of_birth = "{born}"
not_held = "death_or_missing_date"

[[lookup.known.held]]
item = "birth_full_name"
value = {{ name = "{name}" }}
other = {{ name = "{name} An" }}

[[lookup.known.held]]
item = "date_of_birth"
value = {{ date = "{born}" }}
other = {{ date = "1901-01-01" }}

[source]
expired_cursor = "{store.cursor(1)}"
oldest_change = "{store.page("", 1)[0][0].change_id}\"""", file=file)


if __name__ == "__main__":
    database, births, fixtures = sys.argv[1:]
    store = Store(database)
    if store.numbers():
        sys.exit(f"{database} has persons already")
    store.commit(registrations(int(births), 1, RETENTION))
    write_fixtures(fixtures, store)
