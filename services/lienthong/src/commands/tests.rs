//! The commands, run as the binary runs them, on folders of their own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{path::Path, time::Duration};

use clap::{CommandFactory as _, Parser as _};
use lienthong::{
    demo::{self, Demo, Options},
    pki::Pki,
    population::{self, Done, Wanted},
    process::Runtime,
    settings::{self, Settings as _},
};
use serde_json::Value;
use server::config::Secret;

use super::{Cli, Command, output::Ending, *};

#[test]
fn the_commands_are_well_formed() {
    Cli::command().debug_assert();
}

/// Only a question that is answered from the register can ask for a version of it.
#[test]
fn a_version_is_offered_where_it_is_sent() {
    let offers = |names: &[&str]| {
        let cli = Cli::command();
        let mut command = &cli;
        for name in names {
            command = command.find_subcommand(name).unwrap();
        }
        command.get_arguments().any(|argument| argument.get_id() == "min_version")
    };
    for name in ["lookup", "verify", "explain", "resolve", "search", "relations", "household"] {
        assert!(offers(&[name]), "{name}");
    }
    assert!(!offers(&["rotate-tokens"]) && !offers(&["conflicts", "show"]));
}

mod admitted;
mod archived;
mod consented;
mod copied;
mod decided;
mod erased;
mod finding;
mod following;
mod relations_told;
mod reported;
mod ruled;

/// What a command prints, or why it ends otherwise.
async fn run(arguments: &[&str]) -> Result<String> {
    let cli = Cli::try_parse_from([&["lienthong"], arguments].concat())?;
    let mut out = Vec::new();
    // Each is on the heap: together they are more than a thread's stack takes.
    match cli.command {
        Command::Lookup(arguments) => Box::pin(lookup::run(*arguments, &mut out)).await,
        Command::LookupStream(arguments) => {
            Box::pin(lookup_stream::run(*arguments, &mut out)).await
        }
        Command::Verify(arguments) => Box::pin(verify::run(*arguments, &mut out)).await,
        Command::Explain(arguments) => Box::pin(explain::run(*arguments, &mut out)).await,
        Command::Resolve(arguments) => Box::pin(resolve::run(*arguments, &mut out)).await,
        Command::Search(arguments) => Box::pin(search::run(*arguments, &mut out)).await,
        Command::Follow(arguments) => Box::pin(follow::run(*arguments, &mut out)).await,
        Command::Relations(arguments) => Box::pin(relations::run(*arguments, &mut out)).await,
        Command::Household(arguments) => Box::pin(household::run(*arguments, &mut out)).await,
        Command::Accesses(arguments) => Box::pin(accesses::run(*arguments, &mut out)).await,
        Command::RotateTokens(arguments) => {
            Box::pin(rotate_tokens::run(*arguments, &mut out)).await
        }
        Command::Consent(command) => Box::pin(consent::run(*command, &mut out)).await,
        Command::Contribute(arguments) => Box::pin(contribute::run(*arguments, &mut out)).await,
        Command::Outcomes(arguments) => Box::pin(outcomes::list(*arguments, &mut out)).await,
        Command::Withdraw(arguments) => Box::pin(outcomes::withdraw(*arguments, &mut out)).await,
        Command::Conflicts(command) => Box::pin(conflicts::run(*command, &mut out)).await,
        Command::Quality(arguments) => Box::pin(quality::run(*arguments, &mut out)).await,
        Command::Report(arguments) => Box::pin(report::run(*arguments, &mut out)).await,
        Command::Audit(command) => Box::pin(audit::run(&command, &mut out)).await,
        Command::Migrate(arguments) => Box::pin(migrate::run(&arguments, &mut out)).await,
        Command::Synth(arguments) => Box::pin(synth::run(&arguments, &mut out)).await,
        Command::CheckConfig(arguments) => check_config::run(&arguments, &mut out),
        Command::Conformance(arguments) => {
            Box::pin(conformance::run_command(*arguments, &mut out)).await
        }
        Command::Routes(command) => Box::pin(routes::run(*command, &mut out)).await,
        Command::Connection(command) => Box::pin(admission::run(*command, &mut out)).await,
        Command::Agreement(command) => Box::pin(agreement::run(*command, &mut out)).await,
        Command::Policy(command) => Box::pin(policy::run(*command, &mut out)).await,
        Command::WarrantKeys(arguments) => Box::pin(warrant_keys::run(&arguments, &mut out)).await,
        Command::Decision(command) => Box::pin(decision::run(command, &mut out)).await,
        Command::Pki(command) => pki::run(&command, &mut out),
        Command::Qcvn(command) => qcvn::run(command, &mut out),
        Command::Completions(arguments) => completions::run(&arguments, &mut out),
        Command::Demo(_) | Command::Serve(_) | Command::ReferenceDatabase(_) => {
            unreachable!("they serve")
        }
    }
    .map(|()| String::from_utf8(out).unwrap())
}

