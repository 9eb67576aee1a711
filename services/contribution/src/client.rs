//! Policy, the register and the access log, as contribution uses them.

use contract::{
    audit::v1::audit_service_server::SERVICE_NAME as AUDIT,
    policy::v1::policy_service_server::SERVICE_NAME as POLICY,
    register::v1::{
        Annulled, ApplyAnswer, ApplyRequest, Assertion, Decided, Disagreement as WireDisagreement,
        FurtherPerson, GetDisagreementAnswer, GetDisagreementRequest, KnownPerson,
        ListVisibleRequest, NewPerson, Rejection as WireRejection, Says, SplitPerson, Withdrawn,
        apply_answer, apply_request, register_service_client::RegisterServiceClient,
    },
    r#type::v1::ErrorReason,
};
use disclosure::{Recorder, register::v1::register_service_server::SERVICE_NAME as REGISTER};
use model::{CodeLists, Disagreement, Said, Saying};
use server::{
    Channel, Deadline, channel,
    error::name,
    health::Peers,
    runtime::{Clock, Entropy},
};
use tonic::Status;
use tonic_types::StatusExt as _;
use wire::{
    disagreement,
    event::{Further, Target},
    policy::{self, PolicyClient},
    subject::{write as write_subject, write_claims},
    value::{write, write_date},
};

use crate::{
    Config, Error,
    domain::{Application, Outcome, Rejection},
};

/// The ways to the other services.
pub(crate) struct Clients {
    /// Decisions.
    pub(crate) policy: PolicyClient,
    /// The register.
    pub(crate) register: RegisterClient,
    /// The access log.
    pub(crate) recorder: Recorder,
    /// Whether all three are there.
    pub(crate) peers: Peers,
}

impl Clients {
    /// Channels that connect when first used; checkpoints must be signed by `log_key`, and decisions by
    /// the configured keys of policy.
    pub(crate) fn new(
        config: &Config,
        own: &server::Config,
        log_key: &str,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, Error> {
        let files = own.files();
        let to = |peer| channel::to_service(peer, &own.trust_domain, &files);
        let verifier = tlog::LogVerifier::new(log_key)?;
        let keys = policy::keys(&config.policy_key_file)?;
        let (policy, audit) = (to(&config.policy)?, to(&config.audit)?);
        let register = to(&config.identity)?;
        let peers =
            [(policy.clone(), POLICY), (audit.clone(), AUDIT), (register.clone(), REGISTER)];
        Ok(Self {
            peers: Peers::new(peers),
            policy: PolicyClient::new(policy, keys, clock.clone(), entropy.clone()),
            register: RegisterClient::new(register)?,
            recorder: Recorder::new(audit, verifier, clock, entropy),
        })
    }
}

/// What an application names that only the submissions know.
pub(crate) enum Named {
    /// Nothing.
    Nothing,
    /// Id of the contribution that is annulled, if there is one.
    Earlier(Option<String>),
    /// What the conflict is about that is decided, if there is one.
    Conflict(Option<Disagreement>),
    /// The contribution is not to be applied any more.
    Withdrawn,
}

/// Why the register has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotApplied {
    /// The id was applied with other bytes, whose digest this is.
    KeyReused([u8; 32]),
    /// The register could not record the application. It may have been applied.
    AuditAway,
    /// Too many persons were not found; the next try is due after so many seconds.
    BudgetSpent(u64),
    /// The deadline passed first. It may have been applied.
    Late,
    /// It did not answer, or with something that is no outcome. It may have been applied.
    Away,
}

/// The way to the register.
#[derive(Clone)]
pub(crate) struct RegisterClient {
    register: RegisterServiceClient<Channel>,
    lists: CodeLists,
}

impl RegisterClient {
    pub(crate) fn new(channel: Channel) -> Result<Self, Error> {
        let lists = CodeLists::shipped()?;
        Ok(Self { register: RegisterServiceClient::new(channel), lists })
    }

