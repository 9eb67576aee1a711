//! The decision about one request, from the law, the rules and the registry. Whatever is missing,
//! ended or unknown is denied, with the rule and the article that says so (I2).

use std::collections::BTreeSet;

use decide::{DecisionTable, Fact, ItemEffect, Obligation, obligation};
use sha2::{Digest, Sha256};
use time::{Date, Duration, OffsetDateTime};

use super::admission;
use super::basis::{BasisRow, start_of, today};
use super::catalogue::{Catalogue, Claims, LegalProfile, Procedure};
use super::item_set::ItemSet;
use super::registry::{Connection, Granted, Standing, State};
use super::request::Request;
use super::rules::{
    Act, Question, Rule, RuleFile, Rules,
    plain::{Difference, Plain},
};
use super::table::{Builder, FAULT, TASKS};
use super::volume::{GrantKey, Volume};
use crate::Error;

/// The ground of connecting at all (Decision 1911/QD-TTg, Art. 1(1), which names this article);
/// what took its place is cited where it has ended.
const CONNECTING: &str = "decree-137-2015-art-7-2";
/// The ground of agreeing on a plan before anything is shared.
pub(super) const AGREEING: &str = "1911-2021-art-3-4-b";
/// The ground of contributing what a procedure brings about.
const PROVIDING: &str = "1911-2021-art-2-2";
/// Hexadecimal digits of a revision.
const REVISION_LEN: usize = 16;

/// A file of rules that comes with this program.
macro_rules! shipped {
    ($clause:literal) => {
        RuleFile {
            clause: $clause,
            text: include_str!(concat!("../../data/rules/", $clause, ".cedar")),
        }
    };
}

/// The data that come with this program: items, procedures, legal grounds, and the schema of the rules.
pub(super) const SHIPPED: [&str; 4] = [
    include_str!("../../data/items.toml"),
    include_str!("../../data/procedures.toml"),
    include_str!("../../data/legal-basis.toml"),
    include_str!("../../data/rules/rules.cedarschema"),
];
/// The statutory rules that come with this program, each file named by the clause that it carries out.
pub(super) const RULES: [RuleFile<'static>; 7] = [
    shipped!("1911-2021-art-1-2"),
    shipped!("1911-2021-art-2-1"),
    shipped!("1911-2021-art-2-2"),
    shipped!("1911-2021-art-2-3"),
    shipped!("1911-2021-art-2-4"),
    shipped!("circular-46-2022-art-12"),
    shipped!("decree-137-2015-art-8-3"),
];

/// Catalogue and rules, as shipped with this program, for one legal profile.
pub(crate) struct Profile {
    pub(crate) catalogue: Catalogue,
    rules: Rules,
    digest: Sha256,
}

impl Profile {
    /// Reads the shipped data; a fault in them keeps the service from starting (I9).
    pub(crate) fn load(profile: LegalProfile) -> Result<Self, Error> {
        Self::read(profile, SHIPPED, &RULES)
    }

