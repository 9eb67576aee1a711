//! The formats against vectors and an independent program; the tree against the definition of RFC 6962.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod published;

use std::process::Command;

use super::*;

fn signer() -> LogSigner {
    LogSigner::from_seed("lienthong.test/access/demo", [7; 32]).unwrap()
}

fn vector() -> serde_json::Value {
    serde_json::from_str(include_str!("../testdata/leaf.json")).unwrap()
}

#[test]
fn the_leaf_is_what_the_vector_says() {
    let v = vector();
    let raw = |name: &str| hex::decode(v[name].as_str().unwrap()).unwrap();
    let key = |name: &str| <[u8; 32]>::try_from(raw(name)).unwrap();
    let context = v["context"].as_str().unwrap();
    let leaf = Leaf {
        time_ms: v["time_ms"].as_u64().unwrap(),
        record_id: raw("record_id").try_into().unwrap(),
        outer: outer_commitment(
            &key("outer_key"),
            context,
            &digest(&raw("request")),
            &digest(&raw("answer")),
        ),
        inner: inner_commitment(&key("inner_key"), &raw("decision")),
    };
    assert_eq!(leaf.to_bytes().as_slice(), raw("leaf"));
    assert_eq!(leaf_hash(&raw("leaf")).as_slice(), raw("leaf_hash"));
    assert_eq!(Leaf::parse(&raw("leaf")).unwrap(), leaf);
}

/// The example of RFC 9562, appendix A.6; and that what is drawn reaches neither time nor version.
#[test]
fn a_record_id_is_a_uuid_of_version_7() {
    let time_ms = 0x017f_22e2_79b0;
    let drawn = hex::decode("0000000000000cc318c4dc0c0c07398f").unwrap();
    let id = record_id(time_ms, drawn.try_into().unwrap());
    assert_eq!(hex::encode(id), "017f22e279b07cc398c4dc0c0c07398f");
    let id = record_id(time_ms, [0xff; 16]);
    assert_eq!(hex::encode(id), "017f22e279b07fffbfffffffffffffff");
    assert!(record_id(time_ms + 1, [0; 16]) > id);
}

#[test]
fn another_language_computes_the_same_leaf() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/check_leaf.py");
    let status = Command::new("python3").arg(script).status();
    assert!(status.expect("this test needs python3 on PATH").success());
}

