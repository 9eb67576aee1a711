//! Callers with a good certificate and bad manners, frame by frame. Each is refused or cut while an honest caller is
//! served on another connection, and afterwards every place is free again: the offender's own too.

use tokio::io::AsyncWriteExt;

use super::{connection::raw, person::*, wire::*, *};
use crate::call::WATCHES_MAX;

/// What the offender may have: so few that nothing it leaves behind is overlooked.
const CALLS: usize = 4;
/// Frames of a flood.
const MANY: u32 = 3_000;

/// A server and an offender, an agency with one connection and a few calls.
struct Scene {
    pki: Pki,
    server: Running,
    persons: Persons,
    offender: tls::Files,
}

impl Scene {
    async fn new(persons: Persons) -> Self {
        Self::with(persons, |config| config).await
    }

    async fn with(persons: Persons, change: impl FnOnce(Config) -> Config) -> Self {
        let pki = Pki::new();
        let few = |config: Config| {
            change(Config { calls_per_caller_max: CALLS, connections_per_caller_max: 1, ..config })
        };
        let server = persons.start(&pki, few).await;
        let offender = agency(&pki);
        Self { pki, server, persons, offender }
    }

    async fn wire(&self) -> Wire {
        Wire::connect(&self.server, &self.offender).await
    }

    /// Commits an offence while an honest caller is served without a fault, then sees that nothing is left of it.
    async fn withstands<T>(self, offence: impl AsyncFnOnce(&Self) -> T) -> T {
        let honest = single(&self.server, &self.pki.service("identity"));
        decide(honest.clone(), None).await.unwrap();
        let served = async {
            loop {
                decide(honest.clone(), None).await.unwrap();
            }
        };
        let done = tokio::select! {
            done = within(offence(&self)) => done,
            () = served => panic!("it never ends"),
        };
        decide(honest, None).await.unwrap();
        // Its one connection: what is refused for as long as the last one counts is asked for again.
        let again = single(&self.server, &self.offender);
        let back = async {
            while HealthClient::new(again.clone())
                .check(HealthCheckRequest::default())
                .await
                .is_err()
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        within(back).await;
        self.persons.fills(&again, CALLS).await;
        self.server.stop().await;
        done
    }
}

/// A call that is complete.
fn call(stream: u32) -> [Frame; 2] {
    [Frame::call(stream, GET_PERSON, &[]), Frame::message(stream, &[])]
}

/// The streams of so many calls.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|number| 2 * number + 1)
}

fn with_error(frames: &[Frame], kind: u8, error: u32) -> usize {
    frames.iter().filter(|frame| frame.kind == kind && frame.error() == error).count()
}

fn heads(frames: &[Frame]) -> Vec<&Frame> {
    frames.iter().filter(|frame| frame.kind == HEADERS).collect()
}

/// The answers that are nothing but an error: their head is their end.
fn refusals(frames: &[Frame]) -> usize {
    heads(frames).iter().filter(|head| head.flags & END_STREAM == END_STREAM).count()
}

/// CVE-2023-44487. What such calls leave behind for a while is within the caller's share.
#[tokio::test]
async fn calls_that_are_reset_at_once_are_no_way_round_the_limits() {
    let scene = Scene::new(Persons::never()).await;
    let persons = scene.persons.clone();
    let begun = tokio::time::Instant::now();
    let offence = async |scene: &Scene| {
        let mut wire = scene.wire().await;
        for stream in streams(MANY) {
            wire.send(&call(stream)).await.unwrap();
            // It has begun by now.
            wire.seen().await;
            wire.send(&[reset(stream)]).await.unwrap();
        }
        wire.seen().await;
    };
    scene.withstands(offence).await;
    // Each place is taken for a second, so many at once.
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap();
    assert!(persons.entered() <= CALLS * (seconds + 1), "{} in {seconds} s", persons.entered());
}

