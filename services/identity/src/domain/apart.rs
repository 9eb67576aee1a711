//! What was said of many persons, apart: each with those with whom it was ever said to be one, so that a fold looks at what
//! concerns it alone.

use std::collections::HashMap;

use model::{Assertion, merge::linked};

/// Assertions of many persons.
pub(crate) struct Apart {
    /// Place of what concerns a person.
    place: HashMap<String, usize>,
    said: Vec<Vec<Assertion>>,
}

impl Apart {
    /// Of everything that was said of them, and of everybody with whom they were ever said to be one.
    pub(crate) fn new(assertions: Vec<Assertion>) -> Self {
        let mut place: HashMap<String, usize> = HashMap::new();
        for said in &assertions {
            let next = place.len();
            place.entry(said.person_id.clone()).or_insert(next);
        }
        let next = place.len();
        for said in &assertions {
            let Some(other) = linked(said) else { continue };
            let (Some(one), Some(other)) =
                (place.get(&said.person_id).copied(), place.get(other).copied())
            else {
                continue;
            };
            // Rare, and of few.
            for at in place.values_mut().filter(|at| **at == other) {
                *at = one;
            }
        }
        let mut all: Vec<Vec<Assertion>> = std::iter::repeat_with(Vec::new).take(next).collect();
        for said in assertions {
            if let Some(of) = place.get(&said.person_id).and_then(|at| all.get_mut(*at)) {
                of.push(said);
            }
        }
        Self { place, said: all }
    }

    /// What concerns a person.
    pub(crate) fn of(&self, person_id: &str) -> &[Assertion] {
        let said = self.place.get(person_id).and_then(|at| self.said.get(*at));
        said.map(Vec::as_slice).unwrap_or_default()
    }
}
