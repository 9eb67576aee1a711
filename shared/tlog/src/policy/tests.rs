//! Policies as others publish them, and quorums against the definition.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use serde_json::Value;

use super::*;
use crate::{Cosigner, LogSigner, NoteSigner, key::COSIGNATURE_V1};

const ORIGIN: &str = "example.com/log";
const TIME: u64 = 1_767_139_200;

fn published() -> Value {
    serde_json::from_str(include_str!("../../testdata/published_policies.json")).unwrap()
}

fn rows<'a>(published: &'a Value, name: &str) -> &'a [Value] {
    published[name].as_array().unwrap()
}

fn log(origin: &str) -> LogSigner {
    LogSigner::from_seed(origin, [if origin == ORIGIN { 100 } else { 101 }; 32]).unwrap()
}

/// The witness `w<number>`: the first three have the published keys, as keys for cosignatures.
fn witness(number: u8) -> Cosigner {
    let seed = match number {
        1..=3 => {
            let key = &published()["witness_keys"][usize::from(number) - 1];
            let note_key = NoteSigner::parse(key[0].as_str().unwrap()).unwrap();
            assert_eq!(note_key.verifier_key(), key[1].as_str().unwrap());
            let secret = note_key.secret_text().splitn(5, '+').last().unwrap();
            let secret = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, secret);
            secret.unwrap()[1..].try_into().unwrap()
        }
        _ => [number; 32],
    };
    Cosigner::from_seed(&format!("Wit{number}"), seed).unwrap()
}

fn other_type(name: &str, of_type: u8, public: &[u8]) -> String {
    let public = [&[of_type], public].concat();
    let id = signed_note::key_id(name, &public);
    let public = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, public);
    format!("{name}+{id:08x}+{public}")
}

/// The text with keys for what stands for them.
fn with_keys(text: &str) -> String {
    let renamed = |key: &str, of_type| {
        let key = VerifierKey::parse(key, of_type).unwrap();
        other_type("impostor.example.com", of_type, key.public().as_bytes())
    };
    let note_key = published()["witness_keys"][0][1].as_str().unwrap().to_owned();
    let mut text = text
        .replace("$log_renamed", &renamed(log(ORIGIN).verifier_key(), ED25519))
        .replace("$log", log(ORIGIN).verifier_key())
        .replace("$other_log", log("other.example.com/log").verifier_key())
        .replace("$w1_renamed", &renamed(witness(1).verifier_key(), COSIGNATURE_V1))
        .replace("$note1", &note_key)
        .replace("$ecdsa", &other_type("ecdsa.example.com", 2, &[1, 2, 3]))
        .replace("$unknown", &other_type("unknown.example.com", 0x63, &[0; 32]));
    for number in 1..=6 {
        text = text.replace(&format!("$w{number}"), witness(number).verifier_key());
    }
    assert!(!text.contains('$'), "{text}");
    text
}

fn parse(text: &str) -> Result<Policy, Error> {
    Policy::parse(with_keys(text).as_bytes())
}

/// A checkpoint of the origin, signed by the keys of these names.
fn signed(by: &[&str]) -> String {
    let own = log(ORIGIN).sign(42, &[0; 32]).unwrap();
    let body = own.split_inclusive('\n').take(3).collect::<String>();
    let lines = by.iter().map(|name| match *name {
        "log" => own[body.len() + 1..].to_owned(),
        "other_log" => {
            let (seed, name) = ([101; 32], "other.example.com/log");
            NoteSigner::from_seed(name, seed).unwrap().sign_detached(body.as_bytes()).unwrap()
        }
        name => witness(name[1..].parse().unwrap()).cosign(&body, TIME).unwrap(),
    });
    format!("{body}\n{}", lines.collect::<String>())
}

#[test]
fn good_policies_are_read_as_published() {
    for row in rows(&published(), "good") {
        assert!(parse(row[1].as_str().unwrap()).is_ok(), "{row}");
    }
    let policy = parse(rows(&published(), "good")[2][1].as_str().unwrap()).unwrap();
    let key = CosignatureVerifier::new(witness(1).verifier_key()).unwrap();
    let url = Some("https://w1.example.com/".to_owned());
    assert_eq!(policy.witnesses(), [Witness { name: "w1".to_owned(), key, url }]);
}

