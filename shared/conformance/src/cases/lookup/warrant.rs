//! LKP-40 to LKP-53: that nobody is told of a person without a good warrant. Each bad one is tried in every method of the role, and
//! differs from a good one in the one thing that its rule is about.

use contract::database::v1::{GetRecordRequest, StreamRecordsRequest};
use futures::future::join_all;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use tonic::Code;
use warrant::Claims;

use crate::{
    cases::{
        people,
        source::list::{restart, restarted},
    },
    found::{Found, Tried, failed, not_tried},
    kit::{Dice, Kit, answer, call, is_refused, path, shown},
    warrants::{Question, WarrantKey},
    wire::{Ask, Reply, Wire},
};

/// A good warrant of a question: what it says, and the opening.
type Good = (Claims, Vec<u8>);
/// Makes a bad one of it: its bytes, and the opening.
type Make<'a> = &'a (dyn Fn(&WarrantKey, Good) -> (Vec<u8>, Vec<u8>) + Sync);

const EXPECTED: &str = "PERMISSION_DENIED WARRANT_REFUSED, and no answer before it";

/// A question that carries what `make` makes of its good warrant.
fn spoilt<Q: Question>(kit: &Kit, question: &Q, make: Make<'_>) -> Tried<Q> {
    let key = kit.warrant_key()?;
    let (claims, opening) = kit.claims(key, question);
    let (warrant, opening) = make(key, (claims, opening.to_vec()));
    let mut question = question.clone();
    question.carry(warrant, opening);
    Ok(question)
}

fn check(found: &mut Found, tried: &str, reply: &Reply) {
    let refused = is_refused(&reply.status, Code::PermissionDenied, "WARRANT_REFUSED");
    let seen = format!("{} answers, then {}", reply.messages.len(), shown(&reply.status));
    found.check(refused && reply.messages.is_empty(), tried, EXPECTED, seen);
}

/// Tries bad warrants in every method.
async fn refuses(kit: &Kit, found: &mut Found, case: &str, all: &[(&str, Make<'_>)]) -> Tried {
    let wire = kit.connect().await?;
    let mut dice = kit.dice(case);
    for (what, make) in all {
        let asked = people::taken(kit, &mut dice);
        let tried = format!("GetRecord with {what}");
        let reply = call(&wire, &tried, path::GET, &spoilt(kit, &asked, *make)?).await?;
        check(found, &tried, &reply);
        let compared = people::comparison(kit, &mut dice);
        let tried = format!("VerifyRecord with {what}");
        let reply = call(&wire, &tried, path::VERIFY, &spoilt(kit, &compared, *make)?).await?;
        check(found, &tried, &reply);
        let tried = format!("StreamRecords whose second query is one with {what}");
        let queries = vec![kit.sealed(&asked), spoilt(kit, &asked, *make)?];
        let reply = call(&wire, &tried, path::RECORDS, &StreamRecordsRequest { queries }).await?;
        check(found, &tried, &reply);
    }
    Ok(())
}

/// What is signed as it should be, with something else in the claims.
fn saying(
    change: impl Fn(&mut Claims) + Sync,
) -> impl Fn(&WarrantKey, Good) -> (Vec<u8>, Vec<u8>) + Sync {
    move |key, (mut claims, opening)| {
        change(&mut claims);
        (key.sign(&claims), opening)
    }
}

/// LKP-40.
pub(crate) async fn missing(kit: &Kit, found: &mut Found) -> Tried {
    let none: Make<'_> = &|_, _| (Vec::new(), Vec::new());
    let opening_alone: Make<'_> = &|_, (_, opening)| (Vec::new(), opening);
    refuses(kit, found, "LKP-40", &[("no warrant", none), ("an opening alone", opening_alone)])
        .await
}

/// LKP-41.
pub(crate) async fn other_key(kit: &Kit, found: &mut Found) -> Tried {
    let stranger = WarrantKey::generate(&kit.warrant_key()?.issuer);
    let own: Make<'_> = &|_, (claims, opening)| (stranger.sign(&claims), opening);
    let header =
        |kid: &str| serde_json::json!({ "alg": "EdDSA", "typ": warrant::TYPE, "kid": kid });
    let named: Make<'_> = &|key, (claims, opening)| {
        let header = header(&key.signer.public().kid);
        (stranger.forge(&header, &serde_json::json!(claims)), opening)
    };
    let brought: Make<'_> = &|_, (claims, opening)| {
        let public = stranger.signer.public();
        let x = base64_url(&public.bytes());
        let jwk = serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
        let header = with(header(&public.kid), "jwk", jwk);
        (stranger.forge(&header, &serde_json::json!(claims)), opening)
    };
    let all = [
        ("a warrant of a key that is not published", own),
        ("a warrant of another key under the id of one that is", named),
        ("a warrant that brings its own key", brought),
    ];
    refuses(kit, found, "LKP-41", &all).await
}