    /// Reads items, procedures, legal grounds and the schema of the rules, and the rules.
    pub(super) fn read(
        profile: LegalProfile,
        files: [&str; 4],
        rules: &[RuleFile<'_>],
    ) -> Result<Self, Error> {
        let [items, procedures, basis, schema] = files;
        let catalogue = Catalogue::parse(profile, items, procedures, basis)?;
        for ground in [CONNECTING, AGREEING, PROVIDING, TASKS] {
            if catalogue.legal_basis().get(ground).is_none() {
                return Err(Error::data("legal basis", format!("`{ground}` is not there")));
            }
        }
        // A digest of digests, so that moving a line from one file to the next is a change.
        let named = rules.iter().flat_map(|file| [file.clause, file.text]);
        let digest = [profile.name()]
            .into_iter()
            .chain(files)
            .chain(named)
            .fold(Sha256::new(), |all, part| all.chain_update(Sha256::digest(part)));
        let rules = Rules::load(rules, schema, &catalogue)?;
        Ok(Self { catalogue, rules, digest })
    }

    /// The same, but plain Cedar does not know of a rule: as if what makes tables had a fault.
    #[cfg(test)]
    pub(crate) fn at_odds(mut self, rule: &str) -> Self {
        self.rules.forget(rule);
        self
    }

    /// The revision of everything that decides: the profile, the shipped data and a registry.
    pub(crate) fn revision(&self, registry: &str) -> String {
        let mut revision = hex::encode(self.digest.clone().chain_update(registry).finalize());
        revision.truncate(REVISION_LEN);
        revision
    }

    /// Decides at a moment; the decision is to be kept no longer than `longest`.
    pub(crate) fn decide(
        &self,
        request: &Request,
        standing: &Standing,
        now: OffsetDateTime,
        longest: Duration,
    ) -> Decision {
        let day = today(now);
        let connection = standing.connection.as_ref();
        let grounds = self.grounds(request, standing, day);
        let agreement = grounds.as_ref().ok().map(|grounds| grounds.granted.agreement.clone());
        let procedure = grounds.as_ref().ok().map(|grounds| grounds.named.procedure);
        let volume = grounds.as_ref().ok().and_then(|grounds| grounds.volume(request));
        let signed_requests = grounds.is_ok() && standing.demands_signed_of(day, request);
        let outcome = grounds.and_then(|grounds| self.table(request, &grounds, day, now));
        let (outcome, ends, claims, volume) = match outcome {
            Ok((table, ends)) => (Ok(table), ends, procedure.map(ClaimsRule::of), volume),
            Err(denial) => (Err(denial), Vec::new(), None, None),
        };
        Decision {
            revision: self.revision(&standing.registry),
            number: standing.number,
            connection: connection.map(|c| c.id.clone()).unwrap_or_default(),
            database: connection.map(|c| c.database.clone()).unwrap_or_default(),
            agreement: agreement.unwrap_or_default(),
            outcome,
            valid_until: ends.into_iter().fold(now.saturating_add(longest), OffsetDateTime::min),
            claims: claims.unwrap_or_default(),
            volume,
            purpose: procedure.map(|p| p.purpose.clone()).unwrap_or_default(),
            sealed_days: procedure.map(|p| p.sealed_days).unwrap_or_default(),
            signed_requests,
        }
    }

    /// Compares a decision with plain Cedar, which is asked once for each item and subject.
    pub(crate) fn compare(
        &self,
        request: &Request,
        standing: &Standing,
        now: OffsetDateTime,
        decision: &Decision,
    ) -> Result<(), Difference> {
        let day = today(now);
        // What is denied before rules are asked is no matter of theirs.
        let Ok(grounds) = self.grounds(request, standing, day) else { return Ok(()) };
        self.building(request, &grounds, now, |builder| {
            Plain::new(builder).compare(decision.outcome.as_ref().ok())
        })
    }

    /// Does something with what the table of a request is built from; nothing where it is denied before.
    pub(super) fn with_builder<T>(
        &self,
        request: &Request,
        standing: &Standing,
        now: OffsetDateTime,
        with: impl FnOnce(&Builder<'_>) -> Option<T>,
    ) -> Option<T> {
        let day = today(now);
        let grounds = self.grounds(request, standing, day).ok()?;
        self.building(request, &grounds, now, with)
    }

    /// The same, where it is not denied.
    fn building<T>(
        &self,
        request: &Request,
        grounds: &Grounds<'_>,
        now: OffsetDateTime,
        with: impl FnOnce(&Builder<'_>) -> T,
    ) -> T {
        let directed = grounds.granted.directs(request);
        let ask = grounds.named.question(&grounds.connection.database, request, directed);
        let obligations = |item: &str| grounds.granted.obligations(item);
        with(&self.builder(&ask, request, &grounds.items, &obligations, now))
    }

    /// The days after this one on which a rule or a legal ground begins or ends.
    pub(crate) fn changes(&self, day: Date) -> BTreeSet<Date> {
        let rules = self.rules.iter().flat_map(|rule| [Some(rule.validity.from), rule.validity.to]);
        let grounds = self.catalogue.legal_basis().rows();
        let grounds = grounds.flat_map(|row| [row.effective_from, row.effective_to]);
        rules.chain(grounds).flatten().filter(|change| day < *change).collect()
    }

    /// The statutory rule of an id.
    pub(super) fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.get(id)
    }

    /// Whether the caller's connection may be used, whatever for.
    pub(crate) fn standing(&self, standing: &Standing, now: OffsetDateTime) -> Connected {
        let connection = standing.connection.as_ref();
        Connected {
            revision: self.revision(&standing.registry),
            number: standing.number,
            connection: connection.map(|c| c.id.clone()).unwrap_or_default(),
            database: connection.map(|c| c.database.clone()).unwrap_or_default(),
            denial: self.connected(standing, today(now)).err(),
            signed_requests: standing.demands_signed(today(now)),
        }
    }

    /// Everything that must stand before a rule is asked.
    fn grounds<'a>(
        &'a self,
        request: &Request,
        standing: &'a Standing,
        day: Date,
    ) -> Result<Grounds<'a>, Denial> {
        let listing = self.listing(day)?;
        let (connection, connecting) = self.connected(standing, day)?;
        let named = self.named_grounds(request, day)?;
        let (granted, items) = self.agreement(request, standing, day)?;
        Ok(Grounds { listing, connection, connecting, named, granted, items })
    }

