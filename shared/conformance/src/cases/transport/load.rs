//! DB-10 to DB-12 and DB-14: time, and many calls.

use std::time::{Duration, Instant};

use contract::database::v1::StreamChangesRequest;
use futures::future::join_all;
use tonic::Code;

use super::{begun, describes, lost, unary};
use crate::{
    Role,
    cases::people,
    found::{Found, Tried, failed, no_answer},
    kit::{Kit, answer, method, path, shown},
    wire::{Ask, NoAnswer, Open, Wire, framed},
};

/// Calls at once on one connection.
const AT_ONCE: usize = 16;
/// Calls that are cancelled.
const CANCELLED: usize = 100;
/// How long others may take while somebody takes nothing.
const UNDELAYED: Duration = Duration::from_secs(3);
/// How much later than its deadline a call may end.
const LATE: Duration = Duration::from_secs(1);

/// DB-10. The message of the call does not come, so that it lasts, whatever the database is; it is the server alone that
/// ends it, because the kit keeps no clock of it but its patience.
pub(crate) async fn deadline(kit: &Kit, found: &mut Found) -> Tried {
    const DEADLINE: Duration = Duration::from_millis(500);
    let wire = kit.connect().await?;
    let calls = unary(kit).into_iter().map(|path| {
        let ask = Ask::held_back(path).due_in(DEADLINE);
        let call = async { wire.open(ask).await?.rest(kit.patience()).await };
        async move { (path, call.await) }
    });
    for (path, outcome) in join_all(calls).await {
        let tried = format!("{} whose message does not come, due in 0.5 s", method(path));
        let expected = "an error, 0.5 to 1.5 s after its begin";
        match outcome {
            Ok(reply) => {
                let (took, code) = (reply.took, reply.status.code());
                let holds = code != Code::Ok && took <= DEADLINE + LATE;
                let early = took < DEADLINE.mul_f64(0.8);
                let seen = format!("{} after {:.2} s", shown(&reply.status), took.as_secs_f64());
                found.check(holds && !early, tried, expected, seen);
            }
            Err(error) => found.fail(tried, expected, error.to_string()),
        }
    }
    describes(&wire, "DescribeDatabase on the same connection, afterwards").await
}

/// A call that lasts: a stream that follows where there is one, a call whose message does not come elsewhere.
async fn lasting(wire: &Wire, path: &str) -> Result<Open, NoAnswer> {
    let ask = match path {
        path::STREAM => {
            let request = StreamChangesRequest { follow: true, ..Default::default() };
            Ask::of(path, &request)
        }
        _ => Ask::held_back(path),
    };
    wire.open(ask).await
}

/// DB-11.
pub(crate) async fn cancelled(kit: &Kit, found: &mut Found) -> Tried {
    const WAVE: usize = 10;
    let wire = kit.connect().await?;
    let mut paths = unary(kit);
    if kit.has(Role::Source) {
        paths.push(path::STREAM);
    }
    let tried = format!("{CANCELLED} calls that are cancelled when they have begun");
    for wave in 0..CANCELLED / WAVE {
        let mut open = Vec::new();
        for number in 0..WAVE {
            // Streams hold most: every second of the calls, where there are some.
            let place = wave * WAVE + number;
            let streams = kit.has(Role::Source) && place.is_multiple_of(2);
            let path = if streams { paths.last() } else { paths.get(place / 2 % paths.len()) };
            let path = path.copied().unwrap_or(path::DESCRIBE);
            open.push(lasting(&wire, path).await.map_err(lost(&tried))?);
        }
        for outcome in join_all(open.iter_mut().map(begun)).await {
            outcome.map_err(lost(&tried))?;
        }
        open.into_iter().for_each(Open::cancel);
    }
    for path in paths {
        let tried = format!("{} after {tried}", method(path));
        answered(kit, &wire, path, &tried, found).await?;
    }
    Ok(())
}

