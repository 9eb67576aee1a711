//! `ConsentService`: what agencies call to have consents recorded and withdrawn.

mod read;
mod write;

use std::sync::Arc;

use contract::{
    audit::v1::{AccessOutcome, DecisionRecord, ItemRecord},
    identity::v1::{
        GetConsentRequest, GetConsentResponse, RecordConsentRequest, RecordConsentResponse,
        WithdrawConsentRequest, WithdrawConsentResponse,
    },
    r#type::v1::{AccessBasis, ErrorReason},
};
use decide::{DecisionTable, ItemEffect};
use disclosure::{
    Answer, Disclosed, Exact, Released, identity::v1::consent_service_server::ConsentService,
};
use tonic::{Request, Response, Status};
use wire::{
    policy::{Act, Decision, Denial},
    record,
};

use super::{
    Shared,
    call::{Call, nothing_of},
    identity,
};
use crate::{
    app::{Given, Known, NotRecorded},
    domain::consent::ITEMS,
};

const RECORD_CONSENT: &str = "/lienthong.identity.v1.ConsentService/RecordConsent";
const WITHDRAW_CONSENT: &str = "/lienthong.identity.v1.ConsentService/WithdrawConsent";
const GET_CONSENT: &str = "/lienthong.identity.v1.ConsentService/GetConsent";

/// The service.
pub(super) struct Consents(pub(super) Arc<Shared>);

#[tonic::async_trait]
impl ConsentService for Consents {
    async fn record_consent(
        &self,
        request: Request<Exact<RecordConsentRequest>>,
    ) -> Result<Response<Released<RecordConsentResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, RECORD_CONSENT)?;
        let (message, shared) = (exact.message(), &self.0);
        let read::Checked { lookup, terms, basis } = read::record(message, shared)?;
        let call = Call::new(shared, &caller, deadline, RECORD_CONSENT, exact.asked()).on(basis);
        let decision = call.decided(Act::RecordConsents, basis, &message.items).await?;
        let table = call.table(&decision).await?;
        if let Some(denial) = never_all(table) {
            return Err(call.refuse(&decision, &denial, &[]).await);
        }
        // Whoever may not be obtained all of it from is as somebody who does not exist.
        let mut table = table.clone();
        table.hide_in_part();
        let key = message.idempotency_key.clone();
        let given = Given { lookup, terms, key, digest: tlog::digest(exact.bytes()) };
        match shared.app.consent_before(deadline, &decision.connection, &given).await {
            Ok(None) => {}
            Ok(Some(known)) => {
                let answer = known_as_it_is(&call, &decision, &message.request_id, &known).await?;
                return Ok(Response::new(answer.into()));
            }
            Err(reason) => return Err(not_recorded(&call, &decision, reason).await),
        }
        // Whoever has a consent recorded is told that there is such a person.
        let taken = call.take(&decision, 1).await?;
        let recorded = shared.app.record_consent(deadline, given, &decision, &table, taken).await;
        let (looked, consent) = match recorded {
            Ok(recorded) => recorded,
            Err(reason) => return Err(not_recorded(&call, &decision, reason).await),
        };
        let at = looked.at;
        let answer = write::answer(&message.request_id, &decision, consent.as_ref(), at);
        // Nothing is told of any item: what may be obtained later is.
        let recorded = DecisionRecord {
            items: listed(&message.items),
            ..identity::recorded(&decision, &looked, None)
        };
        Ok(Response::new(call.disclosed(&recorded, Answer::new(&answer)).await?.into()))
    }

    async fn withdraw_consent(
        &self,
        request: Request<Exact<WithdrawConsentRequest>>,
    ) -> Result<Response<Released<WithdrawConsentResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, WITHDRAW_CONSENT)?;
        let (message, shared) = (exact.message(), &self.0);
        let WithdrawConsentRequest { consent_reference, basis, request_id } = message;
        let basis = read::named(consent_reference, basis.as_ref(), request_id)?;
        let call = Call::new(shared, &caller, deadline, WITHDRAW_CONSENT, exact.asked()).on(basis);
        let asked = Asked { reference: consent_reference, basis, request_id, withdraw: true };
        Ok(Response::new(told(&call, asked).await?.into()))
    }

    async fn get_consent(
        &self,
        request: Request<Exact<GetConsentRequest>>,
    ) -> Result<Response<Released<GetConsentResponse>>, Status> {
        let (caller, deadline, exact) = disclosure::asked(request, GET_CONSENT)?;
        let (message, shared) = (exact.message(), &self.0);
        let GetConsentRequest { consent_reference, basis, request_id } = message;
        let basis = read::named(consent_reference, basis.as_ref(), request_id)?;
        let call = Call::new(shared, &caller, deadline, GET_CONSENT, exact.asked()).on(basis);
        let asked = Asked { reference: consent_reference, basis, request_id, withdraw: false };
        Ok(Response::new(told(&call, asked).await?.into()))
    }
}

