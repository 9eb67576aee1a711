//! Cases that others publish, good and bad. The files of `testdata` say whose they are.

use serde_json::Value;

use crate::*;

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn rows(table: &Value, place: impl serde_json::value::Index) -> &[Value] {
    table[place].as_array().unwrap()
}

/// The published proofs: a case's name, whether it holds, two numbers, and the hashes of two columns and of the proof as they come off
/// the wire.
struct Proofs(Value);

struct Proof<'a> {
    case: &'a str,
    holds: bool,
    numbers: (u64, u64),
    hashes: Vec<Vec<u8>>,
    proof: Vec<Vec<u8>>,
}

impl Proofs {
    fn read() -> Self {
        Self(serde_json::from_str(include_str!("../../testdata/published_proofs.json")).unwrap())
    }

    fn hash(&self, place: &Value) -> Vec<u8> {
        let place = usize::try_from(place.as_u64().unwrap()).unwrap();
        hex::decode(text(&self.0["hashes"][place])).unwrap()
    }

    fn cases<'a>(&'a self, kind: &str) -> Vec<Proof<'a>> {
        let proof = |row: &'a Value| Proof {
            case: text(&row[0]),
            holds: row[1].as_bool().unwrap(),
            numbers: (row[2].as_u64().unwrap(), row[3].as_u64().unwrap()),
            hashes: vec![self.hash(&row[4]), self.hash(&row[5])],
            proof: rows(row, 6).iter().map(|place| self.hash(place)).collect(),
        };
        rows(&self.0, kind).iter().map(proof).collect()
    }
}

#[test]
fn inclusion_is_decided_as_published() {
    let proofs = Proofs::read();
    let cases = proofs.cases("inclusion");
    assert_eq!((cases.len(), cases.iter().filter(|case| case.holds).count()), (98, 6));
    for Proof { case, holds, numbers: (index, size), hashes: pair, proof } in cases {
        let ours = hashes(&pair)
            .and_then(|pair| verify_inclusion(index, size, &pair[0], &hashes(&proof)?, &pair[1]));
        assert_eq!(ours.is_ok(), holds, "{case}: {ours:?}");
    }
}

/// In one published case two roots are the same twelve bytes, which are no hash; ours never get so far as to be compared.
#[test]
fn consistency_is_decided_as_published() {
    let proofs = Proofs::read();
    let cases = proofs.cases("consistency");
    assert_eq!((cases.len(), cases.iter().filter(|case| case.holds).count()), (98, 6));
    let mut others = Vec::new();
    for Proof { case, holds, numbers: (old, size), hashes: pair, proof } in cases {
        let ours = hashes(&pair).and_then(|pair| {
            verify_consistency((old, &pair[0]), (size, &pair[1]), &hashes(&proof)?)
        });
        if ours.is_ok() != holds {
            others.push((case, ours));
        }
    }
    let no_hash = "additional/sizes-are-equal-one-and-proof-is-empty";
    assert_eq!(others, [(no_hash, Err(Error::MalformedHash))]);
}

fn notes() -> Value {
    serde_json::from_str(include_str!("../../testdata/published_notes.json")).unwrap()
}

#[test]
fn notes_are_opened_as_published() {
    let published = notes();
    for row in rows(&published, "notes") {
        let (case, note) = (text(&row[0]), text(&row[3]));
        let key = NoteVerifier::new(text(&published["keys"][text(&row[1])])).unwrap();
        let last = note.rfind('—').map_or("", |at| &note[at..]);
        let more = row[4].as_u64().map_or(0, |times| usize::try_from(times - 1).unwrap());
        let note = format!("{note}{}", last.repeat(more));
        let ours = key.verify(note.as_bytes());
        match text(&row[2]) {
            "signed" => {
                let body = note.rsplit_once("\n\n").unwrap().0;
                assert_eq!(ours, Ok(format!("{body}\n").into_bytes()), "{case}");
            }
            "unsigned" => assert_eq!(ours, Err(Error::BadSignature), "{case}"),
            "malformed" => assert_eq!(ours, Err(Error::MalformedNote), "{case}"),
            other => unreachable!("{other}"),
        }
        // Not UTF-8, which JSON cannot hold.
        let not_text = [&[0xff], note.as_bytes()].concat();
        assert_eq!(key.verify(&not_text), Err(Error::MalformedNote), "{case}");
    }
}

/// Every piece of a key, and every key with one byte counted up, is none.
#[test]
fn mangled_keys_are_refused_as_published() {
    let published = notes();
    let vkey = text(&published["keys"]["PeterNeumann"]);
    let skey = text(&published["signer_key"]);
    assert_eq!(NoteSigner::parse(skey).unwrap().verifier_key(), vkey);
    let refused = |mangled: &str| {
        assert_eq!(NoteVerifier::new(mangled).unwrap_err(), Error::MalformedKey, "{mangled}");
        assert_eq!(NoteSigner::parse(mangled).unwrap_err(), Error::MalformedKey, "{mangled}");
    };
    for key in [vkey, skey] {
        for begin in 0..key.len() {
            for end in (begin..=key.len()).filter(|end| (begin, *end) != (0, key.len())) {
                refused(&key[begin..end]);
            }
            let mut counted = key.as_bytes().to_vec();
            counted[begin] += 1;
            refused(std::str::from_utf8(&counted).unwrap());
        }
    }
    for key in rows(&published, "bad_keys") {
        refused(text(key));
    }
}
