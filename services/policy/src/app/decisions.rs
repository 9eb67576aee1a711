//! The use cases of whoever wants to know why: explain a decision, and list what a connection may ask for.

use server::Deadline;
use time::OffsetDateTime;

use super::App;
use crate::{
    Error,
    domain::{
        decision::Denial,
        explain::{Check, Deciding, Explanation},
        permissions::{Permission, Permitted},
        registry::Standing,
        request::Request,
    },
    store,
};

/// Explanations, of what stands when they are asked for.
#[derive(Clone, Copy)]
pub(crate) struct Explanations<'a> {
    pub(crate) app: &'a App,
}

/// A page of what a connection may ask for.
pub(crate) struct Found {
    pub(crate) standing: Standing,
    pub(crate) revision: String,
    pub(crate) checks: Vec<Check>,
    pub(crate) permissions: Vec<(Permission, Permitted)>,
    /// Whether there is another page.
    pub(crate) more: bool,
    pub(crate) at: OffsetDateTime,
}

impl Found {
    /// Id of the connection, or empty.
    pub(crate) fn connection(&self) -> &str {
        self.standing.connection.as_ref().map_or("", |connection| &connection.id)
    }

    /// The database that it serves, or empty.
    pub(crate) fn database(&self) -> &str {
        self.standing.connection.as_ref().map_or("", |connection| &connection.database)
    }
}

impl Explanations<'_> {
    /// Agency and system of a connection.
    pub(crate) async fn holder(
        self,
        deadline: Deadline,
        connection: &str,
    ) -> Result<Option<(String, String)>, Error> {
        store::permissions::holder(&self.app.store.until(deadline.at()), connection).await
    }

    /// Explains what is decided about a request now, of a subject of whom this is assumed.
    pub(crate) async fn explain(
        self,
        deadline: Deadline,
        request: &Request,
        assumed: &[(&'static str, bool)],
    ) -> Result<(Explanation, OffsetDateTime), Error> {
        self.trusted()?;
        let App { in_force, store, days, longest, .. } = self.app;
        let store = store.until(deadline.at());
        let standing = store::standing(&store, request).await?;
        let profile = in_force.of(&standing.rules).await?;
        let now = days.now()?;
        Ok((profile.explain(request, assumed, &standing, now, *longest), now))
    }

    /// What a caller may ask for: a page of at most so many, after this key.
    pub(crate) async fn permissions(
        self,
        deadline: Deadline,
        caller: &(String, String),
        after: [String; 4],
        most: u16,
    ) -> Result<Found, Error> {
        self.trusted()?;
        let App { in_force, store, days, .. } = self.app;
        let (store, at) = (store.until(deadline.at()), days.now()?);
        let standing = store::connection(&store, caller).await?;
        let profile = in_force.of(&standing.rules).await?;
        let (mut permissions, mut more) = (Vec::new(), false);
        if let Some(connection) = &standing.connection {
            let (id, items) = (&connection.id, profile.catalogue.most_items());
            let page = store::permissions::page(&store, id, at, after, most, items).await?;
            (permissions, more) = page;
        }
        let permitted = |permission: Permission| {
            let permitted = profile.permitted(&permission, &standing, at);
            (permission, permitted)
        };
        Ok(Found {
            permissions: permissions.into_iter().map(permitted).collect(),
            more,
            checks: profile.connecting(&standing, at),
            revision: profile.revision(&standing.registry),
            standing,
            at,
        })
    }

    /// What cannot be decided any more is not explained either.
    fn trusted(self) -> Result<(), Error> {
        if self.app.sample.trusted() { Ok(()) } else { Err(Error::Distrusted) }
    }

    /// Ids of every item that the law of the legal profile lists.
    pub(crate) fn items(self) -> Vec<String> {
        let profile = self.app.in_force.last();
        profile.catalogue.items().iter().map(|item| item.id.clone()).collect()
    }

    /// The names of an item in Vietnamese and English; empty where the law does not list it.
    pub(crate) fn item_names(self, id: &str) -> (String, String) {
        let profile = self.app.in_force.last();
        let item = profile.catalogue.item(id);
        item.map(|item| (item.vi.clone(), item.en.clone())).unwrap_or_default()
    }

    /// The names of a procedure in Vietnamese and English, and the kinds of event that it is for.
    pub(crate) fn procedure(self, id: &str) -> (String, String, Vec<String>) {
        let profile = self.app.in_force.last();
        let found = profile.catalogue.procedure(id);
        let names = |p: &crate::domain::catalogue::Procedure| {
            let events = p.events.iter().map(|event| event.name().to_owned()).collect();
            (p.vi.clone(), p.en.clone(), events)
        };
        found.map(names).unwrap_or_default()
    }

    /// How a legal ground is cited.
    pub(crate) fn citation(self, id: &str) -> String {
        self.app.in_force.last().catalogue.legal_basis().citation(id)
    }

    /// A denial, as a check that fails.
    pub(crate) fn check(self, denial: Denial) -> Check {
        self.app.in_force.last().check("rules", "", Err(denial))
    }

    /// The rule that an item's decision names.
    pub(crate) fn named_rule(self, decided: &decide::ItemDecision) -> Deciding {
        self.app.in_force.last().named_rule(decided)
    }
}