    /// Applies a contribution; the same id may be sent any number of times (I4).
    pub(crate) async fn apply(
        &self,
        deadline: Deadline,
        contribution_id: &str,
        digest: &[u8; 32],
        application: &Application,
        named: &Named,
        dry_run: bool,
    ) -> Result<Outcome, NotApplied> {
        // Of what is taken back nothing is said.
        let says = !matches!(named, Named::Withdrawn);
        let further = application.further.iter().filter(|_| says);
        let further_persons = further.map(|further| FurtherPerson {
            person: Some(KnownPerson {
                subject: Some(write_subject(&further.subject)),
                claims: Some(write_claims(&further.claims)),
                ..KnownPerson::default()
            }),
            assertions: self.assertions(&further.said),
        });
        let source_entry = application.entry.clone();
        let known = |subject, claims, corrects| KnownPerson {
            subject: Some(write_subject(subject)),
            claims: Some(write_claims(claims)),
            source_entry: application.entry.clone(),
            corrects,
        };
        let subject = match &application.target {
            _ if matches!(named, Named::Withdrawn) => {
                apply_request::Subject::Withdrawn(Withdrawn {})
            }
            Target::New { prefix } => {
                let number_prefix = prefix.clone();
                apply_request::Subject::NewPerson(NewPerson { number_prefix, source_entry })
            }
            Target::Earlier { .. } => {
                let contribution_id = match named {
                    Named::Earlier(Some(id)) => id.clone(),
                    Named::Earlier(None)
                    | Named::Nothing
                    | Named::Conflict(_)
                    | Named::Withdrawn => String::new(),
                };
                apply_request::Subject::Annulled(Annulled { contribution_id })
            }
            Target::Decided { item, accepted, .. } => {
                let about = match named {
                    Named::Conflict(about) => about.clone(),
                    Named::Nothing | Named::Earlier(_) | Named::Withdrawn => None,
                };
                let (item, accepted) = (item.clone(), *accepted);
                let decided = about.map(|about| Decided {
                    contribution_id: about.contribution_id,
                    against_contribution_id: about.against_contribution_id,
                    person: about.person_id,
                    ..Decided::default()
                });
                let decided = decided.unwrap_or_default();
                apply_request::Subject::Decided(Decided { item, accepted, ..decided })
            }
            Target::Affected { subject, claims } => {
                apply_request::Subject::AffectedPerson(known(subject, claims, false))
            }
            Target::Merged { subject, claims } => {
                apply_request::Subject::MergedPerson(known(subject, claims, false))
            }
            Target::Split { subject, claims, restored } => {
                apply_request::Subject::SplitPerson(SplitPerson {
                    person: Some(known(subject, claims, false)),
                    restored_subject: Some(write_subject(restored)),
                })
            }
            Target::Known { subject, claims, corrects } => {
                apply_request::Subject::KnownPerson(known(subject, claims, *corrects))
            }
        };
        let request = ApplyRequest {
            contribution_id: contribution_id.to_owned(),
            digest: digest.to_vec(),
            source: application.source.clone(),
            connection: application.connection.clone(),
            subject: Some(subject),
            assertions: if says { self.assertions(&application.said) } else { Vec::new() },
            event: application.event.map(|event| event.name().to_owned()).unwrap_or_default(),
            further_persons: further_persons.collect(),
            expected_version: application.expected_version,
            dry_run,
        };
        let mut register = self.register.clone();
        let applied = deadline.bounds(register.apply(deadline.request(request))).await;
        let answer = match applied {
            Ok(response) => response.into_inner().answer,
            Err(status) => return not_applied(deadline, &status),
        };
        answer.and_then(|answer| outcome(answer, application)).ok_or_else(|| {
            tracing::error!("the register answered with no outcome");
            NotApplied::Away
        })
    }

    /// What both sides of a disagreement say; none of either when of the person may not be spoken or they disagree no more.
    pub(crate) async fn disagreement(
        &self,
        deadline: Deadline,
        one: &Disagreement,
        connection: &str,
    ) -> Result<GetDisagreementAnswer, NotApplied> {
        let request = GetDisagreementRequest {
            disagreement: Some(disagreement::write(one)),
            connection: connection.to_owned(),
        };
        let mut register = self.register.clone();
        let found = deadline.bounds(register.get_disagreement(deadline.request(request))).await;
        match found {
            Ok(response) => response.into_inner().answer.ok_or(NotApplied::Away),
            Err(status) => Err(unread(deadline, &status)),
        }
    }

