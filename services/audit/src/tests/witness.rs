//! The log and its witnesses: what they cosign is shown, and what they say against it stops it.

mod configured;
mod model;
mod published;

use std::{net::SocketAddr, sync::Arc};

use contract::audit::v1::{
    GetCheckpointRequest, GetConsistencyProofRequest, GetInclusionProofRequest,
    log_service_server::LogService,
};
use tlog::{Cosigner, policy::Policy};
use tokio::sync::Semaphore;

use self::model::{Mode, Model};
use super::{
    failure::{SET_BACK, is_unavailable},
    *,
};
use crate::witness::{Post, Unanswered};

/// A log with witnesses `w0`, `w1` and so on, of which so many must cosign.
struct World {
    setup: Setup,
    witnesses: Vec<Model>,
    policy: tempfile::NamedTempFile,
}

fn own_key() -> String {
    LogSigner::from_seed(ORIGIN, [7; 32]).unwrap().verifier_key().to_owned()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn path(file: &tempfile::NamedTempFile) -> String {
    file.path().to_str().unwrap().to_owned()
}

/// A policy of these witnesses, each with where it is.
fn policy(quorum: usize, witnesses: &[(&Model, String)]) -> String {
    let mut text = format!("log {}\n", own_key());
    let mut names = String::new();
    for (number, (witness, url)) in witnesses.iter().enumerate() {
        text += &format!("witness w{number} {} {url}\n", witness.cosigner.verifier_key());
        names += &format!(" w{number}");
    }
    text + &format!("group enough {quorum}{names}\nquorum enough\n")
}

fn at(address: SocketAddr) -> String {
    format!("http://{address}/at/")
}

impl World {
    async fn new(engine: Engine, count: u8, quorum: usize) -> Self {
        let setup = Setup::new(engine).await;
        let mut witnesses = Vec::new();
        for number in 0..count {
            let name = format!("w{number}.test/witness");
            witnesses.push(Model::new(&name, [40 + number; 32], &own_key()).await);
        }
        let placed: Vec<_> =
            witnesses.iter().map(|witness| (witness, at(witness.address))).collect();
        let policy = file(&policy(quorum, &placed));
        Self { setup, witnesses, policy }
    }

    fn config(&self) -> Config {
        Config { witness_policy_file: path(&self.policy), ..self.setup.config() }
    }

    async fn open(&self) -> Service {
        open(&self.config()).await.unwrap()
    }

    /// Makes a log of five records, each cosigned, the last by every witness, and closes it.
    async fn five(&self) {
        let service = self.open().await;
        for number in 0..5 {
            recorded(&service, number).await;
            until(|| async { self.shown(&service).await == Ok(number + 1) }).await;
        }
        until(|| async { self.witnesses.iter().all(|witness| witness.size() == 5) }).await;
        ends(service.close()).await;
    }

    /// The size of what is shown, which the policy accepts, or why nothing is.
    async fn shown(&self, service: &Service) -> Result<u64, (Code, String)> {
        let note = shown(service).await.map_err(|status| reason(&status))?;
        let checkpoint = log().verify(&note).unwrap();
        let policy = Policy::parse(&std::fs::read(self.policy.path()).unwrap()).unwrap();
        if checkpoint.size > 0 {
            policy.verify(&note).unwrap();
        }
        Ok(checkpoint.size)
    }
}

fn asked<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Caller::parse(CALLER, "lienthong.test").unwrap());
    request.extensions_mut().insert(Deadline::after(HANG));
    request
}

async fn shown(service: &Service) -> Result<String, Status> {
    let answer = ends(service.get_checkpoint(asked(GetCheckpointRequest {}))).await?;
    Ok(answer.into_inner().checkpoint)
}

/// The checkpoint that covers a record, as it is proven.
async fn covering(service: &Service, index: u64) -> String {
    let request = asked(GetInclusionProofRequest { index });
    let answer = ends(service.get_inclusion_proof(request)).await.unwrap().into_inner();
    let checkpoint = log().verify(&answer.checkpoint).unwrap();
    let proof = tlog::hashes(&answer.proof).unwrap();
    let leaf = tlog::leaf_hash(&access(index).leaf);
    tlog::verify_inclusion(index, checkpoint.size, &leaf, &proof, &checkpoint.root).unwrap();
    answer.checkpoint
}

