//! `PolicyService.LeaseVolume`: a part of a grant's volume, to a process of ours.

use std::collections::BTreeSet;

use contract::{policy::v1 as proto, r#type::v1::ErrorReason};
use server::{Deadline, error::refuse};
use tonic::Status;
use wire::{Fault, Faults};

use super::status;
use crate::{
    app::App,
    domain::volume::GrantKey,
    store::volume::{Leased, NotLeased, Wanted},
};

/// Persons that wait at once. It is in the contract.
const NEEDED_MAX: u32 = 1_000;
/// Leases that come back at once. It is in the contract.
const RETURNED_MAX: usize = 100;
/// Digits of a lease's name.
const NAME_LEN: usize = 32;

pub(super) async fn lease(
    app: &App,
    deadline: Deadline,
    request: proto::LeaseVolumeRequest,
) -> Result<proto::LeaseVolumeResponse, Status> {
    let wanted = checked(request)?;
    let (now, leased) = app.lease(deadline, wanted).await.map_err(|error| status(&error))?;
    let Leased { persons, expires, period_end, .. } = leased.map_err(not_leased)?;
    let lives = u64::try_from((expires - now).whole_milliseconds()).unwrap_or_default();
    Ok(proto::LeaseVolumeResponse {
        persons,
        lives_milliseconds: lives,
        period_end: Some(prost_types::Timestamp { seconds: period_end.unix_timestamp(), nanos: 0 }),
    })
}

/// What is asked for; every faulty field is named at once.
fn checked(request: proto::LeaseVolumeRequest) -> Result<Wanted, Status> {
    let proto::LeaseVolumeRequest { connection, grant, lease, needed, wanted, returned } = request;
    let mut faults = Faults::default();
    let named = |faults: &mut Faults, field: String, name: &str| {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if name.len() != NAME_LEN || !name.bytes().all(digit) {
            faults.add(field, if name.is_empty() { Fault::Missing } else { Fault::Malformed });
        }
    };
    if connection.is_empty() {
        faults.add("connection", Fault::Missing);
    }
    let key = GrantKey::of(&grant);
    if key.is_none() {
        faults.add("grant", if grant.is_empty() { Fault::Missing } else { Fault::Malformed });
    }
    if !lease.is_empty() || returned.is_empty() {
        named(&mut faults, "lease".to_owned(), &lease);
        if !(1..=NEEDED_MAX).contains(&needed) {
            faults.add("needed", if needed == 0 { Fault::Missing } else { Fault::NotAllowed });
        }
        if wanted < needed {
            faults.add("wanted", Fault::NotAllowed);
        }
    }
    if returned.len() > RETURNED_MAX {
        faults.add("returned", Fault::TooMany(RETURNED_MAX));
    }
    let mut seen = BTreeSet::new();
    for (place, one) in returned.iter().take(RETURNED_MAX).enumerate() {
        let field = format!("returned[{place}].lease");
        if !seen.insert(&one.lease) {
            faults.add(field, Fault::Repeated);
        } else {
            named(&mut faults, field, &one.lease);
        }
    }
    faults.finish()?;
    // Whatever is not there was named above.
    let grant = key.ok_or_else(|| refuse(ErrorReason::Internal))?;
    let returned = returned.into_iter().map(|one| (one.lease, one.used)).collect();
    Ok(Wanted { connection, grant, lease, needed, wanted, returned })
}

fn not_leased(why: NotLeased) -> Status {
    let mut faults = Faults::default();
    match why {
        NotLeased::NoGrant => return refuse(ErrorReason::NoAgreement),
        NotLeased::OtherGrant => faults.add("lease", Fault::NotAllowed),
        NotLeased::Overdrawn(place) => {
            faults.add(format!("returned[{place}].used"), Fault::NotAllowed);
        }
    }
    faults.finish().err().unwrap_or_else(|| refuse(ErrorReason::Internal))
}
