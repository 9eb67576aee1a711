//! What followers are given to hold: where they are, in a form that says nothing to them. Two of one place differ, so that
//! whoever asks again cannot tell whether anything has happened of which it does not hear (I7).

use server::runtime::Entropy;

/// What the register's key is used for here; no two uses meet.
const HIDDEN: &str = "lienthong/feed-cursor/1/hidden";
const BOUND: &str = "lienthong/feed-cursor/1/bound";
const NONCE: usize = 16;
const MAC: usize = 16;
/// Bytes that one digest hides.
const BLOCK: usize = 32;

/// What something is for, and whose it is: opened as anything else it is nothing.
#[derive(Clone, Copy)]
pub(crate) struct Purpose<'a> {
    /// What for.
    pub(crate) what: &'static str,
    /// The connection.
    pub(crate) connection: &'a str,
}

/// Hides and binds bytes: a nonce drawn at random, the bytes under a key stream of it, and a code over both and the purpose.
pub(crate) fn seal(
    secret: &[u8; 32],
    purpose: Purpose<'_>,
    entropy: &Entropy,
    bytes: &[u8],
) -> String {
    let nonce: [u8; NONCE] = entropy.array();
    let mut sealed = nonce.to_vec();
    sealed.extend(hidden(secret, &nonce, bytes));
    let mac = code(secret, purpose, &sealed);
    sealed.extend(mac);
    hex::encode(sealed)
}

/// The bytes that were sealed for this purpose; none where these were not.
pub(crate) fn open(secret: &[u8; 32], purpose: Purpose<'_>, text: &str) -> Option<Vec<u8>> {
    let bytes = hex::decode(text).ok().filter(|bytes| hex::encode(bytes) == text)?;
    let (sealed, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC)?)?;
    if code(secret, purpose, sealed) != mac {
        return None;
    }
    let (nonce, rest) = sealed.split_at_checked(NONCE)?;
    Some(hidden(secret, nonce, rest))
}

/// Under the key stream of a nonce; the same again undoes it.
fn hidden(secret: &[u8; 32], nonce: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for (block, part) in (0_u32..).zip(bytes.chunks(BLOCK)) {
        let of = [nonce, &block.to_be_bytes()].concat();
        let stream = tlog::keyed_digest(secret, HIDDEN, &of);
        out.extend(part.iter().zip(stream).map(|(byte, key)| byte ^ key));
    }
    out
}

fn code(secret: &[u8; 32], Purpose { what, connection }: Purpose<'_>, sealed: &[u8]) -> Vec<u8> {
    // The words of a purpose hold no end of a line, and the bytes stand last.
    let bound = [what.as_bytes(), b"\n", connection.as_bytes(), b"\n", sealed].concat();
    tlog::keyed_digest(secret, BOUND, &bound).into_iter().take(MAC).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    const SECRET: [u8; 32] = [7; 32];
    const OF_A: Purpose<'_> = Purpose { what: "changes", connection: "a" };

    proptest! {
        #[test]
        fn what_is_sealed_is_opened_by_its_owner_alone(bytes: Vec<u8>, seed: u64, at: usize) {
            let entropy = Entropy::seeded(seed);
            let text = seal(&SECRET, OF_A, &entropy, &bytes);
            prop_assert_eq!(open(&SECRET, OF_A, &text), Some(bytes.clone()));
            for other in [
                Purpose { connection: "b", ..OF_A },
                Purpose { what: "persons", ..OF_A },
            ] {
                prop_assert_eq!(open(&SECRET, other, &text), None);
            }
            prop_assert_eq!(open(&[8; 32], OF_A, &text), None);
            // Whatever digit is another one.
            let mut digits = text.clone().into_bytes();
            let at = at % digits.len();
            let digit = digits.get_mut(at).unwrap();
            *digit = if *digit == b'0' { b'1' } else { b'0' };
            prop_assert_eq!(open(&SECRET, OF_A, &String::from_utf8(digits).unwrap()), None);
            // The same bytes look otherwise each time, and are as long.
            let again = seal(&SECRET, OF_A, &entropy, &bytes);
            prop_assert_eq!(again.len(), text.len());
            prop_assert_ne!(again, text);
        }
    }

    #[test]
    fn what_is_no_cursor_is_none() {
        let long = "0".repeat(200);
        for text in ["", "x", "00", "0.0", "7.1", &long] {
            assert_eq!(open(&SECRET, OF_A, text), None, "{text}");
        }
        let text = seal(&SECRET, OF_A, &Entropy::seeded(1), b"ab");
        assert_eq!(open(&SECRET, OF_A, &text.to_uppercase()), None, "written in one way");
    }
}
