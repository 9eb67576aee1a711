//! What the binary and the tests share.

pub mod synth;