/// A consent that is asked about by its reference.
struct Asked<'a> {
    reference: &'a str,
    basis: &'a AccessBasis,
    request_id: &'a str,
    withdraw: bool,
}

/// A consent as it is, once it is withdrawn where that is asked, and recorded.
async fn told(
    call: &Call<'_>,
    asked: Asked<'_>,
) -> Result<Disclosed<contract::identity::v1::ConsentAnswer>, Status> {
    let Asked { reference, basis, request_id, withdraw } = asked;
    // Of which items it is nobody knows before it is read.
    let decision = call.decided(Act::RecordConsents, basis, &ITEMS.map(str::to_owned)).await?;
    let table = call.table(&decision).await?;
    let app = &call.shared.app;
    let named = (reference, basis.procedure.as_str());
    let known = app.consent(call.deadline, named, withdraw, &decision, table).await;
    let known = match known {
        Ok(known) => known,
        Err(reason) => return Err(call.no_answer(&decision, reason).await),
    };
    known_as_it_is(call, &decision, request_id, &known).await
}

async fn not_recorded(call: &Call<'_>, decision: &Decision, reason: NotRecorded) -> Status {
    match reason {
        NotRecorded::KeyReused(first) => {
            let denial = record::own(ErrorReason::KeyReused, "one-key-one-consent");
            let first = ("first_digest", hex::encode(first));
            call.refuse(decision, &denial, &[first]).await
        }
        NotRecorded::Unanswered(reason) => call.no_answer(decision, reason).await,
    }
}

/// A consent that is told as it is, or as none where the caller may not know of it; recorded as it is.
async fn known_as_it_is(
    call: &Call<'_>,
    decision: &Decision,
    request_id: &str,
    known: &Known,
) -> Result<Disclosed<contract::identity::v1::ConsentAnswer>, Status> {
    let told = known.consent.as_ref().filter(|_| known.told);
    let answer = write::answer(request_id, decision, told, known.at);
    call.disclosed(&recorded(decision, known), Answer::new(&answer)).await
}

/// What inspectors will read: whose consent it was, and to what.
fn recorded(decision: &Decision, known: &Known) -> DecisionRecord {
    let consent = known.consent.as_ref();
    let there = if known.told { AccessOutcome::Answered } else { AccessOutcome::Hidden };
    let outcome = consent.map_or(AccessOutcome::Absent, |_| there);
    let person = consent.map(|consent| consent.record.as_str());
    let items = consent.map(|consent| listed(&consent.terms.items)).unwrap_or_default();
    DecisionRecord { items, ..record::answered(decision, outcome, person, Vec::new(), None) }
}

/// The items that a consent is to, of which nothing was told.
fn listed(items: &[String]) -> Vec<ItemRecord> {
    let one = |item: &String| ItemRecord { item: item.clone(), ..ItemRecord::default() };
    items.iter().map(one).collect()
}

/// Why there is nobody whose consent to all of the items may be recorded: the first of them that is allowed of nobody.
fn never_all(table: &DecisionTable) -> Option<Denial> {
    let allowed = |place: usize| {
        let mut items = table.answers().iter().filter_map(|answer| answer.items.get(place));
        items.any(|item| item.effect == ItemEffect::Allowed)
    };
    let first = table.answers().first()?;
    let mut items = first.items.iter().enumerate();
    items.find(|(place, _)| !allowed(*place)).map(|(_, item)| nothing_of(item))
}
