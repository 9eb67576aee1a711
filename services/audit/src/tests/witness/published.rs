//! The published dialogue of a log with a witness, over HTTP: what is sent reaches a witness byte for byte, and what it says comes back.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value as Json;

use super::*;

const PUBLISHED: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../shared/tlog/testdata/published_witness.json"
));

/// The text of a log's key (C2SP `signed-note`).
fn vkey(origin: &str, public: &[u8]) -> String {
    let typed = [&[1], public].concat();
    let id = tlog::digest(&[origin.as_bytes(), b"\n", &typed].concat());
    format!("{origin}+{}+{}", hex::encode(&id[..4]), BASE64_STANDARD.encode(typed))
}

#[tokio::test]
async fn the_published_dialogue_is_held_over_http() {
    let published: Json = serde_json::from_str(PUBLISHED).unwrap();
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    let octets = |name: &str| hex::decode(text(&published[name])).unwrap();
    let dialogue = published["dialogue"].as_array().unwrap();
    let origin = text(&dialogue[0][3]).lines().nth(2).unwrap().to_owned();
    let seed = octets("witness_seed").try_into().unwrap();
    let name = text(&published["witness_name"]);
    let witness = Model::new(&name, seed, &vkey(&origin, &octets("log_key"))).await;
    let post = Post::new("", PACE.answer_max).unwrap();
    let to = format!("{}add-checkpoint", at(witness.address)).parse().unwrap();
    let mut cosigned = 0;
    for row in dialogue {
        let (case, said, sent) = (text(&row[0]), text(&row[2]), text(&row[3]));
        let reply = ends(post.send(&to, sent.clone())).await.unwrap();
        assert_eq!(witness.asked().last().unwrap().to_text().unwrap(), sent, "{case}");
        // The program that was published answered 403 to a log that it does not know; C2SP says 404.
        let status = if case == "unknown log" { Some(404) } else { row[1].as_u64() };
        assert_eq!(Some(u64::from(reply.status)), status, "{case}");
        let body = std::str::from_utf8(&reply.body).unwrap();
        match reply.status {
            200 => {
                assert!(body.starts_with(&said), "{case}");
                cosigned += 1;
            }
            409 => {
                assert_eq!(
                    (body, reply.content_type.as_deref()),
                    (said.as_str(), Some("text/x.tlog.size"))
                );
            }
            _ => {}
        }
    }
    assert_eq!((cosigned, witness.size()), (3, 5));
}
