//! What a caller signs of its request, so that it cannot deny it. The words stand in `type/v1/request_signature.proto`.

use crate::digest;

/// Length of what is signed.
pub const REQUEST_TO_SIGN_LEN: usize = 84;

const REQUEST: &[u8; 20] = b"lienthong/request/1\0";

/// The bytes that are signed: of a call of `method`, by its full path, with a request of this digest.
pub fn request_to_sign(method: &str, request_digest: &[u8; 32]) -> [u8; REQUEST_TO_SIGN_LEN] {
    let mut bytes = [0; REQUEST_TO_SIGN_LEN];
    let parts: [&[u8]; 3] = [REQUEST, &digest(method.as_bytes()), request_digest];
    for (to, from) in bytes.iter_mut().zip(parts.concat()) {
        *to = from;
    }
    bytes
}