async fn json(arguments: &[&str]) -> Value {
    let text = run(&[arguments, &["--format", "json"]].concat()).await.unwrap();
    serde_json::from_str(&text).unwrap()
}

fn failed(result: Result<String>) -> bool {
    matches!(result.unwrap_err().downcast_ref(), Some(Ending::Failed))
}

fn usage(result: Result<String>) -> bool {
    let error = result.unwrap_err();
    let by_clap = error.downcast_ref::<clap::Error>().is_some_and(|error| error.exit_code() == 2);
    by_clap || matches!(error.downcast_ref(), Some(Ending::Usage(_)))
}

/// Of two contributions one was applied and one rejected, and nobody disagrees.
async fn what_became_of_it_is_listed(file: &str) {
    let outcomes = json(&["outcomes", "--demo", file]).await;
    let all = outcomes["outcomes"].as_array().unwrap();
    let last = &all[all.len() - 2..];
    assert_eq!(last[0]["idempotency_key"], "k1");
    assert!(last[0]["outcome"]["applied"]["version"].as_u64().unwrap() > 0);
    assert_eq!(last[1]["outcome"]["rejected"][0]["reason"], "ALREADY_REGISTERED");
    let cursor = outcomes["next_cursor"].as_str().unwrap();
    let rest = run(&["outcomes", "--demo", file, "--cursor", cursor]).await.unwrap();
    assert!(rest.contains("Nothing more") && rest.contains("it holds"), "{rest}");
    assert!(failed(run(&["outcomes", "--demo", file, "--cursor", "x"]).await));
    assert!(run(&["outcomes", "--demo", file]).await.unwrap().contains("rejected: ALREADY"));
    let kept = run(&["withdraw", "k1", "--demo", file]).await.unwrap();
    assert!(kept.contains("annul it"), "{kept}");
    assert!(failed(run(&["withdraw", "k9", "--demo", file]).await));
    let none = json(&["conflicts", "list", "--demo", file, "--side"]).await;
    assert_eq!(none["conflicts"], serde_json::json!([]));
    assert!(run(&["conflicts", "list", "--demo", file]).await.unwrap().contains("No conflicts"));
    let nobody = "0".repeat(32);
    let show = ["conflicts", "show", &nobody, "--item", "sex", "--demo", file];
    assert!(failed(run(&show).await));
    let hand_over = ["conflicts", "hand-over", &nobody, "--message", "?", "--demo", file];
    assert!(failed(run(&hand_over).await));
}

/// How good it was is counted a little later.
async fn how_good_it_was_is_counted(file: &str) {
    let asked = ["quality", "--demo", file, "--from", "2026-01", "--to", "2099-12"];
    let sex = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let counted = json(&asked).await;
            let figures = counted["figures"].as_array().unwrap().clone();
            match figures.into_iter().find(|row| row["item"] == "sex") {
                Some(row) if row["counts"]["rejected"].as_u64() > Some(0) => return row,
                _ => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    });
    let sex = sex.await.unwrap();
    assert_eq!(sex["database"], "civil-status");
    assert_eq!(sex["completeness"]["part"], sex["completeness"]["all"]);
    assert!(sex["counts"]["values"].as_u64().unwrap() > 0);
    let text = run(&asked).await.unwrap();
    assert!(text.contains("100.0%") && text.contains("within 15 days"), "{text}");
    assert!(failed(run(&["quality", "--demo", file, "--from", "2026", "--to", "2026-01"]).await));
}