/// The same, faster than the server takes them up.
#[tokio::test]
async fn whoever_resets_calls_before_they_are_taken_up_is_cut() {
    let scene = Scene::new(Persons::never()).await;
    let offence = async |scene: &Scene| {
        let mut wire = scene.wire().await;
        let all = streams(MANY).flat_map(|stream| [call(stream)[0].clone(), reset(stream)]);
        // It may be cut before all of it is sent.
        let _cut = wire.send(&all.collect::<Vec<_>>()).await;
        wire.rest().await
    };
    let heard = scene.withstands(offence).await;
    assert_eq!(with_error(&heard, GOAWAY, ENHANCE_YOUR_CALM), 1);
}

fn reset(stream: u32) -> Frame {
    const CANCEL: u32 = 8;
    Frame::new(RST_STREAM, 0, stream, CANCEL.to_be_bytes())
}

/// CVE-2025-8671: the client makes the server reset what the client has begun.
#[tokio::test]
async fn whoever_makes_the_server_reset_its_calls_is_cut() {
    for (room, error) in [(0_u32, PROTOCOL_ERROR), (0x7fff_ffff, ENHANCE_YOUR_CALM)] {
        let scene = Scene::new(Persons::never()).await;
        let persons = scene.persons.clone();
        let begun = tokio::time::Instant::now();
        let offence = async |scene: &Scene| {
            let mut wire = scene.wire().await;
            for stream in streams(MANY) {
                let [head, body] = call(stream);
                let room = Frame::new(WINDOW_UPDATE, 0, stream, room.to_be_bytes());
                if wire.send(&[head, body, room]).await.is_err() {
                    break;
                }
            }
            wire.rest().await
        };
        let heard = scene.withstands(offence).await;
        assert_eq!(with_error(&heard, GOAWAY, error), 1, "{room}");
        let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap();
        assert!(persons.entered() <= CALLS * (seconds + 1), "{room}: {}", persons.entered());
    }
}

#[tokio::test]
async fn a_head_without_an_end_is_cut() {
    let scene = Scene::new(Persons::never()).await;
    let persons = scene.persons.clone();
    let offence = async |scene: &Scene| {
        let mut wire = scene.wire().await;
        let mut head = Frame::call(1, GET_PERSON, &[]);
        head.flags = 0;
        wire.send(&[head]).await.unwrap();
        for _ in 0..MANY {
            let more = Frame::new(CONTINUATION, 0, 1, literal("x-more", &"x".repeat(500)));
            if wire.send(&[more]).await.is_err() {
                break;
            }
        }
        wire.rest().await
    };
    let heard = scene.withstands(offence).await;
    assert!(heard.iter().any(|frame| frame.kind == GOAWAY), "{heard:?}");
    assert_eq!(persons.entered(), 0);
}

#[tokio::test]
async fn headers_over_16_kib_are_refused_and_the_connection_goes_on() {
    let scene = Scene::new(Persons::reads_one_and_answers(0)).await;
    let persons = scene.persons.clone();
    let offence = async |scene: &Scene| {
        let mut wire = scene.wire().await;
        let mut send = async |stream: u32, length: usize| {
            let (third, end) = ("x".repeat(length / 3), Frame::message(stream, &[]));
            let mut head = Frame::call(
                stream,
                GET_PERSON,
                &[("x-a", &third), ("x-b", &third), ("x-c", &third)],
            );
            // A frame takes 16 KiB and no more.
            let rest = head.payload.split_off(1_000);
            head.flags = 0;
            let rest = Frame::new(CONTINUATION, END_HEADERS, stream, rest);
            wire.send(&[head, rest, end]).await.unwrap();
            wire.until(|heard| !heads(heard).is_empty()).await
        };
        // All of it counts: names, values, and 32 bytes for each of them.
        let over = send(1, (16 << 10) - 200).await;
        assert_eq!((refusals(&over), persons.entered()), (1, 0));
        let under = send(3, (16 << 10) - 800).await;
        assert_eq!((refusals(&under), persons.entered()), (0, 1));
    };
    scene.withstands(offence).await;
}