/// An object with one member more, or another.
fn with(mut object: serde_json::Value, name: &str, member: serde_json::Value) -> serde_json::Value {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), member);
    }
    object
}

fn base64_url(bytes: &[u8]) -> String {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The text with another letter of the alphabet in the middle of one of its parts.
fn changed(warrant: &[u8], part: usize) -> Vec<u8> {
    let text = String::from_utf8_lossy(warrant).into_owned();
    let mut parts: Vec<String> = text.split('.').map(str::to_owned).collect();
    if let Some(part) = parts.get_mut(part) {
        let at = part.len() / 2;
        let other = if part.get(at..=at) == Some("A") { "B" } else { "A" };
        part.replace_range(at..=at, other);
    }
    parts.join(".").into_bytes()
}

/// LKP-42.
pub(crate) async fn changed_byte(kit: &Kit, found: &mut Found) -> Tried {
    let part = |part: usize| {
        move |key: &WarrantKey, (claims, opening): Good| {
            (changed(&key.sign(&claims), part), opening)
        }
    };
    let and = |change: fn(&mut Vec<u8>)| {
        move |key: &WarrantKey, (claims, opening): Good| {
            let mut warrant = key.sign(&claims);
            change(&mut warrant);
            (warrant, opening)
        }
    };
    let (header, claims, signature) = (part(0), part(1), part(2));
    let shorter = and(|warrant| warrant.truncate(warrant.len().saturating_sub(1)));
    let padded = and(|warrant| warrant.extend(b"=="));
    let fourth = and(|warrant| warrant.extend(b".AAAA"));
    let behind = and(|warrant| warrant.push(b'\n'));
    let unsigned = and(|warrant| {
        let end = warrant.iter().rposition(|byte| *byte == b'.').unwrap_or(0);
        warrant.truncate(end);
    });
    let all: [(&str, Make<'_>); 8] = [
        ("a warrant with another letter in its header", &header),
        ("a warrant with another letter in its claims", &claims),
        ("a warrant with another letter in its signature", &signature),
        ("a warrant without its last letter", &shorter),
        ("a warrant with padding", &padded),
        ("a warrant with a fourth part", &fourth),
        ("a warrant with a line break behind it", &behind),
        ("a warrant of two parts", &unsigned),
    ];
    refuses(kit, found, "LKP-42", &all).await
}

/// LKP-43.
pub(crate) async fn algorithm(kit: &Kit, found: &mut Found) -> Tried {
    let kid = kit.warrant_key()?.signer.public().kid.clone();
    let header = |alg: &str, typ: &str| serde_json::json!({ "alg": alg, "typ": typ, "kid": kid });
    let none: Make<'_> = &|key, (claims, opening)| {
        let signed = key.forge(&header("none", warrant::TYPE), &serde_json::json!(claims));
        let end = signed.iter().rposition(|byte| *byte == b'.').map_or(0, |dot| dot + 1);
        (signed.get(..end).unwrap_or_default().to_vec(), opening)
    };
    let none_signed: Make<'_> = &|key, (claims, opening)| {
        (key.forge(&header("none", warrant::TYPE), &serde_json::json!(claims)), opening)
    };
    // The public key as a secret that both sides share: what a library does that lets the header choose.
    let shared: Make<'_> = &|key, (claims, opening)| {
        let signed = key.forge(&header("HS256", warrant::TYPE), &serde_json::json!(claims));
        let text = String::from_utf8_lossy(&signed).into_owned();
        let signed = text.rsplit_once('.').map(|(signed, _)| signed).unwrap_or_default();
        let mac = Hmac::<Sha256>::new_from_slice(&key.signer.public().bytes());
        let mac = mac.map(|mac| mac.chain_update(signed).finalize().into_bytes().to_vec());
        let mac = base64_url(&mac.unwrap_or_default());
        (format!("{signed}.{mac}").into_bytes(), opening)
    };
    let other_token: Make<'_> = &|key, (claims, opening)| {
        (key.forge(&header("EdDSA", "JWT"), &serde_json::json!(claims)), opening)
    };
    let critical: Make<'_> = &|key, (claims, opening)| {
        let header = with(header("EdDSA", warrant::TYPE), "crit", serde_json::json!(["later"]));
        let header = with(header, "later", serde_json::json!(true));
        (key.forge(&header, &serde_json::json!(claims)), opening)
    };
    let all = [
        ("`alg` none and no signature", none),
        ("`alg` none and a good signature", none_signed),
        ("`alg` HS256 under the public key", shared),
        ("another `typ`", other_token),
        ("`crit`", critical),
    ];
    refuses(kit, found, "LKP-43", &all).await
}