#[tokio::test]
async fn a_demonstration_is_asked_and_told_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let (at, file) = (folder.path().display(), folder.path().join("demo.json"));
    let options = Options {
        folder: folder.path().to_owned(),
        listen: "127.0.0.1:0".to_owned(),
        persons: 60,
        seed: 1911,
    };
    let demo = Demo::start(&options, Runtime::system()).await.unwrap();
    let file = file.to_str().unwrap();
    let looked = ["lookup", "--demo", file, "--subject", "adult"];
    let save = format!("{at}/saved");

    let answer = json(
        &[
            &looked[..],
            &["--item", "birth_full_name,ethnic_group", "--item", "nonsense", "--save", &save],
        ]
        .concat(),
    )
    .await;
    assert_eq!(answer["outcome"], "match");
    let outcomes: Vec<_> =
        answer["items"].as_array().unwrap().iter().map(|item| &item["outcome"]).collect();
    assert_eq!(outcomes, ["value", "withheld", "unknown_item"]);
    assert_eq!(answer["receipt"]["checked"], true);
    // What was saved holds, and is not written over.
    assert!(run(&["audit", "verify", &save]).await.unwrap().contains("holds"));
    assert!(run(&[&looked[..], &["--item", "sex", "--save", &save]].concat()).await.is_err());
    // As bytes and as JSON it is one message of QCVN 109.
    let printed = format!("{at}/answer.json");
    std::fs::write(&printed, answer.to_string()).unwrap();
    let xml = run(&["qcvn", "to-xml", &format!("{save}/answer.bin")]).await.unwrap();
    assert!(xml.contains("<dc:HoVaTen>") && xml.contains("withheld=ethnic_group"), "{xml}");
    assert_eq!(run(&["qcvn", "to-xml", &printed]).await.unwrap(), xml);

    let text = run(&[&looked[..], &["--item", "sex,ethnic_group"]].concat()).await.unwrap();
    assert!(text.contains("withheld by rule agreement-scope, Decision 1911/QD-TTg"), "{text}");
    let hidden = ["lookup", "--demo", file, "--subject", "adult", "--name", "Sai Tên"];
    let text = run(&[&hidden[..], &["--item", "sex"]].concat()).await.unwrap();
    assert!(text.contains("No match"), "{text}");
    assert!(failed(run(&[&looked[..], &["--item", "*"]].concat()).await));
    assert!(failed(run(&[&looked[..], &["--item", "sex", "--as", "former"]].concat()).await));
    assert!(usage(run(&[&looked[..], &["--item", "sex", "--as", "nobody"]].concat()).await));
    assert!(usage(run(&looked).await));
    assert!(usage(run(&["lookup", "--number", "1", "--item", "sex"]).await));

    many_are_asked_about_on_one_stream(file, &at.to_string()).await;

    let claims =
        ["--claim", "nationality=code:nationality/iso-3166-1/LA", "--claim", "religion=text:x"];
    let verified = ["verify", "--demo", file, "--subject", "adult"];
    let answer = json(&[&verified[..], &claims].concat()).await;
    assert_eq!(answer["results"][0]["outcome"], "mismatch");
    assert_eq!(answer["results"][1]["outcome"], "denied");

    let back = ["lookup", "--demo", file, "--subject", "adult", "--item", "sex"];
    let task = ["--procedure", "civil-status-correction", "--legal-basis", "1911-2021-art-2-1"];
    let moment = ["--as", "civil-status", "--known-at", "2020-01-01T00:00:00+07:00"];
    let then = json(&[&back[..], &task, &moment].concat()).await;
    assert_eq!(then["items"][0]["outcome"], "not_held");
    let day = ["--as", "civil-status", "--valid-on", "2026-01-01"];
    let then = json(&[&back[..], &task, &day].concat()).await;
    assert_eq!(then["items"][0]["outcome"], "value");
    assert!(usage(run(&[&back[..], &["--known-at", "yesterday"]].concat()).await));
    assert!(failed(run(&[&back[..], &["--valid-on", "2026-01-01"]].concat()).await));

    let explained = ["explain", "--demo", file, "--subject", "adult", "--item", "sex"];
    let answer = json(&explained).await;
    assert_eq!(answer["values"][0]["standing"], "current");
    assert_eq!(answer["rule"]["sources"][0], "civil-status");
    assert_eq!(answer["receipt"]["checked"], true);
    assert!(run(&explained).await.unwrap().contains("current      "));
    assert!(failed(run(&[&explained[..], &["--as", "portal"]].concat()).await));

    // A token that was not issued to the caller is nobody's.
    let token = ["lookup", "--demo", file, "--token", "t-1", "--item", "sex"];
    assert!(run(&token).await.unwrap().contains("No match"));

    // The officer sees the routes; no agency does.
    let routes = json(&["routes", "list", "--demo", file]).await;
    let databases: Vec<_> =
        routes["routes"].as_array().unwrap().iter().map(|route| &route["database"]).collect();
    assert_eq!(databases, ["civil-status", "residence"]);
    let letters = json(&["routes", "letters", "--demo", file, "--with-settled"]).await;
    assert_eq!(letters["dead_letters"], serde_json::json!([]));
    assert!(failed(run(&["routes", "settle", "--demo", file, "x"]).await));
    assert!(failed(run(&["routes", "list", "--demo", file, "--as", "portal"]).await));

    let document = format!("{at}/birth.json");
    let example = run(&["contribute", "--example"]).await.unwrap();
    std::fs::write(&document, example).unwrap();
    let submit = ["contribute", &document, "--demo", file, "--idempotency-key", "k1"];
    let only = ["contribute", &document, "--demo", file, "--validate-only"];
    assert_eq!(json(&only).await["state"], "validated");
    let first = json(&submit).await;
    assert_eq!(first["state"], "applied");
    assert_eq!(json(&submit).await, first, "sent again, answered as before");
    let other = [&submit[..4], &["--idempotency-key", "k2"]].concat();
    assert!(failed(run(&other).await), "one entry is one person");
    what_became_of_it_is_listed(file).await;
    how_good_it_was_is_counted(file).await;

    // The other examples hold too, once they are of somebody who is there.
    let told: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let adult = told["subjects"].as_array().unwrap().iter().find(|s| s["kind"] == "adult");
    let adult = adult.unwrap();
    let born = &adult["date_of_birth"];
    let born = format!(
        "{}-{:0>2}-{:0>2}",
        born["year"],
        born["month"].to_string(),
        born["day"].to_string()
    );
    for (kind, caller) in
        [("correction", "civil-status"), ("residence", "residence"), ("death", "civil-status")]
    {
        let example = run(&["contribute", "--example", kind]).await.unwrap();
        let mut example: Value = serde_json::from_str(&example).unwrap();
        let event = &mut example["event"][kind];
        event["subject"]["personal_number"] = adult["personal_number"].clone();
        event["claims"]["full_name"] = adult["full_name"].clone();
        event["claims"]["date_of_birth"] = born.clone().into();
        if kind == "correction" {
            event["corrected_values"][0]["valid_from"] = born.clone().into();
        }
        let document = format!("{at}/{kind}.json");
        std::fs::write(&document, example.to_string()).unwrap();
        let answer = json(&["contribute", &document, "--demo", file, "--as", caller]).await;
        assert_eq!(
            (&answer["state"], &answer["request_id"]),
            (&"applied".into(), &"example-1".into())
        );
    }

    admitted::a_database_is_admitted(file, &at.to_string()).await;
    decided::decisions_are_explained(file).await;
    ruled::rule_sets_come_in_force_and_go(file).await;

    reported::a_report_is_made_and_counted_again(file, &at.to_string()).await;
    copied::the_log_is_copied_and_a_copy_is_checked(file, &at.to_string()).await;

    let checkpoint = json(&["audit", "checkpoint", "--data-dir", &at.to_string()]).await;
    assert_eq!(checkpoint["holds"], true);
    let sound = json(&["audit", "fsck", "--data-dir", &at.to_string()]).await;
    assert_eq!((&sound["sound"], &sound["openings"]), (&true.into(), &sound["size"]));
    let key = format!("{at}/log.vkey");
    let public = ["audit", "fsck", "--data-dir", &at.to_string(), "--log-key", &key];
    let unopened = json(&public).await;
    assert_eq!(
        (&unopened["sound"], &unopened["openings"], &unopened["unopened"]),
        (&true.into(), &0.into(), &unopened["size"])
    );
    assert!(sound["size"].as_u64() >= checkpoint["size"].as_u64());
    demo.stop().await;
    let after = json(&["audit", "checkpoint", "--data-dir", &at.to_string()]).await;
    assert!(after["size"].as_u64() >= checkpoint["size"].as_u64());
    erased::keys_are_erased_and_every_receipt_holds(&at.to_string()).await;
    archived::a_log_goes_into_its_archive_and_comes_back(&options).await;
    // Nobody is there any more.
    assert!(failed(run(&[&looked[..], &["--item", "sex"]].concat()).await));
}

