//! One case for each rule of the contract, under its number. Each drives the database over the network, and can fail.
//!
//! | module | rules |
//! |---|---|
//! | `describe` | DB-4 to DB-7, DB-13, DB-15, DB-20 to DB-22: what the database says of itself, and how it says no |
//! | `lookup` | LKP |
//! | `sink` | SNK |
//! | `source` | SRC |
//! | `transport` | DB-1 to DB-3, DB-8 to DB-12, DB-14: connections, certificates, deadlines, load |

pub(crate) mod describe;
pub(crate) mod lookup;
mod people;
pub(crate) mod sink;
pub(crate) mod source;
pub(crate) mod transport;

use std::pin::Pin;

use crate::{
    found::{Found, Tried},
    kit::Kit,
};

type Trying<'a> = Pin<Box<dyn Future<Output = Tried> + Send + 'a>>;

/// A case.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// The rule that it tries.
    pub(crate) id: &'static str,
    /// Tries it.
    pub(crate) run: for<'a> fn(&'a Kit, &'a mut Found) -> Trying<'a>,
}

macro_rules! cases {
    ($($id:literal => $case:path),* $(,)?) => {
        &[$(Case { id: $id, run: |kit, found| Box::pin($case(kit, found)) }),*]
    };
}

/// Every case, in the order in which they are tried: what restarts the database comes last.
pub(crate) const CASES: &[Case] = cases![
    "DB-1" => transport::peers::tls,
    "DB-2" => transport::peers::unknown,
    "DB-3" => transport::peers::stranger,
    "DB-4" => describe::health,
    "DB-5" => describe::unimplemented,
    "DB-6" => describe::errors::reasons,
    "DB-7" => describe::errors::fields,
    "DB-8" => transport::malformed,
    "DB-9" => transport::too_large,
    "DB-10" => transport::load::deadline,
    "DB-11" => transport::load::cancelled,
    "DB-12" => transport::load::at_once,
    "DB-13" => describe::newer_client,
    "DB-14" => transport::load::slow_reader,
    "DB-15" => describe::reflection,
    "DB-20" => describe::whole,
    "DB-21" => describe::items,
    "DB-22" => describe::limits,
    "SRC-1" => source::list::order,
    "SRC-2" => source::list::same_again,
    "SRC-3" => source::list::once,
    "SRC-4" => source::changes::form,
    "SRC-5" => source::changes::cursors,
    "SRC-6" => source::list::own_cursor,
    "SRC-7" => source::refused::unknown_cursor,
    "SRC-8" => source::refused::expired_cursor,
    "SRC-10" => source::changes::synthetic,
    "SRC-11" => source::changes::times,
    "SRC-20" => source::list::from_the_oldest,
    "SRC-21" => source::pages::sizes,
    "SRC-22" => source::refused::negative_size,
    "SRC-23" => source::pages::bytes,
    "SRC-24" => source::pages::at_the_end,
    "SRC-25" => source::pages::end_reached,
    "SRC-30" => source::stream::as_listed,
    "SRC-31" => source::stream::ends,
    "SRC-32" => source::stream::follows,
    "SRC-33" => source::stream::resumed,
    "LKP-1" => lookup::answers::every_item,
    "LKP-2" => lookup::answers::of_the_person,
    "LKP-3" => lookup::hidden::unknown_person,
    "LKP-4" => lookup::hidden::other_claims,
    "LKP-5" => lookup::answers::not_held,
    "LKP-6" => lookup::answers::types,
    "LKP-7" => lookup::answers::again,
    "LKP-8" => lookup::faulty::questions,
    "LKP-9" => lookup::answers::synthetic,
    "LKP-20" => lookup::verify::outcomes,
    "LKP-21" => lookup::verify::no_value,
    "LKP-40" => lookup::warrant::missing,
    "LKP-41" => lookup::warrant::other_key,
    "LKP-42" => lookup::warrant::changed_byte,
    "LKP-43" => lookup::warrant::algorithm,
    "LKP-44" => lookup::warrant::expired,
    "LKP-45" => lookup::warrant::not_yet,
    "LKP-46" => lookup::warrant::audience,
    "LKP-47" => lookup::warrant::holder,
    "LKP-48" => lookup::warrant::replayed,
    "LKP-49" => lookup::warrant::subject,
    "LKP-50" => lookup::warrant::items,
    "LKP-51" => lookup::warrant::ground,
    "LKP-53" => lookup::warrant::later_members,
    "LKP-30" => lookup::many::as_one,
    "LKP-31" => lookup::many::faulty,
    "SNK-1" => sink::results,
    "SNK-2" => sink::again::duplicates,
    "SNK-3" => sink::again::conflicts,
    "SNK-4" => sink::again::obsolete,
    "SNK-5" => sink::unsupported,
    "SNK-6" => sink::refused,
    "SRC-9" => source::list::after_a_restart,
    "LKP-52" => lookup::warrant::after_a_restart,
    "SNK-7" => sink::again::after_a_restart,
];

/// The rules that have a case, in the order in which they are tried.
#[must_use]
pub fn ids() -> Vec<&'static str> {
    CASES.iter().map(|case| case.id).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use contract::database::v1::RULES;

    use super::*;

    #[test]
    fn every_rule_has_one_case_and_every_case_a_rule() {
        let mut cases = ids();
        let mut rules: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
        cases.sort_unstable();
        rules.sort_unstable();
        assert_eq!(cases, rules);
    }
}
