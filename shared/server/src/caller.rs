//! Who calls: the SPIFFE URI in the verified client certificate, or the one that the configuration has for whom the
//! proxy of a mesh vouches for (`mesh`), and nothing else. What one kind of
//! caller may call is one static table of each server, never a question to the policy service.

use sha2::{Digest as _, Sha256};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer};

/// A verified caller. It comes of a certificate that the TLS layer has verified, or of the configured table for
/// whom a proxy of the mesh has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    id: String,
    kind: Kind,
    key: Option<Thumbprint>,
}

/// SHA-256 of a public key as certificates carry it (DER of SubjectPublicKeyInfo): it stays what it is when a certificate is
/// renewed for the same key.
pub type Thumbprint = [u8; 32];

/// What kind of caller an identity names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A system of an agency: `/agency/<agency>/system/<system>`.
    System {
        /// The agency's code.
        agency: String,
        /// The system's id.
        system: String,
    },
    /// One of our own services: `/service/<name>`.
    Service(String),
    /// An officer of the operator: `/operator/<id>`.
    Operator(String),
}

/// Why there is no caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCaller {
    /// It is not a certificate.
    #[error("the certificate cannot be parsed")]
    NotACertificate,
    /// It has no URI name, or more than one.
    #[error("the certificate must carry exactly one URI name")]
    NotOneUri,
    /// The URI is not an identity of the trust domain.
    #[error("the URI names no identity of the trust domain")]
    NotOurs,
    /// The proxy says of nobody, or not of exactly one, who it is.
    #[error("the proxy does not vouch for exactly one caller")]
    NotVouched,
    /// Nobody of this identity is let in any more.
    #[error("the identity is revoked")]
    Revoked,
    /// The call claims to be vouched for where nobody can vouch.
    #[error("the call carries a header of a proxy where it is not believed")]
    Forged,
}

/// The thumbprint of the key of a certificate (DER); none where it is no certificate.
#[must_use]
pub fn thumbprint(certificate: &[u8]) -> Option<Thumbprint> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(Sha256::digest(parsed.public_key().raw).into())
}

impl Caller {
    /// The identity in the DER certificate.
    pub fn from_certificate(der: &[u8], trust_domain: &str) -> Result<Self, NoCaller> {
        let (_, certificate) =
            X509Certificate::from_der(der).map_err(|_| NoCaller::NotACertificate)?;
        let names =
            certificate.subject_alternative_name().map_err(|_| NoCaller::NotACertificate)?;
        let mut uris = names.iter().flat_map(|n| &n.value.general_names).filter_map(uri);
        match (uris.next(), uris.next()) {
            (Some(uri), None) => {
                Ok(Self { key: thumbprint(der), ..Self::parse(uri, trust_domain)? })
            }
            _ => Err(NoCaller::NotOneUri),
        }
    }

    /// The identity that a SPIFFE URI names.
    pub fn parse(uri: &str, trust_domain: &str) -> Result<Self, NoCaller> {
        let path = uri
            .strip_prefix("spiffe://")
            .and_then(|rest| rest.strip_prefix(trust_domain))
            .and_then(|rest| rest.strip_prefix('/'))
            .ok_or(NoCaller::NotOurs)?;
        let parts: Vec<&str> = path.split('/').collect();
        if !parts.iter().all(|part| is_segment(part)) {
            return Err(NoCaller::NotOurs);
        }
        let kind = match parts.as_slice() {
            ["agency", agency, "system", system] => {
                Kind::System { agency: (*agency).to_owned(), system: (*system).to_owned() }
            }
            ["service", name] => Kind::Service((*name).to_owned()),
            ["operator", id] => Kind::Operator((*id).to_owned()),
            _ => return Err(NoCaller::NotOurs),
        };
        Ok(Self { id: uri.to_owned(), kind, key: None })
    }

    /// The SPIFFE id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key of its certificate; none where somebody vouches for it without saying which that is.
    #[must_use]
    pub fn key(&self) -> Option<Thumbprint> {
        self.key
    }

    /// What kind of caller it is.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }
}

fn uri<'a>(name: &'a GeneralName<'a>) -> Option<&'a str> {
    if let GeneralName::URI(uri) = name { Some(uri) } else { None }
}

fn is_segment(part: &str) -> bool {
    !part.is_empty()
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        && part != "."
        && part != ".."
}

/// To whom a method is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenTo {
    /// Systems of agencies.
    Systems,
    /// One of our own services.
    Service(&'static str),
    /// Officers of the operator.
    Operators,
    /// Whoever has a certificate that names a caller.
    Everyone,
}

