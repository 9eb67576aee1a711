//! Envoy's external authorization, on the same engine as every other decision: for databases and meshes that we did not write. It
//! sees who calls which method, and the ground where headers name one; it never sees of whom, so it says whether a caller may ask at
//! all, and a warrant says what (`envoy.service.auth.v3.Authorization`).
//!
//! A denial is an answer, with its reason. Whatever keeps a decision from being made is an error, which the proxy tells apart
//! (`status_on_error`).

use std::{collections::HashMap, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use contract::r#type::v1::ErrorReason;
use decide::{CONSENT, DecisionTable, ItemEffect, TableAnswer};
use model::EventKind;
use prost::Message as _;
use server::{
    Caller, Deadline, Routes,
    caller::Kind,
    context,
    error::{name, refuse_with},
};
use tonic::{Code, Request, Response, Status};
use wire::{Faults, basis};

use self::envoy::{
    AttributeContext, CheckRequest, CheckResponse, DeniedHttpResponse, HeaderValue,
    HeaderValueOption, HttpStatus, OkHttpResponse, RpcStatus,
    authorization_server::{Authorization, AuthorizationServer},
    check_response::HttpResponse,
    header_value_option::HeaderAppendAction,
};
use super::{denial_message, status};
use crate::{
    Config, Error,
    app::App,
    domain::{
        decision::Denial,
        request::{By, Request as Question},
        rules::Act,
    },
};

/// Envoy's own messages, as far as they are read or written.
#[allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::all,
    clippy::wildcard_enum_match_arm,
    reason = "generated code, of which tests alone use the client"
)]
pub(crate) mod envoy {
    include!("ext_authz/gen/envoy.service.auth.v3.rs");
}

/// Headers that name the ground; a request that names one of the first two must name both.
const PROCEDURE: &str = "x-lienthong-procedure";
const LEGAL_BASIS: &str = "x-lienthong-legal-basis";
/// The items that are asked for, apart by commas; every item of the catalogue where there are none.
const ITEMS: &str = "x-lienthong-items";
/// Under which decision a request passed, for whoever is asked; whatever a caller says in it is replaced.
const DECISION: &str = "x-lienthong-decision";
/// Why a request was refused, for whoever does not read gRPC's details.
const REASON: &str = "x-lienthong-reason";
const DETAILS: &str = "grpc-status-details-bin";
const FORBIDDEN: i32 = 403;
/// The longest code of a procedure or ground, and id of an item.
const CODE_MAX: usize = 64;

/// What is asked of a proxy's databases.
pub(crate) struct Guarded {
    /// Where the identities of callers come from.
    pub(crate) trust_domain: String,
    /// What a path must begin with.
    pub(crate) paths: Vec<String>,
    /// Our own services that may call.
    pub(crate) services: Vec<String>,
}

/// Adds the service.
pub(crate) fn add(routes: Routes, app: &Arc<App>, guarded: &Arc<Guarded>) -> Routes {
    let api = Api { app: Arc::clone(app), guarded: Arc::clone(guarded) };
    routes.add_service(AuthorizationServer::new(api))
}

struct Api {
    app: Arc<App>,
    guarded: Arc<Guarded>,
}

/// What is to be decided about a request.
enum Asked {
    /// One of our own services, which brings warrants.
    Service,
    /// A system, whatever it wants to do.
    System((String, String)),
    /// A system, on a ground.
    Ground(Box<Ground>),
}

/// A question, and whether it names its items: all of these must be allowed then, and else any.
struct Ground {
    question: Question,
    named: bool,
}

/// Why a request may not pass.
struct Refused {
    reason: ErrorReason,
    rule: String,
    article: String,
}

impl From<ErrorReason> for Refused {
    fn from(reason: ErrorReason) -> Self {
        Self { reason, rule: String::new(), article: String::new() }
    }
}

impl From<Denial> for Refused {
    fn from(denial: Denial) -> Self {
        let message = denial_message(denial);
        Self { reason: message.reason(), rule: message.rule, article: message.article }
    }
}

