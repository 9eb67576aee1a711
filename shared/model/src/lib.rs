//! The domain in plain types: numbers, partial dates, names, values, and the record that folds out of
//! them. No I/O, no async; time is an argument.
//!
//! Types that hold personal data print only their own name in Debug and have no Display (I8).

/// Debug that names the type and nothing of its contents (I8).
macro_rules! redacted_debug {
    ($($name:ident),+ $(,)?) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "([personal])"))
            }
        }
    )+};
}

mod agreement;
mod annulled;
mod authority;
mod codes;
mod date;
mod disagreement;
mod event;
pub mod item;
pub mod merge;
mod name;
mod number;
mod record;
pub mod report;
mod said;
mod subject;
mod value;

pub use agreement::Agreement;
pub use annulled::is_annulled;
pub use authority::{Authority, AuthorityError, AuthorityInForce, AuthorityRule};
pub use codes::{CodeListError, CodeLists};
pub use date::{DateError, PartialDate, Precision, day_in_viet_nam};
pub use disagreement::{Disagreement, SaidOf, before, disagreements, said_by};
pub use event::EventKind;
pub use name::{MAX_CHARS, Name, NameError, NameLevel};
pub use number::{Hints, NumberError, OldNumber, PersonalNumber, SYNTHETIC_PREFIXES, Sex};
pub use record::{
    Assertion, GoldenRecord, HeldValue, Provenance, Says, Standing, as_of, explain, fold, gone_by,
};
pub use said::{Said, Saying};
pub use subject::{Claims, Subject};
pub use value::{
    Address, CodedValue, Document, Identifier, IdentifierKind, PersonName, Relation, RelationKind,
    Value,
};
