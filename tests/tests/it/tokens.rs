//! Epochs of tokens: what is issued, accepted and ended.
