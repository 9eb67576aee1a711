//! gRPC reflection, v1 and v1alpha: the published services, as they were last released. What only our own services
//! call is no part of the release and is not described.

use tonic::service::Routes;
use tonic_reflection::server::{Builder, Error};

/// The contract as it was last released, with everything it imports.
pub(crate) const RELEASED: &[u8] = include_bytes!("../../../proto/released.binpb");
/// Every service of it.
pub(crate) const PUBLISHED: [&str; 6] = [
    "lienthong.contribution.v1.ContributionService",
    "lienthong.database.v1.DatabaseService",
    "lienthong.database.v1.LookupService",
    "lienthong.database.v1.SinkService",
    "lienthong.database.v1.SourceService",
    "lienthong.identity.v1.IdentityService",
];
/// A question holds little more than a name.
const MESSAGE_MAX: usize = 4 << 10;

/// Describes those of `served` that are published; nothing is added when none is.
pub(crate) fn add(routes: Routes, served: &[&'static str]) -> Routes {
    let published: Vec<_> = served.iter().filter(|name| PUBLISHED.contains(name)).collect();
    if published.is_empty() {
        return routes;
    }
    let described = || -> Result<Routes, Error> {
        let builder = || {
            let all = Builder::configure()
                .register_encoded_file_descriptor_set(RELEASED)
                .include_reflection_service(false);
            published.iter().fold(all, |some, name| some.with_service_name(**name))
        };
        let v1 = builder().build_v1()?.max_decoding_message_size(MESSAGE_MAX);
        let v1alpha = builder().build_v1alpha()?.max_decoding_message_size(MESSAGE_MAX);
        Ok(routes.clone().add_service(v1).add_service(v1alpha))
    };
    described().unwrap_or_else(|error| {
        tracing::error!(%error, "the released contract cannot be described");
        routes
    })
}