/// A head of a few bytes for each header that the table of the connection holds already.
#[tokio::test]
async fn a_head_that_unfolds_to_megabytes_is_not_let_in() {
    let scene = Scene::new(Persons::never()).await;
    let persons = scene.persons.clone();
    let offence = async |scene: &Scene| {
        let mut wire = scene.wire().await;
        let mut head = Frame::call(1, GET_PERSON, &[]);
        let mut kept = literal("x-kept", &"x".repeat(3_900));
        // The same literal, but for the table, where it becomes number 62.
        kept[0] = 0x40;
        head.payload.extend(kept);
        head.payload.extend([0x80 | 62; 8_000]);
        if wire.send(&[head, Frame::message(1, &[])]).await.is_ok() {
            wire.seen().await;
        }
    };
    scene.withstands(offence).await;
    assert_eq!(persons.entered(), 0);
}

#[tokio::test]
async fn more_than_streams_max_on_a_connection_are_refused() {
    const STREAMS: usize = CALLS + 1;
    let few = |config: Config| Config { streams_max: 5, ..config };
    let scene = Scene::with(Persons::never(), few).await;
    let offence = async |scene: &Scene| {
        let mut wire = scene.wire().await;
        // A watch needs no place and stays open.
        for stream in streams(20) {
            let watch = Frame::call(stream, "/grpc.health.v1.Health/Watch", &[]);
            wire.send(&[watch, Frame::message(stream, &[])]).await.unwrap();
        }
        let refused = |heard: &[Frame]| with_error(heard, RST_STREAM, REFUSED_STREAM);
        let heard = wire.until(|heard| heads(heard).len() + refused(heard) == 20).await;
        assert_eq!(heads(&heard).len(), STREAMS);
    };
    scene.withstands(offence).await;
}

/// A watch needs no place, and costs memory for as long as it lasts: there are a few of a connection, also of such as
/// do not say what is to be watched.
#[tokio::test]
async fn watches_on_health_are_few_of_a_connection() {
    let scene = Scene::new(Persons::never()).await;
    let offence = async |scene: &Scene| {
        let mut wire = scene.wire().await;
        for stream in streams(50) {
            let watch = Frame::call(stream, "/grpc.health.v1.Health/Watch", &[]);
            wire.send(&[watch]).await.unwrap();
        }
        let heard = wire.until(|heard| heads(heard).len() == 50 - WATCHES_MAX).await;
        assert_eq!(refusals(&heard), 50 - WATCHES_MAX);
        // Those that were let in watch, once they say what.
        for stream in streams(u32::try_from(WATCHES_MAX).unwrap()) {
            wire.send(&[Frame::message(stream, &[])]).await.unwrap();
        }
        let heard = wire.until(|heard| heads(heard).len() == WATCHES_MAX).await;
        assert_eq!(refusals(&heard), 0);
        // To ask once is another matter.
        let check = Frame::call(101, "/grpc.health.v1.Health/Check", &[]);
        wire.send(&[check, Frame::message(101, &[])]).await.unwrap();
        let heard = wire.until(|heard| !heads(heard).is_empty()).await;
        assert_eq!((heads(&heard)[0].stream, refusals(&heard)), (101, 0));
    };
    scene.withstands(offence).await;
}

#[tokio::test]
async fn answers_that_are_given_no_room_hold_no_more_than_the_callers_share() {
    let scene = Scene::new(Persons::reads_one_and_answers(1_000)).await;
    let offence = async |scene: &Scene| {
        // SETTINGS_INITIAL_WINDOW_SIZE
        let mut wire = Wire::connect_with(&scene.server, &scene.offender, &[(4, 0)]).await;
        for stream in streams(100) {
            wire.send(&call(stream)).await.unwrap();
        }
        let heard = wire.until(|heard| heads(heard).len() == 100).await;
        assert_eq!(refusals(&heard), 100 - CALLS);
        // A byte at a time is room for a byte.
        for stream in streams(100) {
            let by_one = Frame::new(WINDOW_UPDATE, 0, stream, 1_u32.to_be_bytes());
            wire.send(&[by_one]).await.unwrap();
        }
        let data = |heard: &[Frame]| {
            let data = heard.iter().filter(|frame| frame.kind == DATA);
            data.map(|frame| frame.payload.len()).collect::<Vec<_>>()
        };
        let heard = wire.until(|heard| data(heard).len() == CALLS).await;
        assert_eq!(data(&heard), [1; CALLS]);
    };
    scene.withstands(offence).await;
}