#[test]
fn what_is_signed_of_a_request_is_what_the_vector_says_in_another_language_too() {
    let v: serde_json::Value =
        serde_json::from_str(include_str!("../testdata/request_signature.json")).unwrap();
    let raw = |name: &str| hex::decode(v[name].as_str().unwrap()).unwrap();
    let method = v["method"].as_str().unwrap();
    assert_eq!(request_to_sign(method, &digest(&raw("request"))).as_slice(), raw("to_sign"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/check_request_signature.py");
    let status = Command::new("python3").arg(script).status();
    assert!(status.expect("this test needs python3 on PATH").success());
}

#[test]
fn hashes_are_those_of_rfc_6962() {
    let empty = hex::encode(Tree::default().root().unwrap());
    assert_eq!(empty, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    let leaf = hex::encode(leaf_hash(b""));
    assert_eq!(leaf, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
}

/// RFC 6962, section 2.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => digest(b""),
        [leaf] => *leaf,
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            let (left, right) = leaves.split_at(k);
            digest(&[&[1_u8], naive_root(left).as_slice(), &naive_root(right)].concat())
        }
    }
}

#[test]
fn roots_and_proofs_agree_with_the_definition() {
    let mut tree = Tree::default();
    let mut stored = std::collections::HashMap::new();
    let mut leaves = Vec::new();
    let mut roots = vec![tree.root().unwrap()];
    for n in 0..70_u64 {
        let leaf = leaf_hash(&n.to_be_bytes());
        leaves.push(leaf);
        stored.extend(tree.append(leaf).unwrap());
        assert_eq!(tree.root().unwrap(), naive_root(&leaves), "size {}", n + 1);
        roots.push(tree.root().unwrap());
        tree.forget();
        for (index, leaf) in (0..).zip(&leaves) {
            let proof = prove_inclusion(index, n + 1, &stored).unwrap();
            let root = tree.root().unwrap();
            verify_inclusion(index, n + 1, leaf, &proof, &root).unwrap();
            assert!(verify_inclusion(index, n + 1, &[9; 32], &proof, &root).is_err());
            let needed = inclusion_needs(index, n + 1).unwrap();
            assert!(needed.iter().all(|i| stored.contains_key(i)));
        }
        for old in 1..=n {
            let proof = prove_consistency(old, n + 1, &stored).unwrap();
            let (was, is) = (&roots[usize::try_from(old).unwrap()], &tree.root().unwrap());
            verify_consistency((old, was), (n + 1, is), &proof).unwrap();
            assert!(verify_consistency((old, &[9; 32]), (n + 1, is), &proof).is_err());
        }
    }
    let edge = Tree::edge(70).into_iter().map(|i| (i, stored[&i])).collect();
    assert_eq!(Tree::restore(70, edge).unwrap().root().unwrap(), roots[70]);
    assert_eq!(Tree::restore(70, Default::default()).unwrap_err(), Error::MissingHashes);
}

#[test]
fn a_key_is_read_back_and_never_shown() {
    let signer = signer();
    let again = LogSigner::parse(signer.secret_text()).unwrap();
    assert_eq!(again.verifier_key(), signer.verifier_key());
    let secret = signer.secret_text().rsplit('+').next().unwrap();
    assert!(!format!("{signer:?}").contains(secret));
}

#[test]
fn only_the_logs_own_signature_counts() {
    let note = signer().sign(3, &[5; 32]).unwrap();
    let log = LogVerifier::new(signer().verifier_key()).unwrap();
    assert_eq!(log.verify(&note).unwrap().size, 3);
    let stranger = LogSigner::from_seed("lienthong.test/access/demo", [8; 32]).unwrap();
    assert_eq!(log.verify(&stranger.sign(3, &[5; 32]).unwrap()), Err(Error::BadSignature));
    let other = LogSigner::from_seed("lienthong.test/access/other", [7; 32]).unwrap();
    assert_eq!(log.verify(&other.sign(3, &[5; 32]).unwrap()), Err(Error::BadSignature));
}

#[test]
fn a_log_speaks_for_itself_only() {
    let other = LogSigner::from_seed("lienthong.test/access/other", [8; 32]).unwrap();
    let other = other.sign(3, &[5; 32]).unwrap();
    let key = NoteSigner::from_seed("lienthong.test/access/demo", [7; 32]).unwrap();
    let body = &other[..=other.find("\n\n").unwrap()];
    let note = key.sign(body.as_bytes()).unwrap();
    let log = LogVerifier::new(signer().verifier_key()).unwrap();
    assert_eq!(log.verify(&note), Err(Error::MalformedCheckpoint));
}

/// C2SP `signed-note`: whatever names a known key must be its own, wherever it stands.
#[test]
fn one_bad_signature_of_the_log_spoils_the_note() {
    let note = signer().sign(3, &[5; 32]).unwrap();
    let log = LogVerifier::new(signer().verifier_key()).unwrap();
    let of_another = signer().sign(4, &[5; 32]).unwrap();
    let line = |note: &str| note[note.rfind('—').unwrap()..].to_owned();
    assert!(log.verify(&format!("{note}{}", line(&note))).is_ok());
    for lines in [line(&note) + &line(&of_another), line(&of_another) + &line(&note)] {
        let text = note.rsplit_once("\n\n").unwrap().0;
        assert_eq!(log.verify(&format!("{text}\n\n{lines}")), Err(Error::BadSignature));
    }
}

/// A receipt out of a log of five records.
struct Sample {
    request: Vec<u8>,
    answer: Vec<u8>,
    leaf: Vec<u8>,
    proof: Vec<Hash>,
    checkpoint: String,
    opening: Vec<u8>,
}

fn sample() -> Sample {
    let v = vector();
    let raw = |name: &str| hex::decode(v[name].as_str().unwrap()).unwrap();
    let mut tree = Tree::default();
    for n in 0..5_u64 {
        let leaf = if n == 2 { leaf_hash(&raw("leaf")) } else { leaf_hash(&n.to_be_bytes()) };
        tree.append(leaf).unwrap();
    }
    let key = <[u8; 32]>::try_from(raw("outer_key")).unwrap();
    Sample {
        request: raw("request"),
        answer: raw("answer"),
        leaf: raw("leaf"),
        proof: prove_inclusion(2, 5, tree.known()).unwrap(),
        checkpoint: signer().sign(5, &tree.root().unwrap()).unwrap(),
        opening: opening(&key, v["context"].as_str().unwrap()),
    }
}

fn check(sample: &Sample, index: u64) -> Result<Verified, Error> {
    let log = LogVerifier::new(signer().verifier_key()).unwrap();
    let evidence = Evidence {
        request: &sample.request,
        answer: &sample.answer,
        leaf: &sample.leaf,
        index,
        proof: &sample.proof,
        checkpoint: &sample.checkpoint,
        opening: &sample.opening,
    };
    verify_receipt(&evidence, &log)
}

#[test]
fn i1_a_receipt_verifies_and_refuses_every_flipped_byte() {
    let verified = check(&sample(), 2).unwrap();
    assert_eq!(verified.method, "/lienthong.identity.v1.IdentityService/GetPerson");
    assert_eq!(verified.caller, "spiffe://lienthong.test/agency/G24/system/hi");
    for index in [0, 1, 3, 4, 5, u64::MAX] {
        assert!(check(&sample(), index).is_err(), "index {index}");
    }
    let parts: [fn(&mut Sample) -> &mut Vec<u8>; 4] =
        [|s| &mut s.request, |s| &mut s.answer, |s| &mut s.leaf, |s| &mut s.opening];
    for part in parts {
        for at in 0..part(&mut sample()).len() {
            let mut changed = sample();
            part(&mut changed)[at] ^= 1;
            assert!(check(&changed, 2).is_err(), "byte {at}");
        }
    }
    for hash in 0..sample().proof.len() {
        let mut changed = sample();
        changed.proof[hash][31] ^= 1;
        assert_eq!(check(&changed, 2), Err(Error::ProofDoesNotHold));
    }
    for at in 0..sample().checkpoint.len() {
        let mut bytes = sample().checkpoint.into_bytes();
        bytes[at] ^= 1;
        let Ok(checkpoint) = String::from_utf8(bytes) else { continue };
        assert!(check(&Sample { checkpoint, ..sample() }, 2).is_err(), "checkpoint byte {at}");
    }
}

#[test]
fn a_proof_file_is_read_back_strictly() {
    let sample = sample();
    let file =
        ProofFile { index: 2, proof: sample.proof.clone(), checkpoint: sample.checkpoint.clone() };
    assert_eq!(ProofFile::parse(&file.to_text()).unwrap(), file);
    for (from, to) in [("index 2", "index 02"), ("@v1", "@v2"), ("index", "Index")] {
        let text = file.to_text().replacen(from, to, 1);
        assert_eq!(ProofFile::parse(&text), Err(Error::MalformedProofFile), "{to}");
    }
}