    /// What a request names.
    pub(super) fn named_grounds(&self, request: &Request, day: Date) -> Result<Named<'_>, Denial> {
        let basis = self.basis(request, day)?;
        Ok(Named { basis, procedure: self.procedure(request)? })
    }

    /// The ground that a request names, if it is in force.
    pub(super) fn basis(&self, request: &Request, day: Date) -> Result<&BasisRow, Denial> {
        let Some(basis) = self.catalogue.legal_basis().get(&request.legal_basis) else {
            return Err(self.denial(Refusal::BasisNotInForce, "basis-unknown", TASKS));
        };
        if !basis.in_force(day) {
            return Err(self.denial(Refusal::BasisNotInForce, "basis-not-in-force", &basis.id));
        }
        Ok(basis)
    }

    /// The procedure that a request names, if it is one for what is to be done.
    pub(super) fn procedure(&self, request: &Request) -> Result<&Procedure, Denial> {
        let Some(procedure) = self.catalogue.procedure(&request.procedure) else {
            return Err(self.denial(Refusal::NoAgreement, "procedure-unknown", TASKS));
        };
        if let Some((rule, ground)) = unsuited(request, procedure) {
            return Err(self.denial(Refusal::NoAgreement, rule, ground));
        }
        Ok(procedure)
    }

    /// The agreement that is applied to a request, and the items that it grants.
    pub(super) fn agreement<'a>(
        &'a self,
        request: &Request,
        standing: &'a Standing,
        day: Date,
    ) -> Result<(&'a Granted, ItemSet), Denial> {
        let wanted = self.catalogue.set(&request.items);
        let granted = standing.in_force(day, request, &wanted, &self.catalogue);
        granted.map_err(|rule| self.denial(Refusal::NoAgreement, rule, AGREEING))
    }

    /// The ground that lists the items. On a day on which it is not in force there is no item that
    /// anybody could be given; its successor lists others, so it does not stand in for it.
    pub(crate) fn listing(&self, day: Date) -> Result<&BasisRow, Denial> {
        let id = self.catalogue.items_basis();
        let row = self.catalogue.legal_basis().in_force(id, day);
        row.ok_or_else(|| self.denial(Refusal::BasisNotInForce, "legal-profile-not-in-force", id))
    }

    /// The connection, if it may be used, and the ground on which it stands today.
    pub(super) fn connected<'a>(
        &'a self,
        standing: &'a Standing,
        day: Date,
    ) -> Result<(&'a Connection, &'a BasisRow), Denial> {
        let law = self.catalogue.legal_basis();
        let connection = standing.connection.as_ref();
        let named = connection.map_or(CONNECTING, |connection| &connection.legal_basis);
        let ground = law.current(named, day);
        let refuse = |rule| {
            let cited = ground.map_or(named, |ground| &ground.id);
            Err(self.denial(Refusal::ConnectionNotActive, rule, cited))
        };
        let Some(connection) = connection else { return refuse("no-connection") };
        match connection.state {
            State::Active => {}
            // It says the same, and more of why.
            State::Suspended | State::Revoked if standing.admission.is_some() => {
                return refuse(standing.admission.as_deref().map_or("", admission::State::rule));
            }
            State::Suspended => return refuse("connection-suspended"),
            State::Revoked => return refuse("connection-revoked"),
        }
        if day >= connection.assessed_until {
            return refuse("assessment-lapsed");
        }
        ground.map_or_else(|| refuse("connection-basis-ended"), |ground| Ok((connection, ground)))
    }

    /// The table, and when something ends that it was built from.
    fn table(
        &self,
        request: &Request,
        grounds: &Grounds<'_>,
        day: Date,
        now: OffsetDateTime,
    ) -> Result<(DecisionTable, Vec<OffsetDateTime>), Denial> {
        self.building(request, grounds, now, |builder| self.tabled(builder, grounds, day))
    }

    fn tabled(
        &self,
        builder: &Builder<'_>,
        grounds: &Grounds<'_>,
        day: Date,
    ) -> Result<(DecisionTable, Vec<OffsetDateTime>), Denial> {
        let Ok(table) = builder.build() else {
            return Err(self.denial(Refusal::NothingAllowed, FAULT, TASKS));
        };
        if !table.allows_anything() {
            return Err(nothing(&table));
        }
        let law = self.catalogue.legal_basis();
        let rules = builder.applicable().filter_map(|rule| law.get(&rule.basis));
        let rows = rules.chain([grounds.listing, grounds.connecting, grounds.named.basis]);
        // A rule whose ground ended before today permits nothing and forbids for ever: it ends
        // nothing.
        let ends = rows.filter_map(|row| row.effective_to).filter(|end| day < *end);
        let changes = builder.applicable().filter_map(|rule| rule.validity.changes(day));
        let dated = [grounds.connection.assessed_until, grounds.granted.valid_to];
        let given = table.answers().iter().flat_map(|answer| &answer.items);
        let given = given.filter_map(|item| obligation::ends(&item.obligations));
        let given = given.filter_map(|end| OffsetDateTime::from_unix_timestamp(end).ok());
        let ends = ends.chain(changes).chain(dated).map(start_of).chain(given).collect();
        Ok((table, ends))
    }

    /// The denial by which a database is not asked because it has no connection (Art. 1(1)).
    pub(crate) fn not_connected(&self, rule: &str) -> Denial {
        self.denial(Refusal::ConnectionNotActive, rule, CONNECTING)
    }

    /// The denial by which nobody is told of any more under an agreement.
    pub(crate) fn volume_used_up(&self) -> Denial {
        self.denial(Refusal::VolumeUsedUp, "volume-used-up", AGREEING)
    }

    /// The denial by which whoever counts nobody is given nothing of what is granted for so many persons.
    pub(crate) fn not_counted(&self) -> Denial {
        self.denial(Refusal::NothingAllowed, "volume-not-counted", AGREEING)
    }

    /// The denial by which whoever looks at no signature is given nothing of what is granted to signed requests.
    pub(crate) fn not_checked(&self) -> Denial {
        self.denial(Refusal::SignatureRequired, "signature-not-checked", AGREEING)
    }

    /// The denial by which nothing is granted any more that was when it was decided.
    pub(crate) fn not_agreed(&self) -> Denial {
        self.denial(Refusal::NoAgreement, "no-agreement", AGREEING)
    }

    /// What a table is built from.
    pub(super) fn builder<'a>(
        &'a self,
        ask: &'a Question<'a>,
        request: &'a Request,
        granted: &'a ItemSet,
        obligations: &'a dyn Fn(&str) -> &'a [Obligation],
        now: OffsetDateTime,
    ) -> Builder<'a> {
        let (catalogue, rules, day) = (&self.catalogue, &self.rules, today(now));
        let (act, items) = (request.act, &request.items[..]);
        Builder { catalogue, rules, ask, act, items, granted, obligations, day, now }
    }

    fn denial(&self, refusal: Refusal, rule: &str, ground: &str) -> Denial {
        let article = self.catalogue.legal_basis().citation(ground);
        Denial { refusal, rule: rule.to_owned(), article }
    }
}