/// The checkpoint that is proven to extend another.
async fn extending(service: &Service, old: &str) -> String {
    let old = log().verify(old).unwrap();
    let request = asked(GetConsistencyProofRequest { old_size: old.size });
    let answer = ends(service.get_consistency_proof(request)).await.unwrap().into_inner();
    let new = log().verify(&answer.checkpoint).unwrap();
    let proof = tlog::hashes(&answer.proof).unwrap();
    tlog::verify_consistency((old.size, &old.root), (new.size, &new.root), &proof).unwrap();
    answer.checkpoint
}

async fn until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    ends(async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

async fn halted(service: &Service) {
    until(|| async { service.0.halt.is_set() }).await;
    let refused = append(service, access(900)).await.unwrap_err();
    assert!(is_unavailable(&refused), "{refused:?}");
    assert!(!service.answers(crate::INTERNAL).await && service.answers(crate::PUBLIC).await);
}

fn lines(note: &str) -> usize {
    note.split_once("\n\n").unwrap().1.lines().count()
}

#[tokio::test]
async fn what_enough_witnesses_cosign_is_shown_and_proven_to() {
    for engine in ENGINES {
        let world = World::new(engine, 3, 2).await;
        // One of the three is not there: two are enough.
        world.witnesses[2].set(Mode::Gone);
        let service = world.open().await;
        let address = service.show(&world.config()).await.unwrap().unwrap();
        assert_eq!(world.shown(&service).await, Ok(0), "an empty log needs no witness");
        for number in 0..20 {
            assert_eq!(lines(&recorded(&service, number).await.checkpoint), 1);
        }
        until(|| async { world.shown(&service).await == Ok(20) }).await;
        let cosigned = shown(&service).await.unwrap();
        assert_eq!(lines(&cosigned), 3);
        assert_eq!(tiles::get(address, "GET /checkpoint").await.2, cosigned.as_bytes());
        assert_eq!(covering(&service, 3).await, cosigned);

        // A record that they have not seen is proven, too, and what is shown stays.
        world.witnesses[1].set(Mode::Gone);
        for number in 20..25 {
            recorded(&service, number).await;
        }
        until(|| async { world.witnesses[0].size() == 25 }).await;
        assert_eq!(shown(&service).await.unwrap(), cosigned);
        assert_eq!(covering(&service, 3).await, cosigned);
        assert_eq!(extending(&service, &covering(&service, 3).await).await, cosigned);
        let newest = covering(&service, 24).await;
        assert_eq!((lines(&newest), log().verify(&newest).unwrap().size), (1, 25));
        assert_eq!(extending(&service, &newest).await, newest);

        assert!(service.answers(crate::INTERNAL).await && service.answers(crate::PUBLIC).await);

        // They come back, and say it of what is newest then.
        world.witnesses[1].set(Mode::Good);
        world.witnesses[2].set(Mode::Good);
        until(|| async { world.shown(&service).await == Ok(25) }).await;
        until(|| async { lines(&shown(&service).await.unwrap()) == 4 }).await;
        assert_eq!(close_and_audit(&world.setup, service).await, 25);
    }
}

/// However fast the log grows, and however unequal they are, the witnesses cosign the same checkpoints.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn witnesses_agree_while_the_log_grows() {
    for engine in ENGINES {
        let world = World::new(engine, 3, 3).await;
        for (witness, ms) in world.witnesses.iter().zip([0, 7, 30]) {
            witness.set(Mode::Slow(Duration::from_millis(ms)));
        }
        // A machine that is busy with other things ends no round.
        let patient = Pace { answer_max: HANG, round_max: HANG, ..PACE };
        let service = open_at(&world.config(), patient).await.unwrap();
        let (mut number, mut seen) = (0, std::collections::BTreeSet::new());
        let grows = async {
            while seen.len() < 5 {
                recorded(&service, number).await;
                number += 1;
                if let Ok(size) = world.shown(&service).await {
                    // It never goes back.
                    assert!(seen.last().is_none_or(|last| *last <= size));
                    seen.insert(size);
                }
            }
        };
        ends(grows).await;
        until(|| async { world.shown(&service).await == Ok(number) }).await;
        // Nothing that the quick ones cosigned was of no use.
        let sent: Vec<_> = world.witnesses.iter().map(Model::asked).collect();
        assert!(sent[0].len() > 4 && sent[0] == sent[1] && sent[1] == sent[2], "{engine:?}");
        ends(service.close()).await;
    }
}

