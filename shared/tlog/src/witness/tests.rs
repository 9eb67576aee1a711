//! The published dialogue of a log with a witness, and what else an answer could be.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use serde_json::Value;

use super::*;
use crate::{
    Cosigner, LogSigner, LogVerifier,
    key::{ED25519, VerifierKey},
    verify_consistency,
};

const TIME: u64 = 1_767_139_200;

fn published() -> Value {
    serde_json::from_str(include_str!("../../testdata/published_witness.json")).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn octets(value: &Value) -> [u8; 32] {
    hex::decode(text(value)).unwrap().try_into().unwrap()
}

fn witness() -> Cosigner {
    let published = published();
    let seed = octets(&published["witness_seed"]);
    let cosigner = Cosigner::from_seed(text(&published["witness_name"]), seed).unwrap();
    let verifier = verifier(&cosigner);
    assert_eq!(verifier.key().public().as_bytes(), &octets(&published["witness_key"]));
    cosigner
}

fn verifier(cosigner: &Cosigner) -> CosignatureVerifier {
    CosignatureVerifier::new(cosigner.verifier_key()).unwrap()
}

/// A request for a checkpoint of five leaves, from two on.
fn request() -> AddCheckpoint {
    let log = LogSigner::from_seed("log.test/1", [7; 32]).unwrap();
    let checkpoint = log.sign(5, &[1; 32]).unwrap();
    AddCheckpoint { old_size: 2, proof: vec![[4; 32], [9; 32]], checkpoint }
}

fn body(checkpoint: &str) -> &str {
    &checkpoint[..=checkpoint.find("\n\n").unwrap()]
}

/// A witness made of what there is here: what it answers, and where it stands then. It knows one log.
struct Model {
    log: LogVerifier,
    cosigner: Cosigner,
    last: Option<(u64, Hash)>,
}

impl Model {
    /// The checks in the order of C2SP `tlog-witness`; an unknown log is answered with 403, as that program did, and not with 404.
    fn answer(&mut self, text: &str) -> (u16, Option<&'static str>, String) {
        let status = |status| (status, None, String::new());
        let Ok(request) = AddCheckpoint::parse(text) else { return status(400) };
        let Ok(new) = self.log.verify(&request.checkpoint) else { return status(403) };
        let known = self.last.map_or(0, |(size, _)| size);
        if request.old_size > new.size {
            return status(400);
        }
        if request.old_size != known {
            return (409, Some(SIZE), format!("{known}\n"));
        }
        let extends = match &self.last {
            None => request.proof.is_empty(),
            Some((size, root)) => {
                verify_consistency((*size, root), (new.size, &new.root), &request.proof).is_ok()
            }
        };
        if !extends {
            return status(422);
        }
        self.last = Some((new.size, new.root));
        (200, None, self.cosigner.cosign(body(&request.checkpoint), TIME).unwrap())
    }
}

#[test]
fn the_published_dialogue_is_held_as_it_was() {
    let published = published();
    let rows = published["dialogue"].as_array().unwrap();
    let public = ed25519_dalek::VerifyingKey::from_bytes(&octets(&published["log_key"])).unwrap();
    let origin = text(&rows[0][3]).lines().nth(2).unwrap();
    let log = VerifierKey::new(origin, ED25519, public).unwrap();
    let log = LogVerifier::new(log.text()).unwrap();
    let mut model = Model { log, cosigner: witness(), last: None };
    let verifier = verifier(&witness());
    for row in rows {
        let (case, said, sent) = (text(&row[0]), text(&row[2]), text(&row[3]));
        let request = AddCheckpoint::parse(sent).unwrap();
        assert_eq!(request.to_text().unwrap(), sent, "{case}");
        let (status, content_type, body) = model.answer(sent);
        assert_eq!(u64::from(status), row[1].as_u64().unwrap(), "{case}");
        let answer = request.answer(status, content_type, body.as_bytes(), &verifier);
        match status {
            200 => {
                assert!(body.starts_with(said), "{case}");
                let cosigned = format!("{}{body}", request.checkpoint);
                assert_eq!(verifier.verify(&cosigned), Ok(TIME), "{case}");
                assert_eq!(answer, Answer::Cosigned(body), "{case}");
            }
            409 => {
                assert_eq!(body, said, "{case}");
                assert_eq!(answer, Answer::Behind(said.trim_end().parse().unwrap()), "{case}");
            }
            status => assert_eq!(answer, Answer::Refused(status), "{case}"),
        }
    }
}

#[test]
fn the_specifications_examples_are_read() {
    let published = published();
    let example = text(&published["example_request"]);
    let request = AddCheckpoint::parse(example).unwrap();
    assert_eq!((request.old_size, request.proof.len()), (20_852_014, 4));
    assert_eq!(request.to_text().unwrap(), example);
    // Lines of keys that are not asked for are passed over, and then nothing is left.
    let answer = published["example_answer"].as_str().unwrap();
    let request = self::request();
    let own = witness().cosign(body(&request.checkpoint), TIME).unwrap();
    let answered = |body: &str| request.answer(200, None, body.as_bytes(), &verifier(&witness()));
    assert_eq!(answered(answer), Answer::Malformed);
    assert_eq!(answered(&format!("{answer}{own}")), Answer::Cosigned(own.clone()));
    assert_eq!(answered(&format!("{own}{answer}{own}")), Answer::Cosigned(own.repeat(2)));
}

#[test]
fn requests_are_read_strictly() {
    let text = request().to_text().unwrap();
    assert_eq!(AddCheckpoint::parse(&text), Ok(request()));
    for (from, to) in [
        ("old 2", "old 02"),
        ("old 2", "old +2"),
        ("old 2", "old"),
        ("old 2", "Old 2"),
        ("old 2", "old 2\r"),
        ("old 2\n", ""),
        ("BAQE", "BAQ"),
        ("=\n", "\n"),
        ("\n\n", "\n"),
    ] {
        let changed = text.replacen(from, to, 1);
        let changed = if from == "\n\n" { changed.replace("\n\n", "\n") } else { changed };
        assert_eq!(AddCheckpoint::parse(&changed), Err(Error::MalformedRequest), "{changed}");
    }
    let of = |hashes| AddCheckpoint { proof: vec![[4; 32]; hashes], ..request() };
    assert_eq!(AddCheckpoint::parse(&of(63).to_text().unwrap()), Ok(of(63)));
    assert_eq!(of(64).to_text(), Err(Error::MalformedRequest));
    let hash = BASE64_STANDARD.encode([4; 32]) + "\n";
    let longer = of(63).to_text().unwrap().replacen("old 2\n", &format!("old 2\n{hash}"), 1);
    assert_eq!(AddCheckpoint::parse(&longer), Err(Error::MalformedRequest));
}

#[test]
fn a_claimed_cosignature_counts_only_if_it_is_one_of_this_checkpoint() {
    let (request, cosigner) = (request(), witness());
    let answered = |body: &[u8]| request.answer(200, None, body, &verifier(&cosigner));
    let own = cosigner.cosign(body(&request.checkpoint), TIME).unwrap();
    assert_eq!(answered(own.as_bytes()), Answer::Cosigned(own.clone()));
    let other = LogSigner::from_seed("log.test/1", [7; 32]).unwrap().sign(6, &[1; 32]).unwrap();
    let of_other = cosigner.cosign(body(&other), TIME).unwrap();
    let timeless = cosigner.cosign(body(&request.checkpoint), 0).unwrap();
    for bad in [
        of_other.as_bytes(),
        timeless.as_bytes(),
        format!("{own}{of_other}").as_bytes(),
        own.trim_end().as_bytes(),
        format!("\n{own}").as_bytes(),
        format!("{own}\n").as_bytes(),
        // What would make the checkpoint another text if it were added to it.
        format!("another\n\n{own}").as_bytes(),
        &[own.as_bytes(), &[0xff, b'\n']].concat(),
        b"",
        b"\n",
    ] {
        assert_eq!(answered(bad), Answer::Malformed, "{}", String::from_utf8_lossy(bad));
    }
    // The line is in the checkpoint already, and the witness says nothing.
    let again = AddCheckpoint { checkpoint: request.checkpoint.clone() + &own, ..request.clone() };
    assert_eq!(again.answer(200, None, b"", &verifier(&cosigner)), Answer::Malformed);
}

#[test]
fn a_conflict_says_a_size_that_helps() {
    let request = request();
    let verifier = verifier(&witness());
    let answered = |media, body: &str| request.answer(409, media, body.as_bytes(), &verifier);
    for (body, answer) in [
        ("0\n", Answer::Behind(0)),
        ("4\n", Answer::Behind(4)),
        ("5\n", Answer::Behind(5)),
        ("6\n", Answer::Conflict(6)),
        // What was sent was of this size: to send it again would not help.
        ("2\n", Answer::Malformed),
        ("4", Answer::Malformed),
        ("04\n", Answer::Malformed),
        ("-4\n", Answer::Malformed),
        ("4\n\n", Answer::Malformed),
        ("18446744073709551616\n", Answer::Malformed),
        ("", Answer::Malformed),
    ] {
        assert_eq!(answered(Some(SIZE), body), answer, "{body:?}");
    }
    assert_eq!(answered(Some("Text/X.tlog.size; charset=utf-8"), "4\n"), Answer::Behind(4));
    for media in [None, Some("text/plain"), Some("")] {
        assert_eq!(answered(media, "4\n"), Answer::Malformed);
    }
    // Of the very size that is sent it has cosigned another one.
    let again = AddCheckpoint { old_size: 5, proof: Vec::new(), ..request.clone() };
    let same = again.answer(409, Some(SIZE), b"5\n", &verifier);
    assert_eq!(
        (same, again.answer(422, None, b"", &verifier)),
        (Answer::Conflict(5), Answer::Conflict(5))
    );
    for status in [201, 204, 301, 400, 403, 404, 422, 429, 500, 503] {
        assert_eq!(request.answer(status, None, b"", &verifier), Answer::Refused(status));
    }
}