/// The sample persons, and those of a file: each line has what came of it, and its receipt holds.
async fn many_are_asked_about_on_one_stream(demo: &str, at: &str) {
    let told: Value = serde_json::from_str(&std::fs::read_to_string(demo).unwrap()).unwrap();
    let subjects = told["subjects"].as_array().unwrap();
    let save = format!("{at}/many");
    let samples = [
        "lookup-stream",
        "--demo",
        demo,
        "--samples",
        "--item",
        "birth_full_name",
        "--save",
        &save,
    ];
    let printed = run(&[&samples[..], &["--format", "json"]].concat()).await.unwrap();
    let mut lines: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by_key(|line| line["line"].as_u64());
    assert_eq!(lines.len(), subjects.len());
    for (place, (line, subject)) in (1..).zip(lines.iter().zip(subjects)) {
        assert_eq!(line["line"], place);
        let expected = if subject["kind"] == "protected" { "no_match" } else { "match" };
        assert_eq!(line["answer"]["outcome"], expected);
        assert_eq!(line["answer"]["receipt"]["checked"], true);
        let verified = run(&["audit", "verify", &format!("{save}/{place}")]).await.unwrap();
        assert!(verified.contains("IdentityService/LookupStream"), "{verified}");
    }
    assert!(run(&samples).await.is_err(), "what was saved is not written over");
    let adult = subjects.iter().find(|subject| subject["kind"] == "adult").unwrap();
    let named = serde_json::json!({ "personal_number": adult["personal_number"] });
    let persons = format!("{at}/persons.jsonl");
    // Without claims it is refused; a token of nobody is no match; what is no line ends the asking.
    std::fs::write(&persons, format!("{named}\n{{\"token\":\"t-1\"}}\n")).unwrap();
    let asked = ["lookup-stream", "--demo", demo, "--file", &persons, "--item", "sex"];
    let ended = run(&asked).await.unwrap_err();
    assert!(matches!(ended.downcast_ref(), Some(Ending::Incomplete)), "{ended:#}");
    std::fs::write(&persons, "{\"token\":\"t-1\"}\nnonsense\n").unwrap();
    let ended = run(&asked).await.unwrap_err();
    assert!(format!("{ended:#}").contains("line 2 of"), "{ended:#}");
    std::fs::write(&persons, "{\"token\":\"t-1\"}\n").unwrap();
    let text = run(&asked).await.unwrap();
    assert!(text.contains("line 1\nNo match"), "{text}");
    assert!(failed(run(&[&asked[..], &["--item", "*"]].concat()).await));
    assert!(usage(run(&asked[..5]).await));
}

