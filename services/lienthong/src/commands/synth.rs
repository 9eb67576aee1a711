//! `lienthong synth`: synthetic persons into a register, or printed.

use std::{
    fs,
    io::{BufWriter, Write},
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lienthong::{
    population::{self, Done, Wanted},
    process::{self, Runtime},
    settings::{self, Settings as _},
    synth::{SyntheticPerson, generate},
};
use model::CodeLists;
use serde_json::json;
use server::config::Secret;

use super::{
    output::{Ending, Format, Output, print},
    values::{Date, ItemValue},
};

#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("where").required(true).args(["data_dir", "database", "print"])))]
pub(crate) struct Arguments {
    /// Folder of a demonstration that is not running; `demo --data-dir` then goes on with these persons.
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// The register: sqlite:///path/identity.db or postgres://user@host/database. It must be empty, or hold the
    /// beginning of this population and nothing else: then the rest is added. It becomes one for synthetic persons only.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Prints so many persons as lines of JSON, and touches no register.
    #[arg(long, value_name = "N")]
    print: Option<usize>,
    /// How many persons.
    #[arg(long, visible_alias = "people", default_value_t = 100_000, conflicts_with = "print")]
    persons: usize,
    /// The same seed, number and day give the same persons.
    #[arg(long, default_value_t = 1911)]
    seed: u64,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(arguments: &Arguments, out: &mut impl Write) -> Result<()> {
    if let Some(count) = arguments.print {
        return print_persons(count, arguments.seed, out);
    }
    let (url, subjects) = match &arguments.data_dir {
        Some(folder) => {
            let shown = folder.display();
            fs::create_dir_all(folder).with_context(|| format!("cannot make `{shown}`"))?;
            (format!("sqlite://{shown}/identity.db"), Some(folder.join("subjects.json")))
        }
        None => (arguments.database.clone().unwrap_or_default(), None),
    };
    let mut config = settings::Identity::load(None)?.identity;
    config.database = Secret::new(url);
    config.synthetic = true;
    let register = identity::Service::register(&config).await.context("the register")?;
    let wanted =
        Wanted { persons: arguments.persons, seed: arguments.seed, subjects: subjects.as_deref() };
    let done = load(&register, wanted, arguments.output, out).await;
    register.close().await;
    done
}

async fn load(
    register: &identity::RegisterStore,
    wanted: Wanted<'_>,
    output: Output,
    out: &mut impl Write,
) -> Result<()> {
    static STOP: AtomicBool = AtomicBool::new(false);
    let end = process::ended()?;
    let signal = tokio::spawn(async move {
        end.await;
        STOP.store(true, Ordering::Relaxed);
    });
    let bar = progress(wanted.persons);
    let begun = Instant::now();
    let mut first = None;
    let done = population::load(register, wanted, &Runtime::system(), |count| {
        if first.replace(count).is_none() {
            // What was there before says nothing of how fast it goes.
            bar.reset_eta();
        }
        bar.set_position(count as u64);
        !STOP.load(Ordering::Relaxed)
    })
    .await;
    bar.finish_and_clear();
    signal.abort();
    let done = done?;
    if done.persons < wanted.persons {
        let why = format!(
            "stopped after {} of {} persons, each of them whole; the same command goes on from there",
            done.persons, wanted.persons
        );
        return Err(Ending::Interrupted(why).into());
    }
    let took = begun.elapsed().as_secs_f64();
    report(done, wanted.seed, took, &register.sizes().await?, output, out)
}

/// Says what was loaded, how fast, and what each person takes in each table.
fn report(
    done: Done,
    seed: u64,
    seconds: f64,
    sizes: &[(String, u64)],
    output: Output,
    out: &mut impl Write,
) -> Result<()> {
    let Done { before, persons } = done;
    let loaded = persons - before;
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = (loaded as f64 / seconds.max(0.001)).round();
    let each = |bytes: u64| bytes / (persons as u64).max(1);
    let all = sizes.iter().map(|(_, bytes)| bytes).sum();
    match output.format {
        Format::Text => {
            writeln!(
                out,
                "{loaded} synthetic persons of seed {seed} in {seconds:.1} s, {rate} a second; {persons} in all"
            )?;
            writeln!(out, "bytes per person, with indexes: {}", each(all))?;
            for (table, bytes) in sizes.iter().filter(|(_, bytes)| each(*bytes) > 0) {
                writeln!(out, "  {table:<16} {:>8}", each(*bytes))?;
            }
        }
        Format::Json => {
            let of = |(table, bytes): &(String, u64)| (table.clone(), json!(each(*bytes)));
            let tables: serde_json::Map<_, _> = sizes.iter().map(of).collect();
            print(
                &json!({
                    "synthetic": true,
                    "persons": persons,
                    "loaded": loaded,
                    "seed": seed,
                    "seconds": seconds,
                    "persons_per_second": rate,
                    "bytes_per_person": each(all),
                    "bytes_per_person_by_table": tables,
                }),
                out,
            )?;
        }
    }
    Ok(())
}

/// A bar on the terminal; nothing where standard error is none.
fn progress(persons: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(persons as u64), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} persons, {per_sec}, {eta} left");
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn print_persons(count: usize, seed: u64, out: &mut impl Write) -> Result<()> {
    let today = Runtime::system().clock.today();
    let lists = CodeLists::shipped()?;
    let mut out = BufWriter::new(out);
    for person in generate(seed, count, today) {
        writeln!(out, "{}", object(person, &lists))?;
    }
    out.flush()?;
    Ok(())
}

fn object(person: SyntheticPerson, lists: &CodeLists) -> serde_json::Value {
    let said = |(item, value, source, valid_from): lienthong::synth::Statement| {
        json!({
            "item": item,
            "value": ItemValue::read(wire::value::write(&value, lists)),
            "source": source,
            "valid_from": valid_from.map(|date| Date(wire::value::write_date(&date))),
        })
    };
    json!({
        "synthetic": true,
        "personal_number": person.number.as_str(),
        "old_number": person.old_number.as_ref().map(model::OldNumber::as_str),
        "protected": person.protected,
        "items": person.assertions.into_iter().map(said).collect::<Vec<_>>(),
    })
}
