//! Finding from the command line.

use lienthong::synth::{SyntheticPerson, generate};
use model::{RelationKind, Value as Said};

use super::*;

const PERSONS: usize = 60;
const SEED: u64 = 1911;

/// Name, date of birth and name of the mother of a living child of the demonstration whom nobody hides, nor her mother.
fn child(people: &[SyntheticPerson]) -> (String, String, String) {
    let value = |person: &SyntheticPerson, item: &str| {
        person.assertions.iter().find(|said| said.0 == item).map(|said| said.1.clone())
    };
    let one = |person: &SyntheticPerson| {
        let (Some(Said::Name(name)), Some(Said::Date(born))) =
            (value(person, "birth_full_name"), value(person, "date_of_birth"))
        else {
            return None;
        };
        let mother = person.assertions.iter().find_map(|said| {
            let Said::Relation(to) = &said.1 else { return None };
            (to.kind == RelationKind::Mother).then(|| to.clone())
        })?;
        let number = mother.identifier?;
        let shown = |p: &SyntheticPerson| p.number.as_str() == number.as_str() && !p.protected;
        let born = format!("{}-{:02}-{:02}", born.year(), born.month(), born.day());
        (!person.protected && !born.ends_with("-00") && people.iter().any(shown)).then(|| {
            (name.full_name.as_str().to_owned(), born, mother.name.full_name.as_str().to_owned())
        })
    };
    people.iter().find_map(one).unwrap()
}

#[tokio::test]
async fn persons_are_found_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        folder: folder.path().to_owned(),
        listen: "127.0.0.1:0".to_owned(),
        persons: PERSONS,
        seed: SEED,
    };
    let runtime = Runtime::system();
    let people: Vec<_> = generate(SEED, PERSONS, runtime.clock.today()).collect();
    let demo = Demo::start(&options, runtime).await.unwrap();
    let file = folder.path().join("demo.json");
    let file = file.to_str().unwrap();
    let (name, born, mother) = child(&people);
    let known = ["resolve", "--demo", file, "--name", &name, "--born", &born];

    let found = json(&[&known[..], &["--parent", &mother]].concat()).await;
    assert_eq!(found["outcome"], "resolved");
    assert_eq!(found["name_level"], "exact");
    assert_eq!(found["receipt"]["checked"], true);
    let none = run(&[&known[..], &["--parent", "Trần Giả Định Khác"]].concat()).await.unwrap();
    assert!(none.contains("No match"), "{none}");
    // Name and date of birth are not enough, and not everybody may.
    assert!(failed(run(&known).await));
    let refused = [&known[..], &["--parent", &mother, "--as", "social-insurance"]].concat();
    assert!(failed(run(&refused).await));

    let token = found["token"].as_str().unwrap();
    let task = ["--procedure", "civil-status-correction", "--legal-basis", "1911-2021-art-2-1"];
    let looked = ["lookup", "--demo", file, "--token", token, "--as", "civil-status"];
    let looked = json(&[&looked[..], &task, &["--item", "sex"]].concat()).await;
    assert_eq!(looked["outcome"], "match");

    let search = ["search", "--demo", file, "--name", &name, "--level", "marks-free"];
    let listed = json(&search).await;
    let persons = listed["persons"].as_array().unwrap();
    assert!(persons.iter().any(|person| person["token"] == token));
    assert!(persons.iter().all(|person| person["receipt"]["checked"] == true));
    let none = run(&[&search[..], &["--born-to", "1801"]].concat()).await.unwrap();
    assert!(none.contains("Nobody whom the caller may see."), "{none}");
    demo.stop().await;
}