#[tokio::test]
async fn more_than_the_window_is_not_kept() {
    let scene = Scene::new(Persons::never()).await;
    let offence = async |scene: &Scene| {
        let mut wire = scene.wire().await;
        wire.room().await;
        wire.send(&[Frame::call(1, GET_PERSON, &[])]).await.unwrap();
        // A mebibyte is what a call may send ahead.
        for _ in 0..65 {
            wire.send(&[Frame::new(DATA, 0, 1, vec![0; 16 << 10])]).await.unwrap();
        }
        wire.until(|heard| with_error(heard, RST_STREAM, FLOW_CONTROL_ERROR) == 1).await;
    };
    scene.withstands(offence).await;
}

#[tokio::test]
async fn a_flood_of_frames_whose_answers_nobody_takes_is_cut() {
    let (pings, settings) = (Frame::new(PING, 0, 0, [0; 8]), Frame::new(SETTINGS, 0, 0, []));
    tokio::join!(flood(&pings), flood(&settings));
}

/// Each frame is answered; whoever does not take the answers is read no further, and then cut.
async fn flood(frame: &Frame) {
    let scene = Scene::new(Persons::never()).await;
    let offence = async |scene: &Scene| {
        let from = std::net::Ipv4Addr::LOCALHOST;
        let mut stream = shaken(scene.server.address(), &scene.offender, from).await.unwrap();
        stream.write_all(PREFACE).await.unwrap();
        stream.write_all(&Frame::new(SETTINGS, 0, 0, []).bytes()).await.unwrap();
        let flood = frame.bytes().repeat(1_000);
        let mut sent = 0;
        while stream.write_all(&flood).await.is_ok() {
            sent += flood.len();
            assert!(sent < 64 << 20, "it is read although nobody takes its answers");
        }
    };
    scene.withstands(offence).await;
}

/// What a message says of its length, or of how it was packed, costs nothing.
#[tokio::test]
async fn a_message_of_4_gib_or_packed_as_nobody_offered_is_refused_by_its_first_bytes() {
    let packed = || grpc(1, &[0x1f, 0x8b, 8, 0]);
    for (more, message, code) in [
        (None, vec![0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3], Code::ResourceExhausted),
        (Some(("grpc-encoding", "gzip")), packed(), Code::Unimplemented),
        // Without a word about how.
        (None, packed(), Code::InvalidArgument),
    ] {
        let scene = Scene::new(Persons::reads_one_and_answers(0)).await;
        let offence = async |scene: &Scene| {
            let mut client = raw(&scene.server, &scene.offender).await;
            let (answer, mut body) = client.begin(GET_PERSON, more).await.unwrap();
            body.send_data(message.into(), false).unwrap();
            assert_eq!(code_of(&within(answer).await.unwrap()), code);
        };
        scene.withstands(offence).await;
    }
}

#[tokio::test]
async fn a_message_that_trickles_in_is_held_to_the_deadline() {
    let scene = Scene::new(Persons::reads_one_and_answers(0)).await;
    let offence = async |scene: &Scene| {
        let mut client = raw(&scene.server, &scene.offender).await;
        let (mut answer, mut body) =
            client.begin(GET_PERSON, Some(("grpc-timeout", "1S"))).await.unwrap();
        let mut message = grpc(0, &[0; 10_000]).into_iter();
        let answer = loop {
            let byte = vec![message.next().unwrap()];
            // Once it is refused, the rest is no matter.
            let _refused = body.send_data(byte.into(), false);
            let pause = Duration::from_millis(20);
            if let Ok(answer) = tokio::time::timeout(pause, &mut answer).await {
                break answer.unwrap();
            }
        };
        assert_eq!(code_of(&answer), Code::DeadlineExceeded);
    };
    scene.withstands(offence).await;
}

fn code_of<T>(answer: &http::Response<T>) -> Code {
    Code::from_bytes(answer.headers().get(Status::GRPC_STATUS).unwrap().as_bytes())
}
