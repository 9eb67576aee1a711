//! What somebody says of one person, drawn at random.

use contract::contribution::v1::{
    EndedValue, MissingDeclaration, MissingRevocation, SubmitContributionRequest, ValueEnd,
    life_event::Event as Life, submit_contribution_request::Event,
};
use rand::Rng as _;
use tests::events::{correction, date, death, life, residence};

use super::{
    ITEMS, LAST, Round, Running,
    drawn::{day, value, written_value},
    oracle::{Said, Wish},
};

impl<R: Running> Round<R> {
    /// Something to say, by whom, and how it is sent.
    pub(super) fn wish(&mut self, who: usize) -> (&'static str, Wish, SubmitContributionRequest) {
        let key = format!("m-{}", self.sent.len());
        let (seen, changed) = self.seen[self.root(who, usize::MAX)];
        // A record that was never seen has no version to name.
        let expects = seen > 0 && self.random.random_bool(0.3);
        let (what, place) = (self.random.random_range(0..24), self.said);
        let born = self.now(who).born;
        let about = self.claims(who);
        let contributed = format!("key:{key}");
        let said = |item, value: String, source, from| {
            let (ends, missing, key) = (false, false, contributed.clone());
            Said { item, value, source, from, ends, missing, place, key }
        };
        let (client, said, mut request) = match what {
            0 => {
                let on = day(&mut self.random, born.0, 2025, false);
                let mut request = death(&key, about);
                let Some(Event::Death(entry)) = &mut request.event else { panic!() };
                entry.date_of_death = date(on.0, on.1, on.2);
                let text = format!("{}-{}-{}", on.0, on.1, on.2);
                ("civil-status", said("death_or_missing_date", text, "civil-status", on), request)
            }
            1 | 2 => {
                let on = day(&mut self.random, born.0, 2025, false);
                let event = if what == 1 {
                    Life::Missing(MissingDeclaration {})
                } else {
                    Life::Found(MissingRevocation {})
                };
                let text = format!("{}-{}-{}", on.0, on.1, on.2);
                let said = said("death_or_missing_date", text, "civil-status", on);
                let said = Said { ends: what == 2, missing: true, ..said };
                let procedure = ("missing-declaration-entry", "Z01.DEMO.HOTICH");
                ("civil-status", said, life(&key, procedure, about, on, event))
            }
            3 | 4 => {
                let on = day(&mut self.random, born.0, 2025, false);
                let item = ["permanent_residence", "temporary_residence"][what - 3];
                let ended = EndedValue { item: item.to_owned(), value: None };
                let event = Life::End(ValueEnd { ended_values: vec![ended] });
                let said = Said { ends: true, ..said(item, String::new(), "residence", on) };
                let procedure = ("permanent-residence-deregistration", "Z05.DEMO.CUTRU");
                ("residence", said, life(&key, procedure, about, on, event))
            }
            5..12 => {
                let from = day(&mut self.random, born.0, LAST.0, false);
                let (item, kind) = if self.random.random() {
                    ("permanent_residence", 1)
                } else {
                    ("temporary_residence", 2)
                };
                let text = format!("Số {}", self.random.random_range(1..999));
                let mut request = residence(&key, about, &text);
                let Some(Event::Residence(moved)) = &mut request.event else { panic!() };
                (moved.kind, moved.effective_date) = (kind, date(from.0, from.1, from.2));
                moved.residence_file_number = String::new();
                ("residence", said(item, text, "residence", from), request)
            }
            _ => {
                let from = day(&mut self.random, born.0, LAST.0, true);
                let item = ITEMS[self.random.random_range(0..4)];
                let value = value(&mut self.random, item);
                let wire = written_value(item, &value);
                let since = date(from.0, from.1, from.2);
                let request = correction(&key, about, item, wire, since);
                ("civil-status", said(item, value, "civil-status", from), request)
            }
        };
        if expects {
            request.expected_version = seen;
        }
        let wish = Wish { said, corrects: what >= 12, stale: expects && changed };
        (client, wish, request)
    }
}