/// Published, too, but of octets that are no text.
#[test]
fn names_are_octets() {
    let line = with_keys("$w1");
    let quorum_of = |quorum: &[u8]| {
        let text = [b"witness K\xe2\x84\xaalvin-w\x80 ", line.as_bytes(), b"\nquorum ", quorum];
        Policy::parse(&text.concat())
    };
    assert_eq!(
        quorum_of(b"K\xe2\x84\xaalvin-w\x80").unwrap().witnesses()[0].name,
        "K\u{212a}lvin-w\u{fffd}"
    );
    let fault = Error::MalformedPolicy { line: 2, fault: Fault::UnknownName };
    assert_eq!(quorum_of(b"KKlvin-w\x80"), Err(fault));
}

#[test]
fn bad_policies_are_refused_as_published_with_their_lines() {
    for row in rows(&published(), "bad") {
        let Err(Error::MalformedPolicy { line, fault }) = parse(row[3].as_str().unwrap()) else {
            panic!("{row}");
        };
        let (at, what) = (row[1].as_u64().unwrap(), row[2].as_str().unwrap());
        assert_eq!((line as u64, format!("{fault:?}").as_str()), (at, what), "{row}");
    }
}

/// What the published table leaves out.
#[test]
fn other_bad_lines_are_refused_too() {
    let two = "witness w1 $w1\nwitness w2 $w2\n";
    for (text, line, fault) in [
        ("group g 01 w1\n", 3, Fault::Threshold),
        ("group g +1 w1\n", 3, Fault::Threshold),
        ("group g 18446744073709551616 w1\n", 3, Fault::Threshold),
        ("group g any g\n", 3, Fault::UnknownName),
        ("group g any w1\n#\n\ngroup h all w2 w1\n", 6, Fault::MemberTwice),
        ("quorum w1 w2\n", 3, Fault::Items),
        ("log $log url url\n", 3, Fault::Items),
        ("#log\nlog $log\nlog $log_renamed\n", 5, Fault::KeyTwice),
        ("quorum none\n# \u{7f}\n", 4, Fault::Octet(0x7f)),
        ("LOG $log\n", 3, Fault::Keyword),
    ] {
        let error = Err(Error::MalformedPolicy { line, fault });
        assert_eq!(parse(&format!("{two}{text}")), error, "{text}");
    }
    let said = parse("log\n").unwrap_err().to_string();
    assert_eq!(said, "line 1 of the policy: the line has too few items or too many");
}