/// What stands in a line of the tour whoever runs it: the headings whole, elsewhere what stands before the value.
fn labels(account: &str) -> Vec<String> {
    let (steps, _) = account.split_once("8. The log's newest checkpoint.").unwrap();
    let label =
        |line: &str| line.chars().take(if line.starts_with(' ') { 24 } else { 100 }).collect();
    steps.lines().filter(|line| !line.is_empty()).map(label).collect()
}

#[tokio::test]
async fn the_readme_shows_the_tour_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        folder: folder.path().to_owned(),
        listen: "127.0.0.1:0".to_owned(),
        persons: 60,
        seed: 1911,
    };
    let demo = Demo::start(&options, Runtime::system()).await.unwrap();
    let mut account = Vec::new();
    demo.tour(&mut account).await.unwrap();
    demo.stop().await;
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let shown = &readme[readme.find("1. Civil status").unwrap()..];
    assert_eq!(labels(shown), labels(std::str::from_utf8(&account).unwrap()));
}

#[tokio::test]
async fn a_schema_is_looked_at_and_brought_up() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display();
    let config = format!("{at}/all.toml");
    let tables = ["audit", "policy", "identity", "contribution"];
    let text: String = tables
        .iter()
        .map(|table| format!("[{table}]\ndatabase = \"sqlite://{at}/{table}.db\"\n"))
        .collect();
    std::fs::write(&config, text).unwrap();
    let all = ["migrate", "all", "--config", &config];
    assert!(failed(run(&[&all[..], &["--check"]].concat()).await));
    assert!(!folder.path().join("audit.db").exists(), "looking makes nothing");
    let done = json(&all).await;
    for database in done["databases"].as_array().unwrap() {
        assert_eq!((&database["from"], &database["to"]), (&0.into(), &database["needs"]));
    }
    assert_eq!(json(&[&all[..], &["--check"]].concat()).await["current"], true);
}

