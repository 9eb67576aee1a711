//! What the law and the README say, written once more by hand: an oracle for decisions. It shares nothing with what decides: no
//! Cedar, no catalogue, no types. A change of the law, of a rule or of the order of a decision is made here as well, from its text.

/// What is asked, in words. Days are `YYYY-MM-DD`.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// The year of the law whose list counts.
    pub(super) profile: &'a str,
    pub(super) day: &'a str,
    pub(super) link: Option<&'a Link<'a>>,
    pub(super) act: &'a str,
    pub(super) event: &'a str,
    pub(super) procedure: &'a str,
    pub(super) basis: &'a str,
    pub(super) direction: bool,
    pub(super) plans: &'a [Plan<'a>],
    pub(super) items: &'a [&'a str],
}

/// A connection: its state, that of its admission or nothing, its ground, and the first day on which its assessment is none.
#[derive(Debug)]
pub(super) struct Link<'a> {
    pub(super) state: &'a str,
    pub(super) admission: &'a str,
    pub(super) ground: &'a str,
    pub(super) assessed_until: &'a str,
}

/// An agreement: its first day, its end, the items that it grants for what is asked, and what they oblige to.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) id: &'a str,
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) items: &'a [&'a str],
    pub(super) obliges: &'a str,
}

/// What is said of an item: the effect, the rule, the article, what it obliges to.
pub(super) type Line<'a> = (&'static str, &'a str, &'a str, String);