#[test]
fn checkpoints_are_verified_as_published() {
    for row in rows(&published(), "verified") {
        let policy = parse(row[1].as_str().unwrap()).unwrap();
        let by: Vec<&str> =
            row[2].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let ours = policy.verify(&signed(&by));
        match row[3].as_str().unwrap() {
            "quorum" => {
                let origin = ORIGIN.to_owned();
                assert_eq!(ours, Ok(Checkpoint { origin, size: 42, root: [0; 32] }), "{row}");
            }
            "no quorum" => assert_eq!(ours, Err(Error::NoQuorum), "{row}"),
            "no log" => assert_eq!(ours, Err(Error::UnknownLog), "{row}"),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn bad_lines_of_known_keys_spoil_the_note_and_others_do_not() {
    let policy = parse("log $log\nwitness w1 $w1\nwitness w2 $w2\nquorum w1\n").unwrap();
    let good = signed(&["log", "w1"]);
    assert!(policy.verify(&good).is_ok());
    assert!(policy.verify(&signed(&["w4", "log", "other_log", "w1"])).is_ok());
    // Lines of another checkpoint, of the log, of a witness that is asked for and of one that is not.
    let body = |size| {
        let note = log(ORIGIN).sign(size, &[0; 32]).unwrap();
        note.split_inclusive('\n').take(3).collect::<String>()
    };
    let elsewhere = [
        log(ORIGIN).sign(43, &[0; 32]).unwrap()[body(43).len() + 1..].to_owned(),
        witness(1).cosign(&body(43), TIME).unwrap(),
        witness(2).cosign(&body(43), TIME).unwrap(),
    ];
    for line in elsewhere {
        assert_eq!(policy.verify(&format!("{good}{line}")), Err(Error::BadSignature), "{line}");
    }
    // What one witness says does not count for another that took its name.
    let key = Cosigner::from_seed("Wit1", [9; 32]).unwrap();
    let own = signed(&["log"]) + &key.cosign(&body(42), TIME).unwrap();
    assert_eq!(policy.verify(&own), Err(Error::NoQuorum));
}

/// A quorum as it is drawn, without the places and the order that the policy has it in.
#[derive(Clone)]
enum Drawn {
    Witness(u8),
    Group(usize, Vec<Drawn>),
}

/// C2SP `tlog-policy`, word for word: a group witnessed "if and only if at least k of its n members have witnessed".
fn witnessed(drawn: &Drawn, cosigned: u8) -> bool {
    match drawn {
        Drawn::Witness(number) => cosigned & (1 << number) != 0,
        Drawn::Group(k, members) => {
            members.iter().filter(|member| witnessed(member, cosigned)).count() >= *k
        }
    }
}

/// Numbers that look random and are the same in each run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}

/// A policy of up to six witnesses, and what its quorum is. Members are taken from a heap of whatever is a member of nothing yet.
fn draw(numbers: &mut Numbers, keys: &[String]) -> (String, Drawn) {
    let count = 1 + numbers.below(keys.len());
    let mut text = String::new();
    let mut heap = Vec::new();
    for (number, key) in keys.iter().take(count).enumerate() {
        text += &format!("witness w{number} {key}\n");
        heap.push((format!("w{number}"), Drawn::Witness(u8::try_from(number).unwrap())));
    }
    for group in 0..numbers.below(5) {
        let n = 1 + numbers.below(heap.len());
        let taken = (0..n).map(|_| heap.swap_remove(numbers.below(heap.len())));
        let (names, members): (Vec<String>, Vec<Drawn>) = taken.collect();
        let k = 1 + numbers.below(n);
        let threshold = match numbers.below(3) {
            0 if k == 1 => "any".to_owned(),
            1 if k == n => "all".to_owned(),
            _ => k.to_string(),
        };
        text += &format!("group g{group} {threshold} {}\n", names.join(" "));
        heap.push((format!("g{group}"), Drawn::Group(k, members)));
    }
    let (name, quorum) = heap.swap_remove(numbers.below(heap.len()));
    (text + &format!("quorum {name}\n"), quorum)
}

#[test]
fn quorums_are_those_of_the_definition() {
    let keys: Vec<String> = (1..=6).map(|w| witness(w).verifier_key().to_owned()).collect();
    let mut numbers = Numbers(0x1911);
    let (mut enough, mut too_few) = (0, 0);
    for _ in 0..2_000 {
        let (text, quorum) = draw(&mut numbers, &keys);
        let policy = Policy::parse(text.as_bytes()).unwrap();
        for cosigned in 0..1_u8 << policy.witnesses().len() {
            let set: Vec<bool> = (0..8).map(|bit| cosigned & (1 << bit) != 0).collect();
            let ours = policy.has_quorum(&set[..policy.witnesses().len()]);
            assert_eq!(ours, witnessed(&quorum, cosigned), "{text}{cosigned:06b}");
            *if ours { &mut enough } else { &mut too_few } += 1;
        }
    }
    // The draw is worth something only if it gives both.
    assert!(enough > 10_000 && too_few > 10_000, "{enough} {too_few}");
}

/// What the log signed is known to be its own before any witness has seen it.
#[test]
fn the_logs_own_signature_is_asked_for_alone() {
    let text = "log $log\nwitness a $w1\nquorum a\n";
    let policy = parse(text).unwrap();
    assert!(policy.names_log(log(ORIGIN).verifier_key()));
    assert!(!policy.names_log(log("other.example.com/log").verifier_key()));
    for (by, expect) in [
        (&["log"][..], Ok(())),
        (&["log", "w1"], Ok(())),
        (&["log", "w2"], Ok(())),
        (&["w1"], Err(Error::UnknownLog)),
        (&["other_log"], Err(Error::UnknownLog)),
    ] {
        let read = policy.verify_log(&signed(by)).map(|checkpoint| assert_eq!(checkpoint.size, 42));
        assert_eq!(read, expect, "{by:?}");
    }
    assert_eq!(policy.verify(&signed(&["log", "w2"])), Err(Error::NoQuorum));
    let spoilt = signed(&["log", "w1"]).replacen("42", "43", 1);
    assert_eq!(policy.verify_log(&spoilt), Err(Error::BadSignature));
}
