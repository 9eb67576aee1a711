//! What people call procedures, legal grounds and agencies, where only their ids are recorded: out of files that policy's own may be,
//! of which only the names are read.

use std::collections::HashMap;

use serde::Deserialize;

/// The names.
#[derive(Debug, Default)]
pub(crate) struct Names {
    procedures: HashMap<String, String>,
    grounds: HashMap<String, String>,
    agencies: HashMap<String, String>,
}

/// The tables of a file that are of use here.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    procedure: Vec<Procedure>,
    #[serde(default)]
    row: Vec<Ground>,
    #[serde(default)]
    agency: Vec<Agency>,
}

#[derive(Deserialize)]
struct Procedure {
    id: String,
    vi: String,
}

#[derive(Deserialize)]
struct Ground {
    id: String,
    citation: String,
}

#[derive(Deserialize)]
struct Agency {
    code: String,
    vi: String,
}

impl Names {
    /// Adds those of a file.
    pub(crate) fn add(&mut self, text: &str) -> Result<(), toml::de::Error> {
        let File { procedure, row, agency } = toml::from_str(text)?;
        self.procedures.extend(procedure.into_iter().map(|one| (one.id, one.vi)));
        self.grounds.extend(row.into_iter().map(|one| (one.id, one.citation)));
        self.agencies.extend(agency.into_iter().map(|one| (one.code, one.vi)));
        Ok(())
    }

    /// The name of a procedure or task; its id where there is none.
    pub(crate) fn procedure<'a>(&'a self, id: &'a str) -> &'a str {
        self.procedures.get(id).map_or(id, String::as_str)
    }

    /// A legal ground as it is cited; its id where that is not known.
    pub(crate) fn ground<'a>(&'a self, id: &'a str) -> &'a str {
        self.grounds.get(id).map_or(id, String::as_str)
    }

    /// The name of an agency; its code where there is none.
    pub(crate) fn agency<'a>(&'a self, code: &'a str) -> &'a str {
        self.agencies.get(code).map_or(code, String::as_str)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn names_are_read_of_whatever_else_a_file_has_and_ids_stand_for_what_has_none() {
        let mut names = Names::default();
        names
            .add("version = 3\n[[procedure]]\nid = \"p\"\nvi = \"Thủ tục\"\npurpose = \"x\"")
            .unwrap();
        names.add("[[row]]\nid = \"g\"\ncitation = \"Law 1, Art. 2\"\n[[agency]]\ncode = \"G24\"\nvi = \"Cơ quan\"").unwrap();
        assert_eq!((names.procedure("p"), names.procedure("q")), ("Thủ tục", "q"));
        assert_eq!((names.ground("g"), names.ground("h")), ("Law 1, Art. 2", "h"));
        assert_eq!((names.agency("G24"), names.agency("G01")), ("Cơ quan", "G01"));
        assert!(names.add("[[agency]]\ncode = 1").is_err());
    }
}
