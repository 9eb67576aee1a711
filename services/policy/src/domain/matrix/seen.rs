//! The table of who may see what, as the README has it: from what the engine decides, for whoever is granted everything.

use std::{collections::BTreeMap, fs, path::Path};

use super::{
    super::{basis::BasisRow, catalogue::Procedure},
    *,
};

const BEGIN: &str = "<!-- who may see what: written by a test, UPDATE=1 -->\n";
const END: &str = "<!-- end -->\n";
/// What a request may name, the least first.
const NAMED: [(bool, bool, &str); 4] = [
    (false, false, "yes"),
    (true, false, "consent"),
    (false, true, "direction"),
    (true, true, "consent and direction"),
];

/// One line: the items of a group, and each of them alike.
struct Group<'a> {
    id: &'a str,
    items: Vec<String>,
}

fn groups(profile: &Profile) -> Vec<Group<'_>> {
    let mut all: Vec<Group<'_>> = Vec::new();
    for item in profile.catalogue.items() {
        let [id] = &item.groups[..] else { panic!("`{}` is of one group", item.id) };
        match all.iter_mut().find(|group| group.id == id) {
            Some(group) => group.items.push(item.id.clone()),
            None => all.push(Group { id, items: vec![item.id.clone()] }),
        }
    }
    all
}

/// What must be named so that the items are had of such a person: `None` where nothing will do; hidden where the person is.
fn cell(answers: &[TableAnswer], items: &[String]) -> String {
    let allowed = |answer: &TableAnswer| {
        let of = answer.items.iter().filter(|decided| items.contains(&decided.item));
        let allowed = of.filter(|decided| decided.effect == ItemEffect::Allowed).count();
        assert!(allowed == 0 || allowed == items.len(), "items of a group are alike");
        allowed > 0
    };
    if answers.iter().all(|answer| !answer.visible) {
        return "hidden".to_owned();
    }
    let mut ways: Vec<(bool, bool, &str)> = Vec::new();
    for ((consent, direction, name), answer) in NAMED.into_iter().zip(answers) {
        // What does without something is no other way with it.
        let less = |(c, d, _): &(bool, bool, &str)| (!c || consent) && (!d || direction);
        if allowed(answer) && !ways.iter().any(less) {
            ways.push((consent, direction, name));
        }
    }
    let names: Vec<&str> = ways.into_iter().map(|(.., name)| name).collect();
    if names.is_empty() { "no".to_owned() } else { names.join(" or ") }
}

/// The lines of one act, ground and purpose: for anybody, or for who is protected and who is not.
fn lines(
    profile: &Profile,
    groups: &[Group<'_>],
    act: Act,
    basis: &BasisRow,
    procedure: &Procedure,
) -> Option<Vec<String>> {
    let items: Vec<String> = groups.iter().flat_map(|group| group.items.clone()).collect();
    let ids: Vec<&str> = items.iter().map(String::as_str).collect();
    let plans =
        [Plan { id: "all", from: "2020-01-01", to: "2030-01-01", items: &ids, obliges: "" }];
    let standing = standing(LINKS[1], &plans);
    let request = |direction| Request {
        caller: ("G24".to_owned(), "s".to_owned()),
        act,
        event: procedure.events.first().copied().filter(|_| act == Act::Contribute),
        procedure: procedure.id.clone(),
        legal_basis: basis.id.clone(),
        direction,
        by: None,
        items: items.clone(),
    };
    let now = start_of(day("2026-11-24"));
    let tables = NAMED.map(|(consent, direction, _)| {
        let decided = profile.decide(&request(direction), &standing, now, Duration::DAY);
        Some(decided.outcome.ok()?.knowing(CONSENT, consent))
    });
    if tables.iter().all(Option::is_none) {
        return None;
    }
    let of = |protected: bool| {
        let fact = |name: &str| Fact::from(name == "protected" && protected);
        let nothing = TableAnswer { visible: false, items: Vec::new() };
        let answers: Vec<_> = tables
            .iter()
            .map(|table| table.as_ref().map_or_else(|| nothing.clone(), |t| t.resolve(fact)))
            .collect();
        let cells: Vec<_> = groups.iter().map(|group| cell(&answers, &group.items)).collect();
        cells.join(" | ")
    };
    let (open, closed) = (of(false), of(true));
    Some(if open == closed {
        vec![format!("anybody | {open}")]
    } else {
        vec![format!("not protected | {open}"), format!("protected | {closed}")]
    })
}

fn rendered(profile: &Profile) -> String {
    let groups = groups(profile);
    let mut text = format!(
        "{BEGIN}| to | on | for | of | {} |\n",
        groups.iter().map(|g| g.id).collect::<Vec<_>>().join(" | ")
    );
    text += &format!("|{}\n", "---|".repeat(groups.len() + 4));
    let law = profile.catalogue.legal_basis();
    for (act, name) in [
        (Act::Obtain, "obtain, resolve"),
        (Act::Search, "follow, explain, search, be told of relations"),
        (Act::Contribute, "contribute"),
    ] {
        for basis in BASES.iter().filter_map(|id| law.get(id)) {
            // Purposes that are treated alike are one line; the more of them there are, the less is said of them.
            let mut alike: BTreeMap<Vec<String>, Vec<&str>> = BTreeMap::new();
            let of = |procedure| (procedure, lines(profile, &groups, act, basis, procedure));
            let all: Vec<_> = profile.catalogue.procedures().iter().map(of).collect();
            if all.iter().all(|(_, lines)| lines.is_none()) {
                continue;
            }
            // What is contributed is of a procedure by its kind, and not by its purpose.
            let nothing = format!("anybody{}", " | no".repeat(groups.len()));
            let nothing = Some(vec![nothing]).filter(|_| act != Act::Contribute);
            for (procedure, lines) in all {
                if let Some(lines) = lines.or_else(|| nothing.clone()) {
                    let purposes = alike.entry(lines).or_default();
                    if !purposes.contains(&&*procedure.purpose) {
                        purposes.push(&procedure.purpose);
                    }
                }
            }
            let mut alike: Vec<_> = alike.into_iter().collect();
            alike.sort_by_key(|(_, purposes)| std::cmp::Reverse(purposes.len()));
            let many = alike.len() > 1;
            for (place, (lines, purposes)) in alike.into_iter().enumerate() {
                let purposes = match (place, many) {
                    (_, false) => "any purpose".to_owned(),
                    (0, true) => "any other purpose".to_owned(),
                    (_, true) => purposes.join(", "),
                };
                for line in lines {
                    text += &format!("| {name} | {} | {purposes} | {line} |\n", basis.citation);
                }
            }
        }
    }
    text + END
}

/// The README says what the engine does.
#[test]
fn the_readme_says_who_may_see_what() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let table = rendered(&Profile::load(LegalProfile::Law2023).unwrap());
    let expected = format!("{before}{table}{after}");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, expected).unwrap();
    } else {
        assert!(
            readme == expected,
            "run `UPDATE=1 cargo test --workspace --lib the_readme_says`:\n{table}"
        );
    }
}
