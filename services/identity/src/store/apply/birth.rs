//! Enters a child, with a number that nobody has or had.

use model::{Assertion, Identifier, PersonalNumber, Said, Says, Value as ItemValue, item::NUMBER};
use server::runtime::Entropy;
use store::{Sql, Transaction};

use super::{ApplyError, Told, Work, rejected};
use crate::{
    domain::apply::{NumberParts, Outcome, REGISTER, Reason, Rejection},
    store::enter::{Entered, enter},
};

pub(in crate::store) const TAKEN: Sql = Sql {
    sqlite: "SELECT 1 FROM identifier WHERE value = ?",
    postgres: "SELECT 1 FROM identifier WHERE value = $1",
};

/// How often a number is drawn before the register gives up: of the million numbers of a prefix, sex and
/// year, nearly all would have to be taken.
const DRAWS_MAX: usize = 200;

impl Work<'_> {
    /// Enters the person of a birth.
    pub(super) async fn enter(
        &self,
        checked: Result<NumberParts, Vec<Rejection>>,
    ) -> Result<Outcome, ApplyError> {
        let parts = match checked {
            Err(reasons) => return Ok(Outcome::rejected(reasons)),
            Ok(_) if self.application.dry_run => {
                return Ok(self.applied(None, Vec::new(), Told::default(), 0));
            }
            Ok(parts) => parts,
        };
        let Some(number) = draw(self.tx, &parts, &self.entropy).await? else {
            return Ok(rejected(Reason::NumbersSpent));
        };
        let person_id = self.entropy.id();
        let version = self.turn.version;
        // Of whom the register did not hold nothing ends.
        let one = |said: &Said| {
            let value = said.held()?.clone();
            Some(self.assertion(&person_id, said.clone(), value, Says::Holds, version))
        };
        let mut assertions: Vec<Assertion> = self.application.said.iter().filter_map(one).collect();
        let identifier = Identifier::PersonalNumber(number.clone());
        assertions.push(self.numbered(&person_id, identifier.clone(), version));
        let (id, numbers) = (person_id.clone(), vec![identifier]);
        let person = Entered::new(id, false, numbers, assertions, version, &self.rules);
        enter(self.tx, &[person], self.turn).await?;
        self.keep_entry().await?;
        Ok(self.applied(Some(number), vec![person_id], Told::default(), 1))
    }

    /// That a person has a number from today on, as the register says it.
    pub(super) fn numbered(&self, person_id: &str, number: Identifier, version: u64) -> Assertion {
        let mut provenance = self.provenance(self.today.try_into().ok());
        REGISTER.clone_into(&mut provenance.source);
        Assertion {
            person_id: person_id.to_owned(),
            item: NUMBER.to_owned(),
            value: ItemValue::Identifier(number),
            provenance,
            version,
            says: Says::Holds,
            event: self.application.event,
        }
    }
}

/// A number that nobody has or had; none when none is left. Six random digits from a cryptographic source: nothing about the
/// next number follows from the last.
pub(super) async fn draw(
    tx: &Transaction,
    parts: &NumberParts,
    entropy: &Entropy,
) -> Result<Option<PersonalNumber>, ApplyError> {
    const NUMBERS: u32 = 1_000_000;
    // The largest multiple of a million below 2^32: what lies above would make small numbers likelier.
    const FAIR: u32 = u32::MAX / NUMBERS * NUMBERS;
    for _ in 0..DRAWS_MAX {
        let random = u32::from_le_bytes(entropy.array());
        if random >= FAIR {
            continue;
        }
        let random = random % NUMBERS;
        let Ok(number) = PersonalNumber::compose(parts.prefix, parts.sex, parts.year, random)
        else {
            return Ok(None);
        };
        if tx.query(&TAKEN, vec![number.as_str().into()]).await?.is_empty() {
            return Ok(Some(number));
        }
    }
    Ok(None)
}
