//! What the binary and the tests share.
//!
//! | module | job |
//! |---|---|
//! | `agreement` | signing agreements |
//! | `client` | calling the published services, keeping the exact bytes |
//! | `databases` | reference databases, with their part of the synthetic population |
//! | `demo` | a demonstration in one folder: identities, agreements, synthetic persons, the tour |
//! | `pki` | a development certificate authority |
//! | `population` | synthetic persons, straight into a register |
//! | `process` | every service in one process, or one in each |
//! | `rule_set` | rule sets in a folder, and signing them |
//! | `settings` | what each kind of process reads from its configuration |
//! | `synth` | synthetic persons |

pub mod agreement;
pub mod client;
pub mod databases;
pub mod demo;
pub mod pki;
pub mod population;
pub mod process;
pub mod rule_set;
pub mod settings;
pub mod synth;