/// In which order calls are taken when there is much to do: how far the places of a server may be full for a call to
/// get one (`limits`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// What our own services do for calls that were taken already, audit above all, and what the operator does: to the
    /// last place. Whoever else makes such a call is an ordinary caller.
    Administration,
    /// What somebody waits for: to seven eighths.
    Ordinary,
    /// What can wait: to a half.
    Bulk,
}

/// What one row of a table of methods is: the full path, its priority, and to whom it is open.
pub type Method = (&'static str, Priority, &'static [OpenTo]);

/// The methods of a server, and who may call each. What is not among them does not exist; health and reflection
/// are among those of every server.
#[derive(Debug, Clone, Copy)]
pub struct Methods(&'static [Method]);

/// Every method of our own services.
const METHODS: &[Method] = &[
    ("/lienthong.identity.v1.IdentityService/GetPerson", Priority::Ordinary, &[OpenTo::Systems]),
    ("/lienthong.identity.v1.IdentityService/VerifyClaims", Priority::Ordinary, &[OpenTo::Systems]),
    ("/lienthong.identity.v1.IdentityService/ExplainValue", Priority::Ordinary, &[OpenTo::Systems]),
    ("/lienthong.identity.v1.IdentityService/LookupStream", Priority::Bulk, &[OpenTo::Systems]),
    (
        "/lienthong.contribution.v1.ContributionService/StreamContributions",
        Priority::Bulk,
        &[OpenTo::Systems],
    ),
    (
        "/lienthong.identity.v1.ChangeFeedService/FollowPersons",
        Priority::Ordinary,
        &[OpenTo::Systems],
    ),
    (
        "/lienthong.identity.v1.ChangeFeedService/ListPersonChanges",
        Priority::Bulk,
        &[OpenTo::Systems],
    ),
    ("/lienthong.identity.v1.ChangeFeedService/ListPersons", Priority::Bulk, &[OpenTo::Systems]),
    (
        "/lienthong.identity.v1.ChangeFeedService/UnfollowPersons",
        Priority::Ordinary,
        &[OpenTo::Systems],
    ),
    (
        "/lienthong.identity.v1.ChangeFeedService/WatchPersonChanges",
        Priority::Bulk,
        &[OpenTo::Systems],
    ),
    ("/lienthong.identity.v1.SearchService/ResolvePerson", Priority::Ordinary, &[OpenTo::Systems]),
    ("/lienthong.identity.v1.SearchService/SearchPersons", Priority::Ordinary, &[OpenTo::Systems]),
    (
        "/lienthong.identity.v1.RelationService/ListRelations",
        Priority::Ordinary,
        &[OpenTo::Systems],
    ),
    ("/lienthong.identity.v1.RelationService/GetHousehold", Priority::Ordinary, &[OpenTo::Systems]),
    ("/lienthong.identity.v1.TokenService/RotateTokens", Priority::Ordinary, &[OpenTo::Systems]),
    ("/lienthong.identity.v1.ConsentService/RecordConsent", Priority::Ordinary, &[OpenTo::Systems]),
    (
        "/lienthong.identity.v1.ConsentService/WithdrawConsent",
        Priority::Ordinary,
        &[OpenTo::Systems],
    ),
    ("/lienthong.identity.v1.ConsentService/GetConsent", Priority::Ordinary, &[OpenTo::Systems]),
    (
        "/lienthong.identity.v1.AccessHistoryService/ListAccesses",
        Priority::Ordinary,
        &[OpenTo::Systems],
    ),
    (
        "/lienthong.register.v1.RegisterService/Apply",
        Priority::Administration,
        &[OpenTo::Service("contribution")],
    ),
    (
        "/lienthong.register.v1.RegisterService/GetDisagreement",
        Priority::Ordinary,
        &[OpenTo::Service("contribution")],
    ),
    (
        "/lienthong.register.v1.RegisterService/ListVisible",
        Priority::Ordinary,
        &[OpenTo::Service("contribution")],
    ),
    (
        "/lienthong.register.v1.FeedService/ListChanges",
        Priority::Bulk,
        &[OpenTo::Service("exchange")],
    ),
    (
        "/lienthong.contribution.v1.ContributionService/SubmitContribution",
        Priority::Ordinary,
        &[OpenTo::Systems],
    ),
    (
        "/lienthong.contribution.v1.ContributionService/WithdrawContribution",
        Priority::Ordinary,
        &[OpenTo::Systems],
    ),
    (
        "/lienthong.contribution.v1.ContributionService/ListOutcomes",
        Priority::Ordinary,
        &[OpenTo::Systems],
    ),
    (
        "/lienthong.contribution.v1.ConflictService/ListConflicts",
        Priority::Ordinary,
        &[OpenTo::Systems],
    ),
    (
        "/lienthong.contribution.v1.ConflictService/GetConflict",
        Priority::Ordinary,
        &[OpenTo::Systems],
    ),
    (
        "/lienthong.contribution.v1.ConflictService/HandOverConflict",
        Priority::Ordinary,
        &[OpenTo::Systems],
    ),
    (
        "/lienthong.contribution.v1.QualityService/ListQuality",
        Priority::Ordinary,
        &[OpenTo::Systems, OpenTo::Operators],
    ),
    (
        "/lienthong.contribution.v1.IngestService/Ingest",
        Priority::Bulk,
        &[OpenTo::Service("exchange")],
    ),
    (
        "/lienthong.exchange.v1.RouteService/ListRoutes",
        Priority::Administration,
        &[OpenTo::Operators],
    ),
    (
        "/lienthong.exchange.v1.RouteService/ListDeadLetters",
        Priority::Administration,
        &[OpenTo::Operators],
    ),
    (
        "/lienthong.exchange.v1.RouteService/SettleDeadLetter",
        Priority::Administration,
        &[OpenTo::Operators],
    ),
    (
        "/lienthong.policy.v1.PolicyService/Decide",
        Priority::Administration,
        &[OpenTo::Service("identity"), OpenTo::Service("contribution")],
    ),
    (
        "/lienthong.policy.v1.PolicyService/GetConnection",
        Priority::Administration,
        &[OpenTo::Service("contribution")],
    ),
    (
        "/lienthong.policy.v1.PolicyService/LeaseVolume",
        Priority::Administration,
        &[OpenTo::Service("identity")],
    ),
    (
        "/lienthong.policy.v1.PolicyService/WatchRevisions",
        Priority::Administration,
        &[OpenTo::Service("identity"), OpenTo::Service("contribution")],
    ),
    ("/lienthong.audit.v1.LogService/GetCheckpoint", Priority::Ordinary, &[OpenTo::Everyone]),
    ("/lienthong.audit.v1.LogService/GetTile", Priority::Bulk, &[OpenTo::Everyone]),
    ("/lienthong.audit.v1.LogService/GetEntryBundle", Priority::Bulk, &[OpenTo::Everyone]),
    ("/lienthong.audit.v1.LogService/GetInclusionProof", Priority::Ordinary, &[OpenTo::Everyone]),
    ("/lienthong.audit.v1.LogService/GetConsistencyProof", Priority::Ordinary, &[OpenTo::Everyone]),
    ("/lienthong.audit.v1.ReportService/CountAccesses", Priority::Bulk, &[OpenTo::Everyone]),
    (
        "/lienthong.policy.v1.WarrantService/IssueWarrant",
        Priority::Administration,
        &[OpenTo::Service("exchange")],
    ),
    (
        "/lienthong.policy.v1.WarrantKeyService/GetWarrantKeys",
        Priority::Ordinary,
        &[OpenTo::Everyone],
    ),
    (
        "/envoy.service.auth.v3.Authorization/Check",
        Priority::Administration,
        &[OpenTo::Service("proxy")],
    ),
    (
        "/lienthong.policy.v1.AdmissionService/MoveConnection",
        Priority::Administration,
        &[OpenTo::Operators],
    ),
    (
        "/lienthong.policy.v1.AdmissionService/GetAdmission",
        Priority::Administration,
        &[OpenTo::Operators],
    ),
    (
        "/lienthong.policy.v1.AdmissionService/ListAdmissions",
        Priority::Administration,
        &[OpenTo::Operators],
    ),
    (
        "/lienthong.policy.v1.AdmissionService/ListReadiness",
        Priority::Administration,
        &[OpenTo::Operators],
    ),
    (
        "/lienthong.policy.v1.AgreementService/MoveAgreement",
        Priority::Administration,
        &[OpenTo::Operators],
    ),
    (
        "/lienthong.policy.v1.AgreementService/GetAgreement",
        Priority::Administration,
        &[OpenTo::Operators],
    ),
    (
        "/lienthong.policy.v1.AgreementService/ListAgreements",
        Priority::Administration,
        &[OpenTo::Operators],
    ),
    (
        "/lienthong.policy.v1.RuleSetService/MoveRuleSet",
        Priority::Administration,
        &[OpenTo::Operators],
    ),
    (
        "/lienthong.policy.v1.RuleSetService/GetRuleSet",
        Priority::Administration,
        &[OpenTo::Operators],
    ),
    (
        "/lienthong.policy.v1.RuleSetService/ListRuleSets",
        Priority::Administration,
        &[OpenTo::Operators],
    ),
    (
        "/lienthong.policy.v1.RuleSetService/Simulate",
        Priority::Administration,
        &[OpenTo::Operators],
    ),
    (
        "/lienthong.policy.v1.DecisionService/ExplainDecision",
        Priority::Ordinary,
        &[OpenTo::Systems, OpenTo::Operators],
    ),
    (
        "/lienthong.policy.v1.DecisionService/WhatMayI",
        Priority::Ordinary,
        &[OpenTo::Systems, OpenTo::Operators],
    ),
    (
        "/lienthong.audit.v1.AuditService/Append",
        Priority::Administration,
        &[OpenTo::Service("identity"), OpenTo::Service("contribution"), OpenTo::Service("policy")],
    ),
    (
        "/lienthong.audit.v1.AuditService/ListAccesses",
        Priority::Ordinary,
        &[OpenTo::Service("identity")],
    ),
];

/// What every server answers.
const EVERYWHERE: &[Method] = &[
    ("/grpc.health.v1.Health/Check", Priority::Administration, &[OpenTo::Everyone]),
    ("/grpc.health.v1.Health/List", Priority::Administration, &[OpenTo::Everyone]),
    ("/grpc.health.v1.Health/Watch", Priority::Administration, &[OpenTo::Everyone]),
    (
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        Priority::Ordinary,
        &[OpenTo::Everyone],
    ),
    (
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        Priority::Ordinary,
        &[OpenTo::Everyone],
    ),
];

/// What the table says of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// The caller may call the method.
    Open,
    /// The method is not open to this kind of caller.
    Closed,
    /// There is no such method.
    Unknown,
}

