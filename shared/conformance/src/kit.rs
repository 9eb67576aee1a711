//! What every case needs: connections, the description, the questions of a seed, and what was listed.

use std::time::Duration;

use contract::{
    database::v1::{DescribeDatabaseRequest, DescribeDatabaseResponse},
    r#type::v1::AccessBasis,
};
use prost::Message;
use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use server::error::code_name;
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{
    Plan, Refusal, Role,
    cases::source::Listing,
    found::{Tried, Trouble, failed, no_answer},
    wire::{
        Ask, NoAnswer, Reply, Wire,
        tls::{Credentials, Target},
    },
};

/// Paths of the methods.
pub(crate) mod path {
    /// Describes the database.
    pub(crate) const DESCRIBE: &str = "/lienthong.database.v1.DatabaseService/DescribeDatabase";
    /// A page of changes.
    pub(crate) const LIST: &str = "/lienthong.database.v1.SourceService/ListChanges";
    /// A stream of changes.
    pub(crate) const STREAM: &str = "/lienthong.database.v1.SourceService/StreamChanges";
    /// A record.
    pub(crate) const GET: &str = "/lienthong.database.v1.LookupService/GetRecord";
    /// A comparison.
    pub(crate) const VERIFY: &str = "/lienthong.database.v1.LookupService/VerifyRecord";
    /// Many records.
    pub(crate) const RECORDS: &str = "/lienthong.database.v1.LookupService/StreamRecords";
    /// A delivery.
    pub(crate) const DELIVER: &str = "/lienthong.database.v1.SinkService/DeliverEvents";
    /// Health.
    pub(crate) const HEALTH: &str = "/grpc.health.v1.Health/Check";
    /// Reflection, as it was before; its messages are the same.
    pub(crate) const REFLECT_ALPHA: &str =
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
    /// Reflection.
    pub(crate) const REFLECT: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
}

/// The methods of a role.
pub(crate) fn methods(role: Role) -> &'static [&'static str] {
    match role {
        Role::Source => &[path::LIST, path::STREAM],
        Role::Lookup => &[path::GET, path::VERIFY, path::RECORDS],
        Role::Sink => &[path::DELIVER],
    }
}

/// The last part of a path.
pub(crate) fn method(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// Everything that cases share.
pub(crate) struct Kit {
    pub(crate) plan: Plan,
    pub(crate) target: Target,
    pub(crate) own: Credentials,
    pub(crate) stranger: Option<Credentials>,
    pub(crate) description: DescribeDatabaseResponse,
    /// What was listed, once it was asked for.
    pub(crate) listing: OnceCell<Listing>,
}

/// The random bytes of one case: the same for the same seed, whichever other cases are tried.
pub(crate) struct Dice(ChaCha20Rng);

impl Dice {
    pub(crate) fn of(seed: u64, case: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_be_bytes());
        hash.update(case);
        Self(ChaCha20Rng::from_seed(hash.finalize().into()))
    }

    /// Hexadecimal digits without a run of figures that could be taken for a number of a person.
    pub(crate) fn id(&mut self) -> String {
        let mut bytes = [0; 16];
        self.0.fill_bytes(&mut bytes);
        let nibble = |byte: u8| char::from(b'a' + byte % 16);
        bytes.iter().map(|byte| nibble(*byte)).collect()
    }

    /// A number below a bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound.max(1)
    }
}

/// A status in few words: code, and reason where there is one.
pub(crate) fn shown(status: &Status) -> String {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| format!(" {}", info.reason)).unwrap_or_default();
    let code = code_name(status.code());
    let message = match status.message() {
        "" => String::new(),
        text => format!(" ({text})"),
    };
    format!("{code}{reason}{message}")
}

/// The reason of an error; none where it has no ErrorInfo.
pub(crate) fn reason(status: &Status) -> Option<String> {
    status.get_error_details().error_info().map(|info| info.reason.clone())
}

