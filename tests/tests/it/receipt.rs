//! The receipt proves what was asked and what was answered.

use contract::audit::v1::Receipt;
use lienthong::client::Answered;
use store::Engine;
use tests::{World, ask, on_both_engines};

use crate::answered;

/// What is left of a call, with one byte changed.
fn flipped<T: Clone>(whole: &Answered<T>, change: impl FnOnce(&mut Answered<T>)) -> Answered<T> {
    let mut changed = Answered {
        request: whole.request.clone(),
        answer_bytes: whole.answer_bytes.clone(),
        answer: whole.answer.clone(),
        receipt: whole.receipt.clone(),
    };
    change(&mut changed);
    changed
}

/// Every way to change one byte of a part.
fn flips<T: Clone>(
    whole: &Answered<T>,
    part: impl Fn(&mut Answered<T>) -> &mut [u8],
) -> Vec<Answered<T>> {
    let length = part(&mut flipped(whole, |_| {})).len();
    assert!(length > 0, "the part is there");
    (0..length).map(|at| flipped(whole, |changed| part(changed)[at] ^= 1)).collect()
}

fn proof(receipt: &mut Receipt, hash: usize) -> &mut [u8] {
    &mut receipt.proof[hash]
}

async fn i1_a_receipt_holds_and_no_byte_of_the_call_can_be_changed(engine: Engine) {
    let world = World::new(engine).await;
    let client = world.client("insurance");
    // A second record, so that the proof has a hash.
    answered(&client, &ask(world.plain(), &["sex"])).await;
    let whole = answered(&client, &ask(world.plain(), &["sex", "birth_full_name"])).await;
    let verified = whole.verify(&world.log).unwrap();
    assert_eq!(verified.method, lienthong::client::GET_PERSON);
    let caller = "spiffe://lienthong.test/agency/Z24.TEST/system/health-insurance";
    assert_eq!(verified.caller, caller);
    assert_eq!(verified.time_ms, u64::try_from(tests::world::NOW.unix_timestamp()).unwrap() * 1000);
    assert_eq!((whole.receipt.index, verified.size), (1, 2));
    assert_eq!(whole.receipt.proof.len(), 1);

    let mut forged = flips(&whole, |c| &mut c.request);
    forged.extend(flips(&whole, |c| &mut c.answer_bytes));
    forged.extend(flips(&whole, |c| &mut c.receipt.leaf));
    forged.extend(flips(&whole, |c| &mut c.receipt.opening));
    forged.extend(flips(&whole, |c| proof(&mut c.receipt, 0)));
    for forged in &forged {
        assert!(forged.verify(&world.log).is_err());
    }
    // The checkpoint is text: every byte of what is signed, and of the signature.
    for at in 0..whole.receipt.checkpoint.len() {
        let mut note = whole.receipt.checkpoint.clone().into_bytes();
        note[at] ^= 1;
        let Ok(note) = String::from_utf8(note) else { continue };
        let forged = flipped(&whole, |changed| changed.receipt.checkpoint = note);
        assert!(forged.verify(&world.log).is_err(), "byte {at} of the checkpoint");
    }
    let elsewhere = flipped(&whole, |changed| changed.receipt.index = 0);
    assert!(elsewhere.verify(&world.log).is_err(), "another index");
    world.stop().await;
}

/// A log of another key proves nothing, whatever it is named.
async fn i1_only_the_logs_own_key_is_believed(engine: Engine) {
    let world = World::new(engine).await;
    let whole = answered(&world.client("insurance"), &ask(world.plain(), &["sex"])).await;
    let other =
        tlog::LogSigner::from_seed("lienthong.test/lienthong-access/test", [9; 32]).unwrap();
    let other = tlog::LogVerifier::new(other.verifier_key()).unwrap();
    assert!(whole.verify(&world.log).is_ok());
    assert!(whole.verify(&other).is_err());
    world.stop().await;
}

on_both_engines!(
    i1_a_receipt_holds_and_no_byte_of_the_call_can_be_changed,
    i1_only_the_logs_own_key_is_believed,
);
