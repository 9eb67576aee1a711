//! The `mesh` transport: HTTP/2 without TLS from the proxy of a service mesh that runs beside the process. The proxy
//! has made the mutual TLS and says with each call who is at its other end; it is believed for where it speaks
//! from, and only in what a configured table has an identity of ours for.
//!
//! | module | job |
//! |---|---|
//! | `listener` | the port or socket, and whose connections it takes |
//! | `xfcc` | Envoy's header |

pub(crate) mod listener;
mod xfcc;

use std::{
    collections::HashMap,
    net::IpAddr,
    path::{Path, PathBuf},
};

use http::HeaderMap;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{
    caller::{self, Caller, Kind, NoCaller},
    inspect::{self, Faults},
};

/// What a Unix socket's `listen` starts with.
const UNIX: &str = "unix:";
/// The word in `proxies` for whoever speaks from the very address that it speaks to.
const SELF: &str = "self";

/// The `[server.mesh]` table. Text as it stands, so that every fault in it can be told at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `host:port`, or `unix:/path`; empty for no such transport.
    pub listen: String,
    /// The header in which the proxy says who calls.
    pub header: String,
    /// Addresses and networks of the proxies, or `self`; none with a Unix socket.
    pub proxies: Vec<String>,
    /// Whom it means.
    pub identities: Vec<Vouched>,
}

/// One row of the table of identities.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Vouched {
    /// The identity in the mesh, as the proxy says it.
    pub vouched: String,
    /// The caller that it is here: `/service/<name>`.
    pub caller: String,
}

/// A header in which a proxy says who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    /// Envoy, and so Istio.
    ForwardedClientCert,
    /// Linkerd.
    LinkerdClientId,
}

impl Header {
    pub(crate) const ALL: [Self; 2] = [Self::ForwardedClientCert, Self::LinkerdClientId];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ForwardedClientCert => "x-forwarded-client-cert",
            Self::LinkerdClientId => "l5d-client-id",
        }
    }
}

/// A usable configuration of the transport.
pub(crate) struct Mesh {
    listen: Listen,
    table: Table,
}

/// Where a proxy speaks to, and from.
enum Listen {
    Address { address: String, proxies: Vec<Proxies> },
    // Whoever may write to the socket is the proxy: its file mode says who.
    Socket(PathBuf),
}

/// Addresses that are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proxies {
    /// The one that was connected to: nobody else can hold a connection from it. A proxy that shares the
    /// network of a pod comes from the pod's own address, which no configuration can know.
    Own,
    Network(IpNet),
}

impl Proxies {
    fn hold(self, from: IpAddr, to: IpAddr) -> bool {
        match self {
            Self::Own => from.to_canonical() == to.to_canonical(),
            Self::Network(network) => network.contains(&from.to_canonical()),
        }
    }
}

/// Whom the proxy means by what it says.
pub(crate) struct Table {
    pub(crate) header: Header,
    callers: HashMap<String, Caller>,
}

impl Table {
    /// The caller of a call with these headers: exactly one of ours, or nobody (I2).
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<&Caller, NoCaller> {
        let mut said = headers.get_all(self.header.name()).iter();
        let (Some(one), None) = (said.next(), said.next()) else {
            return Err(NoCaller::NotVouched);
        };
        let text = one.to_str().map_err(|_| NoCaller::NotVouched)?;
        match self.header {
            Header::ForwardedClientCert => {
                let uri = xfcc::uri(text).ok_or(NoCaller::NotVouched)?;
                self.callers.get(&uri)
            }
            Header::LinkerdClientId => self.callers.get(text),
        }
        .ok_or(NoCaller::NotOurs)
    }
}

/// What the table comes to; nothing where there is no such transport, or where it has faults.
pub(crate) fn read(config: &Config, trust_domain: &str, faults: &mut Faults) -> Option<Mesh> {
    if config.listen.is_empty() {
        return None;
    }
    let listen = listen(config, faults);
    let header = header(&config.header, faults);
    let callers = callers(config, header, trust_domain, faults);
    Some(Mesh { listen: listen?, table: Table { header: header?, callers } })
}