/// The rule, and its ground, by which a procedure is not one for what is to be done. What is contributed must be of a
/// kind that it names; nothing named suits nothing. A standing order to be told is no single case.
fn unsuited(request: &Request, procedure: &Procedure) -> Option<(&'static str, &'static str)> {
    let of_procedure = |event| procedure.events.contains(&event);
    match request.act {
        Act::Obtain
        | Act::Explain
        | Act::Resolve
        | Act::Search
        | Act::Relations
        | Act::InverseRelations
        | Act::Household
        | Act::RotateTokens
        | Act::RecordConsents
        | Act::Accesses => None,
        Act::Contribute if request.event.is_some_and(of_procedure) => None,
        Act::Contribute => Some(("event-not-of-procedure", PROVIDING)),
        Act::Follow if procedure.follows => None,
        Act::Follow => Some(("procedure-follows-nobody", TASKS)),
    }
}

/// The denial of a table that allows nothing whoever the subject is: the first item withheld says
/// why.
pub(super) fn nothing(table: &DecisionTable) -> Denial {
    let items = table.resolve(|_| Fact::False).items;
    let withheld = items.iter().find(|item| item.effect == ItemEffect::Withheld);
    let (rule, article) = withheld
        .or(items.first())
        .map(|item| (item.rule.clone(), item.article.clone()))
        .unwrap_or_default();
    Denial { refusal: Refusal::NothingAllowed, rule, article }
}