    /// Those of the persons of whom may be spoken.
    pub(crate) async fn visible(
        &self,
        deadline: Deadline,
        persons: Vec<String>,
        connection: &str,
    ) -> Result<Vec<String>, NotApplied> {
        let request = ListVisibleRequest { persons, connection: connection.to_owned() };
        let mut register = self.register.clone();
        let found = deadline.bounds(register.list_visible(deadline.request(request))).await;
        match found {
            Ok(response) => Ok(response.into_inner().answer.unwrap_or_default().visible_persons),
            Err(status) => Err(unread(deadline, &status)),
        }
    }

    fn assertions(&self, said: &[Said]) -> Vec<Assertion> {
        let one = |said: &Said| Assertion {
            item: said.item.clone(),
            value: said.value.as_ref().map(|value| write(value, &self.lists)),
            valid_from: said.valid_from.as_ref().map(write_date),
            says: match said.says {
                Saying::Holds => Says::Holds,
                Saying::Ends => Says::Ends,
                Saying::EndsIfHeld => Says::EndsIfHeld,
            }
            .into(),
        };
        said.iter().map(one).collect()
    }
}

fn outcome(answer: ApplyAnswer, application: &Application) -> Option<Outcome> {
    Some(match answer.outcome? {
        apply_answer::Outcome::Applied(applied) => {
            let known = applied.known_time.unwrap_or_default();
            let known_at_us = known.seconds * 1_000_000 + i64::from(known.nanos) / 1_000;
            let (version, number) = (applied.version, applied.issued_number);
            let all =
                |all: Vec<WireDisagreement>| all.into_iter().map(disagreement::read).collect();
            Outcome::Applied {
                version,
                number,
                known_at_us,
                outranked: applied.outranked_items,
                disagree: all(applied.disagreements),
                agree: all(applied.settled_disagreements),
            }
        }
        apply_answer::Outcome::Rejected(rejected) => {
            let one = |rejection: WireRejection| {
                let reason = rejection.reason().as_str_name();
                let reason = reason.strip_prefix("REJECTION_REASON_").unwrap_or(reason).to_owned();
                Rejection { item: named(application, rejection.person, rejection.item), reason }
            };
            Outcome::Rejected(rejected.reasons.into_iter().map(one).collect())
        }
    })
}

/// Why nothing could be read from the register.
fn unread(deadline: Deadline, status: &Status) -> NotApplied {
    match not_applied(deadline, status) {
        Err(error) => error,
        Ok(_) => NotApplied::Away,
    }
}

/// An item of the person in that place of a contribution: of a further one after the person's place in the event.
fn named(application: &Application, person: u32, item: String) -> String {
    let further = person.checked_sub(1).and_then(|place| usize::try_from(place).ok());
    match further.and_then(|place| application.further.get(place)) {
        None => item,
        Some(Further { place, .. }) if item.is_empty() => place.clone(),
        Some(Further { place, .. }) => format!("{place}.{item}"),
    }
}

/// What an error of the register means. One that will be the same however often it is asked again is an
/// outcome, or the contribution would never be finished.
fn not_applied(deadline: Deadline, status: &Status) -> Result<Outcome, NotApplied> {
    if deadline.ended(status) {
        return Err(NotApplied::Late);
    }
    let details = status.get_error_details();
    let Some(info) = details.error_info() else {
        tracing::error!(code = ?status.code(), "the register did not answer");
        return Err(NotApplied::Away);
    };
    tracing::error!(reason = info.reason, "the register did not apply");
    let is = |reason| info.reason == name(reason);
    if is(ErrorReason::KeyReused) {
        let first = info.metadata.get("first_digest").and_then(|text| hex::decode(text).ok());
        let first = first.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        Err(NotApplied::KeyReused(first.unwrap_or_default()))
    } else if is(ErrorReason::GuessingBudgetSpent) {
        let after = info.metadata.get("retry_after_seconds").and_then(|text| text.parse().ok());
        Err(NotApplied::BudgetSpent(after.unwrap_or_default()))
    } else if is(ErrorReason::InvalidRequest) || is(ErrorReason::MessageTooLarge) {
        let reason = "NOT_ACCEPTED".to_owned();
        Ok(Outcome::Rejected(vec![Rejection { item: String::new(), reason }]))
    } else if is(ErrorReason::AuditUnavailable) {
        Err(NotApplied::AuditAway)
    } else {
        Err(NotApplied::Away)
    }
}