#[tokio::test]
async fn synthetic_persons_go_into_an_empty_register_of_their_own_only() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/identity.db", folder.path().display());
    let load = ["synth", "--database", &url, "--persons", "700"];
    assert_eq!(json(&load).await["persons"], 700);
    // Who is there is not loaded again; the rest is, where it is of the same population.
    assert_eq!(json(&load).await["loaded"], 0);
    let more = json(&["synth", "--database", &url, "--people", "900"]).await;
    assert_eq!((&more["loaded"], &more["persons"]), (&200.into(), &900.into()));
    assert!(more["bytes_per_person"].as_u64().unwrap() > 1_000, "{more}");
    let refused = run(&[&load[..], &["--seed", "2"]].concat()).await.unwrap_err().to_string();
    assert!(refused.contains("holds 900 persons already"), "{refused}");
    assert!(usage(run(&["synth"]).await));

    let real = format!("sqlite://{}/real.db", folder.path().display());
    let mut config = settings::Identity::load(None).unwrap().identity;
    (config.database, config.synthetic) = (Secret::new(&real), false);
    identity::Service::register(&config).await.unwrap().close().await;
    let refused = run(&["synth", "--database", &real]).await.unwrap_err();
    assert!(format!("{refused:#}").contains("synthetic = false"), "{refused:#}");

    // Stopped in the middle: whole chunks stay.
    config.database = Secret::new(format!("sqlite://{}/cut.db", folder.path().display()));
    config.synthetic = true;
    let register = identity::Service::register(&config).await.unwrap();
    let wanted = Wanted { persons: 1_200, seed: 1, subjects: None };
    let runtime = Runtime::system();
    let load = population::load(&register, wanted, &runtime, |count| count == 0);
    let stopped = Done { before: 0, persons: 500 };
    assert_eq!((load.await.unwrap(), register.size().await.unwrap()), (stopped, 500));
    register.close().await;

    let lines = run(&["synth", "--print", "3"]).await.unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() == 3 && lines.iter().all(|line| line["synthetic"] == true));
}