/// What has to be said.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// Reason, rule and article.
    Denied(&'static str, &'static str, &'static str),
    /// The agreement; then without a consent of the person and with one, of one of whom it is not so that it is protected, and of
    /// one who is: whether it is visible, and what is said of each item.
    Decided(String, [[(bool, Vec<Line<'static>>); 2]; 2]),
}

const ART_1_2: &str = "Decision 1911/QD-TTg, Art. 1(2)";
const ART_2_1: &str = "Decision 1911/QD-TTg, Art. 2(1)";
const ART_2_2: &str = "Decision 1911/QD-TTg, Art. 2(2)";
const ART_2_3: &str = "Decision 1911/QD-TTg, Art. 2(3)";
const ART_2_4: &str = "Decision 1911/QD-TTg, Art. 2(4)";
/// What the law of 2023 lists and that of 2014 did not.
const NEW: [&str; 10] = [
    "other_names",
    "personal_id_number",
    "place_of_birth",
    "old_id_number_9",
    "id_document_validity",
    "temporary_residence",
    "temporary_absence",
    "residence_file_number",
    "contact_points",
    "other_information",
];
/// Where somebody lives, and with whom.
const RESIDENCE: [&str; 7] = [
    "permanent_residence",
    "temporary_residence",
    "current_residence",
    "temporary_absence",
    "residence_file_number",
    "relation_to_household_head",
    "household_members",
];

/// A ground: as it is cited, its first day, and its end.
fn ground(id: &str) -> Option<(&'static str, &'static str, &'static str)> {
    Some(match id {
        "1911-2021-art-2-1" => (ART_2_1, "2021-11-15", "9999"),
        "1911-2021-art-2-2" => (ART_2_2, "2021-11-15", "9999"),
        "1911-2021-art-2-3" => (ART_2_3, "2021-11-15", "9999"),
        "1911-2021-art-2-4" => (ART_2_4, "2021-11-15", "9999"),
        "1911-2021-art-1-1" => ("Decision 1911/QD-TTg, Art. 1(1)", "2021-11-15", "9999"),
        "law-59-2014-art-9-1" => ("Law 59/2014/QH13, Art. 9(1)", "", "2024-07-01"),
        "law-26-2023-art-9" => ("Law 26/2023/QH15, Art. 9", "2024-07-01", "9999"),
        "circular-46-2022-art-12" => ("Circular 46/2022/TT-BCA, Art. 12", "2022-12-19", "9999"),
        "decree-137-2015-art-8-3" => ("Decree 137/2015/ND-CP, Art. 8(3)", "", "2024-07-01"),
        "decree-137-2015-art-7-2" => ("Decree 137/2015/ND-CP, Art. 7(2)", "", "2024-07-01"),
        "decree-70-2024-art-7-2" => ("Decree 70/2024/ND-CP, Art. 7(2)", "2024-07-01", "9999"),
        _ => return None,
    })
}

fn in_force(id: &str, day: &str) -> bool {
    ground(id).is_some_and(|(_, from, to)| from <= day && day < to)
}

impl Asked<'_> {
    fn gives(&self) -> bool {
        self.act != "contribute"
    }

    /// A standing order, a search, relations and what sources said are about what nobody was asked for; a consent that is being
    /// recorded is there.
    fn consented(&self, consent: bool) -> bool {
        match self.act {
            "obtain" | "resolve" => consent,
            act => act == "record-consents",
        }
    }

    /// A citizen, by an app.
    fn is_own(&self) -> bool {
        self.procedure == "own-record"
    }

    fn investigates(&self) -> bool {
        self.procedure == "investigation-identification"
    }

    fn lists(&self) -> &'static str {
        if self.profile == "2014" { "law-59-2014-art-9-1" } else { "law-26-2023-art-9" }
    }

    /// Art. 1(1): who is not connected, or not any more, is told nothing.
    fn unconnected(&self) -> Option<(&'static str, &'static str)> {
        let named = self.link.map_or("decree-137-2015-art-7-2", |link| link.ground);
        let next =
            if named == "decree-137-2015-art-7-2" { "decree-70-2024-art-7-2" } else { named };
        let stands = [named, next].into_iter().find(|id| in_force(id, self.day));
        let why = match self.link.map(|link| (link.state, link.admission, link.assessed_until)) {
            None => "no-connection",
            Some(("ACTIVE", _, until)) if self.day >= until => "assessment-lapsed",
            Some(("ACTIVE", ..)) if stands.is_none() => "connection-basis-ended",
            Some(("ACTIVE", ..)) => return None,
            Some((_, "SUSPENDED", _) | ("SUSPENDED", "", _)) => "connection-suspended",
            Some((_, "EXPIRED", _)) => "connection-expired",
            Some((_, "APPLIED" | "CHECKED" | "AGREED" | "CONFORMANT" | "ASSESSED", _)) => {
                "connection-not-admitted"
            }
            Some(_) => "connection-revoked",
        };
        Some((why, ground(stands.unwrap_or(named))?.0))
    }

    /// The order of a decision, up to the rules.
    pub(super) fn answer(&self) -> Said {
        let cited = |id| ground(id).map_or("", |(citation, ..)| citation);
        let basis = "BasisNotInForce";
        if !in_force(self.lists(), self.day) {
            return Said::Denied(basis, "legal-profile-not-in-force", cited(self.lists()));
        }
        if let Some((why, article)) = self.unconnected() {
            return Said::Denied("ConnectionNotActive", why, article);
        }
        match ground(self.basis) {
            None => return Said::Denied(basis, "basis-unknown", ART_2_1),
            Some((article, ..)) if !in_force(self.basis, self.day) => {
                return Said::Denied(basis, "basis-not-in-force", article);
            }
            Some(_) => {}
        }
        let (none, to) = ("NoAgreement", (self.act, self.procedure, self.event));
        match to {
            (_, "mind-reading", _) => return Said::Denied(none, "procedure-unknown", ART_2_1),
            ("contribute", "birth-registration", "birth" | "annulment") => {}
            ("contribute", ..) => return Said::Denied(none, "event-not-of-procedure", ART_2_2),
            ("follow", "database-upkeep", _) => {}
            ("follow", ..) => return Said::Denied(none, "procedure-follows-nobody", ART_2_1),
            _ => {}
        }
        let stands = |plan: &&Plan<'_>| plan.from <= self.day && self.day < plan.to;
        let of = |plan: &Plan<'_>| self.items.iter().filter(|i| self.grants(plan, i)).count();
        let mut best: Option<&Plan<'_>> = None;
        for plan in self.plans.iter().filter(stands) {
            if best.is_none_or(|best| of(plan) > of(best)) {
                best = Some(plan);
            }
        }
        let Some(plan) = best else {
            return Said::Denied(none, "no-agreement", "Decision 1911/QD-TTg, Art. 3(4)(b)");
        };
        let rows = [false, true]
            .map(|consent| [false, true].map(|protected| self.row(plan, consent, protected)));
        let mut all = rows.iter().flatten().flat_map(|(_, lines)| lines);
        if !all.any(|(effect, ..)| *effect == "Allowed") {
            let lines = &rows[0][0].1;
            let first = lines.iter().find(|(effect, ..)| *effect == "Withheld").or(lines.first());
            let (rule, article) = first.map_or(("", ""), |(_, rule, article, _)| (*rule, *article));
            return Said::Denied("NothingAllowed", rule, article);
        }
        Said::Decided(plan.id.to_owned(), rows)
    }

    /// Whether the law lists an item.
    fn listed(&self, item: &str) -> bool {
        item != "shoe_size" && !(self.profile == "2014" && NEW.contains(&item))
    }

    fn grants(&self, plan: &Plan<'_>, item: &str) -> bool {
        self.listed(item) && plan.items.contains(&item)
    }

    fn tells_no_conditions(&self) -> bool {
        !matches!(self.act, "obtain" | "contribute" | "rotate-tokens" | "record-consents")
    }

    /// I7, then each item: what the law does not list, what no agreement grants, what is hidden, what a rule says.
    fn row(&self, plan: &Plan<'_>, consent: bool, protected: bool) -> (bool, Vec<Line<'static>>) {
        let consented = self.consented(consent);
        let began = self.day >= "2021-11-15";
        let hides = match (self.gives(), protected && !self.investigates()) {
            (true, _) if !began => Some(("no-rule-permits", ART_2_1)),
            (true, true) => Some(("protected-person-hidden", ART_1_2)),
            (true, false) if self.is_own() && !consented => {
                Some(("self-access-by-consent", ART_1_2))
            }
            _ => None,
        };
        let list = ground(self.lists()).map_or("", |(citation, ..)| citation);
        let line = |item: &&str| {
            let withheld = |rule, article| ("Withheld", rule, article, String::new());
            match (hides, self.rule(item, consented, protected).filter(|_| began)) {
                _ if !self.listed(item) => ("UnknownItem", "item-catalogue", list, String::new()),
                _ if !self.grants(plan, item) => withheld("agreement-scope", ART_2_1),
                (Some((rule, article)), _) => withheld(rule, article),
                (None, None) => withheld("no-rule-permits", ART_2_1),
                (None, Some((rule, ART_1_2))) => withheld(rule, ART_1_2),
                // Whoever contributes is given nothing.
                // Only where items are obtained are conditions told; where other acts would give something on any, they give nothing.
                (None, Some((_, article)))
                    if self.tells_no_conditions() && !plan.obliges.is_empty() =>
                {
                    withheld("obligations-untold", article)
                }
                (None, Some((rule, article))) => {
                    let obliges = if self.act == "obtain" { plan.obliges } else { "" };
                    ("Allowed", rule, article, obliges.to_owned())
                }
            }
        };
        (hides.is_none(), self.items.iter().map(line).collect())
    }

    /// The rule that decides an item: the first that withholds, by its name, or else the first that permits.
    fn rule(
        &self,
        item: &str,
        consented: bool,
        protected: bool,
    ) -> Option<(&'static str, &'static str)> {
        let closed = protected && !self.direction;
        match item {
            _ if !self.gives() => {}
            "contact_points" if !consented && !self.investigates() => {
                return Some(("contact-by-consent", ART_1_2));
            }
            "contact_points" if closed => return Some(("protected-person-contact", ART_1_2)),
            "religion" if !consented => return Some(("religion-by-consent", ART_1_2)),
            _ if closed && RESIDENCE.contains(&item) => {
                return Some(("protected-person-residence", ART_1_2));
            }
            _ => {}
        }
        match (self.basis, self.gives()) {
            ("1911-2021-art-2-1", true) => Some(("shared-for-assigned-tasks", ART_2_1)),
            ("1911-2021-art-2-3", true) => Some(("shared-among-agencies", ART_2_3)),
            ("1911-2021-art-2-2", false) => Some(("provided-to-the-register", ART_2_2)),
            ("circular-46-2022-art-12", true) if self.is_own() && consented => {
                Some(("own-record", "Circular 46/2022/TT-BCA, Art. 12"))
            }
            ("decree-137-2015-art-8-3", true) if self.is_own() && consented => {
                Some(("own-record-2015", "Decree 137/2015/ND-CP, Art. 8(3)"))
            }
            ("1911-2021-art-2-4", _) if self.direction => Some(("by-direction", ART_2_4)),
            _ => None,
        }
    }
}