fn listen(config: &Config, faults: &mut Faults) -> Option<Listen> {
    let key = "server.mesh.proxies";
    let Some(path) = config.listen.strip_prefix(UNIX) else {
        inspect::address("server.mesh.listen", &config.listen, faults);
        if config.proxies.is_empty() {
            faults.add(key, "is empty; whoever is not named here gets no connection");
        }
        let proxies = config.proxies.iter().filter_map(|text| proxies(key, text, faults)).collect();
        return Some(Listen::Address { address: config.listen.clone(), proxies });
    };
    if !config.proxies.is_empty() {
        faults.add(key, "must be empty with a Unix socket, whose file mode says who is believed");
    }
    if Path::new(path).is_absolute() {
        return Some(Listen::Socket(path.into()));
    }
    faults.add("server.mesh.listen", "is no absolute path behind `unix:`");
    None
}

fn proxies(key: &str, text: &str, faults: &mut Faults) -> Option<Proxies> {
    if text == SELF {
        return Some(Proxies::Own);
    }
    let address = text.parse::<IpAddr>().map(IpNet::from);
    let Ok(network) = address.or_else(|_| text.parse::<IpNet>()) else {
        faults.add(key, format!("`{text}` is no address, no network, and not `{SELF}`"));
        return None;
    };
    if network.prefix_len() == 0 {
        faults.add(key, format!("`{text}` is everybody, and anybody can write a header"));
        return None;
    }
    if network.trunc() != network {
        faults.add(key, format!("`{text}` has digits behind its prefix; `{}`?", network.trunc()));
        return None;
    }
    Some(Proxies::Network(network))
}

fn header(text: &str, faults: &mut Faults) -> Option<Header> {
    let found = Header::ALL.into_iter().find(|header| header.name() == text);
    if found.is_none() {
        let names = Header::ALL.map(|header| format!("`{}`", header.name())).join(" or ");
        faults.add("server.mesh.header", format!("must be {names}"));
    }
    found
}

fn callers(
    config: &Config,
    header: Option<Header>,
    trust_domain: &str,
    faults: &mut Faults,
) -> HashMap<String, Caller> {
    let key = "server.mesh.identities";
    if config.identities.is_empty() {
        faults.add(key, "is empty; whoever is not named here is nobody");
    }
    let mut callers = HashMap::new();
    for Vouched { vouched, caller } in &config.identities {
        if vouched.trim() != vouched || vouched.is_empty() {
            faults.add(key, format!("`{vouched}` is no identity"));
        } else if header == Some(Header::ForwardedClientCert) && !vouched.contains("://") {
            faults.add(key, format!("`{vouched}` is no URI, and no other name is believed"));
        }
        let Some(caller) = ours(key, caller, trust_domain, faults) else { continue };
        if callers.insert(vouched.clone(), caller).is_some() {
            faults.add(key, format!("names `{vouched}` twice"));
        }
    }
    callers
}

/// One of our own services. Nobody else comes by a mesh: an agency is the certificate that the agency itself has
/// shown to us, which no proxy's word stands for; and an officer is one person, not a workload.
fn ours(key: &str, path: &str, trust_domain: &str, faults: &mut Faults) -> Option<Caller> {
    let parsed = Caller::parse(&format!("spiffe://{trust_domain}{path}"), trust_domain);
    match parsed.as_ref().map(Caller::kind) {
        Ok(Kind::Service(name)) if caller::calls(name) => return parsed.ok(),
        Ok(Kind::Service(_)) => {
            faults.add(key, format!("`{path}` is no service that calls another"));
        }
        Ok(Kind::System { .. } | Kind::Operator(_)) => faults.add(
            key,
            format!("`{path}` is no service; everybody else shows us a certificate (`direct`)"),
        ),
        Err(_) => faults.add(key, format!("`{path}` is not `/service/<name>`")),
    }
    None
}