/// Whether a status is this code with this reason. That an error has no reason at all is the business of DB-6, so that
/// one fault is one failing case.
pub(crate) fn is_refused(status: &Status, code: Code, wanted: &str) -> bool {
    status.code() == code && reason(status).is_none_or(|reason| reason == wanted)
}

impl Kit {
    /// Reads the files, connects and asks the database what it is.
    pub(crate) async fn prepare(plan: Plan) -> Result<Self, Refusal> {
        let target = Target::new(&plan.target, plan.server_name.as_deref(), &plan.ca)?;
        let own = Credentials::read(&plan.identity.certificate, &plan.identity.key)?;
        let stranger = plan.stranger.as_ref();
        let stranger =
            stranger.map(|pem| Credentials::read(&pem.certificate, &pem.key)).transpose()?;
        let described = described(&target, &own, plan.patience).await;
        let description = described.map_err(Refusal::NoDescription)?;
        Ok(Self { plan, target, own, stranger, description, listing: OnceCell::new() })
    }

    /// Random bytes of a case.
    pub(crate) fn dice(&self, case: &str) -> Dice {
        Dice::of(self.plan.seed.number(), case)
    }

    /// How long one answer is waited for.
    pub(crate) fn patience(&self) -> Duration {
        self.plan.patience
    }

    /// Whether the description names the role.
    pub(crate) fn has(&self, role: Role) -> bool {
        self.description.roles.contains(&role.number())
    }

    /// The roles of the description.
    pub(crate) fn roles(&self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(|role| self.has(*role))
    }

    /// The ground that questions stand on.
    pub(crate) fn basis(&self) -> AccessBasis {
        self.plan.fixtures.basis()
    }

    /// A connection of the kit's own.
    pub(crate) async fn connect(&self) -> Tried<Wire> {
        let made = Wire::connect(&self.target, Some(&self.own), self.patience()).await;
        made.map_err(|error| no_answer("a connection with the kit's own certificate", &error))
    }
}

/// An answer to whatever is asked, whatever it is.
pub(crate) async fn answer(wire: &Wire, tried: &str, ask: Ask<'_>) -> Tried<Reply> {
    wire.call(ask).await.map_err(|error| no_answer(tried, &error))
}

/// An answer to a message, whatever it is.
pub(crate) async fn call(
    wire: &Wire,
    tried: &str,
    path: &str,
    request: &impl Message,
) -> Tried<Reply> {
    answer(wire, tried, Ask::of(path, request)).await
}

/// The one message of an answer that is OK, to a message.
pub(crate) async fn ok<A: Message + Default>(
    wire: &Wire,
    tried: &str,
    path: &str,
    request: &impl Message,
) -> Tried<A> {
    message(tried, &call(wire, tried, path, request).await?)
}

/// The one message of an answer that is OK.
pub(crate) fn message<A: Message + Default>(tried: &str, reply: &Reply) -> Result<A, Trouble> {
    if reply.status.code() != Code::Ok {
        return Err(failed(tried, "OK", shown(&reply.status)));
    }
    let [message] = reply.messages.as_slice() else {
        let seen = format!("{} messages", reply.messages.len());
        return Err(failed(tried, "OK with one message", seen));
    };
    A::decode(message.clone()).map_err(|error| {
        failed(tried, "a message of the contract", format!("it cannot be parsed: {error}"))
    })
}

async fn described(
    target: &Target,
    own: &Credentials,
    patience: Duration,
) -> Result<DescribeDatabaseResponse, String> {
    let told = |error: NoAnswer| error.to_string();
    let wire = Wire::connect(target, Some(own), patience).await.map_err(told)?;
    let ask = Ask::of(path::DESCRIBE, &DescribeDatabaseRequest {});
    let reply = wire.call(ask).await.map_err(told)?;
    message("DescribeDatabase", &reply).map_err(|trouble| match trouble {
        Trouble::Failed(finding) => finding.seen,
        Trouble::NotTried(missing) => missing.reason.en,
    })
}