/// A call of the method is answered by the method itself: with a message, or with its refusal of an empty question. For
/// a while a database may still be busy with the end of what was cancelled.
async fn answered(kit: &Kit, wire: &Wire, path: &str, tried: &str, found: &mut Found) -> Tried {
    const WHILE: Duration = Duration::from_secs(3);
    let began = Instant::now();
    loop {
        let body = match path {
            path::DELIVER => Vec::new(),
            path => people::valid(kit, path),
        };
        let reply = answer(wire, tried, Ask::bytes(path, &body)).await?;
        let code = reply.status.code();
        if matches!(code, Code::Ok | Code::InvalidArgument) || !reply.messages.is_empty() {
            return Ok(());
        }
        if began.elapsed() > WHILE {
            found.fail(tried, "an answer, as before", shown(&reply.status));
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// DB-12. All heads are sent before the first message, so that the calls are under way at once.
pub(crate) async fn at_once(kit: &Kit, found: &mut Found) -> Tried {
    let wire = kit.connect().await?;
    let paths: Vec<&str> = unary(kit).into_iter().filter(|path| *path != path::DELIVER).collect();
    let tried = format!("{AT_ONCE} calls at once on one connection");
    let mut open = Vec::new();
    for path in paths.iter().cycle().take(AT_ONCE) {
        let call = wire.open(Ask::held_back(path)).await;
        open.push((*path, call.map_err(|error| no_answer(&tried, &error))?));
    }
    // All of them have arrived before the first is asked anything.
    join_all(open.iter_mut().map(|(_, call)| begun(call))).await;
    let calls = open.into_iter().map(|(path, mut call)| async move {
        call.send(framed(&people::valid(kit, path)));
        (path, call.rest(kit.patience()).await)
    });
    for (number, (path, outcome)) in join_all(calls).await.into_iter().enumerate() {
        let seen = match outcome {
            Ok(reply) if reply.status.code() == Code::Ok => continue,
            Ok(reply) => shown(&reply.status),
            Err(error) => error.to_string(),
        };
        let tried = format!("{tried}: number {}, {}", number + 1, method(path));
        found.fail(tried, "an answer to each", seen);
    }
    Ok(())
}

/// DB-14. A connection that grants no byte of any answer, with as many calls as DB-12 has; meanwhile somebody else calls.
pub(crate) async fn slow_reader(kit: &Kit, found: &mut Found) -> Tried {
    let made = Wire::connect_with(&kit.target, Some(&kit.own), kit.patience(), 0).await;
    let slow = made.map_err(|error| no_answer("a connection that takes no answer", &error))?;
    let other = kit.connect().await?;
    let mut taken = vec![path::DESCRIBE];
    if kit.has(Role::Source) {
        taken.push(path::STREAM);
    }
    if kit.has(Role::Lookup) {
        taken.extend([path::GET, path::RECORDS]);
    }
    let tried = format!("{AT_ONCE} calls on a connection that takes no answer");
    let mut open = Vec::new();
    // Streams are what a writer waits in.
    let most = taken.iter().rev().find(|path| matches!(**path, path::STREAM | path::RECORDS));
    for number in 0..AT_ONCE {
        let each = taken.get(number / 2 % taken.len());
        let path = most.filter(|_| number.is_multiple_of(2)).or(each).copied();
        let path = path.unwrap_or(path::DESCRIBE);
        let call = slow.open(Ask::bytes(path, &people::valid(kit, path))).await;
        open.push(call.map_err(|error| no_answer(&tried, &error))?);
    }
    // What can begin has begun.
    join_all(open.iter_mut().map(begun)).await;
    for path in unary(kit).into_iter().filter(|path| *path != path::DELIVER) {
        let tried = format!("{} on another connection, during {tried}", method(path));
        let expected = format!("OK within {} s", UNDELAYED.as_secs());
        let began = Instant::now();
        let call = other.call(Ask::bytes(path, &people::valid(kit, path)));
        let outcome = tokio::time::timeout(UNDELAYED, call).await;
        match outcome {
            Ok(Ok(reply)) if reply.status.code() == Code::Ok => {}
            Ok(Ok(reply)) => found.fail(tried, expected, shown(&reply.status)),
            Ok(Err(error)) => found.fail(tried, expected, error.to_string()),
            Err(_) => {
                let seen = format!("nothing within {:.1} s", began.elapsed().as_secs_f64());
                return Err(failed(tried, expected, seen));
            }
        }
    }
    open.into_iter().for_each(Open::cancel);
    Ok(())
}