/// Whether any method of ours is open to a service of this name.
pub(crate) fn calls(service: &str) -> bool {
    let mut open = METHODS.iter().flat_map(|(_, _, open)| *open);
    open.any(|open| matches!(open, OpenTo::Service(name) if *name == service))
}

impl Methods {
    /// Those of our own services.
    pub const LIENTHONG: Self = Self(METHODS);

    /// Those of another server on this core.
    #[must_use]
    pub const fn new(methods: &'static [Method]) -> Self {
        Self(methods)
    }

    fn find(self, method: &str) -> Option<&'static Method> {
        self.0.iter().chain(EVERYWHERE).find(|(name, ..)| *name == method)
    }

    /// The name of a method as the table has it, for logs: what a stranger types is not repeated there (I8).
    pub(crate) fn name(self, method: &str) -> Option<&'static str> {
        self.find(method).map(|(name, ..)| *name)
    }

    /// Whether the caller of this method goes on asking, or is told: a stream lasts as long as `stream_max_seconds` says.
    pub(crate) fn is_stream(method: &str) -> bool {
        METHODS.iter().any(|(ours, ..)| *ours == method) && contract::STREAMS.contains(&method)
    }

    /// Whether it is asked for in bulk.
    #[must_use]
    pub fn is_bulk(self, method: &str) -> bool {
        self.priority(method) == Priority::Bulk
    }

    /// Before which other calls one of this method is taken.
    pub(crate) fn priority(self, method: &str) -> Priority {
        self.find(method).map_or(Priority::Ordinary, |(_, priority, _)| *priority)
    }

    /// Whether `caller` may call `method`, given as its full path.
    #[must_use]
    pub fn admission(self, method: &str, caller: &Caller) -> Admission {
        let Some((_, _, open)) = self.find(method) else { return Admission::Unknown };
        let allowed = open.iter().any(|open| match (open, &caller.kind) {
            (OpenTo::Everyone, _)
            | (OpenTo::Systems, Kind::System { .. })
            | (OpenTo::Operators, Kind::Operator(_)) => true,
            (OpenTo::Service(name), Kind::Service(service)) => name == service,
            (OpenTo::Systems, Kind::Service(_) | Kind::Operator(_))
            | (OpenTo::Operators, Kind::System { .. } | Kind::Service(_))
            | (OpenTo::Service(_), Kind::System { .. } | Kind::Operator(_)) => false,
        });
        if allowed { Admission::Open } else { Admission::Closed }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn check(uri: &str, expect: Result<Kind, NoCaller>) {
        assert_eq!(Caller::parse(uri, "lienthong.test").map(|c| c.kind), expect, "{uri}");
    }

    #[test]
    fn identities_are_parsed_strictly() {
        check(
            "spiffe://lienthong.test/agency/G24/system/hi",
            Ok(Kind::System { agency: "G24".into(), system: "hi".into() }),
        );
        check("spiffe://lienthong.test/service/audit", Ok(Kind::Service("audit".into())));
        check("spiffe://lienthong.test/operator/7", Ok(Kind::Operator("7".into())));
        for bad in [
            "spiffe://lienthong.test.evil/service/audit",
            "spiffe://lienthong.testservice/audit",
            "spiffe://other/service/audit",
            "https://lienthong.test/service/audit",
            "spiffe://lienthong.test/service/",
            "spiffe://lienthong.test/service/audit/x",
            "spiffe://lienthong.test/service/..",
            "spiffe://lienthong.test/service/a%2fb",
            "spiffe://lienthong.test/agency/G24",
            "",
        ] {
            check(bad, Err(NoCaller::NotOurs));
        }
    }

    #[test]
    fn i8_what_a_stranger_types_is_no_name_of_a_method() {
        let known = |typed| Methods::LIENTHONG.name(typed);
        assert_eq!(known("/grpc.health.v1.Health/Check"), Some("/grpc.health.v1.Health/Check"));
        for typed in ["/990204000001/x", "/grpc.health.v1.Health/Check/990204000001", ""] {
            assert_eq!(known(typed), None, "{typed}");
        }
    }

    #[test]
    fn a_stream_is_a_method_of_ours_and_that_of_an_agency_can_wait() {
        let ours = METHODS.iter().filter(|(method, ..)| Methods::is_stream(method));
        let names: Vec<&str> = ours.clone().map(|(method, ..)| *method).collect();
        for (stream, priority, open) in ours {
            let ours = open.iter().all(|open| matches!(open, OpenTo::Service(_)));
            let expect = if ours { Priority::Administration } else { Priority::Bulk };
            assert_eq!(*priority, expect, "{stream}");
        }
        for stream in [
            "identity.v1.IdentityService/LookupStream",
            "identity.v1.ChangeFeedService/WatchPersonChanges",
            "contribution.v1.ContributionService/StreamContributions",
            "policy.v1.PolicyService/WatchRevisions",
        ] {
            assert!(names.contains(&format!("/lienthong.{stream}").as_str()), "{stream}");
        }
        assert!(!Methods::is_stream("/lienthong.identity.v1.IdentityService/GetPerson"));
    }

    #[test]
    fn i2_only_the_table_opens_a_method() {
        let caller = |uri| Caller::parse(uri, "t");
        let system = caller("spiffe://t/agency/G24/system/hi");
        let identity = caller("spiffe://t/service/identity");
        let policy = caller("spiffe://t/service/policy");
        let exchange = caller("spiffe://t/service/exchange");
        let officer = caller("spiffe://t/operator/7");
        let get = "/lienthong.identity.v1.IdentityService/GetPerson";
        let append = "/lienthong.audit.v1.AuditService/Append";
        fn ask(method: &str, caller: &Result<Caller, NoCaller>) -> Result<Admission, NoCaller> {
            let admission = |caller| Methods::LIENTHONG.admission(method, caller);
            caller.as_ref().map(admission).map_err(|error| *error)
        }
        assert_eq!(ask(get, &system), Ok(Admission::Open));
        assert_eq!(ask(get, &identity), Ok(Admission::Closed));
        assert_eq!(ask(append, &identity), Ok(Admission::Open));
        assert_eq!(ask(append, &system), Ok(Admission::Closed));
        assert_eq!(ask(append, &policy), Ok(Admission::Open));
        assert_eq!(ask(append, &exchange), Ok(Admission::Closed));
        let activate = "/lienthong.policy.v1.AdmissionService/MoveConnection";
        assert_eq!(ask(activate, &officer), Ok(Admission::Open));
        for other in [&system, &identity, &policy] {
            assert_eq!(ask(activate, other), Ok(Admission::Closed));
        }
        assert_eq!(
            ask("/lienthong.audit.v1.AuditService/Erase", &identity),
            Ok(Admission::Unknown)
        );
    }

    #[test]
    fn i2_another_server_has_its_own_methods_and_health() {
        let other = Methods::new(&[("/a.B/C", Priority::Ordinary, &[OpenTo::Systems])]);
        let system = Caller::parse("spiffe://t/agency/G24/system/hi", "t").unwrap();
        let service = Caller::parse("spiffe://t/service/identity", "t").unwrap();
        assert_eq!(other.admission("/a.B/C", &system), Admission::Open);
        assert_eq!(other.admission("/a.B/C", &service), Admission::Closed);
        assert_eq!(other.admission("/grpc.health.v1.Health/Check", &service), Admission::Open);
        for (method, ..) in METHODS {
            assert_eq!(other.admission(method, &system), Admission::Unknown, "{method}");
        }
    }
}