/// What stands before a rule is asked.
struct Grounds<'a> {
    /// The ground that lists the items.
    listing: &'a BasisRow,
    connection: &'a Connection,
    /// The ground of the connection, as it is today.
    connecting: &'a BasisRow,
    /// What the request names.
    named: Named<'a>,
    granted: &'a Granted,
    /// The items of `granted`.
    items: ItemSet,
}

impl Grounds<'_> {
    /// How many persons may be told of, and the grant by which.
    fn volume(&self, request: &Request) -> Option<(GrantKey, Volume)> {
        let volume = self.granted.terms.volume?;
        let key = GrantKey {
            agreement: self.granted.agreement.clone(),
            act: request.act,
            procedure: request.procedure.clone(),
            legal_basis: request.legal_basis.clone(),
        };
        Some((key, volume))
    }
}

/// What a request names, and what stands.
#[derive(Debug)]
pub(super) struct Named<'a> {
    /// The ground.
    basis: &'a BasisRow,
    procedure: &'a Procedure,
}

impl<'a> Named<'a> {
    /// What rules are asked about a connection's database.
    pub(super) fn question(
        &self,
        database: &'a str,
        request: &Request,
        direction: bool,
    ) -> Question<'a> {
        Question {
            database,
            act: request.act.in_rules(),
            procedure: &self.procedure.id,
            purpose: &self.procedure.purpose,
            basis: &self.basis.id,
            direction,
        }
    }
}

/// How a connection stands.
#[derive(Debug)]
pub(crate) struct Connected {
    /// Revision of everything that decided.
    pub(crate) revision: String,
    /// Number of the registry's revision.
    pub(crate) number: u64,
    /// Its id, or empty.
    pub(crate) connection: String,
    /// The database that it serves, or empty.
    pub(crate) database: String,
    /// Why it may not be used; none where it may.
    pub(crate) denial: Option<Denial>,
    /// Whether an agreement of it that is in force demands that requests are signed.
    pub(crate) signed_requests: bool,
}

/// What was decided.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    /// Revision of everything that decided.
    pub(crate) revision: String,
    /// Number of the registry's revision.
    pub(crate) number: u64,
    /// Id of the caller's connection, or empty.
    pub(crate) connection: String,
    /// The database that it serves, or empty.
    pub(crate) database: String,
    /// Id of the agreement that was applied, or empty.
    pub(crate) agreement: String,
    /// The table, or why nothing is allowed.
    pub(crate) outcome: Result<DecisionTable, Denial>,
    /// The earliest end of anything it was built from.
    pub(crate) valid_until: OffsetDateTime,
    /// What the caller must know of a person.
    pub(crate) claims: ClaimsRule,
    /// How many persons may be told of, and the grant by which; none where that is not limited.
    pub(crate) volume: Option<(GrantKey, Volume)>,
    /// The purpose group of the procedure, or empty.
    pub(crate) purpose: String,
    /// For how many days nothing but its number is told of such an access to the person whom it is about.
    pub(crate) sealed_days: u32,
    /// Whether the agreement demands that the caller signs its requests.
    pub(crate) signed_requests: bool,
}

/// What a caller must know of a person beside the number.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClaimsRule {
    /// Nothing more.
    pub(crate) waived: bool,
    /// A year of birth is enough.
    pub(crate) year_suffices: bool,
}

impl ClaimsRule {
    fn of(procedure: &Procedure) -> Self {
        Self { waived: procedure.claims == Claims::Waived, year_suffices: procedure.year_suffices }
    }
}

/// Why nothing is allowed.
#[derive(Clone, Debug)]
pub(crate) struct Denial {
    /// The reason.
    pub(crate) refusal: Refusal,
    /// The rule or state that refused.
    pub(crate) rule: String,
    /// The article, as cited.
    pub(crate) article: String,
}

/// The reasons of a denial.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    /// The caller has no connection that may be used.
    ConnectionNotActive,
    /// The ground is unknown or not in force.
    BasisNotInForce,
    /// No agreement in force covers the request.
    NoAgreement,
    /// The rules allow none of the items.
    NothingAllowed,
    /// As many persons were told of as the agreement grants.
    VolumeUsedUp,
    /// The agreement demands signed requests.
    SignatureRequired,
}

#[cfg(test)]
#[path = "decision_tests.rs"]
mod tests;
