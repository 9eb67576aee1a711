//! What ids are called in Vietnamese: `data/words.toml`.

use std::collections::BTreeMap;

use crate::Error;

const SHIPPED: &str = include_str!("../data/words.toml");

/// Names of ids, by the list that an id is of.
#[derive(Debug)]
pub(crate) struct Words(BTreeMap<String, BTreeMap<String, String>>);

impl Words {
    /// Those of `data/words.toml`.
    pub(crate) fn shipped() -> Result<Self, Error> {
        toml::from_str(SHIPPED).map(Self).map_err(|error| Error::Shipped(error.to_string()))
    }

    /// What the id is called; the id where nothing is known of it.
    pub(crate) fn of(&self, list: &str, id: &str) -> String {
        self.known(list, id).unwrap_or(id).to_owned()
    }

    /// What the id is called, where that is known.
    pub(crate) fn known(&self, list: &str, id: &str) -> Option<&str> {
        self.0.get(list)?.get(id).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
    use std::{collections::BTreeSet, fs, path::Path};

    use model::report::{AssessmentState, Outcome};
    use serde::Serialize;

    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
    }

    /// The names of an enum in a proto file, without the prefix.
    fn names(file: &str, prefix: &str) -> Vec<String> {
        let text = fs::read_to_string(root().join("proto/lienthong").join(file)).unwrap();
        let lines = text.lines().map(str::trim);
        let values = lines.filter_map(|line| line.strip_prefix(prefix)?.split(' ').next());
        let names: Vec<_> = values.map(str::to_owned).collect();
        assert!(names.len() > 5, "{file} has no {prefix}");
        names
    }

    fn id(value: impl Serialize) -> String {
        serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
    }

    /// Every value; a new one does not compile here.
    fn outcomes() -> Vec<Outcome> {
        use Outcome::*;
        let next = |outcome| match outcome {
            Answered => Some(NoMatch),
            NoMatch => Some(Refused),
            Refused => Some(Contributed),
            Contributed => Some(Rejected),
            Rejected => Some(Administered),
            Administered => Some(Shed),
            Shed => None,
        };
        std::iter::successors(Some(Answered), |outcome| next(*outcome)).collect()
    }

    fn assessments() -> Vec<AssessmentState> {
        use AssessmentState::*;
        let next = |state| match state {
            Done => Some(Due),
            Due => Some(Overdue),
            Overdue => None,
        };
        std::iter::successors(Some(Done), |state| next(*state)).collect()
    }

    #[test]
    fn everything_that_a_report_can_say_has_a_word() {
        let words = Words::shipped().unwrap();
        let mut said: Vec<(&str, String)> = Vec::new();
        for outcome in outcomes() {
            said.extend([("outcome", id(outcome)), ("outcome-long", id(outcome))]);
        }
        said.extend(assessments().into_iter().map(|state| ("assessment", id(state))));
        let admission = "policy/v1/admission_service.proto";
        let small = |name: String| name.to_lowercase();
        let states = names(admission, "ADMISSION_STATE_").into_iter().map(small);
        said.extend(states.map(|name| ("state", name)));
        said.push(("state", "none".to_owned()));
        let obstacles = names(admission, "ADMISSION_OBSTACLE_").into_iter().map(small);
        said.extend(obstacles.map(|name| ("obstacle", name)));
        let reasons = names("type/v1/error_reason.proto", "ERROR_REASON_");
        said.extend(reasons.into_iter().map(|name| ("reason", name)));
        said.extend(["", "owner", "operator"].map(|id| ("owed-by", id.to_owned())));
        for (list, id) in &said {
            assert!(words.known(list, id).is_some_and(|word| !word.is_empty()), "{list}: {id}");
        }
        // Nor is there a word for what nothing can say.
        for list in ["outcome", "outcome-long", "assessment", "state", "obstacle", "reason"] {
            let known: BTreeSet<_> = words.0[list].keys().map(String::as_str).collect();
            let said = said.iter().filter(|(of, _)| *of == list).map(|(_, id)| id.as_str());
            assert_eq!(known, said.collect(), "{list}");
        }
    }

    /// Every method of every service, as requests name it.
    #[test]
    fn every_method_has_a_word() {
        let words = Words::shipped().unwrap();
        let mut methods = 0;
        for package in fs::read_dir(root().join("proto/lienthong")).unwrap() {
            let package = package.unwrap().path().join("v1");
            for file in fs::read_dir(&package).unwrap().map(|file| file.unwrap().path()) {
                let text = fs::read_to_string(&file).unwrap_or_default();
                let name = package.parent().unwrap().file_name().unwrap().to_str().unwrap();
                let mut service = "";
                for line in text.lines().map(str::trim) {
                    if let Some(rest) = line.strip_prefix("service ") {
                        service = rest.split(' ').next().unwrap();
                    } else if let Some(rest) = line.strip_prefix("rpc ") {
                        let method = rest.split('(').next().unwrap().trim();
                        let id = format!("{name}.v1.{service}/{method}");
                        assert!(words.known("operation", &id).is_some(), "{id}");
                        methods += 1;
                    }
                }
            }
        }
        assert!(methods > 20);
    }

    /// Purposes and causes are data of policy.
    #[test]
    fn purposes_and_causes_have_words() {
        let words = Words::shipped().unwrap();
        let read = |file: &str| -> toml::Table {
            let path = root().join("services/policy/data").join(file);
            fs::read_to_string(path).unwrap().parse().unwrap()
        };
        for procedure in read("procedures.toml")["procedure"].as_array().unwrap() {
            let purpose = procedure["purpose"].as_str().unwrap();
            assert!(words.known("purpose", purpose).is_some(), "{purpose}");
        }
        for cause in read("admission.toml")["suspension"].as_array().unwrap() {
            let id = cause["id"].as_str().unwrap();
            assert_eq!(words.known("cause", id), cause["vi"].as_str());
        }
        for database in read("obliged.toml")["database"].as_array().unwrap() {
            let id = database["id"].as_str().unwrap();
            assert_eq!(words.known("database", id), database["vi"].as_str());
        }
    }

    #[test]
    fn what_is_unknown_is_shown_as_it_is() {
        let words = Words::shipped().unwrap();
        assert_eq!(words.of("state", "levitating"), "levitating");
        assert_eq!(words.of("nothing", "x"), "x");
    }
}