/// Recording does not wait for witnesses (I1); what nobody has cosigned is not shown.
#[tokio::test]
async fn nothing_is_shown_before_enough_have_cosigned() {
    for engine in ENGINES {
        let world = World::new(engine, 2, 2).await;
        world.witnesses[1].set(Mode::Silent);
        let service = world.open().await;
        let address = service.show(&world.config()).await.unwrap().unwrap();
        recorded(&service, 0).await;
        until(|| async { world.witnesses[0].size() == 1 }).await;
        let away = Err((Code::Unavailable, "LOG_UNREADABLE".to_owned()));
        assert_eq!(world.shown(&service).await, away);
        assert_eq!(tiles::get(address, "GET /checkpoint").await.0, 503);
        assert_eq!(lines(&covering(&service, 0).await), 1);
        recorded(&service, 1).await;
        ends(service.close()).await;
        // A policy that asks for none shows what is newest.
        let text = std::fs::read_to_string(world.policy.path()).unwrap();
        std::fs::write(world.policy.path(), text.replace("quorum enough", "quorum none")).unwrap();
        let service = world.open().await;
        assert_eq!(world.shown(&service).await, Ok(2));
        ends(service.close()).await;
    }
}

#[tokio::test]
async fn after_a_start_it_goes_on_where_each_witness_was() {
    for engine in ENGINES {
        let world = World::new(engine, 1, 1).await;
        world.five().await;
        let witness = &world.witnesses[0];
        // It is asked once at start, although nothing is new.
        let before = witness.asked().len();
        let service = world.open().await;
        assert_eq!(world.shown(&service).await, Ok(5), "what was cosigned is shown at once");
        until(|| async { witness.asked().len() > before }).await;
        assert_eq!((witness.asked()[before].old_size, witness.size()), (5, 5));
        recorded(&service, 5).await;
        until(|| async { world.shown(&service).await == Ok(6) }).await;
        assert_eq!(witness.asked().last().unwrap().old_size, 5);
        let asked = witness.asked().len();
        tokio::time::sleep(PACE.interval * 10).await;
        assert_eq!(witness.asked().len(), asked, "nothing is new");
        ends(service.close()).await;
        // Another policy: what was enough is not enough any more, and is not shown.
        let other = Model::new("w1.test/witness", [41; 32], &own_key()).await;
        other.set(Mode::Gone);
        let both = [(witness, at(witness.address)), (&other, at(other.address))];
        std::fs::write(world.policy.path(), policy(2, &both)).unwrap();
        let service = world.open().await;
        assert_eq!(world.shown(&service).await.unwrap_err().0, Code::Unavailable);
        other.set(Mode::Good);
        until(|| async { world.shown(&service).await == Ok(6) }).await;
        ends(service.close()).await;
    }
}

#[tokio::test]
async fn a_witness_that_is_elsewhere_says_where_and_gets_the_proof_from_there() {
    for engine in ENGINES {
        let world = World::new(engine, 1, 1).await;
        let witness = &world.witnesses[0];
        let service = world.open().await;
        for number in 0..3 {
            recorded(&service, number).await;
        }
        until(|| async { world.shown(&service).await == Ok(3) }).await;
        let three = witness.kept();
        ends(service.close()).await;
        // The log does not know that it was asked before.
        world.setup.tamper(&["DELETE FROM cosignature", "DELETE FROM cosigned"]).await;
        let before = witness.asked().len();
        let service = world.open().await;
        until(|| async { world.shown(&service).await == Ok(3) }).await;
        let olds = |from: usize| -> Vec<u64> {
            witness.asked()[from..].iter().map(|asked| asked.old_size).collect()
        };
        assert_eq!(olds(before), [0, 3]);
        recorded(&service, 3).await;
        until(|| async { world.shown(&service).await == Ok(4) }).await;
        // The witness was set back, and then has forgotten all.
        for (kept, number, size) in [(three.as_str(), 4, 3), ("", 5, 0)] {
            witness.restore(kept);
            let before = witness.asked().len();
            recorded(&service, number).await;
            until(|| async { world.shown(&service).await == Ok(number + 1) }).await;
            assert_eq!(olds(before), [number, size]);
        }
        assert!(!service.0.halt.is_set());
        ends(service.close()).await;
    }
}