/// LKP-44.
pub(crate) async fn expired(kit: &Kit, found: &mut Found) -> Tried {
    let past = saying(|claims| (claims.nbf, claims.exp) = (claims.nbf - 90, claims.nbf - 30));
    let lasting = saying(|claims| claims.exp = claims.nbf + 3600);
    let all: [(&str, Make<'_>); 2] = [
        ("a warrant that ended 30 seconds ago", &past),
        ("a warrant that holds for an hour", &lasting),
    ];
    refuses(kit, found, "LKP-44", &all).await
}

/// LKP-45.
pub(crate) async fn not_yet(kit: &Kit, found: &mut Found) -> Tried {
    let future = saying(|claims| (claims.nbf, claims.exp) = (claims.nbf + 30, claims.nbf + 90));
    refuses(kit, found, "LKP-45", &[("a warrant that begins in 30 seconds", &future)]).await
}

/// LKP-46.
pub(crate) async fn audience(kit: &Kit, found: &mut Found) -> Tried {
    let other = saying(|claims| claims.aud += "-2");
    let nobody = saying(|claims| claims.aud.clear());
    let issuer = saying(|claims| claims.iss += "-2");
    let all: [(&str, Make<'_>); 3] = [
        ("a warrant for another database", &other),
        ("a warrant for no database", &nobody),
        ("a warrant of another issuer", &issuer),
    ];
    refuses(kit, found, "LKP-46", &all).await
}

/// LKP-47.
pub(crate) async fn holder(kit: &Kit, found: &mut Found) -> Tried {
    let other = saying(|claims| claims.cnf.thumbprint = Sha256::digest("another").into());
    let unbound: Make<'_> = &|key, (claims, opening)| {
        let mut claims = serde_json::json!(claims);
        claims.as_object_mut().map(|claims| claims.remove("cnf"));
        let header = serde_json::json!({
            "alg": "EdDSA", "typ": warrant::TYPE, "kid": key.signer.public().kid,
        });
        (key.forge(&header, &claims), opening)
    };
    let all = [
        ("a warrant for another presenter", &other as Make<'_>),
        ("a warrant for every presenter", unbound),
    ];
    refuses(kit, found, "LKP-47", &all).await
}

/// LKP-49.
pub(crate) async fn subject(kit: &Kit, found: &mut Found) -> Tried {
    let other = saying(|claims| claims.subject = Sha256::digest("another").into());
    let opened_otherwise: Make<'_> = &|key, (claims, _)| (key.sign(&claims), vec![7; 32]);
    let unopened: Make<'_> = &|key, (claims, _)| (key.sign(&claims), Vec::new());
    let longer: Make<'_> = &|key, (claims, mut opening)| {
        // A key of HMAC is filled up with zeros, so these bytes would open it.
        opening.push(0);
        (key.sign(&claims), opening)
    };
    let all = [
        ("a warrant about another person", &other as Make<'_>),
        ("another opening", opened_otherwise),
        ("no opening", unopened),
        ("an opening of 33 bytes", longer),
    ];
    refuses(kit, found, "LKP-49", &all).await
}

/// LKP-50.
pub(crate) async fn items(kit: &Kit, found: &mut Found) -> Tried {
    let none = saying(|claims| claims.items.clear());
    let others = saying(|claims| {
        claims.items = vec![people::NO_ITEM.to_owned(), "*".to_owned()];
    });
    let all: [(&str, Make<'_>); 2] = [
        ("a warrant for no items", &none),
        ("a warrant for another item and the wildcard `*`", &others),
    ];
    refuses(kit, found, "LKP-50", &all).await?;
    // One more than it states.
    let wire = kit.connect().await?;
    let mut asked = people::taken(kit, &mut kit.dice("LKP-50 more"));
    asked.items.push(people::NO_ITEM.to_owned());
    let first = asked.items.first().cloned().unwrap_or_default();
    let fewer = saying(move |claims| claims.items = vec![first.clone()]);
    let tried = "GetRecord of two items with a warrant for the first";
    let reply = call(&wire, tried, path::GET, &spoilt(kit, &asked, &fewer)?).await?;
    check(found, tried, &reply);
    Ok(())
}

/// LKP-51.
pub(crate) async fn ground(kit: &Kit, found: &mut Found) -> Tried {
    let procedure = saying(|claims| claims.procedure += "-2");
    let legal_basis = saying(|claims| claims.legal_basis += "-2");
    let all: [(&str, Make<'_>); 2] = [
        ("a warrant for another procedure", &procedure),
        ("a warrant on another legal ground", &legal_basis),
    ];
    refuses(kit, found, "LKP-51", &all).await
}

/// A question with a warrant that holds for long, so that nothing but its use makes it bad.
fn lasting(kit: &Kit, dice: &mut Dice) -> Tried<GetRecordRequest> {
    let long = saying(|claims| claims.exp = claims.nbf + 300);
    spoilt(kit, &people::taken(kit, dice), &long)
}

/// Uses a warrant, which has to be taken.
async fn used(wire: &Wire, question: &GetRecordRequest) -> Tried {
    let tried = "GetRecord with a good warrant";
    let reply = call(wire, tried, path::GET, question).await?;
    if reply.status.code() == Code::Ok {
        return Ok(());
    }
    Err(not_tried(
        (
            "giấy phép tốt không được chấp nhận (xem LKP-1)",
            "a good warrant is not taken (see LKP-1)",
        ),
        ("sửa quy tắc đó trước", "put that rule right first"),
    ))
}

/// LKP-48.
pub(crate) async fn replayed(kit: &Kit, found: &mut Found) -> Tried {
    const AT_ONCE: usize = 8;
    let wire = kit.connect().await?;
    let mut dice = kit.dice("LKP-48");
    let question = lasting(kit, &mut dice)?;
    used(&wire, &question).await?;
    for tried in ["GetRecord with a warrant that was used", "the same once more"] {
        check(found, tried, &call(&wire, tried, path::GET, &question).await?);
    }
    let tried = "StreamRecords with a warrant that was used";
    let queries = vec![question.clone()];
    let reply = call(&wire, tried, path::RECORDS, &StreamRecordsRequest { queries }).await?;
    check(found, tried, &reply);
    let mut compared = people::comparison(kit, &mut dice);
    compared.carry(question.warrant.clone(), question.warrant_opening.clone());
    if compared.subject == question.subject {
        let tried = "VerifyRecord with a warrant that GetRecord used";
        check(found, tried, &call(&wire, tried, path::VERIFY, &compared).await?);
    }
    let twice = lasting(kit, &mut dice)?;
    let tried = "StreamRecords with one warrant in two queries";
    let queries = vec![twice.clone(), twice];
    let reply = call(&wire, tried, path::RECORDS, &StreamRecordsRequest { queries }).await?;
    check(found, tried, &reply);
    let question = lasting(kit, &mut dice)?;
    let tried = format!("{AT_ONCE} GetRecords at once with one warrant");
    let calls = (0..AT_ONCE).map(|_| answer(&wire, &tried, Ask::of(path::GET, &question)));
    let mut answered = 0;
    for reply in join_all(calls).await {
        let reply = reply?;
        if reply.status.code() == Code::Ok {
            answered += 1;
        } else {
            check(found, &tried, &reply);
        }
    }
    found.check(answered == 1, tried, "one answer", format!("{answered} answers"));
    Ok(())
}

/// LKP-52.
pub(crate) async fn after_a_restart(kit: &Kit, found: &mut Found) -> Tried {
    let restart = restart(kit)?;
    let question = lasting(kit, &mut kit.dice("LKP-52"))?;
    used(&kit.connect().await?, &question).await?;
    restarted(kit, restart).await?;
    let wire = kit.connect().await?;
    let tried = "GetRecord, after a restart, with a warrant that was used before it";
    check(found, tried, &call(&wire, tried, path::GET, &question).await?);
    Ok(())
}

/// LKP-53.
pub(crate) async fn later_members(kit: &Kit, found: &mut Found) -> Tried {
    let wire = kit.connect().await?;
    let mut dice = kit.dice("LKP-53");
    let later: Make<'_> = &|key, (claims, opening)| {
        let (cnf, intent) = (serde_json::json!(claims.cnf), serde_json::json!(claims.intent));
        let claims = serde_json::json!(claims);
        let claims = with(claims, "later", serde_json::json!({ "of": ["a", 1, null] }));
        let claims = with(claims, "cnf", with(cnf, "later", serde_json::json!("x")));
        let claims = with(claims, "intent", with(intent, "later", serde_json::json!(2)));
        let header = serde_json::json!({
            "alg": "EdDSA", "typ": warrant::TYPE, "kid": key.signer.public().kid, "later": [1],
        });
        (key.forge(&header, &claims), opening)
    };
    let tried = "GetRecord with members of a later contract in its warrant";
    let asked = spoilt(kit, &people::taken(kit, &mut dice), later)?;
    let reply = call(&wire, tried, path::GET, &asked).await?;
    if reply.status.code() != Code::Ok {
        return Err(failed(tried, "an answer", shown(&reply.status)));
    }
    let tried = "VerifyRecord with members of a later contract in its warrant";
    let asked = spoilt(kit, &people::comparison(kit, &mut dice), later)?;
    let reply = call(&wire, tried, path::VERIFY, &asked).await?;
    found.check(reply.status.code() == Code::Ok, tried, "an answer", shown(&reply.status));
    Ok(())
}