/// The configuration of a demonstration, as a file.
fn configuration(folder: &Path, listen: &str) -> String {
    let runtime = Runtime::system();
    let pki = Pki::open(&folder.join("pki"), runtime.clock.clone()).unwrap();
    let settings = demo::settings(folder, listen, &pki, &runtime).unwrap();
    let at = folder.display();
    // Secrets are not printed, so the databases are said once more.
    let mut text = toml::to_string(&settings).unwrap();
    for service in ["audit", "policy", "identity", "contribution"] {
        let table = format!("[{service}]\ndatabase = \"[hidden]\"");
        assert!(text.contains(&table), "{text}");
        text = text
            .replace(&table, &format!("[{service}]\ndatabase = \"sqlite://{at}/{service}.db\""));
    }
    let path = folder.join("all.toml");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn a_configuration_is_usable_or_every_fault_is_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let good = configuration(folder.path(), "127.0.0.1:7443");
    assert_eq!(json(&["check-config", "all", "--config", &good]).await["usable"], true);
    let shown = run(&["check-config", "all", "--config", &good]).await.unwrap();
    assert!(shown.contains("[hidden]") && !shown.contains("sqlite://"), "{shown}");

    // Another log's key and another policy's, a certificate that is not the key's, a registry that is none.
    let log = tlog::LogSigner::from_seed("other/log", [9; 32]).unwrap();
    let policy = tlog::NoteSigner::from_seed("other/policy", [9; 32]).unwrap();
    std::fs::copy(folder.path().join("pki/identity.pem"), folder.path().join("pki/all.pem"))
        .unwrap();
    std::fs::write(folder.path().join("registry.toml"), "agency = 3").unwrap();
    let bad = configuration(folder.path(), "nowhere");
    std::fs::write(folder.path().join("log.vkey"), log.verifier_key()).unwrap();
    std::fs::write(folder.path().join("policy.vkey"), policy.verifier_key()).unwrap();
    let open: std::fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    for key in ["policy.key", "kek.key"] {
        std::fs::set_permissions(folder.path().join(key), open.clone()).unwrap();
    }
    let text = std::fs::read_to_string(&bad).unwrap().replace("sqlite://", "mysql://");
    // A mesh in front of every service in one process, of which nothing is said.
    let text = text.replace("[server.mesh]\nlisten = \"\"", "[server.mesh]\nlisten = \"x:1\"");
    // Where nobody can listen.
    let text = text
        .replace("auditors_listen = \"127.0.0.1:0\"", "auditors_listen = \"x\"")
        .replace("usage_listen = \"127.0.0.1:0\"", "usage_listen = \"x\"");
    // A policy that is none.
    let text =
        text.replace("witness_policy_file = \"\"", &format!("witness_policy_file = \"{bad}\""));
    std::fs::write(&bad, text).unwrap();
    let Command::CheckConfig(arguments) = Cli::try_parse_from([
        "lienthong",
        "check-config",
        "all",
        "--config",
        &bad,
        "--format",
        "json",
    ])
    .unwrap()
    .command
    else {
        unreachable!()
    };
    let mut out = Vec::new();
    assert!(failed(check_config::run(&arguments, &mut out).map(|()| String::new())));
    let faults: Value = serde_json::from_slice(&out).unwrap();
    let keys: Vec<_> = faults["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["key"].as_str().unwrap())
        .collect();
    for key in [
        "server.listen",
        "server.certificate",
        "server.key",
        "server.mesh.listen",
        "server.mesh.proxies",
        "server.mesh.header",
        "server.mesh.identities",
        "policy.registry_file",
        "audit.database",
        "audit.witness_policy_file",
        "audit.auditors_listen",
        "identity.usage_listen",
        "identity.usage_names_files",
        "audit.key_encryption_key_files",
        "identity.database",
        "identity.log_key_file",
        "contribution.log_key_file",
        "policy.decision_key_file",
        "identity.policy_key_file",
        "contribution.policy_key_file",
    ] {
        assert!(keys.contains(&key), "{key} in {keys:?}");
    }
}

#[test]
fn threads_follow_the_processors_and_are_two_at_least() {
    for (available, expect) in [(0, 2), (1, 2), (2, 2), (3, 3), (64, 64)] {
        assert_eq!(super::workers(std::num::NonZeroUsize::new(available)), expect, "{available}");
    }
}

#[tokio::test]
async fn a_conformance_report_is_kept_and_checked_and_nothing_is_asked_wrongly() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (key, report) = (at("kit.key"), at("report"));
    let made = run(&["conformance", "key", &key, "--name", "lienthong.test/kit"]).await.unwrap();
    assert!(made.starts_with("lienthong.test/kit+"), "{made}");
    // A key is never written over.
    assert!(run(&["conformance", "key", &key, "--name", "x"]).await.is_err());
    let signer = ::conformance::sign::Key::parse(&std::fs::read_to_string(&key).unwrap()).unwrap();
    std::fs::create_dir(&report).unwrap();
    let json = "{\n  \"verdict\": \"passed\"\n}\n";
    std::fs::write(format!("{report}/report.json"), json).unwrap();
    let line = signer.sign(json.as_bytes()).unwrap();
    std::fs::write(format!("{report}/report.json.sig"), line).unwrap();
    let verify = ["conformance", "verify", &report, "--key", made.trim()];
    assert!(run(&verify).await.unwrap().contains("passed"));
    let changed = json.replace("passed", "failed");
    std::fs::write(format!("{report}/report.json"), changed).unwrap();
    assert!(run(&verify).await.is_err());
    assert!(usage(run(&["conformance", "--target", "localhost:1"]).await));
    let files = ["--ca", &key, "--certificate", &key, "--key", &key];
    let wrong = [&["conformance", "--target", "nowhere"][..], &files].concat();
    assert!(usage(run(&wrong).await));
}
