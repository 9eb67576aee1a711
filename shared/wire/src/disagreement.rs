//! Between the register's message of a disagreement and the model's.

use contract::register::v1 as wire;
use model::Disagreement;

/// What a message says.
#[must_use]
pub fn read(one: wire::Disagreement) -> Disagreement {
    Disagreement {
        person_id: one.person,
        item: one.item,
        contribution_id: one.contribution_id,
        source: one.source,
        against_contribution_id: one.against_contribution_id,
        against_source: one.against_source,
    }
}

/// The message.
#[must_use]
pub fn write(one: &Disagreement) -> wire::Disagreement {
    wire::Disagreement {
        person: one.person_id.clone(),
        item: one.item.clone(),
        contribution_id: one.contribution_id.clone(),
        source: one.source.clone(),
        against_contribution_id: one.against_contribution_id.clone(),
        against_source: one.against_source.clone(),
    }
}