/// Two processes feed one witness: what the one sends is old when the other was there before, and no conflict.
#[tokio::test]
async fn two_processes_on_one_log_are_no_conflict() {
    let world = World::new(Engine::Postgres, 1, 1).await;
    let witness = &world.witnesses[0];
    let permits = Arc::new(Semaphore::new(0));
    witness.set(Mode::Held(Arc::clone(&permits)));
    let first = world.open().await;
    recorded(&first, 0).await;
    until(|| async { witness.asked().len() == 1 }).await;
    // What the first one sent is on its way; the second one is quicker.
    witness.set(Mode::Good);
    let second = world.open().await;
    recorded(&second, 1).await;
    recorded(&second, 2).await;
    until(|| async { witness.size() == 3 }).await;
    let before = witness.asked().len();
    permits.add_permits(1);
    until(|| async { witness.asked().len() > before }).await;
    let again = witness.asked()[before].clone();
    assert_eq!((again.old_size, log().verify(&again.checkpoint).unwrap().size), (3, 3));
    for number in 3..40 {
        recorded(if number % 2 == 0 { &first } else { &second }, number).await;
    }
    for service in [&first, &second] {
        until(|| async { world.shown(service).await == Ok(40) }).await;
        assert!(!service.0.halt.is_set());
    }
    ends(first.close()).await;
    assert_eq!(close_and_audit(&world.setup, second).await, 40);
}

/// The database is an older state of itself. A start alone cannot know it; a witness does (I9).
#[tokio::test]
async fn i9_a_restored_database_is_found_out_by_a_witness_and_records_nothing() {
    for engine in ENGINES {
        let world = World::new(engine, 2, 1).await;
        world.five().await;
        world.setup.tamper(SET_BACK).await;
        // One of the two that is not there does not hide it, and another start does not end it.
        world.witnesses[1].set(Mode::Gone);
        for _ in 0..2 {
            let service = world.open().await;
            halted(&service).await;
            assert_eq!(world.shown(&service).await, Ok(3), "the log is still shown");
            assert!(lines(&covering(&service, 2).await) > 1);
            assert_eq!(close_and_audit(&world.setup, service).await, 3);
        }
        // Nothing came of what the witness was asked.
        assert_eq!(world.witnesses[0].size(), 5);
    }
}

/// As above, under a running process to which nothing is sent.
#[tokio::test]
async fn i9_a_database_that_is_set_back_meanwhile_is_found_out_by_a_witness() {
    let world = World::new(Engine::Postgres, 1, 1).await;
    let service = world.open().await;
    for number in 0..5 {
        recorded(&service, number).await;
    }
    until(|| async { world.shown(&service).await == Ok(5) }).await;
    world.setup.tamper(SET_BACK).await;
    halted(&service).await;
    assert_eq!(close_and_audit(&world.setup, service).await, 3);
}

/// The database was set back while no witness was there, and grew again: to less, to as much, and to more.
#[tokio::test]
async fn i9_a_log_that_grew_anew_is_a_split_view() {
    for engine in ENGINES {
        for grown in [1, 2, 4] {
            let world = World::new(engine, 1, 1).await;
            world.five().await;
            world.setup.tamper(SET_BACK).await;
            let witness = &world.witnesses[0];
            witness.set(Mode::Gone);
            let service = world.open().await;
            for number in 0..grown {
                recorded(&service, 100 + number).await;
            }
            witness.set(Mode::Good);
            halted(&service).await;
            assert_eq!(witness.size(), 5);
            assert_eq!(world.shown(&service).await, Ok(3), "what nobody cosigned is not shown");
            assert_eq!(close_and_audit(&world.setup, service).await, 3 + grown);
        }
    }
}

