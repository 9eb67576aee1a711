//! The published contract as Rust types: messages, clients, and the servers of services that carry no
//! personal data. Nothing here is written by hand but this page; `tests/generate.rs` makes the rest
//! from `proto/` and fails when it differs.
//!
//! Servers of services whose answers carry personal data are not here: they are generated into
//! `disclosure`, where a response exists only as `Released<_>` (invariant I1).
//!
//! `Debug` of a message leaves out every field that the contract marks as personal or secret (I8).

#![allow(
    missing_docs,
    unreachable_pub,
    rustdoc::all,
    clippy::all,
    clippy::wildcard_enum_match_arm,
    reason = "generated code"
)]

/// Packages under `lienthong.audit`.
pub mod audit {
    /// Package `lienthong.audit.v1`.
    pub mod v1 {
        include!("gen/lienthong.audit.v1.rs");
    }
}
/// Packages under `lienthong.contribution`.
pub mod contribution {
    /// Package `lienthong.contribution.v1`.
    pub mod v1 {
        include!("gen/lienthong.contribution.v1.rs");
    }
}
/// Packages under `lienthong.database`.
pub mod database {
    /// Package `lienthong.database.v1`.
    pub mod v1 {
        include!("gen/lienthong.database.v1.rs");
        include!("gen/rules.rs");

        /// The files of the package as a `google.protobuf.FileDescriptorSet`: what it says without its comments.
        pub const DESCRIPTORS: &[u8] = include_bytes!("gen/lienthong.database.v1.binpb");
    }
}
/// Packages under `lienthong.exchange`.
pub mod exchange {
    /// Package `lienthong.exchange.v1`.
    pub mod v1 {
        include!("gen/lienthong.exchange.v1.rs");
    }
}
/// Packages under `lienthong.identity`.
pub mod identity {
    /// Package `lienthong.identity.v1`.
    pub mod v1 {
        include!("gen/lienthong.identity.v1.rs");
    }
}
/// Packages under `lienthong.options`.
pub mod options {
    /// Package `lienthong.options.v1`.
    pub mod v1 {
        include!("gen/lienthong.options.v1.rs");
    }
}
/// Packages under `lienthong.policy`.
pub mod policy {
    /// Package `lienthong.policy.v1`.
    pub mod v1 {
        include!("gen/lienthong.policy.v1.rs");
    }
}
/// Packages under `lienthong.register`.
pub mod register {
    /// Package `lienthong.register.v1`.
    pub mod v1 {
        include!("gen/lienthong.register.v1.rs");
    }
}
/// Packages under `lienthong.type`.
pub mod r#type {
    /// Package `lienthong.type.v1`.
    pub mod v1 {
        include!("gen/lienthong.type.v1.rs");
    }
}

include!("gen/methods.rs");

/// Debug output of messages with personal data.
mod redacted {
    include!("gen/redacted.rs");
}
