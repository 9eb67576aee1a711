//! Why a decision is what it is.

use super::rules::Rule;
use super::table::Builder;

impl<'a> Builder<'a> {
    /// The rules that decide each item where exactly these facts hold: every forbid about it, or every permit where there is no
    /// forbid. `None` where a rule fails, which makes the whole row deny. Of each list the first is the one that an answer names.
    pub fn deciding(&self, holding: &[&str]) -> Option<Vec<Vec<&'a Rule>>> {
        let mut satisfied = self.rules.satisfied(self.ask, holding)?;
        satisfied.retain(|rule| rule.about(self.ask.act) && self.stands(rule));
        let one = |item: &String| {
            let place = self.catalogue.place(item);
            let about = |forbids| {
                let of = |rule: &&&'a Rule| rule.forbids == forbids && rule.items.has(place);
                satisfied.iter().filter(of).copied().collect::<Vec<_>>()
            };
            let forbids = about(true);
            if forbids.is_empty() { about(false) } else { forbids }
        };
        Some(self.items.iter().map(one).collect())
    }
}