/// Whatever a witness answers, records are taken, nothing of it is shown, and it is asked again.
#[tokio::test]
async fn answers_that_are_none_are_harmless() {
    let world = World::new(Engine::Sqlite, 1, 1).await;
    let witness = &world.witnesses[0];
    let other = Cosigner::from_seed("w0.test/witness", [99; 32]).unwrap();
    let body = "another.test/log\n5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    let text = |text: &str| text.as_bytes().to_vec();
    let kind = |kind: &str| Some(("content-type", kind.to_owned()));
    let elsewhere = Some(("location", at(witness.address) + "add-checkpoint"));
    let modes = [
        Mode::Gone,
        Mode::Silent,
        Mode::Says(200, None, text("")),
        Mode::Says(200, None, text("not a line\n")),
        Mode::Says(200, None, vec![0xff; 1 << 10]),
        Mode::Says(200, None, vec![b'x'; 64 << 20]),
        Mode::Says(200, Some(("x-long", "x".repeat(100 << 10))), text("")),
        // A cosignature of another log, and one of another key by the same name.
        Mode::Says(200, None, text(&witness.cosigner.cosign(body, 1).unwrap())),
        Mode::Says(200, None, text(&other.cosign(body, 1).unwrap())),
        Mode::Says(409, kind("text/plain"), text("1\n")),
        Mode::Says(409, None, text("1\n")),
        Mode::Says(409, kind("text/x.tlog.size"), text("one\n")),
        // It is sent the proof from there, and says the same: in circles, and not for ever.
        Mode::Says(409, kind("text/x.tlog.size"), text("0\n")),
        Mode::Says(422, None, text("")),
        Mode::Says(400, None, text("")),
        Mode::Says(403, None, text("")),
        Mode::Says(404, None, text("")),
        Mode::Says(429, None, text("")),
        Mode::Says(500, None, text("")),
        Mode::Says(503, None, text("")),
        Mode::Says(301, elsewhere.clone(), text("")),
        Mode::Says(308, elsewhere, text("")),
    ];
    let service = world.open().await;
    let mut number = 0;
    for (case, mode) in modes.into_iter().enumerate() {
        witness.set(mode);
        recorded(&service, number).await;
        number += 1;
        let asked = witness.asked().len();
        until(|| async { witness.asked().len() >= asked + 2 }).await;
        assert!(!service.0.halt.is_set(), "case {case}");
        assert_eq!(witness.size(), 0, "case {case}");
        shown(&service).await.unwrap_err();
    }
    witness.set(Mode::Good);
    until(|| async { world.shown(&service).await == Ok(number) }).await;
    ends(service.close()).await;
}

/// One answer, of bounded length, in bounded time.
#[tokio::test]
async fn an_answer_is_read_so_far_and_waited_for_so_long() {
    let witness = Model::new("w0.test/witness", [40; 32], &own_key()).await;
    let to = format!("{}add-checkpoint", at(witness.address)).parse().unwrap();
    let post = Post::new("", Duration::from_millis(300)).unwrap();
    let sent = async || {
        let reply = ends(post.send(&to, String::new())).await;
        reply.map(|reply| (reply.status, reply.body.len()))
    };
    let long = |length| Mode::Says(200, None, vec![b'x'; length]);
    let location = Some(("location", at(witness.address) + "add-checkpoint"));
    for (mode, expect) in [
        (long(64 << 10), Ok((200, 64 << 10))),
        (long((64 << 10) + 1), Err(Unanswered::Unreadable)),
        (Mode::Says(307, location, Vec::new()), Ok((307, 0))),
        (Mode::Silent, Err(Unanswered::Late)),
        (Mode::Gone, Err(Unanswered::Away)),
    ] {
        witness.set(mode);
        assert_eq!(sent().await, expect);
    }
}