#[tonic::async_trait]
impl Authorization for Api {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let (_, deadline) = context(&request)?;
        let attributes = request.into_inner().attributes.unwrap_or_default();
        let source = attributes.source.as_ref().map_or("", |source| &source.principal);
        let http = attributes.request.as_ref().and_then(|request| request.http.as_ref());
        // Only a path that may be asked for is repeated: what a stranger types is not (I8).
        let path = http.map_or("", |http| &http.path);
        let path = if self.guarded.holds(path) { path } else { "" };
        let decided = match self.asked(&attributes) {
            Ok(asked) => self.decided(deadline, asked).await.map_err(|error| status(&error))?,
            Err(reason) => Err(reason.into()),
        };
        Ok(Response::new(match decided {
            Ok(decision_id) => {
                tracing::info!(caller = source, path, decision_id, "a request at a proxy passed");
                passes(decision_id)
            }
            Err(refused) => {
                let reason = name(refused.reason);
                tracing::info!(caller = source, path, reason, "a request at a proxy was refused");
                denied(refused)
            }
        }))
    }
}

impl Api {
    /// What has to be decided; or why there is nothing to decide.
    fn asked(&self, attributes: &AttributeContext) -> Result<Asked, ErrorReason> {
        let principal = attributes.source.as_ref().map_or("", |source| &source.principal);
        let caller = Caller::parse(principal, &self.guarded.trust_domain);
        let caller = caller.map_err(|_| ErrorReason::UnknownIdentity)?;
        let http = attributes.request.as_ref().and_then(|request| request.http.as_ref());
        let http = http.ok_or(ErrorReason::MethodNotAllowed)?;
        if !self.guarded.holds(&http.path) {
            return Err(ErrorReason::MethodNotAllowed);
        }
        match caller.kind() {
            Kind::Service(service) if self.guarded.services.contains(service) => Ok(Asked::Service),
            Kind::Service(_) | Kind::Operator(_) => Err(ErrorReason::MethodNotAllowed),
            Kind::System { agency, system } => {
                self.ground((agency.clone(), system.clone()), &http.headers)
            }
        }
    }

    /// The ground that headers name.
    fn ground(
        &self,
        caller: (String, String),
        headers: &HashMap<String, String>,
    ) -> Result<Asked, ErrorReason> {
        let (procedure, legal_basis) = match (headers.get(PROCEDURE), headers.get(LEGAL_BASIS)) {
            (None, None) => return Ok(Asked::System(caller)),
            (Some(procedure), Some(legal_basis)) => (procedure, legal_basis),
            (Some(_), None) | (None, Some(_)) => return Err(ErrorReason::InvalidRequest),
        };
        let items: Vec<String> = match headers.get(ITEMS) {
            Some(items) => items.split(',').map(|item| item.trim().to_owned()).collect(),
            None => {
                let profile = self.app.in_force.last();
                profile.catalogue.items().iter().map(|item| item.id.clone()).collect()
            }
        };
        let mut faults = Faults::default();
        faults.text(PROCEDURE, procedure, CODE_MAX);
        faults.text(LEGAL_BASIS, legal_basis, CODE_MAX);
        basis::check_items(&items, &mut faults);
        if !faults.is_empty() {
            return Err(ErrorReason::InvalidRequest);
        }
        let named = headers.contains_key(ITEMS);
        let question = Question {
            caller,
            act: Act::Obtain,
            event: None::<EventKind>,
            procedure: procedure.clone(),
            legal_basis: legal_basis.clone(),
            // Not taken from a header: what is named there is in no record (I1).
            direction: false,
            // Nor is the unit, and the proxy says nothing of the key: what is granted to some alone passes nobody here (I2).
            by: Some(By::default()),
            items,
        };
        Ok(Asked::Ground(Box::new(Ground { question, named })))
    }

    /// Id of the decision by which it may pass.
    async fn decided(
        &self,
        deadline: Deadline,
        asked: Asked,
    ) -> Result<Result<String, Refused>, Error> {
        match asked {
            Asked::Service => Ok(Ok(String::new())),
            Asked::System(caller) => {
                let (id, found, _) = self.app.connection(deadline, &caller).await?;
                // What a proxy shows of a request is not what is signed.
                let found = self.app.connected_unchecked(found);
                Ok(found.denial.map_or(Ok(id), |denial| Err(denial.into())))
            }
            Asked::Ground(question) => {
                let named = question.named;
                let (id, decision) = self.app.decide(deadline, &question.question).await?;
                // Whom the answer is about, and whether it tells of anybody, a proxy does not see: nobody would be counted (I2).
                let decision = self.app.to_who_counts_nobody(decision);
                let decision = self.app.to_who_checks_nothing(decision);
                let allowed = decision.outcome.map_err(Refused::from);
                Ok(allowed.and_then(|table| passed(table, named)).map(|()| id))
            }
        }
    }
}

impl Guarded {
    /// What is configured; none where nothing is.
    ///
    /// # Errors
    /// When something could stand for every path.
    pub(crate) fn of(config: &Config, trust_domain: &str) -> Result<Option<Self>, Error> {
        let Config { authz_paths, authz_services, .. } = config;
        let named = |path: &str| path.strip_prefix('/').is_some_and(|name| !name.is_empty());
        if let Some(path) = authz_paths.iter().find(|path| !named(path)) {
            return Err(Error::AuthzPath(path.clone()));
        }
        Ok((!authz_paths.is_empty()).then(|| Self {
            trust_domain: trust_domain.to_owned(),
            paths: authz_paths.clone(),
            services: authz_services.clone(),
        }))
    }

    /// Whether a path is one of those that may be asked for: a method of gRPC, as it is written and in no other way.
    fn holds(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        let segment = |part: &str| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_');
            !part.is_empty() && part.bytes().all(allowed) && !part.contains("..")
        };
        let method = matches!(parts.as_slice(), ["", service, method]
            if segment(service) && segment(method));
        method && self.paths.iter().any(|prefix| path.starts_with(prefix))
    }
}

/// Whether what is asked may pass: somebody exists of whom it is allowed, the whole of it. The database behind gives no form of a
/// value, and whoever asks it is told of no other condition here, so what is allowed on one is not (I2).
fn passed(mut table: DecisionTable, named: bool) -> Result<(), Refused> {
    table.withhold_conditional();
    // Nobody looks for a consent here, so there is none.
    let table = table.knowing(CONSENT, false);
    let mut items = table.answers().first().into_iter().flat_map(|answer| &answer.items);
    let somebody = |item: &str| {
        let of = |answer: &TableAnswer| {
            answer.items.iter().any(|one| one.item == item && one.effect == ItemEffect::Allowed)
        };
        table.answers().iter().any(of)
    };
    let refused = match named {
        true => items.find(|item| !somebody(&item.item)),
        false if table.allows_anything() => None,
        false => items.next(),
    };
    refused.map_or(Ok(()), |item| {
        Err(Refused {
            reason: ErrorReason::NothingAllowed,
            rule: item.rule.clone(),
            article: item.article.clone(),
        })
    })
}

fn header(key: &str, value: String) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue { key: key.to_owned(), value }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
    }
}

fn passes(decision_id: String) -> CheckResponse {
    let ok = OkHttpResponse { headers: vec![header(DECISION, decision_id)] };
    CheckResponse {
        status: Some(RpcStatus { code: Code::Ok.into(), message: String::new() }),
        http_response: Some(HttpResponse::OkResponse(ok)),
    }
}

/// The refusal as our own services say it, for whoever speaks gRPC; and its reason as a header, for whoever does not.
fn denied(refused: Refused) -> CheckResponse {
    let Refused { reason, rule, article } = refused;
    let metadata = [("rule", rule), ("article", article)];
    let metadata: Vec<_> = metadata.into_iter().filter(|(_, text)| !text.is_empty()).collect();
    let status = refuse_with(reason, &metadata);
    let details = BASE64_STANDARD_NO_PAD.encode(details(&status));
    let denied = DeniedHttpResponse {
        status: Some(HttpStatus { code: FORBIDDEN }),
        headers: vec![header(REASON, name(reason).to_owned()), header(DETAILS, details)],
        body: status.message().to_owned(),
    };
    CheckResponse {
        status: Some(RpcStatus {
            code: Code::PermissionDenied.into(),
            message: name(reason).to_owned(),
        }),
        http_response: Some(HttpResponse::DeniedResponse(denied)),
    }
}

/// The details of a status, with the code that the proxy gives it: every refusal is 403 there, so PERMISSION_DENIED.
fn details(status: &Status) -> Vec<u8> {
    match tonic_types::pb::Status::decode(status.details()) {
        Ok(mut said) => {
            said.code = Code::PermissionDenied.into();
            said.encode_to_vec()
        }
        Err(_) => Vec::new(),
    }
}
